// The worker SDK against the real engine, on real sockets.

import assert from "node:assert/strict";
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { z } from "zod";
import { type Engine, startEngine } from "../../src/engine.js";
import { createLogger } from "../../src/log.js";
import type { CallError } from "../../src/worker/index.js";
import { until } from "../support/eventually.js";
import { eventLog, SOON, workerFor } from "./support.js";

interface Running {
  readonly engine: Engine;
  readonly url: string;
  readonly port: number;
}

async function running(t: TestContext, port = 0): Promise<Running> {
  const log = createLogger({ level: "silent" });
  const engine = await startEngine({ listeners: [{ host: "127.0.0.1", port }], log });
  t.after(() => engine.close());
  const bound = engine.listeners[0]?.port ?? 0;
  return { engine, port: bound, url: `ws://127.0.0.1:${bound}` };
}

/** Forwards bytes to the engine; `loseClients` cuts the clients off while the engine goes on believing in them. */
async function halfOpenProxy(
  t: TestContext,
  port: number,
): Promise<{ url: string; loseClients: () => void }> {
  const clients = new Set<Socket>();
  const upstreams = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = createConnection(port, "127.0.0.1");
    clients.add(client);
    upstreams.add(upstream);
    client.on("data", (bytes) => upstream.write(bytes)).on("error", () => client.destroy());
    upstream.on("data", (bytes) => client.write(bytes)).on("error", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of [...clients, ...upstreams]) socket.destroy();
    server.close();
  });
  const { port: own } = server.address() as AddressInfo; // a listening TCP server has one
  const loseClients = (): void => {
    for (const client of clients) client.destroy();
  };
  return { url: `ws://127.0.0.1:${own}`, loseClients };
}

/** Every call that was opened has ended, and none is left in the engine. */
async function settled({ engine }: Running): Promise<void> {
  await until(() => engine.stats().callsOpen === 0);
  const { callsOpened, callsEnded } = engine.stats();
  assert.equal(callsOpened, callsEnded);
}

test("two workers call each other", async (t) => {
  const on = await running(t);
  const left = await workerFor(t, on, { name: "left" });
  const right = await workerFor(t, on, { name: "right" });
  await left.register("left::twice", (n: number) => 2 * n).ready();
  await right
    .register("right::text", async (n: number, { call }) => `${await call("left::twice", n)}`)
    .ready();
  assert.equal(await left.call("right::text", 21), "42");
  const data = {
    text: "häuser 🙂",
    big: 2 ** 45,
    wide: 2n ** 63n,
    none: null,
    list: [1.5, -0],
    at: new Date(1),
    raw: new Uint8Array(9),
  };
  await right.register("echo", (value) => value).ready();
  assert.deepEqual(await left.call("echo", data), data);
  await settled(on);
});

test("many calls at once, over both connections and in both directions", async (t) => {
  const on = await running(t);
  const workers = await Promise.all([workerFor(t, on), workerFor(t, on)]);
  for (const [index, worker] of workers.entries()) {
    await worker.register(`add${index}`, ({ a, b }: { a: number; b: number }) => a + b).ready();
  }
  const sums = workers.flatMap((worker, index) =>
    Array.from({ length: 2_000 }, (_, n) => worker.call<number>(`add${1 - index}`, { a: n, b: index })),
  );
  const total = (await Promise.all(sums)).reduce((sum, each) => sum + each, 0);
  assert.equal(total, 2 * ((2_000 * 1_999) / 2) + 2_000);
  await settled(on);
});

test("errors keep code, message, stack and data; what nobody offers is function_not_found", async (t) => {
  const on = await running(t);
  const worker = await workerFor(t, on);
  const caller = await workerFor(t, on);
  await worker
    .register("fails", () => {
      throw new RangeError("too far");
    })
    .ready();
  await assert.rejects(caller.call("fails"), (error: CallError) => {
    assert.match(error.stacktrace ?? "", /RangeError: too far/);
    return error.code === "invocation_failed" && error.message === "too far";
  });
  await assert.rejects(caller.call("nobody"), { code: "function_not_found" });
  await assert.rejects(caller.call("fails", null, { namespace: "other" }), { code: "function_not_found" });
  await settled(on);
});

test("a function that went and came back with another worker is found again", async (t) => {
  const on = await running(t);
  const caller = await workerFor(t, on);
  const first = await workerFor(t, on);
  await first.register("f", () => "first").ready();
  assert.deepEqual([await caller.call("f"), await caller.call("f")], ["first", "first"]);
  await first.close();
  await assert.rejects(caller.call("f"), { code: "function_not_found" });
  const second = await workerFor(t, on);
  await second.register("f", () => "second").ready();
  assert.deepEqual([await caller.call("f"), await caller.call("f")], ["second", "second"]);
});

