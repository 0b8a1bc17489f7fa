// How far one msgpack value goes, in any valid encoding, without reading it.
//
// The first byte tells how many bytes belong to the value's head and how many values are inside it; the loop counts values still to come
// instead of recursing, so depth costs nothing. Every value has at least one byte: a count beyond the bytes that remain ends the walk at once.

/** The value is cut short, or holds the reserved byte c1. */
export const CUT_SHORT = -1;

/** Bytes of a value by its first byte, for those without a length of their own and without values inside; else 0. */
const FIXED_BYTES = new Uint8Array(256);
FIXED_BYTES.fill(1, 0x00, 0x80);
FIXED_BYTES.fill(1, 0xe0);
for (let length = 0; length < 32; length++) FIXED_BYTES[0xa0 + length] = 1 + length;
for (const nilOrBoolean of [0xc0, 0xc2, 0xc3]) FIXED_BYTES[nilOrBoolean] = 1;
for (const [first, width] of [
  [0xca, 4],
  [0xcb, 8],
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xcf, 8],
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
  [0xd3, 8],
] as const) {
  FIXED_BYTES[first] = 1 + width;
}
for (let power = 0; power < 5; power++) FIXED_BYTES[0xd4 + power] = 2 + (1 << power);

/** The offset after the value that begins at `start`, or `CUT_SHORT` when it does not end at or before `end`. */
export function skipValue(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (let values = 1; values > 0; values--) {
    if (values > end - at) return CUT_SHORT;
    const first = bytes[at]!;
    const fixed = FIXED_BYTES[first]!;
    if (fixed !== 0) {
      at += fixed;
    } else if (first < 0x90) {
      values += 2 * (first & 0x0f);
      at++;
    } else if (first < 0xa0) {
      values += first & 0x0f;
      at++;
    } else if (first === 0xc1) {
      return CUT_SHORT;
    } else if (first >= 0xdc) {
      const width = first & 1 ? 4 : 2;
      if (end - at <= width) return CUT_SHORT;
      values += (first >= 0xde ? 2 : 1) * readUint(bytes, at + 1, width);
      at += 1 + width;
    } else {
      at = skipSized(bytes, at, end);
      if (at === CUT_SHORT) return CUT_SHORT;
    }
  }
  return at <= end ? at : CUT_SHORT;
}

/** The offset after the bin, ext or str at `at`, whose length stands in 1, 2 or 4 bytes behind its type. */
function skipSized(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!;
  const isExt = first >= 0xc7 && first <= 0xc9;
  const width = 1 << (first >= 0xd9 ? first - 0xd9 : isExt ? first - 0xc7 : first - 0xc4);
  if (end - at <= width) return CUT_SHORT;
  return at + 1 + width + (isExt ? 1 : 0) + readUint(bytes, at + 1, width);
}

/** A big-endian unsigned integer of 1, 2 or 4 bytes. */
function readUint(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + bytes[at + i]!;
  return value;
}
