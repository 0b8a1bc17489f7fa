// The queue of a channel against an array, and what it costs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageQueue } from "../../src/channels/message-queue.js";

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test("what comes out is what went in, in order, with its kind", () => {
  const seed = 20261123;
  const next = random(seed);
  const queue = new MessageQueue();
  const model: { bytes: Buffer; isText: boolean }[] = [];
  for (let step = 0; step < 20_000; step++) {
    if (next() < 0.5) {
      const bytes = Buffer.alloc(Math.floor(next() ** 4 * 70_000), step & 255);
      const isText = next() < 0.5;
      queue.push(bytes, isText);
      model.push({ bytes, isText });
    } else if (model.length > 0) {
      const expected = model.shift();
      assert.equal(queue.isText, expected?.isText, `seed ${seed}, step ${step}`);
      assert.ok(expected?.bytes.equals(queue.peek()), `seed ${seed}, step ${step}`);
      const rest = queue.peek().length >> 1;
      if (next() < 0.2 && rest >= 5 && expected !== undefined) {
        queue.drop(rest);
        model.unshift({ bytes: expected.bytes.subarray(rest), isText: expected.isText });
      } else queue.drop(queue.peek().length);
    }
    assert.equal(queue.count, model.length);
    assert.equal(
      queue.bytes,
      model.reduce((sum, { bytes }) => sum + bytes.length + 5, 0),
    );
  }
});

test("an empty message costs five bytes, and an empty queue none", () => {
  const queue = new MessageQueue();
  for (let count = 0; count < 1_000; count++) queue.push(new Uint8Array(0), true);
  assert.equal(queue.bytes, 5_000);
  while (queue.count > 0) queue.drop(0);
  assert.equal(queue.bytes, 0);
});
