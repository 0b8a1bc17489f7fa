// A msgpack str to a JSON string.
//
// Text goes over as it is, in runs; the quote, the backslash and the controls below 0x20 are escaped, in two bytes where JSON has a letter
// for them. UTF-8 stays UTF-8. Text that is not UTF-8 has no JSON form.

import type { ByteSink } from "../bytes.js";
import { REFUSED, tooLarge, untranslatable } from "./status.js";
import { copyPlain, copyRun, textEnd } from "./text-run.js";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
const ZERO = 0x30;
/** Longest escape: `\u00XX`. */
const ESCAPE_BYTES_MAX = 6;
/** Up to here a text is copied while it is looked at. */
const SHORT_BYTES_MAX = 31;

const HEX = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
/** The letter that escapes a byte; 0 for those that need `\u00XX`. */
const LETTER = new Uint8Array(128);
for (const [byte, letter] of Object.entries({
  '"': '"',
  "\\": "\\",
  "\b": "b",
  "\f": "f",
  "\n": "n",
  "\r": "r",
  "\t": "t",
})) {
  LETTER[byte.charCodeAt(0)] = letter.charCodeAt(0);
}

/** Appends the text `source[from, to)` between quotes. Returns `to`. */
export function writeQuoted(source: Uint8Array, from: number, to: number, target: ByteSink): number {
  if (!target.reserve(to - from + 2)) return tooLarge(from);
  target.bytes[target.length++] = QUOTE;
  if (to - from > SHORT_BYTES_MAX || copyPlain(source, from, to, target.bytes, target.length) < to) {
    if (writeText(source, from, to, target) === REFUSED) return REFUSED;
  } else {
    target.length += to - from;
  }
  target.bytes[target.length++] = QUOTE;
  return to;
}

/** Appends the text and leaves room for the closing quote. */
function writeText(source: Uint8Array, from: number, to: number, target: ByteSink): number {
  let at = textEnd(source, from, to);
  copyRun(source, from, at, target);
  while (at < to) {
    if (source[at]! >= 0x80) return untranslatable("text that is not UTF-8", at);
    if (!target.reserve(to - at + ESCAPE_BYTES_MAX)) return tooLarge(at);
    writeEscape(target, source[at]!);
    const run = at + 1;
    at = textEnd(source, run, to);
    copyRun(source, run, at, target);
  }
  return to;
}

function writeEscape(target: ByteSink, byte: number): void {
  const out = target.bytes;
  const letter = LETTER[byte]!;
  out[target.length++] = BACKSLASH;
  out[target.length++] = letter === 0 ? LETTER_U : letter;
  if (letter !== 0) return;
  out[target.length++] = ZERO;
  out[target.length++] = ZERO;
  out[target.length++] = HEX[byte >> 4]!;
  out[target.length++] = HEX[byte & 0x0f]!;
}