test("a standby takes over when the owner leaves, and its state says so", async (t) => {
  const on = await running(t);
  const caller = await workerFor(t, on);
  const owner = await workerFor(t, on);
  const standby = await workerFor(t, on);
  assert.equal(await owner.register("f", () => "owner").ready(), "serving");
  assert.equal(await standby.register("f", () => "standby").ready(), "standby");
  assert.equal(await caller.call("f"), "owner");
  await owner.close();
  assert.equal(await caller.call("f"), "standby");
});

test("cancel and deadline end the call and reach the handler", async (t) => {
  const on = await running(t);
  const worker = await workerFor(t, on);
  const caller = await workerFor(t, on);
  const aborted: unknown[] = [];
  let started = 0;
  await worker
    .register("hangs", (name, { signal }) => {
      started++;
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve(aborted.push(name))));
    })
    .ready();
  const controller = new AbortController();
  const call = assert.rejects(caller.call("hangs", "cancelled", { signal: controller.signal }), {
    code: "cancelled",
  });
  await until(() => started === 1);
  controller.abort();
  await call;
  await until(() => aborted.length === 1);
  await assert.rejects(caller.call("hangs", "late", { timeoutMs: 30 }), { name: "TimeoutError" });
  await until(() => aborted.length === 2);
  assert.deepEqual(aborted, ["cancelled", "late"]);
  await settled(on);
});

test("context crosses the engine: caller, trace, metadata, remaining time", async (t) => {
  const on = await running(t);
  const worker = await workerFor(t, on);
  const caller = await workerFor(t, on);
  await worker
    .register("who", (_, context) => [
      context.caller,
      context.traceparent,
      context.baggage,
      context.metadata,
      Math.round((context.deadline - Date.now()) / 1_000), // the engine counts time in coarse ticks
    ])
    .ready();
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const answer = await caller.call("who", null, {
    traceparent,
    baggage: "a=1",
    metadata: { x: [1] },
    timeoutMs: 5_000,
  });
  assert.deepEqual(answer, [caller.number, traceparent, "a=1", { x: [1] }, 5]);
});

test("shared functions: by key to the same owner, casts to all owners", async (t) => {
  const on = await running(t);
  const seen: string[] = [];
  const owners = await Promise.all(["a", "b", "c"].map((name) => workerFor(t, on, { name })));
  for (const [index, owner] of owners.entries()) {
    await owner.register("keyed", () => index, { share: "hash" }).ready();
    await owner
      .register("news", (text: string) => void seen.push(`${index} ${text}`), { share: "round_robin" })
      .ready();
  }
  const caller = await workerFor(t, on);
  const picked = await Promise.all(
    Array.from({ length: 30 }, (_, n) => caller.call("keyed", null, { key: `k${n % 10}` })),
  );
  for (let n = 0; n < 10; n++)
    assert.deepEqual([picked[n + 10], picked[n + 20]], [picked[n], picked[n]], `key k${n}`);
  assert.ok(new Set(picked).size > 1);
  assert.equal(caller.cast("news", "hello", { all: true }), true);
  await until(() => seen.length === 3);
  assert.deepEqual(seen.sort(), ["0 hello", "1 hello", "2 hello"]);
  caller.cast("news", "one");
  await until(() => seen.length === 4);
});

test("schemas, description and metadata are in the engine's list of functions", async (t) => {
  const on = await running(t);
  const worker = await workerFor(t, on);
  const request = z.object({ a: z.number() });
  await worker
    .register("square", ({ a }) => a * a, {
      request,
      response: z.number(),
      description: "a × a",
      metadata: { tag: 1 },
    })
    .ready();
  assert.equal(await worker.call("square", { a: 3 }), 9);
  await assert.rejects(worker.call("square", { a: "3" }), { code: "request_invalid" });
  const info = await worker.call<Record<string, unknown>>("engine::functions::info", {
    function_id: "square",
  });
  assert.deepEqual(info["request_schema"], z.toJSONSchema(request, { io: "input" }));
  assert.equal(info["description"], "a × a");
});

test("a name is leased to one worker; a reserved id is refused and the rest registered", async (t) => {
  const on = await running(t);
  await workerFor(t, on, { name: "taken" });
  await assert.rejects(workerFor(t, on, { name: "taken" }), {
    name: "ConnectError",
    code: "worker_name_taken",
  });
  const worker = await workerFor(t, on);
  const [good, bad] = ["good", "engine::functions::list"].map((id) => worker.register(id, () => id));
  await assert.rejects(bad?.ready() ?? Promise.resolve(), { code: "function_id_reserved" });
  assert.equal(await good?.ready(), "serving");
  assert.equal(await worker.call("good"), "good");
});

