// The arena: pieces that never overlap, bytes that survive its growth.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Arena, LARGE_BYTES, SIDE_BYTES, SMALL_BYTES } from "../../src/transport/arena.js";
import { Random } from "../support/random.js";

const PAGE = 65_536;

test("the side table lies behind the scanner's page and has room for every call", () => {
  const arena = new Arena(1_000);
  assert.equal(arena.side, PAGE);
  assert.ok(arena.input(1) >= arena.side + 1_001 * SIDE_BYTES);
});

test("receive() copies a frame in; a larger one moves the place, with room behind it for the scanner to read ahead", () => {
  const arena = new Arena(10);
  for (const size of [0, 1, 1_000, 1_000_000, 1_048_576, 5_000_000, 3]) {
    const frame = Buffer.alloc(size, size & 255);
    const at = arena.receive(frame);
    assert.ok(frame.equals(arena.bytes.subarray(at, at + size)), String(size));
    assert.ok(at + size + 64 <= arena.bytes.length);
    assert.equal(arena.bytes.buffer, arena.memory.buffer, "the view is of the memory as it is now");
    assert.equal(arena.view.buffer, arena.memory.buffer);
  }
});

test("pieces handed out never overlap each other, the input, or what is kept; taken back they are used again", () => {
  const random = new Random(6);
  const arena = new Arena(10);
  const kept = arena.keep(Buffer.from("kept for ever"));
  const live: { at: number; bytes: number; mark: number }[] = [];
  const bytesAfterWarmUp: number[] = [];
  for (let step = 0; step < 6_000; step++) {
    if (live.length < 40 || random.next() < 0.5) {
      const isSmall = random.next() < 0.7;
      const piece = {
        at: isSmall ? arena.takeSmall() : arena.takeLarge(),
        bytes: isSmall ? SMALL_BYTES : LARGE_BYTES,
        mark: step & 255,
      };
      if (live.length < 80) {
        arena.bytes.fill(piece.mark, piece.at, piece.at + piece.bytes);
        live.push(piece);
      } else if (isSmall) arena.giveSmall(piece.at);
      else arena.giveLarge(piece.at);
    } else {
      const [piece] = live.splice(random.below(live.length), 1);
      if (piece === undefined) continue;
      const whole = Buffer.from(arena.bytes.buffer, piece.at, piece.bytes);
      assert.ok(whole.equals(Buffer.alloc(piece.bytes, piece.mark)), `step ${step}: nobody else wrote there`);
      if (piece.bytes === SMALL_BYTES) arena.giveSmall(piece.at);
      else arena.giveLarge(piece.at);
    }
    if (step % 100 === 0) arena.receive(Buffer.alloc(random.below(3_000_000), 0xee));
    if (step % 130 === 0) {
      const room = 50_000 + random.below(500_000);
      const at = arena.scratch(room);
      arena.bytes.fill(0xdd, at, at + room);
    }
    if (step > 3_000) bytesAfterWarmUp.push(arena.bytes.length);
  }
  assert.equal(Buffer.from(arena.bytes.subarray(kept, kept + 13)).toString(), "kept for ever");
  assert.equal(new Set(bytesAfterWarmUp).size <= 2, true, "it does not grow with its life");
});

test("keep() keeps many pieces apart, and refuses one that is larger than its unit", () => {
  const arena = new Arena(10);
  const places = Array.from(
    { length: 300 },
    (_, n) => [arena.keep(Buffer.from(`piece ${n} `.repeat(5))), `piece ${n} `.repeat(5)] as const,
  );
  for (const [at, text] of places)
    assert.equal(Buffer.from(arena.bytes.subarray(at, at + text.length)).toString(), text);
  assert.throws(() => arena.keep(new Uint8Array(SMALL_BYTES + 1)), { name: "AssertionError" });
});

test("move() moves bytes inside of the memory, overlapping ones too", () => {
  const arena = new Arena(10);
  const at = arena.receive(Buffer.from("0123456789"));
  arena.move(at + 2, at, 5);
  assert.equal(Buffer.from(arena.bytes.subarray(at, at + 10)).toString(), "0101234789");
  arena.move(at, at + 5, 5);
  assert.equal(Buffer.from(arena.bytes.subarray(at, at + 5)).toString(), "34789");
});

test("scratch() is large enough and apart from the input", () => {
  const arena = new Arena(10);
  const input = arena.receive(Buffer.alloc(500_000, 1));
  for (const size of [100_000, 2_000_000, 50]) {
    const at = arena.scratch(size);
    arena.bytes.fill(2, at, at + size);
  }
  assert.ok(arena.bytes.subarray(input, input + 500_000).every((byte) => byte === 1));
});
