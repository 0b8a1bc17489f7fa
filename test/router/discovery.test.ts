// What subscribers of the engine's own trigger types get: which events, in which order, how often, and how large.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { unpack } from "msgpackr";
import {
  SNAPSHOT_BYTES_MAX,
  SNAPSHOT_PAUSE_MS_MAX,
  SNAPSHOT_PAUSE_MS_MIN,
} from "../../src/protocol/limits.js";
import { pauseAfter } from "../../src/router/functions-available.js";
import { FakeClock } from "../support/fake-clock.js";
import type { JsonFrame, JsonPeer } from "../support/json-peer.js";
import { type TestEngine, testEngine } from "../support/test-engine.js";

const FUNCTIONS = "engine::functions-available";
const WORKERS = "engine::workers-available";

function subscribe(peer: JsonPeer, type: string, functionId: string, rest: object = {}): void {
  peer.register(functionId);
  peer.send({
    type: "registertrigger",
    id: `${functionId}-${type}`,
    trigger_type: type,
    function_id: functionId,
    config: {},
    ...rest,
  });
}

interface Snapshot {
  event: string;
  functions: { function_id: string; namespace: string; worker_name: string; description?: string }[];
  abridged?: boolean;
  truncated?: boolean;
  function_count?: number;
}

const snapshotOf = (frame: JsonFrame): Snapshot => frame.data as Snapshot; // tests compare what is in it
/** The ids of a snapshot that are not the engine's own. */
const ids = (frame: JsonFrame): string[] =>
  snapshotOf(frame)
    .functions.map(({ function_id }) => function_id)
    .filter((id) => !id.startsWith("engine::"))
    .sort();

interface Stage extends TestEngine {
  clock: FakeClock;
  watcher: JsonPeer;
  worker: JsonPeer;
}

/** A subscriber that has got its first snapshot and whose pause is over, and a worker beside it. */
async function stage(t: TestContext): Promise<Stage> {
  const clock = new FakeClock();
  const on = await testEngine(t, { clock });
  const [watcher, worker] = [await on.json({ name: "watcher" }), await on.json({ name: "worker" })];
  subscribe(watcher, FUNCTIONS, "seen");
  await watcher.settle();
  clock.advance(0);
  assert.deepEqual(ids(await watcher.next("the first snapshot")), ["seen"]);
  clock.advance(SNAPSHOT_PAUSE_MS_MAX);
  await watcher.settle();
  return { ...on, clock, watcher, worker };
}

test("5. 32. functions-available: a whole snapshot at the first change, as SDKs expect it", async (t) => {
  const { clock, watcher, worker } = await stage(t);
  worker.register("b::two", { description: "second", metadata: { n: 1.0 } });
  worker.register("a::one");
  await worker.settle();
  clock.advance(0);
  const event = await watcher.next();
  assert.equal(event.function_id, "seen");
  assert.equal(snapshotOf(event).event, "functions_changed");
  const rows = snapshotOf(event).functions.filter(
    ({ function_id }) => function_id.includes("::") && !function_id.startsWith("engine::"),
  );
  assert.deepEqual(rows, [
    {
      function_id: "b::two",
      namespace: "default",
      worker_name: "worker",
      description: "second",
      metadata: { n: 1 },
    },
    { function_id: "a::one", namespace: "default", worker_name: "worker" },
  ]);
  assert.ok(snapshotOf(event).functions.some(({ function_id }) => function_id === "engine::functions::list"));
  assert.ok(!watcher.text.includes("_caller_worker_id"), "the engine is no worker");
});

test("functions-available: after a push a pause, then the latest state once, however much happened", async (t) => {
  const { clock, watcher, worker, counter } = await stage(t);
  const before = counter("snapshots_serialised");
  worker.register("f0");
  await worker.settle();
  clock.advance(0);
  assert.deepEqual(ids(await watcher.next()), ["f0", "seen"]);
  for (let at = 1; at < 50; at++) worker.register(`f${at}`);
  for (let at = 0; at < 49; at++) worker.send({ type: "unregisterfunction", id: `f${at}` });
  await worker.settle();
  clock.advance(SNAPSHOT_PAUSE_MS_MIN - 1);
  await watcher.settle();
  clock.advance(SNAPSHOT_PAUSE_MS_MAX);
  assert.deepEqual(ids(await watcher.next()), ["f49", "seen"]);
  clock.advance(SNAPSHOT_PAUSE_MS_MAX);
  await watcher.settle();
  assert.equal(counter("snapshots_serialised") - before, 2);
});

