// A worker that takes no more calls, by its own wish or an operator's, against the real engine; and how it comes back when the engine says when.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Engine, startEngine } from "../../src/engine.js";
import { createLogger } from "../../src/log.js";
import { type CallError, connect, type Worker } from "../../src/worker/index.js";
import { Backoff, spreadMsOf } from "../../src/worker/reconnect.js";
import { eventually, until } from "../support/eventually.js";
import { MsgpackPeer } from "../support/msgpack-peer.js";
import { pack } from "../support/scripted-engine.js";
import { engineFor, eventLog, SOON, workerFor } from "./support.js";

interface Running {
  readonly engine: Engine;
  readonly port: number;
}

async function running(t: TestContext): Promise<Running> {
  const log = createLogger({ level: "silent" });
  const engine = await startEngine({ listeners: [{ host: "127.0.0.1", port: 0 }], log });
  t.after(() => engine.close());
  return { engine, port: engine.listeners[0]?.port ?? 0 };
}

interface Held {
  readonly worker: Worker;
  readonly release: (result: string) => void;
}

/** A worker whose functions `ids` answer when they are released. */
async function holding(t: TestContext, port: number, ...ids: string[]): Promise<Held> {
  const worker = await connect({ url: `ws://127.0.0.1:${port}`, onEvent: () => {} });
  t.after(() => worker.close({ timeoutMs: 0 }));
  const releases: ((result: string) => void)[] = [];
  for (const id of ids) worker.register(id, () => new Promise<string>((resolve) => releases.push(resolve)));
  await worker.call("engine::baggage::get_all", {});
  return { worker, release: (result) => releases.shift()?.(result) };
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "none",
    (error: CallError) => error.code,
  );
}

const executing = ({ engine }: Running): number => engine.stats().callsOpen;

test("drain() lets what runs end, others take over at once, and the worker may still call", async (t) => {
  const fixture = await running(t);
  const { worker, release } = await holding(t, fixture.port, "f");
  const { worker: other, release: releaseOther } = await holding(t, fixture.port, "f", "g");
  const caller = await connect({ url: `ws://127.0.0.1:${fixture.port}`, onEvent: () => {} });
  t.after(() => caller.close({ timeoutMs: 0 }));
  const first = caller.call("f");
  await until(() => worker.stats.handlersRunning === 1);
  const drained = worker.drain();
  const nested = worker.call("g");
  await until(() => other.stats.handlersRunning === 1);
  const second = caller.call("f");
  await until(() => other.stats.handlersRunning === 2);
  assert.equal(worker.stats.handlersRunning, 1, "the second call went to the standby");
  releaseOther("g");
  releaseOther("f, from the standby");
  assert.deepEqual(await Promise.all([nested, second]), ["g", "f, from the standby"]);
  release("f");
  assert.equal(await first, "f");
  assert.deepEqual(await drained, { handlersRunning: 0 });
  assert.equal(worker.state, "connected");
});

test("drain({ functions, timeoutMs }) waits for these only, and tells what has not ended; close() then leaves nothing", async (t) => {
  const fixture = await running(t);
  const { worker, release } = await holding(t, fixture.port, "f", "g");
  const { worker: caller } = await holding(t, fixture.port);
  const calls = [caller.call("f"), caller.call("g")];
  await until(() => worker.stats.handlersRunning === 2);
  assert.deepEqual(await worker.drain({ functions: ["f"], timeoutMs: 20 }), { handlersRunning: 1 });
  assert.equal(await codeOf(caller.call("f")), "draining");
  const more = caller.call("g");
  await until(() => worker.stats.handlersRunning === 3);
  for (const result of ["a", "b", "c"]) release(result);
  assert.deepEqual(await Promise.all([...calls, more]), ["a", "b", "c"]);
  await worker.register("f", () => "anew").ready();
  assert.equal(await caller.call("f"), "anew");
  await worker.drain();
  assert.equal(await worker.register("h", () => "never").ready(), "draining");
  assert.equal(await codeOf(caller.call("h")), "draining", "what is registered later drains, too");
  await worker.close();
  assert.equal(await codeOf(caller.call("h")), "function_not_found");
});

test("close() drains: a successor that registers meanwhile takes the calls by the same handle", async (t) => {
  const fixture = await running(t);
  const { worker, release } = await holding(t, fixture.port, "f");
  const caller = await MsgpackPeer.connect(fixture.port);
  const [handle] = await caller.resolve("f");
  const { worker: other } = await holding(t, fixture.port);
  const call = other.call("f");
  await until(() => worker.stats.handlersRunning === 1);
  const closing = worker.close();
  await eventually(
    "it drains",
    async () => (await codeOf(other.call("f", null, { timeoutMs: 2_000 }))) === "draining",
  );
  await other.register("f", () => "successor").ready();
  assert.equal(await other.call("f"), "successor");
  assert.deepEqual(await caller.resolve("f"), [handle]);
  release("done");
  assert.equal(await call, "done");
  await closing;
  assert.deepEqual(await caller.resolve("f"), [handle]);
});

