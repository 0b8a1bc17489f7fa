// Durations: the buckets of the histogram, and the quantiles read from it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bucketEndMs, DURATION_BUCKETS, Durations, quantileMs } from "../../src/router/durations.js";
import { Random } from "../support/random.js";

test("a duration lies in the bucket that ends above it, a quarter above at most", () => {
  const random = new Random(11);
  for (let round = 0; round < 20_000; round++) {
    const elapsedMs = 2 ** (random.next() * 30) / 1000;
    const durations = new Durations();
    durations.add(elapsedMs);
    const bucket = durations.counts.indexOf(1);
    assert.ok(elapsedMs < bucketEndMs(bucket), `${elapsedMs} ms in a bucket up to ${bucketEndMs(bucket)}`);
    assert.ok(bucketEndMs(bucket) <= elapsedMs * 1.25 + 0.001, `${elapsedMs} ms in ${bucketEndMs(bucket)}`);
  }
});

test("bucket ends grow without a gap, from a microsecond to more than half an hour", () => {
  assert.equal(bucketEndMs(0), 0.001);
  for (let bucket = 1; bucket < DURATION_BUCKETS; bucket++)
    assert.ok(bucketEndMs(bucket) > bucketEndMs(bucket - 1), `bucket ${bucket}`);
  assert.ok(bucketEndMs(DURATION_BUCKETS - 1) > 30 * 60_000);
});

test("what took hours or days counts in the last bucket, what took no time in the first", () => {
  const durations = new Durations();
  durations.add(0);
  durations.add(86_400_000);
  assert.equal(durations.counts[0], 1);
  assert.equal(durations.counts[DURATION_BUCKETS - 1], 1);
  assert.equal(durations.sumMs, 86_400_000);
});

test("quantiles of known durations are at most a quarter too high", () => {
  const durations = new Durations();
  assert.equal(quantileMs(durations.counts, 0.5), null);
  for (let ms = 1; ms <= 1_000; ms++) durations.add(ms);
  for (const q of [0.01, 0.5, 0.9, 0.99, 1]) {
    const found = quantileMs(durations.counts, q) ?? 0;
    assert.ok(found >= q * 1_000 && found <= q * 1_000 * 1.25, `${q}: ${found} ms`);
  }
});
