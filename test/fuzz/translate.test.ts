// Seeded fuzz of payload translation: random values there and back against JSON.parse and msgpackr, and damaged bytes, which may be
// refused but never change a value, throw, or come out as something the other encoding's parser does not read.

import assert from "node:assert/strict";
import test from "node:test";
import { Packr, unpack } from "msgpackr";
import { skipValue } from "../../src/protocol/msgpack/skip.js";
import { hexOf, json, packed, seeded } from "../protocol/translate/translating.js";

const SEED = 20261123;
const packr = new Packr({ useRecords: false });
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

type Random = () => number;

const CHARACTERS = [
  "a",
  "Z",
  " ",
  '"',
  "\\",
  "/",
  "\n",
  "\t",
  "\u0000",
  "\u001f",
  "\x7f",
  "é",
  "€",
  "\u2028",
  "\uffff",
  "😀",
  "\u{10ffff}",
];

function pick<T>(random: Random, choices: readonly [T, ...T[]]): T {
  return choices[Math.floor(random() * choices.length)] ?? choices[0];
}

function text(random: Random): string {
  const length = Math.floor(random() ** 4 * 200);
  const plain = random() < 0.5;
  return Array.from({ length }, () => (plain ? "x" : pick(random, CHARACTERS as [string, ...string[]]))).join(
    "",
  );
}

/** A finite double below 2^63 of any kind (JSON.stringify writes larger whole ones as digits, which are no integer of 64 bits): any bits, short decimals, whole numbers around the edges of the integer widths. */
function number(random: Random): number {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setUint32(0, random() * 2 ** 32);
  bits.setUint32(4, random() * 2 ** 32);
  const any = bits.getFloat64(0);
  const edge = 2 ** Math.floor(random() * 53) + Math.floor(random() * 3) - 1;
  const short =
    Math.round((random() - 0.5) * 10 ** Math.floor(random() * 16)) / 10 ** Math.floor(random() * 12);
  return pick(random, [Math.abs(any) < 2 ** 63 ? any : 0.5, edge, -edge, short, Math.floor(random() * 300)]);
}

function value(random: Random, depth: number): unknown {
  const kind = Math.floor(random() * (depth > 0 ? 7 : 5));
  if (kind === 0) return pick(random, [null, true, false]);
  if (kind <= 2) return number(random) || 0; // no -0: JSON.stringify writes it as 0
  if (kind <= 4) return text(random);
  const length = Math.floor(random() ** 3 * 24);
  const members = Array.from({ length }, () => value(random, depth - 1));
  if (kind === 5) return members;
  return Object.fromEntries(
    members.map((member, i) => [`${i}${[...text(random)].slice(0, 40).join("")}`, member]),
  );
}

