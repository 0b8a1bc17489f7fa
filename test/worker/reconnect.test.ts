// Connections that are refused, break, and come back.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { ConnectError, ConnectionLostError, connect, type WorkerError } from "../../src/worker/index.js";
import { Backoff } from "../../src/worker/reconnect.js";
import { until } from "../support/eventually.js";
import { pack, ScriptedEngine } from "../support/scripted-engine.js";
import { engineFor, eventLog, SOON, workerFor } from "./support.js";

test("Backoff.next() is uniform below a bound that doubles up to its cap", () => {
  const backoff = new Backoff({}, () => 0.5);
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7].map(() => backoff.next()),
    [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000],
  );
  backoff.reset();
  assert.equal(backoff.next(), 500);
  const bounded = new Backoff({ baseMs: 10, factor: 3, capMs: 50, attemptsMax: 3 }, () => 1);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => bounded.next()),
    [10, 30, 50, undefined],
  );
});

test("after a cut connection the whole set is registered again in one frame that says who it was", async (t) => {
  const engine = await engineFor(t);
  const { events, onEvent } = eventLog();
  const worker = await workerFor(t, engine, { reconnect: SOON, onEvent, name: "w" });
  worker.register("a", () => "a");
  await worker.register("b", () => "b").ready();
  engine.cut();
  await until(() => engine.peers.length === 2 && worker.state === "connected");
  const [hello, register = []] = engine.last.frames[0] ?? [];
  assert.deepEqual(((hello ?? [])[1] as { previous: unknown }).previous, {
    worker: "worker-1",
    token: "token-1",
  });
  assert.deepEqual(
    [register[0], register[2], (register[3] as unknown[][]).map(([id]) => id)],
    [18, 1, ["a", "b"]],
  );
  assert.equal(await worker.call("b"), "b");
  assert.deepEqual(
    events.map(({ type }) => type),
    ["connected", "disconnected", "reconnecting", "connected"],
  );
});

test("an engine that comes back on the same port finds its workers again", async (t) => {
  const first = await ScriptedEngine.start();
  const { port } = first;
  const worker = await workerFor(t, first, { reconnect: SOON });
  await worker.register("f", (data) => data).ready();
  assert.equal(await worker.call("f", 1), 1);
  await first.stop();
  await until(() => worker.state === "reconnecting");
  const registration = worker.register("added", () => "while away");
  const waiting = [worker.call("f", 2, { timeoutMs: 60_000 }), worker.call("added")];
  assert.equal(worker.stats.callsOpen, 2);
  const second = await ScriptedEngine.start({ port });
  t.after(() => second.stop());
  assert.deepEqual(await Promise.all(waiting), [2, "while away"]);
  assert.equal(registration.state, "serving");
  const caller = await workerFor(t, second);
  assert.equal(await caller.call("f", 3), 3);
});

test("calls in flight when the connection breaks reject with ConnectionLostError", async (t) => {
  const engine = await engineFor(t, { intercept: (_, [kind]) => kind === 1 });
  const worker = await workerFor(t, engine, { reconnect: SOON });
  const calls = Promise.allSettled([worker.call("f"), worker.call("g")]);
  await until(() => engine.last.records.some(([kind]) => kind === 1));
  engine.cut();
  for (const call of await calls) {
    assert.ok(call.status === "rejected" && call.reason instanceof ConnectionLostError);
    assert.equal(call.reason.code, "connection_lost");
  }
  await until(() => worker.state === "connected");
  assert.equal(worker.stats.callsOpen, 0);
});

test("a broken connection aborts the handlers' signals and drops their answers", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine, { reconnect: SOON });
  let signal: AbortSignal | undefined;
  let release = (): void => {};
  await worker
    .register("hangs", (_, context) => {
      signal = context.signal;
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    })
    .ready();
  const lost = assert.rejects(worker.call("hangs"), { code: "connection_lost" });
  await until(() => signal !== undefined);
  engine.cut();
  await lost;
  assert.equal(signal?.aborted, true);
  await until(() => worker.state === "connected");
  release();
  await until(() => worker.stats.handlersRunning === 0);
  await assert.rejects(worker.call("nobody"), { code: "function_not_found" }); // a round trip
  assert.deepEqual(
    engine.last.records.filter(([kind]) => kind === 2 || kind === 3),
    [],
  );
});

test("whileDisconnected: fail, and waitingMax, reject at once", async (t) => {
  const engine = await engineFor(t);
  const failing = await workerFor(t, engine, { reconnect: { baseMs: 60_000 }, whileDisconnected: "fail" });
  const waiting = await workerFor(t, engine, { reconnect: { baseMs: 60_000 }, waitingMax: 2 });
  engine.cut();
  await until(() => failing.state === "reconnecting" && waiting.state === "reconnecting");
  await assert.rejects(failing.call("f"), { code: "connection_lost" });
  assert.equal(failing.cast("f"), false);
  const kept = Promise.allSettled([waiting.call("f")]);
  assert.equal(waiting.cast("f"), true);
  assert.equal(waiting.cast("f"), false);
  await assert.rejects(waiting.call("f"), { code: "connection_lost" });
  await waiting.close();
  assert.equal((await kept)[0]?.status, "rejected");
});

test("a call that waited too long for a connection is a TimeoutError", async (t) => {
  const first = await ScriptedEngine.start();
  const { port } = first;
  const worker = await workerFor(t, first, { reconnect: { baseMs: 80, capMs: 80 } });
  await first.stop();
  await until(() => worker.state === "reconnecting");
  const call = assert.rejects(worker.call("f", null, { timeoutMs: 1 }), { name: "TimeoutError" });
  const second = await ScriptedEngine.start({ port });
  t.after(() => second.stop());
  await call;
});

