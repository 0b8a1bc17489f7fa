// How far text goes that both encodings write in the same bytes, and copying such a run.
//
// Same bytes: every UTF-8 character but the quote, the backslash and the controls below 0x20. Long ASCII is looked at four bytes a step;
// the wide view of the source is made on first need and let go by `releaseSource`, so that no frame's memory is held.

import type { ByteSink } from "../bytes.js";

/** Runs up to this go byte by byte: below it, wide steps do not win back their set-up. */
const NARROW_BYTES = 8;
/** From here on `set` with its view object (30 ns, whatever the length) is cheaper than steps of four bytes. */
const BULK_COPY_BYTES = 192;
const HIGH_BITS = 0x80808080 | 0;
const ONES = 0x01010101;
const SPACES = 0x20202020;
const QUOTES = 0x22222222;
const BACKSLASHES = 0x5c5c5c5c;

/** 1 for the ASCII bytes that stand for themselves in both encodings. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x80 && byte !== 0x22 && byte !== 0x5c ? 1 : 0,
);

let viewed: Uint8Array | undefined;
let view: DataView = new DataView(new ArrayBuffer(0));

/** The first position from `at` on that is not text: a quote, a backslash, a control, a byte that is not UTF-8, or `end`. */
export function textEnd(source: Uint8Array, at: number, end: number): number {
  for (;;) {
    at = plainEnd(source, at, end);
    if (at === end || source[at]! < 0x80) return at;
    const next = multibyteEnd(source, at, end);
    if (next === at) return at;
    at = next;
  }
}

/** Appends `source[from, to)`, for which room was reserved. */
export function copyRun(source: Uint8Array, from: number, to: number, target: ByteSink): void {
  const bytes = to - from;
  if (bytes >= BULK_COPY_BYTES) target.bytes.set(source.subarray(from, to), target.length);
  else if (bytes >= NARROW_BYTES) copyWords(source, from, to, target);
  else for (let i = 0; i < bytes; i++) target.bytes[target.length + i] = source[from + i]!;
  target.length += bytes;
}

/** Four bytes a step; the last step ends at `to` and may copy again what the one before it copied. */
function copyWords(source: Uint8Array, from: number, to: number, target: ByteSink): void {
  const words = viewOf(source);
  const out = target.view;
  const shift = target.length - from;
  const last = to - 4;
  for (let at = from; at < last; at += 4) out.setInt32(at + shift, words.getInt32(at, true), true);
  out.setInt32(last + shift, words.getInt32(last, true), true);
}

/**
 * Copies plain ASCII from `source[from, to)` into `out` at `at`, stopping before the first byte that is not. Returns where it stopped.
 * For short strings, where looking first and copying then costs more than the bytes do. `length` does not move: what was copied may be
 * written over.
 */
export function copyPlain(source: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
  const shift = at - from;
  for (; from < to; from++) {
    const byte = source[from]!;
    if (PLAIN[byte] !== 1) return from;
    out[from + shift] = byte;
  }
  return to;
}

/** Lets go of the source's memory. Called once at the end of a translation. */
export function releaseSource(): void {
  if (viewed === undefined) return;
  viewed = undefined;
  view = new DataView(new ArrayBuffer(0));
}

function plainEnd(source: Uint8Array, at: number, end: number): number {
  const near = Math.min(end, at + NARROW_BYTES);
  while (at < near && PLAIN[source[at]!] === 1) at++;
  return at === near && at < end ? plainEndWide(source, at, end) : at;
}

function plainEndWide(source: Uint8Array, at: number, end: number): number {
  const words = viewOf(source);
  for (const last = end - 4; at <= last; at += 4) {
    const word = words.getInt32(at, true);
    // A byte of ASCII minus a larger one leaves its high bit set: below 0x20, equal to the quote, equal to the backslash.
    const special =
      (word | (word - SPACES) | ((word ^ QUOTES) - ONES) | ((word ^ BACKSLASHES) - ONES)) & HIGH_BITS;
    if (special !== 0) break;
  }
  while (at < end && PLAIN[source[at]!] === 1) at++;
  return at;
}

function viewOf(source: Uint8Array): DataView {
  if (viewed !== source) {
    viewed = source;
    view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  }
  return view;
}

/** The end of the well-formed characters of two to four bytes that follow one another from `at` on; `at` when there is none. */
function multibyteEnd(source: Uint8Array, at: number, end: number): number {
  while (at < end && source[at]! >= 0x80) {
    const size = characterBytes(source, at, end);
    if (size === 0) return at;
    at += size;
  }
  return at;
}

/** Bytes of the well-formed character (RFC 3629: shortest form, no surrogate, at most U+10FFFF) at `at`, or 0. */
function characterBytes(source: Uint8Array, at: number, end: number): number {
  const first = source[at]!;
  const size = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (size === 0 || end - at < size) return 0;
  const second = source[at + 1]!;
  if (second < secondMin(first) || second > secondMax(first)) return 0;
  if (size > 2 && !isContinuation(source[at + 2]!)) return 0;
  if (size > 3 && !isContinuation(source[at + 3]!)) return 0;
  return size;
}

function secondMin(first: number): number {
  return first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
}

function secondMax(first: number): number {
  return first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
