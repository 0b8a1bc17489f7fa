// msgpack values in every valid width, whole, cut and damaged: the walk over a value (`skipValue`) and the general decoder against each
// other, against a walk written plainly from the specification, and against the value that was written.
import assert from "node:assert/strict";
import { unpack } from "../../src/protocol/msgpack/general.js";
import { CUT_SHORT, skipValue } from "../../src/protocol/msgpack/skip.js";
import { Random } from "../support/random.js";
import { pureFuzzer, type Tally } from "./fuzzer.js";
import { anyWidth } from "./msgpack-widths.js";
import { plainEnd } from "./plain-msgpack.js";
import { below, type Draw, damaged, value } from "./values.js";

const PROBE = Buffer.from("82a16191ce0000004fa16240", "hex"); // {a: [79], b: 64}

export const msgpack = pureFuzzer(
  "msgpack",
  "a value in any valid encoding is read as what was written, and its end found; a cut one is none; a damaged one ends where the specification says, and leaves the decoder as it was",
  (seed, tally) => {
    const random = new Random(seed);
    const draw = () => random.next();
    return () => (draw() < 0.4 ? whole(draw, tally) : broken(draw, tally));
  },
);

function whole(draw: Draw, tally: Tally): void {
  const original = value(draw, 3);
  const bytes = anyWidth(draw, original);
  const shown = bytes.toString("hex");
  assert.equal(skipValue(bytes, 0, bytes.length), bytes.length, shown);
  assert.deepEqual(unpack(bytes), original, shown);
  const cut = below(draw, bytes.length);
  assert.equal(skipValue(bytes, 0, cut), CUT_SHORT, `${shown} cut at ${cut}`);
  tally.add("whole");
}

function broken(draw: Draw, tally: Tally): void {
  const source = draw() < 0.7 ? anyWidth(draw, value(draw, 2)) : noise(draw);
  const bytes = Buffer.from(damaged(draw, source));
  const shown = bytes.toString("hex");
  const end = skipValue(bytes, 0, bytes.length);
  assert.equal(end, plainEnd(bytes) ?? CUT_SHORT, shown);
  if (end === CUT_SHORT) return tally.add("damaged: no value");
  tally.add(decoded(bytes.subarray(0, end)) ? "damaged: read" : "damaged: refused");
  assert.deepEqual(unpack(PROBE), { a: [79], b: 64 }, `after ${shown}`);
}

function noise(draw: Draw): Buffer {
  return Buffer.from(Array.from({ length: below(draw, 40) }, () => below(draw, 256)));
}

function decoded(bytes: Uint8Array): boolean {
  try {
    unpack(bytes);
    return true;
  } catch (error) {
    assert.ok(error instanceof Error, "what is thrown is an Error");
    return false; // an extension that has no such content: counted as refused
  }
}
