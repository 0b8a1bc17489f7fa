// The engine for tests: its lines, its clock, its death and return, as a worker meets them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually, ShiftedClock, startTestEngine } from "../../src/testing/index.js";
import { ConnectionLostError, connect } from "../../src/worker/index.js";

test("a line can be cut: the call ends, the worker comes back", async (t) => {
  const engine = await startTestEngine();
  t.after(() => engine.close());
  const line = await engine.line();
  const worker = await connect({ url: line.url, name: "cut" });
  t.after(() => worker.close());
  worker.register("slow", () => sleep(60_000, null, { ref: false }));
  const waiting = worker.call("slow", null);
  await engine.until("the call is there", ({ callsOpen }) => callsOpen === 1);
  line.cut();
  await assert.rejects(waiting, ConnectionLostError);
  await eventually("it is back", () => line.accepted === 2);
  await engine.until("its function is back", ({ workers }) => workers === 1);
  assert.equal(line.counts.cut, 1);
});

test("a line that is stalled passes nothing until it is resumed; a slow one takes its time", async (t) => {
  const engine = await startTestEngine();
  t.after(() => engine.close());
  const line = await engine.line();
  const worker = await connect({ url: line.url, name: "stalled" });
  t.after(() => worker.close());
  worker.register("echo", (value: number) => value);
  assert.equal(await worker.call("echo", 1), 1);
  line.stall();
  let hasEnded = false;
  const waiting = worker.call("echo", 2).finally(() => {
    hasEnded = true;
  });
  for (let round = 0; round < 20; round++) await engine.call("engine::workers::list", {}); // others are served meanwhile
  assert.equal(hasEnded, false);
  line.resume();
  assert.equal(await waiting, 2);
  line.slow(30);
  const startedMs = performance.now();
  assert.equal(await worker.call("echo", 3), 3);
  assert.ok(performance.now() - startedMs >= 4 * 29, "four times over the line");
});

test("a deadline passes when the clock is moved", async (t) => {
  const engine = await startTestEngine();
  t.after(() => engine.close());
  const worker = await connect({ url: engine.url, name: "late" });
  t.after(() => worker.close());
  worker.register("slow", () => sleep(60_000, null, { ref: false }));
  const late = connect({ url: engine.url, name: "caller" });
  t.after(async () => (await late).close());
  const refused = assert.rejects((await late).call("slow", null, { timeoutMs: 3_000_000 }), {
    code: "deadline_exceeded",
  });
  await engine.until("the call is there", ({ callsOpen }) => callsOpen === 1);
  await engine.advance(3_000_001);
  await refused;
});

test("an engine that is killed comes back on its port, and its workers with it", async (t) => {
  const engine = await startTestEngine();
  t.after(() => engine.close());
  const worker = await connect({ url: engine.url, name: "again" });
  t.after(() => worker.close());
  worker.register("echo", (value: number) => value);
  assert.equal(await worker.call("echo", 1), 1);
  const { pid } = engine;
  await engine.kill();
  assert.equal(engine.isRunning, false);
  await assert.rejects(engine.stats(), /does not run/);
  await engine.restart();
  assert.notEqual(engine.pid, pid);
  await engine.until("the worker is back", ({ workers }) => workers === 1, 20_000);
});

test("an engine that is stopped answers nobody until it goes on", async (t) => {
  const engine = await startTestEngine();
  t.after(() => engine.close());
  engine.stop();
  let hasAnswered = false;
  const stats = engine.stats().then(() => {
    hasAnswered = true;
  });
  await eventually("it is stopped", () => engine.isStopped());
  assert.equal(hasAnswered, false);
  engine.continue();
  await stats;
});

test("ShiftedClock fires what is due, each once, and repeats", () => {
  const clock = new ShiftedClock();
  let [once, ticks] = [0, 0];
  clock.after(1_000, () => void once++);
  const stop = clock.every(400, () => void ticks++);
  clock.advance(999);
  assert.deepEqual([once, ticks], [0, 1]);
  clock.advance(1_000);
  clock.advance(1_000);
  assert.deepEqual([once, ticks], [1, 3]);
  stop();
  clock.advance(10_000);
  assert.equal(ticks, 3);
  const [epochMs, monotonicMs] = [clock.epochMs(), clock.monotonicMs()];
  clock.jumpEpoch(-3_600_000);
  assert.ok(clock.epochMs() < epochMs && clock.monotonicMs() >= monotonicMs);
  assert.throws(() => clock.advance(-1), RangeError);
});
