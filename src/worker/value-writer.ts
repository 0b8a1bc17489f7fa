// Values as msgpack, written straight into the outgoing frame.
//
//   undefined, null            nil (a member whose value is undefined is left out, as JSON does)
//   boolean, string            bool, str
//   safe integers              the shortest int or uint: 2 ** 40 stays an integer for every reader
//   other numbers, -0          float64
//   bigint                     int64 or uint64; beyond them refused
//   Uint8Array, ArrayBuffer …  bin
//   Date                       timestamp (ext -1)
//   array, Set                 array
//   object, Map                map; an object with toJSON() is written as what that returns
//   function, symbol           refused
//
// Its mirror is value-reader.ts. A general library is not used here because it writes integers beyond
// 32 bits as floats, knows extension types that other languages do not, and needs a copy per payload.

import { utf8 } from "./bytes.js";
import { PayloadError } from "./errors.js";
import { PAYLOAD_DEPTH_MAX } from "./limits.js";
import type { OutBuffer } from "./out-buffer.js";

const SHORT_TEXT_UNITS_MAX = 24; // up to here a loop in JavaScript beats the call into the platform

/** Writes one value at the buffer's position. Throws PayloadError; the caller then takes the position back. */
export function writeValue(out: OutBuffer, value: unknown, depth = 0): void {
  switch (typeof value) {
    case "string":
      return writeText(out, value);
    case "number":
      return writeNumber(out, value);
    case "object":
      return value === null ? writeByte(out, 0xc0) : writeObject(out, value, depth);
    case "boolean":
      return writeByte(out, value ? 0xc3 : 0xc2);
    case "undefined":
      return writeByte(out, 0xc0);
    case "bigint":
      return writeBigInt(out, value);
    default:
      throw unencodable(`a ${typeof value} cannot be sent`);
  }
}

function unencodable(reason: string): PayloadError {
  return new PayloadError("payload_unencodable", `Cannot encode payload: ${reason}`);
}

function writeByte(out: OutBuffer, byte: number): void {
  out.reserve(1);
  out.bytes[out.position++] = byte;
}

function writeNumber(out: OutBuffer, value: number): void {
  out.reserve(9);
  if (value >>> 0 === value && (value !== 0 || 1 / value > 0)) writeUint32(out, value);
  else if (value >> 0 === value && value < 0) writeNegative(out, value);
  else if (Number.isSafeInteger(value) && value !== 0) writeInt64(out, value);
  else {
    out.bytes[out.position] = 0xcb;
    out.view.setFloat64(out.position + 1, value);
    out.position += 9;
  }
}

function writeUint32(out: OutBuffer, value: number): void {
  const { bytes } = out;
  if (value < 0x80) {
    bytes[out.position++] = value;
  } else if (value < 0x100) {
    bytes[out.position++] = 0xcc;
    bytes[out.position++] = value;
  } else if (value < 0x10000) {
    bytes[out.position] = 0xcd;
    out.view.setUint16(out.position + 1, value);
    out.position += 3;
  } else {
    bytes[out.position] = 0xce;
    out.view.setUint32(out.position + 1, value);
    out.position += 5;
  }
}

function writeNegative(out: OutBuffer, value: number): void {
  const { bytes } = out;
  if (value >= -0x20) {
    bytes[out.position++] = value & 0xff;
  } else if (value >= -0x80) {
    bytes[out.position++] = 0xd0;
    bytes[out.position++] = value & 0xff;
  } else if (value >= -0x8000) {
    bytes[out.position] = 0xd1;
    out.view.setInt16(out.position + 1, value);
    out.position += 3;
  } else {
    bytes[out.position] = 0xd2;
    out.view.setInt32(out.position + 1, value);
    out.position += 5;
  }
}

function writeInt64(out: OutBuffer, value: number): void {
  out.bytes[out.position] = value < 0 ? 0xd3 : 0xcf;
  out.view.setInt32(out.position + 1, Math.floor(value / 0x1_0000_0000));
  out.view.setUint32(out.position + 5, value >>> 0);
  out.position += 9;
}

function writeBigInt(out: OutBuffer, value: bigint): void {
  if (value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)) {
    return writeNumber(out, Number(value));
  }
  out.reserve(9);
  if (BigInt.asIntN(64, value) !== value && BigInt.asUintN(64, value) !== value) {
    throw unencodable(`the integer ${value} does not fit 64 bits`);
  }
  out.bytes[out.position] = value < 0n ? 0xd3 : 0xcf;
  out.view.setBigUint64(out.position + 1, BigInt.asUintN(64, value));
  out.position += 9;
}

function writeText(out: OutBuffer, text: string): void {
  const units = text.length;
  out.reserve(units * 3 + 5);
  if (units <= SHORT_TEXT_UNITS_MAX && writeShortAscii(out, text, units)) return;
  const head = units < 0x20 ? 1 : units < 0x100 ? 2 : units < 0x10000 ? 3 : 5;
  const length = utf8.write(out.bytes, text, out.position + head);
  const needed = length < 0x20 ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : 5;
  // More bytes than UTF-16 units can need a longer head than was left room for.
  if (needed !== head) {
    const from = out.position + head;
    out.bytes.copyWithin(out.position + needed, from, from + length);
  }
  writeTextHead(out, length, needed);
  out.position += needed + length;
}

