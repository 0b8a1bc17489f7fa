// msgpack integers and floats as JSON numbers.
//
// Integers of 64 bits are written from their two halves, exact to the last digit. A float gets the shortest digits that read back the
// same, which is what JavaScript's own `String` gives; it always shows a point or an exponent, so that it stays a float on the way back.

import type { ByteSink } from "../bytes.js";

const ZERO = 0x30;
const MINUS = 0x2d;
const POINT = 0x2e;
const TWO_32 = 0x1_0000_0000;
const BILLION = 1_000_000_000;
const BILLION_DIGITS = 9;
const MILLION = 1_000_000;
const MILLION_DIGITS = 6;
/** From here on `String` writes an exponent. */
const EXPONENT_FROM = 1e21;

/** Room for any number: 24 characters of a float and `.0`, 20 of an integer. */
export const NUMBER_TEXT_BYTES_MAX = 32;

/** Appends an integer from -2^53 to 2^53. Room was reserved. */
export function writeInteger(target: ByteSink, value: number): void {
  if (value < 0) {
    target.bytes[target.length++] = MINUS;
    value = -value;
  }
  if (value < 10) {
    target.bytes[target.length++] = ZERO + value;
  } else if (value < BILLION) {
    writeDigits(target, value, digitCount(value));
  } else {
    const high = Math.floor(value / BILLION);
    writeInteger(target, high);
    writeDigits(target, value - high * BILLION, BILLION_DIGITS);
  }
}

/** Appends the 64-bit integer `high * 2^32 + low`, both halves uint32, two's complement when `signed`. Room was reserved. */
export function writeInteger64(target: ByteSink, high: number, low: number, signed: boolean): void {
  if (signed && high >= 0x8000_0000) {
    target.bytes[target.length++] = MINUS;
    high = low === 0 ? TWO_32 - high : TWO_32 - 1 - high;
    low = low === 0 ? 0 : TWO_32 - low;
  }
  if (high < 0x20_0000) {
    writeInteger(target, high * TWO_32 + low);
    return;
  }
  // Long division by 10^9 in limbs of 16 bits, so that no step leaves the exact doubles.
  let rest = high % BILLION;
  let quotient = Math.floor(high / BILLION) * TWO_32;
  rest = rest * 0x10000 + Math.floor(low / 0x10000);
  quotient += Math.floor(rest / BILLION) * 0x10000;
  rest = (rest % BILLION) * 0x10000 + (low % 0x10000);
  quotient += Math.floor(rest / BILLION);
  writeInteger(target, quotient);
  writeDigits(target, rest % BILLION, BILLION_DIGITS);
}

/** Appends a finite float. Room was reserved. */
export function writeFloat(target: ByteSink, value: number): void {
  const size = Math.abs(value);
  const millionths = Math.round(size * MILLION);
  if (size < BILLION && size > 0 && millionths / MILLION === size) {
    if (value < 0) target.bytes[target.length++] = MINUS;
    writeMillionths(target, millionths);
  } else {
    writeText(target, Object.is(value, -0) ? "-0" : String(value));
    if (Number.isInteger(value) && size < EXPONENT_FROM) writeText(target, ".0");
  }
}

/**
 * Appends the float nearest to `millionths / 10^6`, of 15 digits at most: no two decimals of so few digits read back as the same double,
 * so these digits without their last zeros are the shortest that do. Half the cost of `String`, for the numbers people write.
 */
function writeMillionths(target: ByteSink, millionths: number): void {
  const whole = Math.floor(millionths / MILLION);
  writeInteger(target, whole);
  target.bytes[target.length++] = POINT;
  let fraction = millionths - whole * MILLION;
  let digits = MILLION_DIGITS;
  for (; digits > 1 && fraction % 10 === 0; digits--) fraction /= 10;
  writeDigits(target, fraction, digits);
}

function writeText(target: ByteSink, text: string): void {
  for (let i = 0; i < text.length; i++) target.bytes[target.length++] = text.charCodeAt(i);
}

/** Appends `value` (below 10^9) in `digits` digits, zeros in front. Room was reserved. */
export function writeDigits(target: ByteSink, value: number, digits: number): void {
  const out = target.bytes;
  let rest = value | 0;
  for (let at = target.length + digits - 1; at >= target.length; at--) {
    const tenth = (rest / 10) | 0;
    out[at] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
  target.length += digits;
}

function digitCount(value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits++;
  return digits;
}