test("an engine restarted on the same port gets its workers back, and stale handles lead nowhere wrong", async (t) => {
  const first = await running(t);
  const { events, onEvent } = eventLog();
  const worker = await workerFor(t, first, { reconnect: SOON, name: "w", onEvent });
  const caller = await workerFor(t, first, { reconnect: SOON, name: "c" });
  for (const id of ["a", "b", "c"]) worker.register(id, () => id);
  await worker.register("d", () => "d").ready();
  assert.deepEqual(await Promise.all(["a", "b", "c", "d"].map((id) => caller.call(id))), [
    "a",
    "b",
    "c",
    "d",
  ]);
  await first.engine.close();
  await until(() => worker.state === "reconnecting" && caller.state === "reconnecting");
  worker.unregister("a");
  worker.register("e", () => "e");
  const second = await running(t, first.port);
  await until(() => second.engine.stats().workers === 2 && worker.state === "connected");
  await worker.call("e");
  for (const id of ["b", "c", "d", "e"]) assert.equal(await caller.call(id), id);
  await assert.rejects(caller.call("a"), { code: "function_not_found" });
  assert.deepEqual(
    events.map(({ type }) => type).filter((type) => type !== "reconnecting"),
    ["connected", "disconnected", "connected"],
  );
  await settled(second);
});

test("a worker whose old connection is still there takes over its name and functions without a gap", async (t) => {
  const on = await running(t);
  const proxy = await halfOpenProxy(t, on.port);
  const caller = await workerFor(t, on);
  const worker = await workerFor(t, proxy, { reconnect: SOON, name: "w" });
  worker.register("f", () => worker.number);
  worker.register("hangs", () => new Promise(() => {}));
  await worker.register("g", () => "g").ready();
  const before = await caller.call("f");
  const hanging = assert.rejects(caller.call("hangs"), { code: "invocation_stopped" });
  await until(() => worker.stats.handlersRunning === 1);
  proxy.loseClients();
  await until(() => worker.state === "connected" && worker.number !== before);
  await hanging;
  assert.equal(await caller.call("f"), worker.number);
  assert.equal(await caller.call("g"), "g");
  assert.equal(on.engine.stats().workers, 2);
  await settled(on);
});

test("a worker that leaves gracefully under load loses no call", async (t) => {
  const on = await running(t);
  const caller = await workerFor(t, on);
  const leaving = await workerFor(t, on);
  const staying = await workerFor(t, on);
  let served = 0;
  for (const worker of [leaving, staying]) {
    const slow = async (n: number): Promise<number> => {
      served++;
      await new Promise((resolve) => setTimeout(resolve, 1));
      return n;
    };
    await worker.register("slow", slow, { share: "least_outstanding" }).ready();
  }
  const loops = Array.from({ length: 20 }, async (_, index) => {
    for (let n = 0; n < 25; n++) assert.equal(await caller.call("slow", index * n), index * n);
  });
  await until(() => served > 100);
  await leaving.close();
  assert.equal(leaving.stats.handlersRunning, 0);
  await Promise.all(loops);
  assert.equal(served, 500);
  await settled(on);
});

test("a worker that dies ends its calls as invocation_stopped", async (t) => {
  const on = await running(t);
  const caller = await workerFor(t, on);
  const dying = await workerFor(t, on);
  await dying.register("hangs", () => new Promise(() => {})).ready();
  const call = assert.rejects(caller.call("hangs"), { code: "invocation_stopped" });
  await until(() => dying.stats.handlersRunning === 1);
  await dying.close({ timeoutMs: 0 });
  await call;
  await settled(on);
});

test("casts go on after their function moved to another worker: the one that shows it is lost, those behind it are not", async (t) => {
  const on = await running(t);
  const first = await workerFor(t, on, { name: "first" });
  await first.register("log", () => undefined).ready();
  const caller = await workerFor(t, on, { name: "caller" });
  await caller.call("log", 0); // from here on by handle
  await first.close();
  await until(() => on.engine.stats().workers === 1);
  const heard: unknown[] = [];
  const second = await workerFor(t, on, { name: "second" });
  await second.register("log", (data: unknown) => void heard.push(data)).ready();
  caller.cast("log", "lost");
  await until(() => on.engine.stats().counters["casts_dropped"] === 1);
  await caller.call("engine::baggage::get_all", {}); // what the engine said before has been heard
  caller.cast("log", "heard");
  await until(() => heard.length === 1);
  assert.deepEqual(heard, ["heard"]);
});
