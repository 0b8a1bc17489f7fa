// Bytes as a reader of PROTOCOL.md sees them: hex with blanks wherever the eye wants them, text in quotes.
import { unpackMultiple } from "msgpackr";

/** `94 01 a2 "hi"` as bytes. */
export function bytes(text: string): Buffer {
  const parts = text.match(/"[^"]*"|[0-9a-f]{2}/gi) ?? [];
  const left = text.replace(/"[^"]*"|[0-9a-f]{2}/gi, "").trim();
  if (left !== "") throw new Error(`neither hex nor text in quotes: ${left}`);
  return Buffer.concat(
    parts.map((part) =>
      Buffer.from(part.startsWith('"') ? part.slice(1, -1) : part, part.startsWith('"') ? "utf8" : "hex"),
    ),
  );
}

/** Bytes as hex with blanks, for comparing. */
export function hex(data: Uint8Array): string {
  return Buffer.from(data)
    .toString("hex")
    .replace(/(..)(?!$)/g, "$1 ");
}

export function uint32(value: number): Buffer {
  const four = Buffer.alloc(4);
  four.writeUInt32BE(value >>> 0);
  return four;
}

function field(value: number): Buffer {
  return Buffer.concat([Buffer.of(0xce), uint32(value)]);
}

function bin(data: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0xc6), uint32(data.length), data]);
}

const NIL = Buffer.of(0xc0);

/** A call in canonical form, put together from the layout in PROTOCOL.md. */
export function canonicalCall(
  call: number,
  fn: number,
  payload: Uint8Array,
  timeoutMs = 0,
  context?: Uint8Array,
): Buffer {
  const head = Buffer.of(0x97, 0x01);
  return Buffer.concat([
    head,
    field(call),
    field(fn),
    field(timeoutMs),
    field(0),
    context === undefined ? NIL : bin(context),
    bin(payload),
  ]);
}

export function canonicalAnswer(kind: 2 | 3, call: number, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0x93, kind), field(call), bin(payload)]);
}

export function canonicalCast(fn: number, mode: number, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0x96, 0x05), field(fn), field(mode), field(0), NIL, bin(payload)]);
}

export function canonicalCancel(call: number): Buffer {
  return Buffer.concat([Buffer.of(0x92, 0x04), field(call)]);
}

export function canonicalChunk(stream: number, flags: number, data: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0x94, 0x06), field(stream), field(flags), bin(data)]);
}

/** Every record of a frame, by a library that knows nothing of ours. */
export function records(frame: Uint8Array): unknown[][] {
  const values: unknown = unpackMultiple(frame);
  if (!Array.isArray(values) || !values.every(Array.isArray)) throw new Error(`no records: ${hex(frame)}`);
  return values;
}