/** JSON text of a value with spaces and escapes that JSON.stringify would not write. */
function written(random: Random, of: unknown): string {
  const spaced = JSON.stringify(of, undefined, pick(random, ["", "\t", " "]));
  if (random() < 0.5) return spaced;
  return spaced.replace(/[^\x00-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

test("jsonToMsgpack() and back keeps every value, as JSON.parse and msgpackr read it", () => {
  const random = seeded(SEED);
  for (let i = 0; i < 1_500; i++) {
    const original = value(random, 4);
    const source = written(random, original);
    const msgpack = packed(source);
    if (!(msgpack instanceof Uint8Array)) assert.fail(`seed ${SEED}, ${i}: ${msgpack}: ${source}`);
    assert.equal(JSON.stringify(JSON.parse(json(msgpack))), JSON.stringify(original), `seed ${SEED}, ${i}`);
    assert.equal(skipValue(msgpack, 0, msgpack.length), msgpack.length);
    assert.deepEqual(normal(unpack(msgpack)), original, `seed ${SEED}, ${i}`);
  }
});

/** msgpackr reads integers beyond 2^53 as bigint; the same numbers as doubles, which is what JSON.parse makes of them. */
function normal(of: unknown): unknown {
  if (typeof of === "bigint") return Number(of);
  if (Array.isArray(of)) return of.map(normal);
  if (typeof of !== "object" || of === null) return of;
  return Object.fromEntries(Object.entries(of).map(([key, member]) => [key, normal(member)]));
}

test("msgpackToJson() and back keeps every value, as msgpackr packs it", () => {
  const random = seeded(SEED + 1);
  for (let i = 0; i < 1_500; i++) {
    const original = value(random, 4);
    const msgpack = packr.pack(original);
    const translated = json(msgpack);
    assert.equal(JSON.stringify(JSON.parse(translated)), JSON.stringify(original), `seed ${SEED + 1}, ${i}`);
    const again = packed(translated);
    assert.ok(again instanceof Uint8Array);
    assert.equal(json(again), translated, `seed ${SEED + 1}, ${i}`);
  }
});

test("msgpackToJson() writes floats in the digits of String, and jsonToMsgpack() reads their very bits back", () => {
  const random = seeded(SEED + 2);
  const float = Buffer.alloc(9, 0xcb);
  for (let i = 0; i < 50_000; i++) {
    const original = number(random) * pick(random, [1, -1, 2 ** 60, 1e-200]);
    float.writeDoubleBE(original, 1);
    const translated = json(float);
    const digits = Object.is(original, -0) ? "-0" : String(original);
    const whole = Number.isInteger(original) && Math.abs(original) < 1e21;
    assert.equal(translated, whole ? `${digits}.0` : digits, `seed ${SEED + 2}, ${i}`);
    const back = packed(translated);
    assert.ok(back instanceof Uint8Array);
    assert.equal(hexOf(back), float.toString("hex"), translated);
  }
});

test("jsonToMsgpack() reads decimals as Number does", () => {
  const random = seeded(SEED + 3);
  const digits = (length: number) => Array.from({ length }, () => Math.floor(random() * 10)).join("");
  for (let i = 0; i < 50_000; i++) {
    const whole = pick(random, ["0", `${1 + Math.floor(random() * 9)}${digits(random() * 20)}`]);
    const exponent = pick(random, [
      "",
      `e${Math.floor(random() * 50) - 25}`,
      `E+${digits(2)}`,
      `e-${digits(3)}`,
    ]);
    const source = `${pick(random, ["", "-"])}${whole}.${digits(1 + random() * 20)}${exponent}`;
    const msgpack = packed(source);
    assert.ok(msgpack instanceof Uint8Array, source);
    assert.ok(Object.is(Buffer.from(msgpack).readDoubleBE(1), Number(source)), source);
  }
});

test("64-bit integers cross exactly, in their shortest form", () => {
  const random = seeded(SEED + 4);
  for (let i = 0; i < 20_000; i++) {
    const bits = BigInt(Math.floor(random() * 2 ** 32)) * 2n ** 32n + BigInt(Math.floor(random() * 2 ** 32));
    const shifted = bits >> BigInt(Math.floor(random() * 64));
    const original = random() < 0.5 ? shifted : -(shifted >> 1n) - 1n;
    const msgpack = packed(String(original));
    assert.ok(msgpack instanceof Uint8Array, String(original));
    assert.equal(json(msgpack), String(original));
    const wide = Buffer.alloc(9, original < 0n ? 0xd3 : 0xcf);
    wide.writeBigUInt64BE(BigInt.asUintN(64, original), 1);
    assert.equal(json(wide), String(original));
    assert.equal(BigInt(unpack(msgpack)), original);
    assert.ok(msgpack.length <= packr.pack(original).length);
  }
});

/** Changes a byte or three (half of the new ones mean something in JSON), and sometimes cuts or repeats a stretch. */
function damaged(random: Random, whole: Uint8Array): Uint8Array {
  const out = Buffer.from(whole);
  for (let i = random() * 3; i > 0 && out.length > 0; i--) {
    const byte =
      random() < 0.5
        ? random() * 256
        : pick(random, ["0", "7", "e", "-", ".", " ", ",", '"', "\\", "]", "}"]).charCodeAt(0);
    out[Math.floor(random() * out.length)] = byte;
  }
  const cut = Math.floor(random() * out.length);
  return pick(random, [
    out,
    out,
    out.subarray(0, cut),
    Buffer.concat([out.subarray(0, cut), out.subarray(cut >> 1)]),
  ]);
}

test("jsonToMsgpack() translates a damaged text only if JSON.parse reads it, and as the same value", () => {
  const random = seeded(SEED + 5);
  let accepted = 0;
  for (let i = 0; i < 10_000; i++) {
    const source = damaged(random, Buffer.from(written(random, value(random, 2))));
    const msgpack = packed(source);
    if (!(msgpack instanceof Uint8Array)) continue;
    accepted++;
    assert.deepEqual(JSON.parse(json(msgpack)), JSON.parse(utf8.decode(source)), `seed ${SEED + 5}, ${i}`);
  }
  assert.ok(accepted > 500, `${accepted} accepted`);
});

test("jsonToMsgpack() refuses a damaged text that JSON.parse reads only as untranslatable", () => {
  const random = seeded(SEED + 6);
  for (let i = 0; i < 10_000; i++) {
    const source = damaged(random, Buffer.from(written(random, value(random, 2))));
    const msgpack = packed(source);
    if (typeof msgpack === "string" && readable(source))
      assert.match(msgpack, /^payload_untranslatable/, `${SEED + 6}, ${i}`);
  }
});

function readable(source: Uint8Array): boolean {
  try {
    JSON.parse(utf8.decode(source));
    return true;
  } catch {
    return false; // refused: what this function tells
  }
}

test("msgpackToJson() translates damaged bytes only to JSON, and only whole values; any refusal has a code", () => {
  const random = seeded(SEED + 7);
  let accepted = 0;
  for (let i = 0; i < 20_000; i++) {
    const whole =
      random() < 0.7
        ? packr.pack(value(random, 2))
        : Buffer.from(Array.from({ length: 12 }, () => random() * 256));
    const source = damaged(random, whole);
    const translated = json(source);
    if (translated.startsWith("payload_")) {
      assert.match(translated, /^payload_(invalid|untranslatable|out_of_bounds) at \d+$/);
      continue;
    }
    accepted++;
    assert.ok(readable(Buffer.from(translated)), `seed ${SEED + 7}, ${i}: ${hexOf(source)}`);
    assert.equal(skipValue(source, 0, source.length), source.length);
  }
  assert.ok(accepted > 1_000, `${accepted} accepted`);
});
