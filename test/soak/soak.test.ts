// The soak's judgement, on made-up samples and on a real engine for seconds: flat is flat, and a leak is found.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../support/random.js";
import { soak } from "./soak.js";
import { type Sample, trendOf } from "./trend.js";

const MIB = 1 << 20;

/** Ten minutes of samples: a base, noise, a collection's tooth, and a slope in bytes a minute. */
function samples(seed: number, bytesAMinute: number): Sample[] {
  const random = new Random(seed);
  return Array.from({ length: 600 }, (_, second) => {
    const tooth = (second % 40) * 0.2 * MIB;
    const wild = random.next() < 0.02 ? 60 * MIB : 0;
    const bytes = 100 * MIB + tooth + wild + random.next() * 3 * MIB + (second / 60) * bytesAMinute;
    return { atMs: second * 1_000, bytes };
  });
}

test("noise, teeth and wild samples are flat; a slow growth below them is not", () => {
  for (let seed = 1; seed <= 20; seed++) {
    assert.ok(trendOf(samples(seed, 0)).isFlat, `seed ${seed}`);
    const growing = trendOf(samples(seed, 2 * MIB));
    assert.ok(!growing.isFlat, `seed ${seed}: ${growing.growthBytes}`);
    assert.ok(Math.abs(growing.growthBytes - 15 * MIB) < 4 * MIB, `seed ${seed}: ${growing.growthBytes}`);
  }
});

test("too few samples are no trend", () => {
  assert.throws(() => trendOf([{ atMs: 0, bytes: 1 }]), /too few/);
});

test("workers that stay are found to be growth, and leave nothing when they go at last", {
  timeout: 60_000,
}, async () => {
  const { trend, figures, left } = await soak({ forMs: 8_000, seed: 3, leak: true, sampleEveryMs: 50 });
  assert.ok(figures.newcomers > 10 && figures.calls > 1_000, JSON.stringify(figures));
  assert.ok(trend.growthBytes > 0, `${trend.growthBytes} bytes`);
  assert.ok(
    Object.values(left).every((value) => value === 0),
    JSON.stringify(left),
  );
});