test("functions-available: what is undone in the pause, and another card of the same function, are not told", async (t) => {
  const { clock, watcher, worker, counter } = await stage(t);
  worker.register("f");
  await worker.settle();
  clock.advance(0);
  await watcher.next();
  const before = counter("snapshots_serialised");
  worker.register("f", { description: "again" });
  worker.register("g");
  worker.send({ type: "unregisterfunction", id: "g" });
  worker.send({ type: "unregisterfunction", id: "f" });
  worker.register("f");
  await worker.settle();
  clock.advance(2 * SNAPSHOT_PAUSE_MS_MAX);
  await watcher.settle();
  assert.equal(counter("snapshots_serialised"), before);
});

test("functions-available: one serialisation for all subscribers of both wires, each with its own metadata", async (t) => {
  const { clock, worker, counter, json, msgpack, engine } = await stage(t);
  const watchers = await Promise.all(Array.from({ length: 20 }, () => json()));
  for (const [at, watcher] of watchers.entries()) {
    subscribe(watcher, FUNCTIONS, `watch${at}`, { metadata: { at } });
    await watcher.settle();
  }
  const packed = await msgpack();
  await packed.register(["packed"]);
  const owner = await json();
  owner.send({
    type: "registertrigger",
    id: "p",
    trigger_type: FUNCTIONS,
    function_id: "packed",
    config: null,
    metadata: { m: 7 },
  });
  await owner.settle();
  clock.advance(SNAPSHOT_PAUSE_MS_MAX);
  for (const watcher of watchers) await watcher.next();
  await packed.next();
  clock.advance(SNAPSHOT_PAUSE_MS_MAX);
  const before = counter("snapshots_serialised");
  // Above the size from which the payload is laid out once.
  for (let at = 0; at < 40; at++) worker.register(`f${at}`, { description: "x".repeat(1_000) });
  await worker.settle();
  clock.advance(0);
  for (const [at, watcher] of watchers.entries()) {
    const event = await watcher.next();
    assert.equal(event.function_id, `watch${at}`);
    assert.deepEqual(event["metadata"], { at });
    assert.equal(ids(event).filter((id) => /^f\d/.test(id)).length, 40);
  }
  const [kind, , , caller, context, payload] = await packed.next();
  assert.deepEqual([kind, caller], [5, 0]);
  assert.deepEqual(unpack(context as Uint8Array), { metadata: { m: 7 } });
  assert.equal((unpack(payload as Uint8Array) as Snapshot).functions.length, engine.stats().functions);
  assert.equal(counter("snapshots_serialised") - before, 1);
});

test("36. functions-available: beyond the bound rows are abridged, then cut, and say so; no frame passes a mebibyte", async (t) => {
  const { clock, watcher, worker, engine } = await stage(t);
  for (let at = 0; at < 1_100; at++) worker.register(`f${at}`, { description: "é".repeat(500) });
  await worker.settle();
  clock.advance(0);
  const abridged = await watcher.next();
  assert.ok(Buffer.byteLength(watcher.text) < 1 << 20);
  assert.equal(snapshotOf(abridged).abridged, true);
  assert.equal(snapshotOf(abridged).truncated, undefined);
  assert.equal(snapshotOf(abridged).functions.length, engine.stats().functions);
  for (let at = 0; at < 1_200; at++) worker.register(`long-${"x".repeat(900)}-${at}`);
  await worker.settle();
  clock.advance(SNAPSHOT_PAUSE_MS_MAX);
  const cut = await watcher.next();
  assert.ok(Buffer.byteLength(watcher.text) < 1 << 20);
  assert.ok(Buffer.byteLength(watcher.text) > SNAPSHOT_BYTES_MAX - 5_000, "as many as fit");
  assert.deepEqual(
    [snapshotOf(cut).truncated, snapshotOf(cut).function_count],
    [true, engine.stats().functions],
  );
  assert.ok(snapshotOf(cut).functions.length < engine.stats().functions);
});

