// Where a msgpack value ends, written plainly from the specification and slowly: what `skipValue` is held against.

/** The offset behind the value at `at`; undefined when there is no whole value. */
export function plainEnd(bytes: Buffer, at = 0): number | undefined {
  const first = bytes[at];
  if (first === undefined || first === 0xc1) return undefined;
  if (first <= 0x7f || first >= 0xe0 || first === 0xc0 || first === 0xc2 || first === 0xc3) return at + 1;
  if (first <= 0x8f) return behind(bytes, at + 1, 2 * (first & 15));
  if (first <= 0x9f) return behind(bytes, at + 1, first & 15);
  if (first <= 0xbf) return inside(bytes, at + 1 + (first & 31));
  if (first >= 0xdc) {
    const width = first % 2 === 0 ? 2 : 4;
    if (at + 1 + width > bytes.length) return undefined;
    return behind(bytes, at + 1 + width, bytes.readUIntBE(at + 1, width) * (first >= 0xde ? 2 : 1));
  }
  if (first >= 0xd4 && first <= 0xd8) return inside(bytes, at + 2 + 2 ** (first - 0xd4));
  const numbers = { 202: 4, 203: 8, 204: 1, 205: 2, 206: 4, 207: 8, 208: 1, 209: 2, 210: 4, 211: 8 };
  const width = Object.entries(numbers).find(([head]) => Number(head) === first)?.[1];
  return width === undefined ? sized(bytes, at, first) : inside(bytes, at + 1 + width);
}

/** bin, ext and str, whose length stands behind their head. */
function sized(bytes: Buffer, at: number, first: number): number | undefined {
  const isExt = first >= 0xc7 && first <= 0xc9;
  const width = [0xc4, 0xc7, 0xd9].includes(first) ? 1 : [0xc5, 0xc8, 0xda].includes(first) ? 2 : 4;
  if (at + 1 + width > bytes.length) return undefined;
  return inside(bytes, at + 1 + width + (isExt ? 1 : 0) + bytes.readUIntBE(at + 1, width));
}

function inside(bytes: Buffer, end: number): number | undefined {
  return end <= bytes.length ? end : undefined;
}

function behind(bytes: Buffer, at: number, values: number): number | undefined {
  let end: number | undefined = at;
  for (let left = values; left > 0 && end !== undefined; left--) end = plainEnd(bytes, end);
  return end;
}
