// A seeded slice of the scanner's fuzzer, and frames cut at every length.
import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import { test } from "node:test";
import { SCANNER_BYTES } from "../../src/protocol/json/scanner.js";
import { RandomJson } from "../support/random-json.js";
import { ScanArena } from "../support/scan-arena.js";
import { scanner } from "./scanner.js";

const SEED = 20_260_823;
const INPUTS = 16_000;
const CUT_BYTES_MAX = 600;

test(`scan() agrees with JSON.parse on ${INPUTS} frames, written right and bent`, async () => {
  const { Ok = 0, NotJson = 0, NotObject = 0 } = await scanner.run(SEED, INPUTS);
  assert.equal(Ok + NotJson + NotObject, INPUTS);
  assert.ok(Ok > INPUTS / 4 && NotJson > INPUTS / 4 && NotObject > 0, `${Ok}, ${NotJson}, ${NotObject}`);
});

test("scan() agrees with JSON.parse on frames cut at every length", () => {
  const random = new RandomJson(SEED + 2);
  const arena = new ScanArena();
  for (let i = 0; i < 40; i++) {
    const frame = Buffer.from(random.frame()).subarray(0, CUT_BYTES_MAX);
    for (let length = 0; length < frame.length; length++) {
      const cut = frame.subarray(0, length);
      if (isUtf8(cut)) arena.agree(cut, SCANNER_BYTES + random.below(70));
    }
  }
});
