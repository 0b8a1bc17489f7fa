// From 64 bytes to one bit each: where a byte, or a class of bytes, stands. Pure functions on vectors, for block.ts and
// token.ts.

/** Bit i is the top bit of byte i of the 64 bytes in four vectors. */
export function mask(a: v128, b: v128, c: v128, d: v128): u64 {
  return (
    <u64>(<u32>i8x16.bitmask(a) | ((<u32>i8x16.bitmask(b)) << 16)) |
    ((<u64>(<u32>i8x16.bitmask(c) | ((<u32>i8x16.bitmask(d)) << 16))) << 32)
  );
}

/** Where 64 bytes hold the byte of `x`. */
export function equal(a: v128, b: v128, c: v128, d: v128, x: v128): u64 {
  return mask(i8x16.eq(a, x), i8x16.eq(b, x), i8x16.eq(c, x), i8x16.eq(d, x));
}

export function isControl(v: v128): v128 {
  return i8x16.eq(i8x16.min_u(v, i8x16.splat(0x1f)), v);
}

/** A backslash or a control character: rare, so that one test for both spares two masks. */
export function isSpecial(v: v128): v128 {
  return v128.or(i8x16.eq(v, i8x16.splat(0x5c)), isControl(v));
}

/** A quote, a backslash or a control character: what can matter inside a string. */
export function isStop(v: v128): v128 {
  return v128.or(i8x16.eq(v, i8x16.splat(0x22)), isSpecial(v));
}

/** Each bit becomes the exclusive or of itself and all lower ones: between an odd and an even quote all is one. */
export function prefixXor(x: u64): u64 {
  x ^= x << 1;
  x ^= x << 2;
  x ^= x << 4;
  x ^= x << 8;
  x ^= x << 16;
  x ^= x << 32;
  return x;
}

export function digitsIn(a: v128, b: v128, c: v128, d: v128): u64 {
  return mask(isDigit(a), isDigit(b), isDigit(c), isDigit(d));
}

export function isDigit(v: v128): v128 {
  const x = i8x16.sub(v, i8x16.splat(0x30));
  return i8x16.eq(i8x16.min_u(x, i8x16.splat(9)), x);
}

export function hexIn(a: v128, b: v128, c: v128, d: v128): u64 {
  return mask(isHexDigit(a), isHexDigit(b), isHexDigit(c), isHexDigit(d));
}

export function isHexDigit(v: v128): v128 {
  const x = i8x16.sub(v128.or(v, i8x16.splat(0x20)), i8x16.splat(0x61));
  return v128.or(isDigit(v), i8x16.eq(i8x16.min_u(x, i8x16.splat(5)), x));
}

/** Where 64 bytes hold what may follow a backslash. */
export function escapable(a: v128, b: v128, c: v128, d: v128): u64 {
  return mask(isEscapable(a), isEscapable(b), isEscapable(c), isEscapable(d));
}

export function isEscapable(v: v128): v128 {
  // By the low half of a byte: the one character that may follow a backslash. r and " share theirs with b.
  const byLow = i8x16(0, 0, 0x62, 0, 0x74, 0x75, 0x66, 0, 0, 0, 0, 0, 0x5c, 0, 0x6e, 0x2f);
  const same = i8x16.eq(i8x16.swizzle(byLow, v128.and(v, i8x16.splat(0x0f))), v);
  return v128.or(same, v128.or(i8x16.eq(v, i8x16.splat(0x72)), i8x16.eq(v, i8x16.splat(0x22))));
}