test("an operator's drain: the worker hears of it, finishes, closes for good", async (t) => {
  const fixture = await running(t);
  const { events, onEvent } = eventLog();
  const worker = await connect({
    url: `ws://127.0.0.1:${fixture.port}`,
    name: "w",
    onEvent,
    reconnect: SOON,
  });
  t.after(() => worker.close({ timeoutMs: 0 }));
  let release = (): void => undefined;
  worker.register("f", () => new Promise<string>((resolve) => (release = () => resolve("done"))));
  const { worker: operator } = await holding(t, fixture.port);
  const call = operator.call("f");
  await until(() => executing(fixture) === 1 && worker.stats.handlersRunning === 1);
  const drained = operator.call("engine::workers::drain", { name: "w", timeout_ms: 30_000 });
  await until(() => events.some(({ type }) => type === "drain"));
  assert.equal(await codeOf(operator.call("f")), "draining");
  release();
  assert.equal(await call, "done");
  assert.deepEqual(await drained, { id: worker.id, name: "w", functions: 1, calls_left: 0, left: true });
  await until(() => worker.state === "closed");
  assert.deepEqual(
    events.filter(({ type }) => type === "drain" || type === "reconnecting"),
    [{ type: "drain", functions: undefined, timeoutMs: 30_000 }],
  );
});

test("an operator's drain of one function is an event, and nothing ends but its calls", async (t) => {
  const fixture = await running(t);
  const { events, onEvent } = eventLog();
  const worker = await connect({ url: `ws://127.0.0.1:${fixture.port}`, name: "w", onEvent });
  t.after(() => worker.close({ timeoutMs: 0 }));
  worker.register("f", () => "f");
  worker.register("g", () => "g");
  const { worker: operator } = await holding(t, fixture.port);
  await operator.call("engine::workers::drain", { name: "w", function_id: "f", timeout_ms: 10 });
  await until(() => events.some(({ type }) => type === "drain"));
  assert.deepEqual(events.at(-1), { type: "drain", functions: ["f"], timeoutMs: 10 });
  assert.deepEqual([await codeOf(operator.call("f")), await operator.call("g")], ["function_not_found", "g"]);
});

test("what drains drains on every connection that follows, behind the registrations and in their frame", async (t) => {
  const engine = await engineFor(t, {
    intercept: (peer, [kind, request]) => {
      if (kind === 36) peer.send(pack([37, request, 1]));
      return kind === 36;
    },
  });
  const worker = await workerFor(t, engine, { reconnect: SOON });
  await worker.register("f", () => 1).ready();
  await worker.drain({ functions: ["f"] });
  engine.cut();
  await until(() => engine.peers.length === 2 && worker.state === "connected");
  assert.deepEqual(
    (engine.last.frames[0] ?? []).map(([kind]) => kind),
    [16, 18, 36],
  );
});

test("spreadMsOf() reads the time of a going engine's reason, and nothing else", () => {
  assert.equal(spreadMsOf("the engine is going down; reconnect_ms=5000"), 5_000);
  assert.equal(spreadMsOf("reconnect_ms=7; more=1"), 7);
  assert.equal(spreadMsOf("gone; reconnect_ms=999999999"), 60_000);
  for (const reason of [
    "",
    "reconnect_ms=",
    "reconnect_ms=1x",
    "xreconnect_ms=1",
    "reconnect_ms=-1",
    "reconnect_ms=1e9",
  ])
    assert.equal(spreadMsOf(reason), undefined, reason);
});

test("Backoff.next(spreadMs) waits a random part of what the engine said, once, and backs off from there", () => {
  const backoff = new Backoff({ attemptsMax: 3 }, () => 0.5);
  assert.deepEqual(
    [backoff.next(8_000), backoff.next(), backoff.next(), backoff.next(8_000)],
    [4_000, 1_000, 2_000, undefined],
  );
});

test("workers of an engine that goes down come back over the time it said, not at once", async (t) => {
  const first = await running(t);
  const delays: number[] = [];
  for (let n = 0; n < 20; n++) {
    const worker = await connect({
      url: `ws://127.0.0.1:${first.port}`,
      reconnect: { baseMs: 0, capMs: 0 },
      onEvent: (event) => event.type === "reconnecting" && event.attempt === 1 && delays.push(event.delayMs),
    });
    t.after(() => worker.close({ timeoutMs: 0 }));
  }
  await first.engine.close();
  await until(() => delays.length === 20);
  assert.ok(Math.max(...delays) > 50 && Math.max(...delays) <= 250, `spread over 250 ms: ${delays}`);
});
