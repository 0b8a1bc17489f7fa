// A JSON number to a msgpack integer or float64.
//
// The token decides: digits alone are an integer, exact in 64 bits and in its shortest form; a fraction or an exponent makes a float64.
// A short float is computed (at most 15 digits and a power of ten up to 22 round once, hence right); others go through `Number`.

import type { ByteSink } from "../bytes.js";
import { JSON_INTEGER_DIGITS_MAX } from "../limits.js";
import { invalid, outOfBounds, tooLarge, untranslatable } from "./status.js";

const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const ZERO = 0x30;
/** Digits that always fit a double exactly. */
const EXACT_DIGITS = 15;
/** Powers of ten that are exact doubles. */
const POWERS = Float64Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));
const TWO_32 = 0x1_0000_0000;
/** Longest encoding of a number. */
const NUMBER_BYTES_MAX = 9;

const latin1 = new TextDecoder("latin1");

/** Appends the number that begins at `at`. Returns the position after it. */
export function writeNumber(source: Uint8Array, at: number, end: number, target: ByteSink): number {
  if (!target.reserve(NUMBER_BYTES_MAX)) return tooLarge(at);
  const negative = source[at] === MINUS;
  const from = negative ? at + 1 : at;
  let to = from;
  let value = 0;
  for (; to < end; to++) {
    const digit = source[to]! - ZERO;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  if (to === from) return invalid("no value", to);
  if (source[from] === ZERO && to - from > 1) return invalid("a number with a leading zero", at);
  if (to < end && isReal(source[to]!)) return writeReal(source, at, to, end, target);
  if (to - from > EXACT_DIGITS) return writeLongInteger(source, at, to, target);
  if (!negative) writeUint(target, value);
  else if (value !== 0) writeNegative(target, -value);
  else writeFloat64(target, -0);
  return to;
}

function isReal(byte: number): boolean {
  return byte === POINT || (byte | 0x20) === 0x65;
}

/** Appends the number at `at`, whose whole part ends at `to` with a point or an exponent. */
function writeReal(source: Uint8Array, at: number, to: number, end: number, target: ByteSink): number {
  let digitsEnd = to;
  let fractionDigits = 0;
  if (source[to] === POINT) {
    digitsEnd = to = skipDigits(source, to + 1, end);
    fractionDigits = fractionLength(source, at, to);
    if (fractionDigits === 0) return invalid("a number without digits after its point", to);
  }
  let exponent = 0;
  if (to < end && (source[to]! | 0x20) === 0x65) {
    const sign = to + 1 < end ? source[to + 1]! : 0;
    const exponentAt = sign === MINUS || sign === PLUS ? to + 2 : to + 1;
    to = skipDigits(source, exponentAt, end);
    if (to <= exponentAt)
      return invalid("a number without digits in its exponent", Math.min(exponentAt, end));
    exponent = readDigits(source, exponentAt, to);
    if (sign === MINUS) exponent = -exponent;
  }
  const value = toDouble(source, at, digitsEnd, to, exponent - fractionDigits);
  if (!Number.isFinite(value)) return untranslatable("a number too large for a float64", at);
  writeFloat64(target, value);
  return to;
}

/** Digits between the point and `to`. */
function fractionLength(source: Uint8Array, at: number, to: number): number {
  let point = to;
  while (point > at && source[point - 1] !== POINT) point--;
  return to - point;
}

function skipDigits(source: Uint8Array, at: number, end: number): number {
  while (at < end && source[at]! >= ZERO && source[at]! <= 0x39) at++;
  return at;
}

/** The digits of `source[from, to)` as a number, a point among them passed over. */
function readDigits(source: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (; from < to; from++) if (source[from] !== POINT) value = value * 10 + (source[from]! - ZERO);
  return value;
}

/** The double nearest to the token `source[at, to)`: the digits up to `digitsEnd` times ten to the `power`. */
function toDouble(source: Uint8Array, at: number, digitsEnd: number, to: number, power: number): number {
  const from = source[at] === MINUS ? at + 1 : at;
  if (digitsEnd - from > EXACT_DIGITS || power < -22 || power > 22)
    return Number(latin1.decode(source.subarray(at, to)));
  const digits = readDigits(source, from, digitsEnd);
  const value = power < 0 ? digits / POWERS[-power]! : digits * POWERS[power]!;
  return from > at ? -value : value;
}

/** Appends the integer token `source[at, to)` of more than 15 digits. */
function writeLongInteger(source: Uint8Array, at: number, to: number, target: ByteSink): number {
  const negative = source[at] === MINUS;
  const from = negative ? at + 1 : at;
  if (to - from > JSON_INTEGER_DIGITS_MAX)
    return outOfBounds(`an integer of more than ${JSON_INTEGER_DIGITS_MAX} digits`, at);
  let high = 0;
  let low = 0;
  for (let digit = from; digit < to && high < TWO_32; digit++) {
    low = low * 10 + (source[digit]! - ZERO);
    const carry = Math.floor(low / TWO_32);
    low -= carry * TWO_32;
    high = high * 10 + carry;
  }
  if (high >= TWO_32 || (negative && (high > 0x8000_0000 || (high === 0x8000_0000 && low > 0)))) {
    return untranslatable("an integer beyond 64 bits", at);
  }
  if (negative) writeWide(target, 0xd3, low === 0 ? -high : ~high, -low);
  else writeWide(target, 0xcf, high, low);
  return to;
}

function writeWide(target: ByteSink, type: number, high: number, low: number): void {
  const at = target.length;
  target.bytes[at] = type;
  target.view.setUint32(at + 1, high);
  target.view.setUint32(at + 5, low);
  target.length = at + 9;
}

function writeFloat64(target: ByteSink, value: number): void {
  target.bytes[target.length] = 0xcb;
  target.view.setFloat64(target.length + 1, value);
  target.length += 9;
}

/** Appends 0 to 10^15 - 1 in the shortest form. */
function writeUint(target: ByteSink, value: number): void {
  const at = target.length;
  const out = target.bytes;
  if (value < 0x80) {
    out[at] = value;
    target.length = at + 1;
  } else if (value < 0x100) {
    out[at] = 0xcc;
    out[at + 1] = value;
    target.length = at + 2;
  } else if (value < 0x10000) {
    out[at] = 0xcd;
    target.view.setUint16(at + 1, value);
    target.length = at + 3;
  } else if (value < TWO_32) {
    out[at] = 0xce;
    target.view.setUint32(at + 1, value);
    target.length = at + 5;
  } else {
    writeWide(target, 0xcf, Math.floor(value / TWO_32), value % TWO_32);
  }
}

/** Appends -1 to -(10^15 - 1) in the shortest form. */
function writeNegative(target: ByteSink, value: number): void {
  const at = target.length;
  const out = target.bytes;
  if (value >= -0x20) {
    out[at] = value;
    target.length = at + 1;
  } else if (value >= -0x80) {
    out[at] = 0xd0;
    out[at + 1] = value;
    target.length = at + 2;
  } else if (value >= -0x8000) {
    out[at] = 0xd1;
    target.view.setInt16(at + 1, value);
    target.length = at + 3;
  } else if (value >= -0x8000_0000) {
    out[at] = 0xd2;
    target.view.setInt32(at + 1, value);
    target.length = at + 5;
  } else {
    const high = Math.floor(value / TWO_32);
    writeWide(target, 0xd3, high, value - high * TWO_32);
  }
}
