// A JSON string to a msgpack str.
//
// A string without escapes is one run: its length is known when its closing quote is found, so the shortest header is written first and
// the text copied behind it. With escapes the header is guessed from the text before the first one (never too wide) and widened at the end.

import type { ByteSink } from "../bytes.js";
import { invalid, REFUSED, tooLarge, untranslatable } from "./status.js";
import { copyPlain, copyRun, textEnd } from "./text-run.js";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
/** Longest str header. */
const HEADER_BYTES_MAX = 5;
/** Longest text with a header of one byte. */
const FIXSTR_BYTES_MAX = 31;

/** What the letter after a backslash stands for; 0 for letters that may not stand there (and for `u`, which is read apart). */
const ESCAPED = new Uint8Array(256);
for (const [letter, text] of Object.entries({
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
})) {
  ESCAPED[letter.charCodeAt(0)] = text.charCodeAt(0);
}

/** Appends the string whose opening quote is at `at`. Returns the position after its closing quote. */
export function writeStr(source: Uint8Array, at: number, end: number, target: ByteSink): number {
  if (!target.reserve(FIXSTR_BYTES_MAX + 2)) return tooLarge(at);
  const from = at + 1;
  const to = copyPlain(source, from, Math.min(end, from + FIXSTR_BYTES_MAX), target.bytes, target.length + 1);
  if (to === end || source[to] !== QUOTE) return writeLongStr(source, from, end, target);
  target.bytes[target.length] = 0xa0 | (to - from);
  target.length += 1 + to - from;
  return to + 1;
}

/** As `writeStr`, for a string that is not short and plain; `from` is the position after its opening quote. */
function writeLongStr(source: Uint8Array, from: number, end: number, target: ByteSink): number {
  const to = textEnd(source, from, end);
  if (!target.reserve(HEADER_BYTES_MAX + to - from)) return tooLarge(from);
  if (to === end || source[to] !== QUOTE) return writeEscapedStr(source, from, to, end, target);
  writeStrHeader(target, target.length, headerBytes(to - from), to - from);
  copyRun(source, from, to, target);
  return to + 1;
}

/** As `writeLongStr`, when something else than the closing quote ended the first run, which is `source[from, to)`. */
function writeEscapedStr(
  source: Uint8Array,
  from: number,
  to: number,
  end: number,
  target: ByteSink,
): number {
  const header = target.length;
  const guessed = headerBytes(to - from);
  target.length += guessed;
  copyRun(source, from, to, target);
  while (to < end && source[to] === BACKSLASH) {
    from = writeEscape(source, to, end, target);
    if (from === REFUSED) return REFUSED;
    to = textEnd(source, from, end);
    if (!target.reserve(to - from)) return tooLarge(from);
    copyRun(source, from, to, target);
  }
  if (to === end) return invalid("a string without an end", to);
  if (source[to] !== QUOTE)
    return invalid(source[to]! < 0x20 ? "a control character in a string" : "text that is not UTF-8", to);
  return closeStr(target, header, guessed) ? to + 1 : tooLarge(to);
}

/** Writes the header now that the length is known, moving the text on when the guess was too narrow. */
function closeStr(target: ByteSink, header: number, guessed: number): boolean {
  const bytes = target.length - header - guessed;
  const needed = headerBytes(bytes);
  if (!target.reserve(needed - guessed)) return false;
  if (needed > guessed) target.bytes.copyWithin(header + needed, header + guessed, target.length);
  writeStrHeader(target, header, needed, bytes);
  target.length = header + needed + bytes;
  return true;
}

function headerBytes(bytes: number): number {
  return bytes < 32 ? 1 : bytes < 0x100 ? 2 : bytes < 0x10000 ? 3 : HEADER_BYTES_MAX;
}

/** Writes a header of `width` bytes at `at` and moves `length` behind it. */
function writeStrHeader(target: ByteSink, at: number, width: number, bytes: number): void {
  const out = target.bytes;
  target.length = at + width;
  if (width === 1) {
    out[at] = 0xa0 | bytes;
  } else if (width === 2) {
    out[at] = 0xd9;
    out[at + 1] = bytes;
  } else if (width === 3) {
    out[at] = 0xda;
    target.view.setUint16(at + 1, bytes);
  } else {
    out[at] = 0xdb;
    target.view.setUint32(at + 1, bytes);
  }
}

/** Appends what the escape at `at` (its backslash) stands for. Returns the position after it. */
function writeEscape(source: Uint8Array, at: number, end: number, target: ByteSink): number {
  if (end - at < 2) return invalid("a string without an end", end);
  if (!target.reserve(4)) return tooLarge(at);
  const letter = source[at + 1]!;
  if (letter === LETTER_U) return writeUnicodeEscape(source, at, end, target);
  const byte = ESCAPED[letter]!;
  if (byte === 0) return invalid("an unknown escape", at);
  target.bytes[target.length++] = byte;
  return at + 2;
}

function writeUnicodeEscape(source: Uint8Array, at: number, end: number, target: ByteSink): number {
  const unit = hexUnit(source, at, end);
  if (unit === REFUSED) return invalid("an escape without four hexadecimal digits", at);
  if (unit < 0xd800 || unit > 0xdfff) {
    writeCharacter(target, unit);
    return at + 6;
  }
  const low = unit < 0xdc00 ? hexUnit(source, at + 6, end) : REFUSED;
  if (low < 0xdc00 || low > 0xdfff) return untranslatable("the escape of a lone surrogate", at);
  writeCharacter(target, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
  return at + 12;
}

/** The code unit of the escape `\uXXXX` at `at`, or `REFUSED` when there is no such escape. */
function hexUnit(source: Uint8Array, at: number, end: number): number {
  if (end - at < 6 || source[at] !== BACKSLASH || source[at + 1] !== LETTER_U) return REFUSED;
  const unit =
    (hexDigit(source[at + 2]!) << 12) |
    (hexDigit(source[at + 3]!) << 8) |
    (hexDigit(source[at + 4]!) << 4) |
    hexDigit(source[at + 5]!);
  return unit < 0 ? REFUSED : unit;
}

/** The digit's value, or -1, which stays negative through the shifts above. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = (byte | 0x20) - 0x61;
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

/** Appends one character as UTF-8. Room for four bytes was reserved. */
function writeCharacter(target: ByteSink, point: number): void {
  const out = target.bytes;
  let at = target.length;
  if (point < 0x80) {
    out[at++] = point;
  } else if (point < 0x800) {
    out[at++] = 0xc0 | (point >> 6);
  } else if (point < 0x10000) {
    out[at++] = 0xe0 | (point >> 12);
    out[at++] = 0x80 | ((point >> 6) & 0x3f);
  } else {
    out[at++] = 0xf0 | (point >> 18);
    out[at++] = 0x80 | ((point >> 12) & 0x3f);
    out[at++] = 0x80 | ((point >> 6) & 0x3f);
  }
  if (point >= 0x80) out[at++] = 0x80 | (point & 0x3f);
  target.length = at;
}
