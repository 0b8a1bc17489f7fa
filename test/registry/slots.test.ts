// Slots: handles that die.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GENERATION_MAX, INDEX_BITS, INDEX_MASK, Slots } from "../../src/registry/slots.js";
import { Random } from "../support/random.js";

test("take() hands out index and generation, beginning at 1 and 1; 0 is never a handle", () => {
  const slots = new Slots<"x">(3, "wrap");
  const handle = slots.take();
  assert.equal(handle, (1 << INDEX_BITS) | 1);
  assert.equal(slots.indexOf(handle), 1);
  assert.equal(slots.handleOf(1), handle);
  assert.equal(slots.indexOf(0), 0);
});

test("take() gives 0 when all are open, and again one when one is freed", () => {
  const slots = new Slots<"x">(2, "wrap");
  slots.take();
  slots.take();
  assert.equal(slots.room, 0);
  assert.equal(slots.take(), 0);
  slots.free(1);
  assert.equal(slots.room, 1);
  assert.equal(slots.take(), (2 << INDEX_BITS) | 1);
});

test("indexOf() refuses stale handles, generation 0, and indexes that never were", () => {
  const slots = new Slots<"x">(10, "wrap");
  const handle = slots.take();
  for (const bad of [2, 5, INDEX_MASK, handle + 1, handle ^ (1 << 31), -1, 0x7fffffff])
    assert.equal(slots.indexOf(bad), 0, String(bad));
  slots.free(1);
  assert.equal(slots.indexOf(handle), 0);
  assert.equal(slots.isOpen(1), false);
  assert.equal(slots.isOpen(0), false);
  assert.equal(slots.isOpen(11), false);
});

test("free() twice is our own mistake", () => {
  const slots = new Slots<"x">(1, "wrap");
  slots.take();
  slots.free(1);
  assert.throws(() => slots.free(1), { name: "AssertionError" });
});

test("generations up to the last one, also those that make the handle negative; then wrap starts over and retire stops", () => {
  for (const atLast of ["wrap", "retire"] as const) {
    const slots = new Slots<"x">(1, atLast);
    const seen = new Set<number>();
    for (let generation = 1; generation <= GENERATION_MAX; generation++) {
      const handle = slots.take();
      assert.equal(handle >>> INDEX_BITS, generation);
      assert.equal(slots.indexOf(handle), 1);
      assert.equal(slots.indexOf(handle >>> 0), 1, "as an unsigned number, too");
      seen.add(handle);
      slots.free(1);
    }
    assert.equal(seen.size, GENERATION_MAX);
    assert.equal(slots.take(), atLast === "wrap" ? (1 << INDEX_BITS) | 1 : 0);
    assert.equal(slots.room, 0);
  }
});

test("a freed index rests until many are free, and the oldest is reused first", () => {
  const slots = new Slots<"x">(5_000, "wrap");
  for (let n = 0; n < 2_000; n++) slots.take();
  for (let index = 1; index <= 1_025; index++) slots.free(index);
  assert.equal((slots.take() ?? 0) & INDEX_MASK, 1, "1,025 wait: the oldest is taken");
  assert.equal((slots.take() ?? 0) & INDEX_MASK, 2_001, "1,024 wait: a fresh one is taken");
});

test("against a naive model: 100,000 random takes and frees", () => {
  const random = new Random(20260823);
  const slots = new Slots<"x">(3_000, "wrap");
  const open = new Set<number>();
  const dead: number[] = [];
  for (let step = 0; step < 100_000; step++) {
    if (random.next() < (step % 20_000 < 10_000 ? 0.6 : 0.4)) {
      const handle = slots.take();
      assert.equal(handle === 0, open.size === 3_000);
      if (handle !== 0) open.add(handle);
    } else if (open.size > 0) {
      const [handle = 0] = open;
      open.delete(handle);
      slots.free(handle & INDEX_MASK);
      dead.push(handle);
    }
    assert.equal(slots.open, open.size);
    if (step % 500 === 0) {
      for (const handle of open) assert.equal(slots.indexOf(handle), handle & INDEX_MASK);
      for (const handle of dead.slice(-200)) assert.equal(slots.indexOf(handle), 0);
    }
  }
});
