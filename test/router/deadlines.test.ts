// The one timer for all deadlines, on a clock that the test moves.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Deadlines, TICK_MS } from "../../src/router/deadlines.js";
import { CALL_WORDS, CallWord, InFlight } from "../../src/router/in-flight.js";
import { FakeClock } from "../support/fake-clock.js";
import { Random } from "../support/random.js";

function timed(startMs = 1_000) {
  const clock = new FakeClock(startMs);
  const inFlight = new InFlight(10_000, 2);
  const loop = { turns: 0 };
  const ended: { call: number; atMs: number }[] = [];
  const deadlines = new Deadlines(clock, inFlight, loop, (slot) => {
    ended.push({ call: inFlight.words[slot * CALL_WORDS + CallWord.call] ?? 0, atMs: clock.monotonicMs() });
    inFlight.leave(slot);
  });
  /** Enters a call in a turn of its own. */
  const enter = (call: number, timeoutMs: number) => {
    loop.turns++;
    return inFlight.enter(1, call, 1, 7, deadlines.tickAfter(timeoutMs), 0);
  };
  return { clock, inFlight, loop, deadlines, ended, enter };
}

test("the timer runs only while calls are open", () => {
  const { clock, deadlines, enter, inFlight } = timed();
  assert.equal(clock.timers, 0);
  const ticket = enter(1, 1_000);
  assert.equal(clock.timers, 1);
  inFlight.leave(inFlight.slotOf(ticket, 1));
  clock.advance(TICK_MS);
  assert.equal(clock.timers, 0);
  enter(2, 1_000);
  assert.equal(clock.timers, 1);
  deadlines.close();
  assert.equal(clock.timers, 0);
});

test("never early, at most two ticks late, from a millisecond to beyond a round of the wheel", () => {
  const { clock, ended, enter } = timed();
  const random = new Random(8);
  const timeouts = [1, 15, 16, 17, 100, 65_535, 65_536, 65_537, 131_072, 200_000];
  const due = new Map<number, number>();
  for (let call = 0; call < 2_000; call++) {
    const timeoutMs = timeouts[call] ?? 1 + random.below(200_000);
    due.set(call, clock.monotonicMs() + timeoutMs);
    enter(call, timeoutMs);
    clock.advance(random.below(40));
  }
  clock.advance(300_000);
  assert.equal(ended.length, 2_000);
  for (const { call, atMs } of ended) {
    const lateMs = atMs - (due.get(call) ?? 0);
    assert.ok(lateMs >= 0 && lateMs <= 2 * TICK_MS, `call ${call} ended ${lateMs} ms late`);
  }
});

test("after a stall no deadline is skipped, and a call entered after it is not counted from before", () => {
  const { clock, ended, enter } = timed();
  for (let call = 0; call < 100; call++) enter(call, 100 + call * 1_000);
  clock.stall(200_000);
  enter(1_000, 500);
  clock.advance(16);
  assert.equal(ended.length, 100, "everything that was due");
  clock.advance(480);
  assert.equal(ended.length, 100);
  clock.advance(4 + 2 * TICK_MS);
  assert.equal(ended.length, 101);
});

test("remainingMs() is at least 1 and counts down", () => {
  const { clock, deadlines, enter } = timed();
  enter(1, 100_000);
  const tick = deadlines.tickAfter(1_000);
  assert.ok(deadlines.remainingMs(tick) >= 1_000 - TICK_MS && deadlines.remainingMs(tick) <= 1_000 + TICK_MS);
  clock.advance(500);
  assert.ok(Math.abs(deadlines.remainingMs(tick) - 500) <= TICK_MS);
  clock.advance(5_000);
  assert.equal(deadlines.remainingMs(tick), 1);
});

test("ticks pass 2^31, after more than a year, without ending a call early or keeping one for ever", () => {
  const { clock, ended, enter } = timed();
  clock.stall(2 ** 31 * TICK_MS - 5_000);
  enter(1, 10_000);
  enter(2, 1_000);
  clock.advance(2_000);
  assert.deepEqual(
    ended.map((end) => end.call),
    [2],
  );
  clock.advance(7_900);
  assert.equal(ended.length, 1);
  clock.advance(200);
  assert.deepEqual(
    ended.map((end) => end.call),
    [2, 1],
  );
  enter(3, 100);
  clock.advance(90);
  assert.equal(ended.length, 2);
  clock.advance(60);
  assert.equal(ended.length, 3);
});