/** True when the text was plain ASCII and is written. */
function writeShortAscii(out: OutBuffer, text: string, units: number): boolean {
  const { bytes } = out;
  const at = out.position + 1;
  for (let unit = 0; unit < units; unit++) {
    const code = text.charCodeAt(unit);
    if (code > 0x7f) return false;
    bytes[at + unit] = code;
  }
  bytes[out.position] = 0xa0 | units;
  out.position = at + units;
  return true;
}

function writeTextHead(out: OutBuffer, length: number, size: number): void {
  const { bytes, view, position } = out;
  if (size === 1) {
    bytes[position] = 0xa0 | length;
  } else if (size === 2) {
    bytes[position] = 0xd9;
    bytes[position + 1] = length;
  } else if (size === 3) {
    bytes[position] = 0xda;
    view.setUint16(position + 1, length);
  } else {
    bytes[position] = 0xdb;
    view.setUint32(position + 1, length);
  }
}

function writeObject(out: OutBuffer, value: object, depth: number): void {
  if (depth >= PAYLOAD_DEPTH_MAX) {
    throw unencodable(`deeper than ${PAYLOAD_DEPTH_MAX} levels, or circular`);
  }
  if (Array.isArray(value)) return writeArray(out, value, depth);
  const proto: unknown = Object.getPrototypeOf(value);
  if (proto === Object.prototype || proto === null) return writePlainObject(out, value, depth);
  if (ArrayBuffer.isView(value)) return writeBytes(out, viewBytes(value));
  if (value instanceof ArrayBuffer) return writeBytes(out, new Uint8Array(value));
  if (value instanceof Date) return writeDate(out, value);
  if (value instanceof Map) return writeEntries(out, value, depth);
  if (value instanceof Set) return writeArray(out, [...value], depth);
  writePlainObject(out, value, depth);
}

function viewBytes(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function writeBytes(out: OutBuffer, bytes: Uint8Array): void {
  const { length } = bytes;
  out.reserve(length + 5);
  if (length < 0x100) {
    out.bytes[out.position++] = 0xc4;
    out.bytes[out.position++] = length;
  } else if (length < 0x10000) {
    out.bytes[out.position] = 0xc5;
    out.view.setUint16(out.position + 1, length);
    out.position += 3;
  } else {
    out.bytes[out.position] = 0xc6;
    out.view.setUint32(out.position + 1, length);
    out.position += 5;
  }
  out.bytes.set(bytes, out.position);
  out.position += length;
}

function writeDate(out: OutBuffer, date: Date): void {
  const ms = date.getTime();
  if (Number.isNaN(ms)) throw unencodable("an invalid Date cannot be sent");
  const seconds = Math.floor(ms / 1000);
  out.reserve(15);
  const { bytes, view, position } = out;
  // Timestamp 96, the one form that holds every date: ext 8, 12 bytes, type -1, nanoseconds, seconds.
  bytes[position] = 0xc7;
  bytes[position + 1] = 12;
  bytes[position + 2] = 0xff;
  view.setUint32(position + 3, (ms - seconds * 1000) * 1_000_000);
  view.setBigInt64(position + 7, BigInt(seconds));
  out.position += 15;
}

function writeArray(out: OutBuffer, values: readonly unknown[], depth: number): void {
  writeCount(out, values.length, 0x90, 0xdc);
  for (let index = 0; index < values.length; index++) writeValue(out, values[index], depth + 1);
}

function writeEntries(out: OutBuffer, map: ReadonlyMap<unknown, unknown>, depth: number): void {
  writeCount(out, map.size, 0x80, 0xde);
  for (const [key, value] of map) {
    writeValue(out, key, depth + 1);
    writeValue(out, value, depth + 1);
  }
}

/** The head of an array or map: `fix | count`, then `wide` with 16 bits, then `wide + 1` with 32. */
function writeCount(out: OutBuffer, count: number, fix: number, wide: number): void {
  out.reserve(5);
  if (count < 0x10) {
    out.bytes[out.position++] = fix | count;
  } else if (count < 0x10000) {
    out.bytes[out.position] = wide;
    out.view.setUint16(out.position + 1, count);
    out.position += 3;
  } else {
    out.bytes[out.position] = wide + 1;
    out.view.setUint32(out.position + 1, count);
    out.position += 5;
  }
}

function writePlainObject(out: OutBuffer, value: object, depth: number): void {
  const members = value as Record<string, unknown>; // any object can be read by key
  const toJSON = members["toJSON"];
  if (typeof toJSON === "function") return writeValue(out, toJSON.call(value), depth + 1);
  const keys = Object.keys(members);
  writeCount(out, definedMembers(members, keys), 0x80, 0xde);
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index]!;
    const member = members[key];
    if (member === undefined) continue;
    writeText(out, key);
    writeValue(out, member, depth + 1);
  }
}

function definedMembers(members: Record<string, unknown>, keys: readonly string[]): number {
  let count = keys.length;
  for (let index = 0; index < keys.length; index++) if (members[keys[index]!] === undefined) count--;
  return count;
}
