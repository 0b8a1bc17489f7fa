// skipValue: every encoding of the public test suite, every first byte, cut at every length, hostile counts, any depth.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import test from "node:test";
import { pack } from "msgpackr";
import { CUT_SHORT, skipValue } from "../../../src/protocol/msgpack/skip.js";
import { bytes } from "../translate/translating.js";

const SUITE = "../shared/data/msgpack-test-suite/msgpack-test-suite.json";

/** The value is found whole with other bytes around it, and at no shorter length. */
function assertSkips(value: Uint8Array, name: string): void {
  const frame = new Uint8Array(value.length + 6).fill(0x01);
  frame.set(value, 3);
  assert.equal(skipValue(frame, 3, frame.length), 3 + value.length, name);
  for (let length = 0; length < value.length; length++) {
    assert.equal(skipValue(frame, 3, 3 + length), CUT_SHORT, `${name} cut to ${length} bytes`);
  }
}

test("skipValue() finds the end of every encoding of the msgpack test suite", (t) => {
  if (!existsSync(SUITE)) return t.skip(`${SUITE} is not here`);
  // The file's shape: groups of cases, each with its encodings in hex.
  const groups = JSON.parse(readFileSync(SUITE, "utf8")) as Record<string, { msgpack: string[] }[]>;
  const encodings = Object.values(groups)
    .flat()
    .flatMap((entry) => entry.msgpack);
  assert.ok(encodings.length > 200);
  for (const hex of encodings) assertSkips(bytes(hex), hex);
  return undefined;
});

test("skipValue() finds the end of a value for each first byte but c1", () => {
  for (let first = 0; first < 0x100; first++) {
    if (first === 0xc1) continue;
    const value = smallest(first);
    assertSkips(value, first.toString(16));
  }
});

test("skipValue() reads lengths of every width", () => {
  for (const [type, width, length] of [
    ["c4", 1, 200],
    ["c5", 2, 300],
    ["c6", 4, 70_000],
    ["d9", 1, 200],
    ["da", 2, 300],
    ["db", 4, 70_000],
  ] as const) {
    const value = bytes(type + length.toString(16).padStart(2 * width, "0") + "00".repeat(length));
    assert.equal(skipValue(value, 0, value.length), value.length);
    assert.equal(skipValue(value, 0, value.length - 1), CUT_SHORT);
  }
  for (const [type, width, length] of [
    ["c7", 1, 200],
    ["c8", 2, 300],
    ["c9", 4, 70_000],
  ] as const) {
    const value = bytes(`${type + length.toString(16).padStart(2 * width, "0")}05${"00".repeat(length)}`);
    assert.equal(skipValue(value, 0, value.length), value.length);
    assert.equal(skipValue(value, 0, value.length - 1), CUT_SHORT);
  }
});

test("skipValue() refuses the reserved byte c1 wherever a value should be", () => {
  for (const hex of ["c1", "91 c1", "92 01 c1", "81 a0 c1", "dc 0001 c1"]) {
    const value = bytes(hex);
    assert.equal(skipValue(value, 0, value.length), CUT_SHORT, hex);
  }
});

test("skipValue() refuses a hostile count without walking it", () => {
  const nested = bytes("dd ffffffff".repeat(1_000));
  assert.equal(skipValue(nested, 0, nested.length), CUT_SHORT);
  for (const hex of ["dd ffffffff", "df ffffffff", "dc ffff", "de ffff", "df 80000000 00 00"]) {
    const value = new Uint8Array(5_000);
    value.set(bytes(hex));
    assert.equal(skipValue(value, 0, value.length), CUT_SHORT, hex);
  }
});

test("skipValue() does not mind depth", () => {
  const deep = new Uint8Array(1_000_000).fill(0x91);
  deep[deep.length - 1] = 0xc0;
  assert.equal(skipValue(deep, 0, deep.length), deep.length);
  deep[deep.length - 1] = 0x91;
  assert.equal(skipValue(deep, 0, deep.length), CUT_SHORT);
});

test("skipValue() walks values back to back as msgpackr packs them", () => {
  const values = [
    1,
    "text",
    { a: [1, 2.5, null], b: new Date(0) },
    [],
    -1,
    true,
    Buffer.from("bin"),
    2 ** 40,
  ];
  const frame = Buffer.concat(values.map((value) => pack(value)));
  let at = 0;
  for (const value of values) {
    const next = at + pack(value).length;
    assert.equal(skipValue(frame, at, frame.length), next);
    at = next;
  }
  assert.equal(at, frame.length);
});

/** The smallest value that begins with `first`: zero-filled fields, but no empty containers where the first byte counts. */
function smallest(first: number): Uint8Array {
  const extra = (): number => {
    if (first < 0x80 || first >= 0xe0) return 0;
    if (first < 0x90) return 2 * (first & 0x0f);
    if (first < 0xa0) return first & 0x0f;
    if (first < 0xc0) return first & 0x1f;
    return EXTRA_BYTES[first - 0xc0]!;
  };
  const value = new Uint8Array(1 + extra());
  value[0] = first;
  return value;
}

/** By type byte from c0 on, as the msgpack specification lays them out, with a length of 0 where there is one. */
const EXTRA_BYTES = [
  0, 0, 0, 0, 1, 2, 4, 2, 3, 5, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17, 1, 2, 4, 2, 4, 2, 4,
];
