// A msgpack timestamp (ext -1) to an RFC 3339 text in UTC, between quotes.
//
//    4 bytes   seconds, uint32
//    8 bytes   nanoseconds, 30 bits · seconds, 34 bits
//   12 bytes   nanoseconds, uint32 · seconds, int64
//
// As many digits of the second as needed, none for a whole one. RFC 3339 knows the years 0000 to 9999 and no others.

import type { ByteSink } from "../bytes.js";
import { writeDigits } from "./json-digits.js";
import { tooLarge, untranslatable } from "./status.js";

/** The type of the extension. */
export const TIMESTAMP_TYPE = 0xff;

const SECONDS_MIN = -62_167_219_200; // 0000-01-01T00:00:00Z
const SECONDS_MAX = 253_402_300_799; // 9999-12-31T23:59:59Z
const NANOSECONDS_MAX = 999_999_999;
const DAY_SECONDS = 86_400;
const ERA_DAYS = 146_097; // 400 years, after which the calendar repeats
const ERA_SHIFT_DAYS = 719_468; // from 0000-03-01, where an era begins, to 1970-01-01
const TWO_32 = 0x1_0000_0000;
/** `"YYYY-MM-DDTHH:MM:SS.nnnnnnnnnZ"` */
const TEXT_BYTES_MAX = 32;

/** Appends the timestamp whose data is `source[from, to)`. Returns `to`. */
export function writeTimestamp(source: Uint8Array, from: number, to: number, target: ByteSink): number {
  const bytes = to - from;
  if (bytes !== 4 && bytes !== 8 && bytes !== 12)
    return untranslatable(`a timestamp of ${bytes} bytes`, from);
  const first = readUint32(source, from);
  const nanoseconds = bytes === 4 ? 0 : bytes === 8 ? Math.floor(first / 4) : first;
  const seconds =
    bytes === 4
      ? first
      : bytes === 8
        ? (first % 4) * TWO_32 + readUint32(source, from + 4)
        : readInt64(source, from + 4);
  if (nanoseconds > NANOSECONDS_MAX)
    return untranslatable("a timestamp of more nanoseconds than a second has", from);
  if (seconds < SECONDS_MIN || seconds > SECONDS_MAX)
    return untranslatable("a timestamp outside the years 0000 to 9999", from);
  if (!target.reserve(TEXT_BYTES_MAX)) return tooLarge(from);
  const day = Math.floor(seconds / DAY_SECONDS);
  writeCharacter(target, '"');
  writeDate(target, day);
  writeCharacter(target, "T");
  writeTime(target, seconds - day * DAY_SECONDS);
  writeFraction(target, nanoseconds);
  writeCharacter(target, "Z");
  writeCharacter(target, '"');
  return to;
}

function writeCharacter(target: ByteSink, character: string): void {
  target.bytes[target.length++] = character.charCodeAt(0);
}

/** `day` counts from 1970-01-01. The year is taken to begin in March, so that the leap day comes last. */
function writeDate(target: ByteSink, day: number): void {
  const shifted = day + ERA_SHIFT_DAYS;
  const era = Math.floor(shifted / ERA_DAYS);
  const dayOfEra = shifted - era * ERA_DAYS;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  writeDigits(target, era * 400 + yearOfEra + (month < 3 ? 1 : 0), 4);
  writeCharacter(target, "-");
  writeDigits(target, month, 2);
  writeCharacter(target, "-");
  writeDigits(target, dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1, 2);
}

function writeTime(target: ByteSink, secondOfDay: number): void {
  writeDigits(target, Math.floor(secondOfDay / 3_600), 2);
  writeCharacter(target, ":");
  writeDigits(target, Math.floor(secondOfDay / 60) % 60, 2);
  writeCharacter(target, ":");
  writeDigits(target, secondOfDay % 60, 2);
}

function writeFraction(target: ByteSink, nanoseconds: number): void {
  if (nanoseconds === 0) return;
  let digits = 9;
  for (; nanoseconds % 10 === 0; digits--) nanoseconds /= 10;
  writeCharacter(target, ".");
  writeDigits(target, nanoseconds, digits);
}

function readUint32(source: Uint8Array, at: number): number {
  return ((source[at]! << 24) | (source[at + 1]! << 16) | (source[at + 2]! << 8) | source[at + 3]!) >>> 0;
}

/** Inexact beyond 2^53, which is far outside the years that can be written. */
function readInt64(source: Uint8Array, at: number): number {
  return (readUint32(source, at) | 0) * TWO_32 + readUint32(source, at + 4);
}