test("functions-available: a subscriber that does not keep up is passed over and gets the latest state when it does", async (t) => {
  const clock = new FakeClock();
  const on = await testEngine(t, { clock, limits: { outboxSoftBytes: 200_000 } });
  const [slow, worker, caller] = [await on.json(), await on.json(), await on.json()];
  subscribe(slow, FUNCTIONS, "slow::seen");
  slow.register("slow::call");
  await slow.settle();
  slow.socket.pause();
  // The kernel takes some megabytes before anything stays here.
  const payload = "x".repeat(150_000);
  for (let sent = 0; sent < 200; sent++) caller.invoke("slow::call", payload, { action: { type: "void" } });
  await caller.drain();
  const { index } = on.engine.workers.byId(slow.workerId)?.connection ?? { index: 0 };
  assert.ok(!on.engine.calls.canTake(index), "it is above the soft bound");
  clock.advance(0);
  const fired = on.counter("trigger_fires");
  worker.register("late");
  await worker.settle();
  clock.advance(10 * SNAPSHOT_PAUSE_MS_MAX);
  assert.equal(on.counter("trigger_fires"), fired);
  slow.socket.resume();
  for (;;) {
    clock.advance(SNAPSHOT_PAUSE_MS_MAX);
    const frame = await slow.next();
    if (frame.function_id !== "slow::seen") continue;
    assert.ok(ids(frame).includes("late"));
    break;
  }
});

test("workers-available: every event, in order, none of a worker's own end", async (t) => {
  const on = await testEngine(t);
  const watcher = await on.json();
  subscribe(watcher, WORKERS, "seen");
  await watcher.settle();
  const came = await on.json({ name: "came" });
  await came.settle();
  const packed = await on.msgpack({ name: "packed" });
  await came.close();
  const told: unknown[] = [];
  while (told.length < 5) told.push((await watcher.next()).data);
  assert.deepEqual(told, [
    { event: "worker_connected", worker_id: came.workerId },
    { event: "worker_metadata_updated", worker_id: came.workerId },
    { event: "worker_connected", worker_id: packed.welcome.worker },
    { event: "worker_metadata_updated", worker_id: packed.welcome.worker },
    { event: "worker_disconnected", worker_id: came.workerId },
  ]);
  watcher.announce({ name: "late" });
  assert.deepEqual((await watcher.next()).data, {
    event: "worker_metadata_updated",
    worker_id: watcher.workerId,
  });
});

test("workers-available: a burst is never merged, and at worker_metadata_updated the worker's functions are there", async (t) => {
  const on = await testEngine(t);
  const watcher = await on.json();
  subscribe(watcher, WORKERS, "seen");
  await watcher.settle();
  const peers = await Promise.all(Array.from({ length: 50 }, () => on.json()));
  await Promise.all(peers.map((peer) => peer.settle()));
  await Promise.all(peers.map((peer) => peer.close()));
  const events = new Map<string, string[]>();
  for (let count = 0; count < 150; count++) {
    const { event, worker_id } = (await watcher.next()).data as { event: string; worker_id: string };
    events.set(worker_id, [...(events.get(worker_id) ?? []), event]);
  }
  assert.equal(events.size, 50);
  for (const each of events.values())
    assert.deepEqual(each, ["worker_connected", "worker_metadata_updated", "worker_disconnected"]);
});

test("3. the engine's own types cannot be taken by a worker, and their triggers tell when they last fired", async (t) => {
  const { clock, watcher, worker, engine } = await stage(t);
  worker.send({ type: "registertriggertype", id: FUNCTIONS, description: "mine" });
  const refusal = await worker.next();
  assert.deepEqual([refusal.type, refusal["code"]], ["registrationrefused", "trigger_type_reserved"]);
  worker.register("f");
  await worker.settle();
  clock.advance(0);
  await watcher.next();
  const info = await engine.call("engine::registered-triggers::info", {
    id: `seen-${FUNCTIONS}`,
    include_parked: true,
  });
  assert.equal((info as { last_fired_at_ms: number }).last_fired_at_ms, clock.epochMs());
});

test("pauseAfter() grows with the bytes pushed, within its bounds", () => {
  assert.equal(pauseAfter(0), SNAPSHOT_PAUSE_MS_MIN);
  assert.equal(pauseAfter(1_000_000), SNAPSHOT_PAUSE_MS_MIN + 20);
  assert.equal(pauseAfter(1e12), SNAPSHOT_PAUSE_MS_MAX);
});
