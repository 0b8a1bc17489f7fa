// Single tokens, byte by byte: whitespace, strings, literals and numbers of the envelope's own level, and numbers too
// long for a block. They share the text's end and the place of the first error; 0 in place of a position means refused.
import { isStop } from "./mask";

export const QUOTE: u32 = 0x22;
export const BACKSLASH: u32 = 0x5c;
const WORD_TRUE: u32 = 0x65757274;
const WORD_ALSE: u32 = 0x65736c61;
const WORD_NULL: u32 = 0x6c6c756e;

/** Where the text ends; bytes from there on are read at times, but never believed. */
export let textEnd: usize = 0;
export let digits: i32 = 0;
export let errorAt: usize = 0;
/** Of the string read last: it has escapes. */
export let escaped: bool = false;

/** Sets the text that all of this reads. */
export function beginText(ptr: usize, length: usize): void {
  textEnd = ptr + length;
  errorAt = 0;
  digits = 0;
}

/** Notes the first place where the text stopped being JSON; 0 stands for "no way on" in every function here. */
export function refuse(p: usize): usize {
  errorAt = p < textEnd ? p : textEnd;
  return 0;
}

export function at(p: usize): u32 {
  return p < textEnd ? <u32>load<u8>(p) : 0;
}

/** Past whitespace, of which there is mostly none. */
export function space(p: usize): usize {
  return at(p) > 0x20 ? p : spaceRun(p);
}

export function spaceRun(p: usize): usize {
  while (isSpace(at(p))) p++;
  return p;
}

export function isSpace(c: u32): bool {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09;
}

/** From the first byte inside the quotes to the closing quote. Leaves whether there was an escape. */
export function string(p: usize): usize {
  escaped = false;
  while (true) {
    const stop = i8x16.bitmask(isStop(v128.load(p)));
    if (stop === 0) {
      p += 16;
      if (p >= textEnd) return refuse(p);
      continue;
    }
    p += ctz(stop);
    const c = at(p);
    if (c === QUOTE) return p;
    if (c !== BACKSLASH) return refuse(p);
    escaped = true;
    if (!isEscape(p + 1)) return refuse(p + 1);
    p += 2;
  }
}

/** The character at p, which follows a backslash, makes an escape (with its four hex digits, if it is u; string() sees the end). */
export function isEscape(p: usize): bool {
  const c = at(p);
  if (c === 0x75) return isHex(load<u32>(p + 1));
  return (
    c === 0x22 ||
    c === 0x5c ||
    c === 0x2f ||
    c === 0x62 ||
    c === 0x66 ||
    c === 0x6e ||
    c === 0x72 ||
    c === 0x74
  );
}

/** Four bytes at once: each is 0-9, a-f or A-F. */
export function isHex(word: u32): bool {
  const v = i32x4.splat(word);
  const digit = i8x16.lt_u(i8x16.sub(v, i8x16.splat(0x30)), i8x16.splat(10));
  const letter = i8x16.lt_u(i8x16.sub(v128.or(v, i8x16.splat(0x20)), i8x16.splat(0x61)), i8x16.splat(6));
  return i8x16.all_true(v128.or(digit, letter));
}

/** Bytes behind the text's end may complete a literal here: then the way on is beyond the end, where no token is. */
export function literal(p: usize): usize {
  const word = load<u32>(p);
  if (word === WORD_TRUE || word === WORD_NULL) return p + 4;
  return load<u8>(p) === 0x66 && load<u32>(p + 1) === WORD_ALSE ? p + 5 : refuse(p);
}

export function number(p: usize): usize {
  if (at(p) === 0x2d) p++;
  const start = p;
  p = digitRun(p);
  if (p === 0) return 0;
  if (at(start) === 0x30 && p !== start + 1) return refuse(start + 1);
  const c = at(p);
  if (c === 0x2e || (c | 0x20) === 0x65) return fraction(p);
  digits = max(digits, <i32>(p - start));
  return p;
}

/** What may follow the whole part of a number: p stands on the point or on the e. */
export function fraction(p: usize): usize {
  if (at(p) === 0x2e) {
    p = digitRun(p + 1);
    if (p === 0) return 0;
  }
  if ((at(p) | 0x20) !== 0x65) return p;
  const sign = at(p + 1);
  return digitRun(sign === 0x2b || sign === 0x2d ? p + 2 : p + 1);
}

/** One or more digits. */
export function digitRun(p: usize): usize {
  const start = p;
  while (at(p) - 0x30 < 10) p++;
  return p === start ? refuse(p) : p;
}
