// The server's edges: taken ports, several listeners, pings and the idle limit.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { WebSocket } from "ws";
import { startEngine } from "../../src/engine.js";
import { createLogger } from "../../src/log.js";
import { JsonPeer } from "../support/json-peer.js";
import { testEngine } from "../support/test-engine.js";

const log = createLogger({ level: "silent" });

test("a taken port is a ListenError with its address, and nothing of the engine stays", async (t) => {
  const { port, json } = await testEngine(t);
  const listeners = [{ host: "127.0.0.1", port }];
  await assert.rejects(startEngine({ listeners, log }), {
    name: "ListenError",
    code: "EADDRINUSE",
    message: new RegExp(`127\\.0\\.0\\.1:${port}`),
  });
  await (await json()).settle();
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await new Promise((resolve) => other.once("listening", resolve));
  const address = other.address();
  assert.ok(address !== null && typeof address === "object");
  await assert.rejects(
    startEngine({
      listeners: [
        { host: "127.0.0.1", port: 0 },
        { host: "127.0.0.1", port: address.port },
      ],
      log,
    }),
    { name: "ListenError" },
  );
});

test("several listeners are one engine", async (t) => {
  const { engine, jsonOffering, keep } = await testEngine(t);
  const second = engine.listen({ host: "127.0.0.1", port: 0 });
  const worker = await jsonOffering("f");
  const caller = keep(await JsonPeer.announced(second.port));
  const waiting = caller.call("f", 1);
  worker.answer(await worker.next(), 2);
  assert.equal((await waiting).result, 2);
});

test("the engine pings; a peer that is silent for the idle limit is gone with its functions, one that only pongs stays", {
  timeout: 30_000,
}, async (t) => {
  const { port, jsonOffering, engine } = await testEngine(t, { limits: { idleTimeoutS: 8 } });
  const quiet = await jsonOffering();
  const silent = new WebSocket(`ws://127.0.0.1:${port}/`, { autoPong: false });
  let pings = 0;
  silent.on("ping", () => pings++);
  silent.on("open", () => {
    silent.send(
      '{"type":"invokefunction","function_id":"engine::workers::register","data":{"name":"silent"},"action":{"type":"void"}}',
    );
    silent.send('{"type":"registerfunction","id":"f"}');
  });
  const code = await new Promise((resolve) => silent.on("close", resolve));
  assert.equal(code, 1006);
  assert.ok(pings > 0, "it was pinged");
  assert.equal(engine.workers.byName("default", "silent"), undefined);
  assert.equal((await quiet.call("f", 1)).error?.code, "function_not_found");
});

test("draining: no new connections, calls in flight may end, /healthz says so", async (t) => {
  const { engine, port, jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  const waiting = caller.call("f", 1);
  const asked = await worker.next();
  const closing = engine.close({ drainMs: 5_000 });
  const late = new JsonPeer(`ws://127.0.0.1:${port}/`);
  assert.equal((await late.closed).code, 1006);
  worker.answer(asked, "in time");
  assert.equal((await waiting).result, "in time");
  assert.deepEqual(await closing, { callsLost: 0 });
  assert.equal((await caller.closed).code, 1012);
});

test("draining ends at its limit and tells how many calls were lost", async (t) => {
  const { engine, jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  caller.invoke("f", 1);
  await worker.next();
  assert.deepEqual(await engine.close({ drainMs: 50 }), { callsLost: 1 });
});
