// msgpack as values, read where they lie in the received frame.
//
//   nil, bool, str, array      null, boolean, string, array
//   int, uint                  number; bigint beyond ±2 ** 53
//   float32, float64           number
//   bin                        Uint8Array (long ones are views into the frame, see VIEW_BYTES_MIN)
//   map                        object; integer keys become strings, "__proto__" an ordinary member
//   timestamp (ext -1)         Date, cut to milliseconds
//   other ext                  ExtensionValue
//
// Its mirror is value-writer.ts. Nothing is read beyond `end`; what is cut short throws RecordError.

import { utf8 } from "./bytes.js";
import { RecordError } from "./errors.js";
import { KeyCache } from "./key-cache.js";
import { PAYLOAD_DEPTH_MAX, VIEW_BYTES_MIN } from "./limits.js";

/** An application-defined msgpack extension. */
export interface ExtensionValue {
  /** -128 to 127. */
  extension: number;
  data: Uint8Array;
}

const keys = new KeyCache();

export class ValueReader {
  bytes: Uint8Array = new Uint8Array(0);
  position = 0;
  end = 0;
  readonly #scratch = new DataView(new ArrayBuffer(8));

  /** Looks at `bytes` from `start` to `end` from now on. */
  over(bytes: Uint8Array, start = 0, end = bytes.length): this {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
    return this;
  }

  /** The one value that fills `bytes` from `start` to `end`. */
  readWhole(bytes: Uint8Array, start: number, end: number): unknown {
    this.over(bytes, start, end);
    const value = this.read(0);
    if (this.position !== end) throw new RecordError(`${end - this.position} bytes follow the value`);
    return value;
  }

  /** The value at the position, which moves behind it. */
  read(depth: number): unknown {
    const head = this.#byte();
    if (head < 0x80) return head;
    if (head >= 0xe0) return head - 0x100;
    if (head >= 0xa0 && head < 0xc0) return this.#text(head & 0x1f);
    if (head < 0x90) return this.#object(head & 0x0f, depth);
    if (head < 0xa0) return this.#array(head & 0x0f, depth);
    return this.#wide(head, depth);
  }

  /** Moves past a bin or str (behind its last byte) and returns where its bytes begin; nil returns -1. */
  enterBytes(): number {
    const head = this.#byte();
    if (head === 0xc0) return -1;
    const length = this.#bytesLength(head);
    return this.#take(length);
  }

  /** Moves behind the head of an array and returns how many elements follow. */
  enterArray(): number {
    const head = this.#byte();
    const count =
      head >> 4 === 9 ? head & 0x0f : head === 0xdc || head === 0xdd ? this.#uint(2 << (head - 0xdc)) : -1;
    if (count < 0) throw new RecordError("A record is not an array");
    this.#enter(count, 0);
    return count;
  }

  readUint32(): number {
    const value = this.read(0);
    if (typeof value === "number" && value >>> 0 === value) return value;
    throw new RecordError("An element is not an unsigned 32-bit integer");
  }

