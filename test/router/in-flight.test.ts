// Calls in flight, held against a naive model: every list, every count, every ticket.
import assert from "node:assert/strict";
import { test } from "node:test";
import { INDEX_MASK } from "../../src/registry/slots.js";
import { CALL_WORDS, CallWord, InFlight, WHEEL_SIZE } from "../../src/router/in-flight.js";
import { Random } from "../support/random.js";

interface Call {
  ticket: number;
  caller: number;
  call: number;
  executor: number;
  fn: number;
  deadline: number;
}

const PEERS = 6;

/** The slots of one list, by walking it; fails when a previous does not point back. */
function walk(inFlight: InFlight, first: number, previous: number): number[] {
  const slots: number[] = [];
  let before = 0;
  for (let slot = first; slot !== 0; slot = inFlight.words[slot * CALL_WORDS + previous + 1] ?? 0) {
    assert.equal(inFlight.words[slot * CALL_WORDS + previous], before, "previous points back");
    slots.push(slot);
    before = slot;
    assert.ok(slots.length <= 100_000, "a list ends");
  }
  return slots;
}

function check(inFlight: InFlight, model: Map<number, Call>): void {
  assert.equal(inFlight.open, model.size);
  assert.equal(inFlight.opened, inFlight.ended + inFlight.open, "opened = ended + open");
  const calls = [...model.values()];
  for (let peer = 0; peer < PEERS; peer++) {
    const executed = calls.filter((call) => call.executor === peer).map((call) => call.ticket & INDEX_MASK);
    const made = calls.filter((call) => call.caller === peer).map((call) => call.ticket & INDEX_MASK);
    assert.deepEqual(
      walk(inFlight, inFlight.firstExecuted(peer), CallWord.executorPrevious).sort(),
      executed.sort(),
    );
    assert.deepEqual(walk(inFlight, inFlight.firstMade(peer), CallWord.callerPrevious).sort(), made.sort());
    assert.deepEqual([inFlight.executing(peer), inFlight.calling(peer)], [executed.length, made.length]);
    if (executed.length + made.length === 0) inFlight.checkEmpty(peer);
    else assert.throws(() => inFlight.checkEmpty(peer), { name: "AssertionError" });
  }
}

test("random enters, ends, wrong tickets and expiries agree with a naive model", () => {
  const random = new Random(41);
  const inFlight = new InFlight(500, PEERS);
  const model = new Map<number, Call>();
  const dead: Call[] = [];
  let tick = 1_000;
  for (let step = 0; step < 30_000; step++) {
    const dice = random.next();
    if (dice < 0.55) {
      const call = {
        caller: random.below(PEERS),
        call: random.below(5) - 2,
        executor: random.below(PEERS),
        fn: step,
        deadline: tick + 1 + random.below(3 * WHEEL_SIZE),
      };
      const ticket = inFlight.enter(call.caller, call.call, call.executor, call.fn, call.deadline, 0);
      assert.equal(ticket === 0, model.size === 500);
      if (ticket !== 0) model.set(ticket, { ...call, ticket });
    } else if (dice < 0.95 && model.size > 0) {
      const call = random.pick([...model.values()].slice(0, 20));
      for (let other = 0; other < PEERS; other++)
        if (other !== call.executor)
          assert.equal(inFlight.slotOf(call.ticket, other), 0, "only its executor may answer");
      const slot = inFlight.slotOf(call.ticket, call.executor);
      assert.equal(inFlight.ticketOf(slot), call.ticket);
      assert.equal(inFlight.words[slot * CALL_WORDS + CallWord.call], call.call);
      inFlight.leave(slot);
      model.delete(call.ticket);
      dead.push(call);
    } else {
      const until = tick + random.below(2_000);
      for (; tick < until; tick++)
        inFlight.expireAt(tick, (slot) => {
          const call = model.get(inFlight.ticketOf(slot));
          assert.ok(call, "only what is open expires");
          assert.equal(call.deadline, tick, "at its own tick, in its own round");
          inFlight.leave(slot);
          model.delete(call.ticket);
        });
      for (const call of model.values()) assert.ok(call.deadline >= tick, "nothing that is due stays");
    }
    for (const call of dead.slice(-5))
      assert.equal(inFlight.slotOf(call.ticket, call.executor), 0, "an ended ticket finds nothing");
    if (step % 200 === 0) check(inFlight, model);
  }
  for (const call of model.values()) inFlight.leave(call.ticket & INDEX_MASK);
  check(inFlight, new Map());
});

test("a ticket of generation 0 finds nothing, not even where no call has ever been", () => {
  const inFlight = new InFlight(10, 3);
  for (const ticket of [0, 1, 5, 10, 11, -1]) assert.equal(inFlight.slotOf(ticket, 0), 0);
});

test("leaving while walking the list of an executor visits each call once", () => {
  const inFlight = new InFlight(100, 3);
  for (let call = 0; call < 50; call++) inFlight.enter(1, call, 2, 7, 100, 0);
  const seen = new Set<number>();
  for (let slot = inFlight.firstExecuted(2); slot !== 0; slot = inFlight.firstExecuted(2)) {
    seen.add(inFlight.words[slot * CALL_WORDS + CallWord.call] ?? -1);
    inFlight.leave(slot);
  }
  assert.equal(seen.size, 50);
  inFlight.checkEmpty(2);
});

test("the end of one connection costs what it had open, however much others have", () => {
  const cost = (others: number) => {
    const inFlight = new InFlight(60_000, 5);
    for (let call = 0; call < others; call++) inFlight.enter(3, call, 4, 7, 1_000 + call, 0);
    for (let call = 0; call < 10; call++) inFlight.enter(3, call, 2, 7, 1_000 + call, 0);
    let reads = 0;
    const words = new Proxy(inFlight.words, {
      get: (target, key) => {
        if (typeof key === "string" && /^\d+$/.test(key)) reads++;
        return Reflect.get(target, key);
      },
    });
    Object.defineProperty(inFlight, "words", { value: words });
    for (let slot = inFlight.firstExecuted(2); slot !== 0; slot = inFlight.firstExecuted(2))
      inFlight.leave(slot);
    assert.equal(inFlight.open, others);
    return reads;
  };
  assert.ok(cost(100) > 0);
  assert.equal(cost(50_000), cost(100), "counted in words read");
});
