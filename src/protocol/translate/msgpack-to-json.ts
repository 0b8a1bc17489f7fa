// A msgpack payload to a JSON payload, byte by byte, by the table in PROTOCOL.md ("JSON and msgpack workers together").
//
//   81 a1 61 92 01 02   ->   {"a":[1,2]}
//
// The encodings say how many members follow, so the reader counts down and never looks ahead. Every value has at least one byte:
// a count beyond the bytes that remain is refused before anything is done for it.

import type { ByteSink } from "../bytes.js";
import { PAYLOAD_DEPTH_MAX } from "../limits.js";
import { CALLER_WORKER_ID_MEMBER_BYTES, isCallerWorkerIdKey, writeJsonMember } from "./caller-worker-id.js";
import { NUMBER_TEXT_BYTES_MAX, writeFloat, writeInteger, writeInteger64 } from "./json-digits.js";
import { writeQuoted } from "./json-quoted.js";
import { type OpenContainers, openContainers } from "./open-containers.js";
import {
  invalid,
  outOfBounds,
  REFUSED,
  settleRefusal,
  TranslateStatus,
  tooLarge,
  untranslatable,
} from "./status.js";
import { releaseSource } from "./text-run.js";
import { TIMESTAMP_TYPE, writeTimestamp } from "./timestamp.js";

const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const NOTHING_TO_DROP = -1;

const LITERAL_NULL = Uint8Array.from("null", (letter) => letter.charCodeAt(0));
const LITERAL_FALSE = Uint8Array.from("false", (letter) => letter.charCodeAt(0));
const LITERAL_TRUE = Uint8Array.from("true", (letter) => letter.charCodeAt(0));

/** One float at a time, to turn bits into a number. */
const scratch = new DataView(new ArrayBuffer(8));

/**
 * Appends the msgpack value in `source[start, end)` to `target` as JSON.
 *
 * With `callerWorkerId` (36 ASCII bytes) a map gets `_caller_worker_id` as its first member, and loses members of that name.
 * `depthMax` is how many arrays and maps may be inside one another. After a refusal `target` is as it was and `lastRefusal` tells why.
 */
export function msgpackToJson(
  source: Uint8Array,
  start: number,
  end: number,
  target: ByteSink,
  callerWorkerId?: Uint8Array,
  depthMax = PAYLOAD_DEPTH_MAX,
): TranslateStatus {
  const before = target.length;
  const to = new MsgpackReader(source, end, target, callerWorkerId, depthMax).read(start);
  releaseSource();
  if (to !== REFUSED) return TranslateStatus.Done;
  target.length = before;
  return settleRefusal(start);
}

/** Reads one value and all that is in it, in the order of the bytes. Positions go in and come out; the rest is the open container. */
class MsgpackReader {
  readonly #source: Uint8Array;
  readonly #end: number;
  readonly #target: ByteSink;
  readonly #callerWorkerId: Uint8Array | undefined;
  readonly #depthMax: number;
  readonly #open: OpenContainers;
  #depth = 0;
  /** Of the innermost open container: its members still to come, and whether it is a map. */
  #members = 0;
  #isMap = false;
  /** Where a forged member began in the target: it is taken back when its value has been read. */
  #dropFrom = NOTHING_TO_DROP;

  constructor(
    source: Uint8Array,
    end: number,
    target: ByteSink,
    callerWorkerId: Uint8Array | undefined,
    depthMax: number,
  ) {
    this.#source = source;
    this.#end = end;
    this.#target = target;
    this.#callerWorkerId = callerWorkerId;
    this.#depthMax = depthMax;
    this.#open = openContainers(depthMax);
  }

