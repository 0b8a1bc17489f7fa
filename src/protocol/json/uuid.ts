// UUID-shaped invocation ids as bytes: the engine's own carry a ticket, callers' own are only recognised.
//
//   tttttttt-xxxx-4xxx-8xxx-xxxxxxxxxxxx      t: the ticket in hex, x: the same for all tickets of one engine

const HEX = new TextEncoder().encode("0123456789abcdef");
const DASH = 0x2d;

/** Characters of the hyphenated form, and of the part behind the ticket. */
export const UUID_LENGTH = 36;
export const SUFFIX_LENGTH = 28;

/** The longest spelling of a UUID: `urn:uuid:` and the hyphenated form. */
export const UUID_SPELLING_MAX = 45;

const URN = new TextEncoder().encode("urn:uuid:");

/** Hex digit values by byte; -1 for others. */
const VALUE = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit++) {
  VALUE[HEX[digit]!] = digit;
  VALUE["0123456789ABCDEF".charCodeAt(digit)] = digit;
}

export function writeHex32(bytes: Uint8Array, at: number, value: number): void {
  for (let digit = 7; digit >= 0; digit--) {
    bytes[at + digit] = HEX[value & 15]!;
    value >>>= 4;
  }
}

/** The int32 that eight hex digits stand for; only for digits known to be hex. */
export function readHex32(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let digit = 0; digit < 8; digit++) value = (value << 4) | (VALUE[bytes[at + digit]!]! & 15);
  return value;
}

/** Is `[start, end)` a UUID: hyphenated, 32 hex digits, in braces, or as a URN? */
export function isUuid(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length === UUID_LENGTH) return isHyphenated(bytes, start);
  if (length === 32) return isHex(bytes, start, end);
  if (length === 38)
    return bytes[start] === 0x7b && bytes[end - 1] === 0x7d && isHyphenated(bytes, start + 1);
  return length === UUID_SPELLING_MAX && isUrn(bytes, start) && isHyphenated(bytes, start + URN.length);
}

function isHyphenated(bytes: Uint8Array, at: number): boolean {
  if (bytes[at + 8] !== DASH || bytes[at + 13] !== DASH || bytes[at + 18] !== DASH || bytes[at + 23] !== DASH)
    return false;
  return (
    isHex(bytes, at, at + 8) &&
    isHex(bytes, at + 9, at + 13) &&
    isHex(bytes, at + 14, at + 18) &&
    isHex(bytes, at + 19, at + 23) &&
    isHex(bytes, at + 24, at + 36)
  );
}

function isHex(bytes: Uint8Array, start: number, end: number): boolean {
  let all = 0;
  for (let at = start; at < end; at++) all |= VALUE[bytes[at]!]!; // a non-digit is -1: the sign stays
  return all >= 0;
}

function isUrn(bytes: Uint8Array, at: number): boolean {
  for (let step = 0; step < URN.length; step++) if (bytes[at + step] !== URN[step]) return false;
  return true;
}
