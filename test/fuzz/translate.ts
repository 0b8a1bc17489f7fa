// Payloads for the translators, there and back, against JSON.parse and msgpackr: random values, floats, decimals, 64-bit integers, and
// damaged bytes, which may be refused but never change a value, throw, or come out as something the other encoding's parser does not read.
import assert from "node:assert/strict";
import { Packr, unpack } from "msgpackr";
import { skipValue } from "../../src/protocol/msgpack/skip.js";
import { hexOf, json, packed } from "../protocol/translate/translating.js";
import { Random } from "../support/random.js";
import { pureFuzzer, type Tally } from "./fuzzer.js";
import { below, type Draw, damaged, number, pick, value, written } from "./values.js";

const packr = new Packr({ useRecords: false });
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const FLOAT = Buffer.alloc(9, 0xcb);
const WIDE = Buffer.alloc(9);

export const translate = pureFuzzer(
  "translate",
  "payloads keep their values from JSON to msgpack and back; damaged ones are refused with a code or read as their own parser reads them",
  (seed, tally) => {
    const random = new Random(seed);
    const draw = () => random.next();
    const checks = [textAndBack, bytesAndBack, float, decimal, integer, damagedText, damagedBytes] as const;
    return () => pick(draw, checks)(draw, tally);
  },
);

function whole(translated: Uint8Array | string, of: unknown): Uint8Array {
  if (typeof translated === "string") assert.fail(`${translated}: ${String(of)}`);
  return translated;
}

function textAndBack(draw: Draw, tally: Tally): void {
  const original = value(draw, 4);
  const source = written(draw, original);
  const msgpack = whole(packed(source), source);
  assert.equal(JSON.stringify(JSON.parse(json(msgpack))), JSON.stringify(original));
  assert.equal(skipValue(msgpack, 0, msgpack.length), msgpack.length);
  assert.deepEqual(normal(unpack(msgpack)), original);
  tally.add("texts there and back");
}

/** msgpackr reads integers beyond 2^53 as bigint; the same numbers as doubles, which is what JSON.parse makes of them. */
function normal(of: unknown): unknown {
  if (typeof of === "bigint") return Number(of);
  if (Array.isArray(of)) return of.map(normal);
  if (typeof of !== "object" || of === null) return of;
  return Object.fromEntries(Object.entries(of).map(([key, member]) => [key, normal(member)]));
}

function bytesAndBack(draw: Draw, tally: Tally): void {
  const original = value(draw, 4);
  const translated = json(packr.pack(original));
  assert.equal(JSON.stringify(JSON.parse(translated)), JSON.stringify(original));
  assert.equal(json(whole(packed(translated), translated)), translated);
  tally.add("bytes there and back");
}

/** Floats are written in the digits of String, and their very bits are read back. */
function float(draw: Draw, tally: Tally): void {
  const original = number(draw) * pick(draw, [1, -1, 2 ** 60, 1e-200]);
  FLOAT.writeDoubleBE(original, 1);
  const translated = json(FLOAT);
  const digits = Object.is(original, -0) ? "-0" : String(original);
  const isWhole = Number.isInteger(original) && Math.abs(original) < 1e21;
  assert.equal(translated, isWhole ? `${digits}.0` : digits);
  assert.equal(hexOf(whole(packed(translated), translated)), FLOAT.toString("hex"), translated);
  tally.add("floats");
}

/** Decimals are read as Number reads them. */
function decimal(draw: Draw, tally: Tally): void {
  const digits = (length: number) => Array.from({ length }, () => below(draw, 10)).join("");
  const integer = pick(draw, ["0", `${1 + below(draw, 9)}${digits(draw() * 20)}`]);
  const exponents = ["", `e${below(draw, 50) - 25}`, `E+${digits(2)}`, `e-${digits(3)}`] as const;
  const source = `${pick(draw, ["", "-"])}${integer}.${digits(1 + draw() * 20)}${pick(draw, exponents)}`;
  const msgpack = whole(packed(source), source);
  assert.ok(Object.is(Buffer.from(msgpack).readDoubleBE(1), Number(source)), source);
  tally.add("decimals");
}

/** 64-bit integers cross exactly, in their shortest form. */
function integer(draw: Draw, tally: Tally): void {
  const bits = BigInt(below(draw, 2 ** 32)) * 2n ** 32n + BigInt(below(draw, 2 ** 32));
  const shifted = bits >> BigInt(below(draw, 64));
  const original = draw() < 0.5 ? shifted : -(shifted >> 1n) - 1n;
  const msgpack = whole(packed(String(original)), original);
  assert.equal(json(msgpack), String(original));
  WIDE[0] = original < 0n ? 0xd3 : 0xcf;
  WIDE.writeBigUInt64BE(BigInt.asUintN(64, original), 1);
  assert.equal(json(WIDE), String(original));
  assert.equal(BigInt(unpack(msgpack)), original);
  assert.ok(msgpack.length <= packr.pack(original).length);
  tally.add("integers");
}

function readable(source: Uint8Array): boolean {
  try {
    JSON.parse(utf8.decode(source));
    return true;
  } catch {
    return false; // refused: what this function tells
  }
}

/** Translated only if JSON.parse reads it, and as the same value; refused though JSON.parse reads it only as untranslatable. */
function damagedText(draw: Draw, tally: Tally): void {
  const source = damaged(draw, Buffer.from(written(draw, value(draw, 2))));
  const msgpack = packed(source);
  if (typeof msgpack !== "string") {
    assert.deepEqual(JSON.parse(json(msgpack)), JSON.parse(utf8.decode(source)));
    return tally.add("damaged texts accepted");
  }
  if (readable(source)) assert.match(msgpack, /^payload_untranslatable/);
  tally.add("damaged texts refused");
}

/** Translated only to JSON, and only whole values; any refusal has a code. */
function damagedBytes(draw: Draw, tally: Tally): void {
  const bytes =
    draw() < 0.7 ? packr.pack(value(draw, 2)) : Buffer.from(Array.from({ length: 12 }, () => draw() * 256));
  const source = damaged(draw, bytes);
  const translated = json(source);
  if (translated.startsWith("payload_")) {
    assert.match(translated, /^payload_(invalid|untranslatable|out_of_bounds) at \d+$/);
    return tally.add("damaged bytes refused");
  }
  assert.ok(readable(Buffer.from(translated)), hexOf(source));
  assert.equal(skipValue(source, 0, source.length), source.length);
  tally.add("damaged bytes accepted");
}