  /** Translates the value that begins at `at`, which must reach to the end. Returns the end, or `REFUSED`. */
  read(at: number): number {
    if (at === this.#end) return invalid("nothing where a value should be", at);
    for (;;) {
      if (this.#isMap) at = this.#readKey(at);
      if (at === REFUSED) return REFUSED;
      const depth = this.#depth;
      at = this.#readValue(at);
      if (at === REFUSED) return REFUSED;
      if (this.#depth > depth) continue;
      if (!this.#writeAfterValue()) return tooLarge(at);
      if (this.#depth === 0) return at === this.#end ? at : invalid("something after the value", at);
    }
  }

  /** A scalar or an empty container whole; of any other container the beginning. Returns the position of what follows. */
  #readValue(at: number): number {
    if (at >= this.#end) return this.#cutShort();
    const first = this.#source[at]!;
    if (first >= 0xa0 && first < 0xc0) return this.#readStr(at, at + 1, first & 0x1f);
    if (first < 0x80) return this.#writeSmall(at, first);
    if (first >= 0xe0) return this.#writeSmall(at, first - 0x100);
    if (first < 0x90) return this.#openContainer(at, at + 1, first & 0x0f, true);
    if (first < 0xa0) return this.#openContainer(at, at + 1, first & 0x0f, false);
    return this.#readTyped(at, first);
  }

  /** A value whose first byte, c0 to df, tells its type alone. */
  #readTyped(at: number, first: number): number {
    if (first === 0xc0) return this.#writeLiteral(at, LITERAL_NULL);
    if (first === 0xc1) return invalid("the reserved byte c1", at);
    if (first === 0xc2) return this.#writeLiteral(at, LITERAL_FALSE);
    if (first === 0xc3) return this.#writeLiteral(at, LITERAL_TRUE);
    if (first < 0xc7) return this.#refuseBin(at, 1 << (first - 0xc4));
    if (first < 0xca) return this.#readExt(at, 1 << (first - 0xc7));
    if (first < 0xcc) return this.#readFloat(at, first === 0xca ? 4 : 8);
    if (first < 0xd0) return this.#readInteger(at, 1 << (first - 0xcc), false);
    if (first < 0xd4) return this.#readInteger(at, 1 << (first - 0xd0), true);
    if (first < 0xd9) return this.#readExtData(at, at + 1, 1 << (first - 0xd4));
    const width = first < 0xdc ? 1 << (first - 0xd9) : first & 1 ? 4 : 2;
    const length = this.#readUint(at + 1, width);
    if (length === REFUSED) return REFUSED;
    if (first < 0xdc) return this.#readStr(at, at + 1 + width, length);
    return this.#openContainer(at, at + 1 + width, length, first >= 0xde);
  }

  /** After a whole value: ends of containers that have no more members, or the comma before the next. False when there is no room. */
  #writeAfterValue(): boolean {
    while (this.#depth > 0) {
      if (!this.#target.reserve(1)) return false;
      const dropped = this.#takeBackForged();
      if (--this.#members > 0) {
        if (!dropped) this.#target.bytes[this.#target.length++] = COMMA;
        return true;
      }
      if (dropped) this.#target.length--; // the comma before it
      this.#closeContainer();
    }
    return true;
  }

  #takeBackForged(): boolean {
    if (this.#dropFrom === NOTHING_TO_DROP || this.#depth !== 1) return false;
    this.#target.length = this.#dropFrom;
    this.#dropFrom = NOTHING_TO_DROP;
    return true;
  }

  #readKey(at: number): number {
    const before = this.#target.length;
    if (at >= this.#end) return this.#cutShort();
    if (!isStr(this.#source[at]!)) return untranslatable("a map key that is not a str", at);
    at = this.#readValue(at);
    if (at === REFUSED) return REFUSED;
    if (this.#depth === 1 && this.#callerWorkerId !== undefined && this.#isForged(before))
      this.#dropFrom = before;
    if (!this.#target.reserve(1)) return tooLarge(at);
    this.#target.bytes[this.#target.length++] = COLON;
    return at;
  }

  /** Whether the key just written at `before` is the engine's own. */
  #isForged(before: number): boolean {
    return isCallerWorkerIdKey(this.#target.bytes, before + 1, this.#target.length - 1);
  }

  /** `at` is the container's first byte, `from` the position of its first member. */
  #openContainer(at: number, from: number, members: number, isMap: boolean): number {
    if (this.#depth === this.#depthMax)
      return outOfBounds(`nesting deeper than ${this.#depthMax} levels`, at);
    if ((isMap ? 2 * members : members) > this.#end - from) return this.#cutShort();
    if (!this.#target.reserve(2 + CALLER_WORKER_ID_MEMBER_BYTES)) return tooLarge(at);
    this.#push(members, isMap);
    if (isMap && this.#depth === 1 && this.#callerWorkerId !== undefined) {
      writeJsonMember(this.#target, this.#callerWorkerId);
      if (members > 0) this.#target.bytes[this.#target.length++] = COMMA;
    }
    if (members === 0) this.#closeContainer();
    return from;
  }

  #push(members: number, isMap: boolean): void {
    this.#open.marks[this.#depth] = this.#isMap ? 1 : 0;
    this.#open.counts[this.#depth] = this.#members;
    this.#depth++;
    this.#members = members;
    this.#isMap = isMap;
    this.#target.bytes[this.#target.length++] = isMap ? OPEN_OBJECT : OPEN_ARRAY;
  }

  /** Room was reserved. */
  #closeContainer(): void {
    this.#target.bytes[this.#target.length++] = this.#isMap ? CLOSE_OBJECT : CLOSE_ARRAY;
    this.#depth--;
    this.#isMap = this.#open.marks[this.#depth] === 1;
    this.#members = this.#open.counts[this.#depth]!;
  }

  #readStr(at: number, from: number, length: number): number {
    if (length > this.#end - from) return this.#cutShort();
    return this.#target.reserve(length)
      ? writeQuoted(this.#source, from, from + length, this.#target)
      : tooLarge(at);
  }

  #writeSmall(at: number, value: number): number {
    if (!this.#target.reserve(NUMBER_TEXT_BYTES_MAX)) return tooLarge(at);
    writeInteger(this.#target, value);
    return at + 1;
  }

  #readInteger(at: number, width: number, signed: boolean): number {
    const low = this.#readUint(at + 1 + (width >> 3) * 4, Math.min(width, 4));
    if (low === REFUSED) return REFUSED;
    if (!this.#target.reserve(NUMBER_TEXT_BYTES_MAX)) return tooLarge(at);
    if (width === 8) writeInteger64(this.#target, this.#readUint(at + 1, 4), low, signed);
    else writeInteger(this.#target, signed ? toSigned(low, width) : low);
    return at + 1 + width;
  }

  #readFloat(at: number, width: number): number {
    if (this.#end - at <= width) return this.#cutShort();
    for (let i = 0; i < width; i++) scratch.setUint8(i, this.#source[at + 1 + i]!);
    const value = width === 4 ? scratch.getFloat32(0) : scratch.getFloat64(0);
    if (!Number.isFinite(value)) return untranslatable(`the number ${value}`, at);
    if (!this.#target.reserve(NUMBER_TEXT_BYTES_MAX)) return tooLarge(at);
    writeFloat(this.#target, value);
    return at + 1 + width;
  }

  #writeLiteral(at: number, literal: Uint8Array): number {
    if (!this.#target.reserve(literal.length)) return tooLarge(at);
    for (let i = 0; i < literal.length; i++) this.#target.bytes[this.#target.length++] = literal[i]!;
    return at + 1;
  }

  /** A bin that is cut short is invalid; a whole one has no JSON form. */
  #refuseBin(at: number, width: number): number {
    const length = this.#readUint(at + 1, width);
    if (length === REFUSED) return REFUSED;
    return length > this.#end - at - 1 - width
      ? this.#cutShort()
      : untranslatable("a bin (send text, base64 for example)", at);
  }

  #readExt(at: number, width: number): number {
    const length = this.#readUint(at + 1, width);
    return length === REFUSED ? REFUSED : this.#readExtData(at, at + 1 + width, length);
  }

  /** `typeAt` is the position of the extension's type, which its data follows. */
  #readExtData(at: number, typeAt: number, length: number): number {
    if (length >= this.#end - typeAt) return this.#cutShort();
    const type = this.#source[typeAt]!;
    if (type !== TIMESTAMP_TYPE) return untranslatable(`an extension of type ${(type << 24) >> 24}`, at);
    return writeTimestamp(this.#source, typeAt + 1, typeAt + 1 + length, this.#target);
  }

  /** A big-endian unsigned integer of 1, 2 or 4 bytes, or `REFUSED`. */
  #readUint(at: number, width: number): number {
    if (width > this.#end - at) return this.#cutShort();
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + this.#source[at + i]!;
    return value;
  }

  #cutShort(): number {
    return invalid("a value cut short", this.#end);
  }
}

function isStr(first: number): boolean {
  return (first >= 0xa0 && first < 0xc0) || (first >= 0xd9 && first <= 0xdb);
}

function toSigned(value: number, width: number): number {
  const shift = 32 - 8 * width;
  return (value << shift) >> shift;
}