  #bytesLength(head: number): number {
    if (head >= 0xa0 && head < 0xc0) return head & 0x1f;
    if (head >= 0xc4 && head <= 0xc6) return this.#uint(1 << (head - 0xc4));
    if (head >= 0xd9 && head <= 0xdb) return this.#uint(1 << (head - 0xd9));
    throw new RecordError("An element is neither bytes nor nil");
  }

  #wide(head: number, depth: number): unknown {
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#bin(this.#uint(1 << (head - 0xc4)));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#ext(this.#uint(1 << (head - 0xc7)));
      case 0xca:
        return this.#float32();
      case 0xcb:
        return this.#float64();
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#uint(1 << (head - 0xcc));
      case 0xcf:
      case 0xd3:
        return this.#int64(head === 0xd3);
      case 0xd0:
        return (this.#uint(1) << 24) >> 24;
      case 0xd1:
        return (this.#uint(2) << 16) >> 16;
      case 0xd2:
        return this.#uint(4) | 0;
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint(1 << (head - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#uint(2 << (head - 0xdc)), depth);
      case 0xde:
      case 0xdf:
        return this.#object(this.#uint(2 << (head - 0xde)), depth);
      case 0xc1:
        throw new RecordError("The byte c1 begins no msgpack value");
      default:
        return this.#ext(1 << (head - 0xd4)); // d4 to d8: fixext 1 to 16
    }
  }

  #byte(): number {
    if (this.position >= this.end) throw cut();
    return this.bytes[this.position++]!;
  }

  /** Moves over `length` bytes and says where they begin. */
  #take(length: number): number {
    const start = this.position;
    if (length > this.end - start) throw cut();
    this.position = start + length;
    return start;
  }

  #uint(size: number): number {
    const at = this.#take(size);
    const { bytes } = this;
    if (size === 1) return bytes[at]!;
    if (size === 2) return (bytes[at]! << 8) | bytes[at + 1]!;
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  }

  #eight(): DataView {
    const at = this.#take(8);
    for (let index = 0; index < 8; index++) this.#scratch.setUint8(index, this.bytes[at + index]!);
    return this.#scratch;
  }

  #int64(signed: boolean): number | bigint {
    const eight = this.#eight();
    const value = signed ? eight.getBigInt64(0) : eight.getBigUint64(0);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  #float32(): number {
    this.#scratch.setUint32(0, this.#uint(4));
    return this.#scratch.getFloat32(0);
  }

  #float64(): number {
    return this.#eight().getFloat64(0);
  }

  #text(length: number): string {
    const start = this.#take(length);
    return length === 0 ? "" : utf8.read(this.bytes, start, start + length);
  }

  #bin(length: number): Uint8Array {
    const start = this.#take(length);
    const { bytes } = this;
    const view = new Uint8Array(bytes.buffer, bytes.byteOffset + start, length);
    return length < VIEW_BYTES_MIN ? new Uint8Array(view) : view;
  }

  #ext(length: number): Date | ExtensionValue {
    const extension = (this.#uint(1) << 24) >> 24;
    if (extension === -1) return this.#timestamp(length);
    return { extension, data: this.#bin(length) };
  }

  #timestamp(length: number): Date {
    if (length === 4) return new Date(this.#uint(4) * 1000);
    if (length === 8) {
      const high = this.#uint(4);
      const seconds = (high & 3) * 0x1_0000_0000 + this.#uint(4);
      return new Date(seconds * 1000 + Math.floor((high >>> 2) / 1_000_000));
    }
    if (length !== 12) throw new RecordError(`A timestamp has 4, 8 or 12 bytes, not ${length}`);
    const nanoseconds = this.#uint(4);
    const seconds = Number(this.#eight().getBigInt64(0));
    return new Date(seconds * 1000 + Math.floor(nanoseconds / 1_000_000));
  }

  #array(count: number, depth: number): unknown[] {
    this.#enter(count, depth);
    const values: unknown[] = [];
    for (let index = 0; index < count; index++) values.push(this.read(depth + 1));
    return values;
  }

  #object(count: number, depth: number): Record<string, unknown> {
    this.#enter(count, depth);
    const members: Record<string, unknown> = {};
    for (let index = 0; index < count; index++) {
      const key = this.#key();
      const value = this.read(depth + 1);
      if (key === "__proto__") define(members, key, value);
      else members[key] = value;
    }
    return members;
  }

  /** Every element takes a byte at least: a count beyond what is left allocates nothing. */
  #enter(count: number, depth: number): void {
    if (count > this.end - this.position) throw cut();
    if (depth >= PAYLOAD_DEPTH_MAX)
      throw new RecordError(`A value is deeper than ${PAYLOAD_DEPTH_MAX} levels`);
  }

  #key(): string {
    const head = this.bytes[this.position]!;
    if (head > 0xa0 && head < 0xc0 && this.position < this.end) {
      this.position++;
      const length = head & 0x1f;
      const start = this.#take(length);
      return keys.text(this.bytes, start, length);
    }
    const key = this.read(PAYLOAD_DEPTH_MAX); // a map or array as key is refused by its depth
    if (typeof key === "string") return key;
    if (typeof key === "number" || typeof key === "bigint") return `${key}`;
    throw new RecordError("A map has a key that is neither text nor an integer");
  }
}

function cut(): RecordError {
  return new RecordError("A value is cut short");
}

/** Assigning "__proto__" would change the object's prototype instead of giving it a member. */
function define(members: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(members, key, { value, writable: true, enumerable: true, configurable: true });
}