test("connect() goes on trying until the engine is there", async (t) => {
  const port = await freePort();
  const connecting = connect({ url: `ws://127.0.0.1:${port}`, reconnect: SOON });
  const engine = await ScriptedEngine.start({ port });
  t.after(() => engine.stop());
  const worker = await connecting;
  assert.equal(worker.state, "connected");
  await worker.close();
});

test("connect() gives up after connectTimeoutMs with connect_failed", async () => {
  const url = `ws://127.0.0.1:${await freePort()}`;
  await assert.rejects(connect({ url, reconnect: SOON, connectTimeoutMs: 50 }), (error: ConnectError) => {
    assert.ok(error instanceof ConnectError);
    assert.equal(error.code, "connect_failed");
    return error.message.includes(url) && /ECONNREFUSED/.test(error.message);
  });
});

test("connect() does not wait longer for a welcome than connectTimeoutMs", async (t) => {
  const engine = await engineFor(t, { intercept: () => true });
  const connecting = connect({ url: engine.url, reconnect: SOON, connectTimeoutMs: 50 });
  await assert.rejects(connecting, { name: "ConnectError", code: "connect_failed" });
});

test("connect() with a taken name is refused with the engine's code", async (t) => {
  const engine = await engineFor(t, {
    intercept: (peer, [kind]) => {
      if (kind !== 16) return false;
      peer.send(pack([25, null, "worker_name_taken", "Another living worker has the name w"]));
      peer.socket.close(4409, "worker_name_taken");
      return true;
    },
  });
  const { events, onEvent } = eventLog();
  await assert.rejects(connect({ url: engine.url, name: "w", onEvent }), {
    name: "ConnectError",
    code: "worker_name_taken",
  });
  assert.equal(engine.peers.length, 1);
  assert.deepEqual(
    events.map(({ type }) => type),
    ["refused"],
  );
});

test("a close that is final ends the worker; one that is not brings it back", async (t) => {
  const engine = await engineFor(t);
  const { events, onEvent } = eventLog();
  const worker = await workerFor(t, engine, { reconnect: SOON, onEvent });
  engine.last.socket.close(1012, "going down");
  await until(() => engine.peers.length === 2 && worker.state === "connected");
  engine.last.socket.close(4410, "replaced");
  await until(() => worker.state === "closed");
  assert.deepEqual(events.at(-1), { type: "closed", code: 4410, reason: "replaced" });
  await assert.rejects(worker.call("f"), { code: "worker_closed" });
  assert.throws(() => worker.register("f", () => 1), { code: "worker_closed" });
});

test("bytes that are no records end the connection with 1002, and it comes back", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine, { reconnect: SOON });
  let code = 0;
  engine.last.socket.on("close", (closeCode) => {
    code = closeCode;
  });
  engine.last.send(Buffer.from([0x93, 0x02, 0xce, 0, 0]));
  await until(() => engine.peers.length === 2 && worker.state === "connected");
  assert.equal(code, 1002);
});

test("a set larger than a frame is registered in parts; what cannot be sent is refused alone", async (t) => {
  const engine = await engineFor(t, { limits: { frame_bytes_max: 4_000 } });
  const { events, onEvent } = eventLog();
  const worker = await workerFor(t, engine, { onEvent, reconnect: SOON });
  const ids = Array.from({ length: 50 }, (_, index) => `f${index}`);
  for (const id of ids) worker.register(id, () => id, { description: "x".repeat(200) });
  const bad = worker.register("bad", () => 1, { metadata: { run: () => 1 } });
  const huge = worker.register("huge", () => 1, { description: "x".repeat(5_000) });
  const refusals = await Promise.allSettled([bad.ready(), huge.ready()]);
  const codes = refusals.map(
    (refusal) => refusal.status === "rejected" && (refusal.reason as WorkerError).code,
  );
  assert.deepEqual(codes, ["payload_unencodable", "payload_too_large"]);
  assert.deepEqual(await Promise.all(ids.map((id) => worker.call(id))), ids);
  engine.cut();
  await until(() => engine.peers.length === 2 && worker.state === "connected");
  assert.deepEqual(await Promise.all(ids.map((id) => worker.call(id))), ids);
  assert.ok(Math.max(...engine.last.frameSizes) <= 4_000);
  const modes = engine.last.records.filter(([kind]) => kind === 18).map(([, , mode]) => mode);
  assert.deepEqual(modes, [1, ...new Array(modes.length - 1).fill(0)]);
  const refused = events.flatMap((event) => (event.type === "refused" ? event.functions : []));
  assert.deepEqual(refused.sort(), ["bad", "huge"]);
});

test("one refused registration of several is found out; the others serve", async (t) => {
  const engine = await engineFor(t, {
    intercept: (peer, [kind, request, , entries]) => {
      if (kind !== 18 || !(entries as unknown[][]).some(([id]) => id === "engine::own")) return false;
      peer.send(pack([25, request, "function_id_reserved", "engine::own is the engine's"]));
      return true;
    },
  });
  const { events, onEvent } = eventLog();
  const worker = await workerFor(t, engine, { onEvent });
  const [good, bad, other] = ["good", "engine::own", "other"].map((id) => worker.register(id, () => id));
  await assert.rejects(bad?.ready() ?? Promise.resolve(), { code: "function_id_reserved" });
  assert.deepEqual(
    [await good?.ready(), await other?.ready(), bad?.state],
    ["serving", "serving", "refused"],
  );
  assert.equal(await worker.call("other"), "other");
  assert.deepEqual(events.filter(({ type }) => type === "refused").at(-1), {
    type: "refused",
    code: "function_id_reserved",
    message: "engine::own is the engine's",
    functions: ["engine::own"],
  });
});

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("No port");
  return address.port;
}
