// Medians, and how much a median of few values can be trusted.
import assert from "node:assert/strict";
import { test } from "node:test";
import { median, medianInterval, spread } from "../../bench/measure.js";
import { Random } from "../support/random.js";

test("median() is the middle one, or the mean of the middle two", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.throws(() => median([]));
});

test("spread() is half the interquartile range, relative to the median", () => {
  assert.equal(spread([1, 2, 3, 4, 5]), 1 / 3);
});

test("medianInterval() says nothing of fewer than five values", () => {
  assert.equal(medianInterval([1, 2, 3, 4]), undefined);
  assert.deepEqual(medianInterval([1, 2, 3, 4, 5]), { low: 1, high: 5 });
});

test("medianInterval() leaves out as many values as rarely lie on one side", () => {
  const values = Array.from({ length: 21 }, (_, at) => at + 1);
  assert.deepEqual(medianInterval(values), { low: 7, high: 15 });
});

test("medianInterval() holds the true median nine times in ten", () => {
  const random = new Random(20_261_124);
  const rounds = 2000;
  let held = 0;
  for (let round = 0; round < rounds; round++) {
    const skewed = Array.from({ length: 15 }, () => random.next() ** 3);
    const interval = medianInterval(skewed);
    if (interval !== undefined && interval.low <= 0.5 ** 3 && interval.high >= 0.5 ** 3) held++;
  }
  assert.ok(held / rounds > 0.9, `${held} of ${rounds}`);
});
