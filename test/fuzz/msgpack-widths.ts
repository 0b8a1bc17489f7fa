// Values as msgpack in any encoding that the specification allows, the longest included: libraries write the shortest only.
import { below, type Draw } from "./values.js";

/** `of` (what JSON can say) in widths drawn for each head. */
export function anyWidth(draw: Draw, of: unknown): Buffer {
  if (of === null) return Buffer.of(0xc0);
  if (typeof of === "boolean") return Buffer.of(of ? 0xc3 : 0xc2);
  if (typeof of === "number") return ofNumber(draw, of);
  if (typeof of === "string") return ofText(draw, of);
  if (Array.isArray(of)) {
    const items = of.map((item) => anyWidth(draw, item));
    return Buffer.concat([head(draw, of.length, [0x90, 16], 0xdb), ...items]);
  }
  const members = Object.entries(of as object); // nothing else is left
  const items = members.flatMap(([key, member]) => [ofText(draw, key), anyWidth(draw, member)]);
  return Buffer.concat([head(draw, members.length, [0x80, 16], 0xdd), ...items]);
}

function ofText(draw: Draw, text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([head(draw, bytes.length, [0xa0, 32], 0xd8), bytes]);
}

/** A length: in the head byte, or in 1 (texts only), 2 or 4 bytes. `before` is the byte before the head with the shortest length. */
function head(draw: Draw, length: number, [fixed, fixedEnd]: [number, number], before: number): Buffer {
  const widths = fixed === 0xa0 ? [1, 2, 4] : [2, 4];
  const fitting = widths.filter((width) => length < 256 ** width);
  const choice = below(draw, fitting.length + (length < fixedEnd ? 1 : 0));
  const width = fitting[choice];
  if (width === undefined) return Buffer.of(fixed + length);
  const bytes = Buffer.alloc(1 + width, before + 1 + widths.indexOf(width));
  bytes.writeUIntBE(length, 1, width);
  return bytes;
}

function ofNumber(draw: Draw, of: number): Buffer {
  if (!Number.isSafeInteger(of)) return float(of);
  const widths = [1, 2, 4, 8].filter((width) => fits(of, width));
  const choice = below(draw, widths.length + (of >= -32 && of < 128 ? 2 : 1));
  const width = widths[choice];
  if (width !== undefined) return integer(draw, of, width);
  return choice === widths.length ? float(of) : Buffer.of(of & 0xff);
}

function fits(of: number, width: number): boolean {
  return of >= 0 ? of < 256 ** width : of >= -(256 ** width) / 2;
}

/** Unsigned; or signed, as a negative one must and a small one may be. */
function integer(draw: Draw, of: number, width: number): Buffer {
  const signed = of < 0 || (of < 256 ** width / 2 && draw() < 0.5);
  const bytes = Buffer.alloc(9, (signed ? 0xd0 : 0xcc) + Math.log2(width));
  bytes.writeBigUInt64BE(
    (BigInt.asUintN(64, BigInt(of)) << BigInt(64 - 8 * width)) & 0xffff_ffff_ffff_ffffn,
    1,
  );
  return bytes.subarray(0, 1 + width);
}

function float(of: number): Buffer {
  const bytes = Buffer.alloc(9, 0xcb);
  bytes.writeDoubleBE(of, 1);
  return bytes;
}
