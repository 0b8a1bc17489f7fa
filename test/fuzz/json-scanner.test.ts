// The envelope scanner against JSON.parse on seeded random frames: as written, cut at every length, mutated byte by
// byte, at shifting places in the memory. FUZZ_ITERATIONS sets the number of frames (4,000), FUZZ_SEED another
// series.
import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import { test } from "node:test";
import { SCANNER_BYTES, ScanStatus } from "../../src/protocol/json/scanner.js";
import { RandomJson } from "../support/random-json.js";
import { ScanArena } from "../support/scan-arena.js";

const ITERATIONS = Number(process.env["FUZZ_ITERATIONS"] ?? 4_000);
const SEED = Number(process.env["FUZZ_SEED"] ?? 20_260_823);
const CUT_BYTES_MAX = 600;

test(`scan() agrees with JSON.parse on ${ITERATIONS} random frames, seed ${SEED}`, (t) => {
  const random = new RandomJson(SEED);
  const arena = new ScanArena();
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < ITERATIONS; i++) {
    const status = arena.agree(random.frame(), SCANNER_BYTES + random.below(130));
    counts[status]!++; // a ScanStatus
  }
  t.diagnostic(`Ok, NotJson, NotObject, TooDeep: ${counts.join(", ")}`);
  assert.equal(counts[ScanStatus.NotJson], 0);
  assert.ok(counts[ScanStatus.Ok]! > ITERATIONS / 2 && counts[ScanStatus.NotObject]! > 0);
});

test("scan() agrees with JSON.parse on mutated frames", (t) => {
  const random = new RandomJson(SEED + 1);
  const arena = new ScanArena();
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < ITERATIONS; i++) {
    const frame = Buffer.from(random.frame());
    if (frame.length === 0) continue;
    for (let n = 0; n < 8; n++) {
      const mutated = random.mutated(frame);
      if (mutated.length === 0 || !isUtf8(mutated)) continue;
      const again = n % 4 === 3 ? random.mutated(mutated) : mutated;
      if (isUtf8(again)) counts[arena.agree(again, SCANNER_BYTES + random.below(130))]!++; // a ScanStatus
    }
  }
  t.diagnostic(`Ok, NotJson, NotObject, TooDeep: ${counts.join(", ")}`);
  assert.ok(counts[ScanStatus.Ok]! > ITERATIONS / 10 && counts[ScanStatus.NotJson]! > ITERATIONS);
});

test("scan() agrees with JSON.parse on frames cut at every length", () => {
  const random = new RandomJson(SEED + 2);
  const arena = new ScanArena();
  for (let i = 0; i < ITERATIONS / 100; i++) {
    const frame = Buffer.from(random.frame()).subarray(0, CUT_BYTES_MAX);
    for (let length = 0; length < frame.length; length++) {
      const cut = frame.subarray(0, length);
      if (isUtf8(cut)) arena.agree(cut, SCANNER_BYTES + random.below(70));
    }
  }
});
