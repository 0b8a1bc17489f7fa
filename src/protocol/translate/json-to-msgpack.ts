// A JSON payload to a msgpack payload, byte by byte, by the table in PROTOCOL.md ("JSON and msgpack workers together").
//
//   {"a":[1,2]}   ->   81 a1 61 92 01 02
//
// A container's length is known only at its end. Its header is written as one byte (fixmap, fixarray) and its members are counted; at the
// end the count goes into that byte, or, from 16 members on, the content is moved on by 2 or 4 bytes for a wide header. A move is one
// memmove of bytes just written and happens for large containers only; counting in a pass ahead reads every byte twice, and fixed 32-bit
// headers make each small object 4 bytes longer for all who store or send it. Headers come out shortest, as msgpack libraries write them.

import type { ByteSink } from "../bytes.js";
import { PAYLOAD_DEPTH_MAX } from "../limits.js";
import {
  CALLER_WORKER_ID_MEMBER_BYTES,
  isCallerWorkerIdKey,
  writeMsgpackMember,
} from "./caller-worker-id.js";
import { writeNumber } from "./json-number.js";
import { writeStr } from "./json-string.js";
import { type OpenContainers, openContainers } from "./open-containers.js";
import { invalid, outOfBounds, REFUSED, settleRefusal, TranslateStatus, tooLarge } from "./status.js";
import { releaseSource } from "./text-run.js";

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const LETTER_F = 0x66;
const LETTER_N = 0x6e;
const LETTER_T = 0x74;

const FIXMAP = 0x80;
const FIXARRAY = 0x90;
const NIL = 0xc0;
const FALSE = 0xc2;
const TRUE = 0xc3;
/** Members that a fixmap or a fixarray can count. */
const FIX_MEMBERS_MAX = 15;
const NOTHING_TO_DROP = -1;

const LITERAL_NULL = Uint8Array.from("null", (letter) => letter.charCodeAt(0));
const LITERAL_FALSE = Uint8Array.from("false", (letter) => letter.charCodeAt(0));
const LITERAL_TRUE = Uint8Array.from("true", (letter) => letter.charCodeAt(0));

/**
 * Appends the JSON value in `source[start, end)` to `target` as msgpack.
 *
 * With `callerWorkerId` (36 ASCII bytes) an object gets `_caller_worker_id` as its first member, and loses members of that name.
 * `depthMax` is how many arrays and objects may be inside one another. After a refusal `target` is as it was and `lastRefusal` tells why.
 */
export function jsonToMsgpack(
  source: Uint8Array,
  start: number,
  end: number,
  target: ByteSink,
  callerWorkerId?: Uint8Array,
  depthMax = PAYLOAD_DEPTH_MAX,
): TranslateStatus {
  const before = target.length;
  const to = new JsonReader(source, end, target, callerWorkerId, depthMax).read(start);
  releaseSource();
  if (to !== REFUSED) return TranslateStatus.Done;
  target.length = before;
  return settleRefusal(start);
}

/** Reads one value and all that is in it, in the order of the text. Positions go in and come out; the rest is the open container. */
class JsonReader {
  readonly #source: Uint8Array;
  readonly #end: number;
  readonly #target: ByteSink;
  readonly #callerWorkerId: Uint8Array | undefined;
  readonly #depthMax: number;
  readonly #open: OpenContainers;
  #depth = 0;
  /** Of the innermost open container: where its header stands in the target, its members so far, and whether it is an object. */
  #header = 0;
  #members = 0;
  #isObject = false;
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
    at = skipSpace(this.#source, at, this.#end);
    for (;;) {
      if (this.#isObject) at = this.#readKey(at);
      if (at === REFUSED) return REFUSED;
      const depth = this.#depth;
      at = this.#readValue(at);
      if (at === REFUSED) return REFUSED;
      if (this.#depth > depth) continue;
      at = this.#readAfterValue(at);
      if (at === REFUSED || this.#depth === 0) return at;
    }
  }

  /** A scalar or an empty container whole; of any other container the beginning. Returns the position of what follows. */
  #readValue(at: number): number {
    const byte = at < this.#end ? this.#source[at]! : 0;
    if (byte === QUOTE)
      return skipSpaceAfter(this.#source, writeStr(this.#source, at, this.#end, this.#target), this.#end);
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) return this.#openContainer(at, byte === OPEN_OBJECT);
    return skipSpaceAfter(this.#source, this.#readBare(at, byte), this.#end);
  }

  /** What follows a value: ends of containers, then a comma or the end of the text. Returns the position of the next member. */
  #readAfterValue(at: number): number {
    while (this.#depth > 0) {
      this.#countMember();
      const byte = at < this.#end ? this.#source[at]! : 0;
      if (byte === COMMA) return skipSpace(this.#source, at + 1, this.#end);
      if (byte !== (this.#isObject ? CLOSE_OBJECT : CLOSE_ARRAY)) {
        return invalid(this.#isObject ? "neither ',' nor '}'" : "neither ',' nor ']'", at);
      }
      if (!this.#closeContainer()) return tooLarge(at);
      at = skipSpace(this.#source, at + 1, this.#end);
    }
    return at === this.#end ? at : invalid("something after the value", at);
  }

  #countMember(): void {
    if (this.#dropFrom !== NOTHING_TO_DROP && this.#depth === 1) {
      this.#target.length = this.#dropFrom;
      this.#dropFrom = NOTHING_TO_DROP;
    } else {
      this.#members++;
    }
  }

  #readKey(at: number): number {
    if (at === this.#end || this.#source[at] !== QUOTE) return invalid("no key of an object", at);
    const before = this.#target.length;
    at = skipSpaceAfter(this.#source, writeStr(this.#source, at, this.#end, this.#target), this.#end);
    if (at === REFUSED) return REFUSED;
    if (at === this.#end || this.#source[at] !== COLON) return invalid("no ':' after a key", at);
    if (this.#depth === 1 && this.#callerWorkerId !== undefined && this.#isForged(before))
      this.#dropFrom = before;
    return skipSpace(this.#source, at + 1, this.#end);
  }

  /** Whether the key just written at `before` is the engine's own; it is short enough for a header of one byte. */
  #isForged(before: number): boolean {
    return isCallerWorkerIdKey(this.#target.bytes, before + 1, this.#target.length);
  }

  #openContainer(at: number, isObject: boolean): number {
    if (this.#depth === this.#depthMax)
      return outOfBounds(`nesting deeper than ${this.#depthMax} levels`, at);
    if (!this.#target.reserve(1)) return tooLarge(at);
    this.#push(isObject);
    if (isObject && this.#depth === 1 && this.#callerWorkerId !== undefined) {
      if (!this.#target.reserve(CALLER_WORKER_ID_MEMBER_BYTES)) return tooLarge(at);
      writeMsgpackMember(this.#target, this.#callerWorkerId);
      this.#members = 1;
    }
    at = skipSpace(this.#source, at + 1, this.#end);
    if (at === this.#end || this.#source[at] !== (isObject ? CLOSE_OBJECT : CLOSE_ARRAY)) return at;
    return this.#closeContainer() ? skipSpace(this.#source, at + 1, this.#end) : tooLarge(at);
  }

  #push(isObject: boolean): void {
    this.#open.marks[this.#depth] = this.#header;
    this.#open.counts[this.#depth] = this.#members;
    this.#depth++;
    this.#header = this.#target.length++;
    this.#members = 0;
    this.#isObject = isObject;
    this.#target.bytes[this.#header] = isObject ? FIXMAP : FIXARRAY;
  }

  #closeContainer(): boolean {
    if (this.#members <= FIX_MEMBERS_MAX) this.#target.bytes[this.#header]! |= this.#members;
    else if (!widenHeader(this.#target, this.#header, this.#members, this.#isObject)) return false;
    this.#depth--;
    this.#header = this.#open.marks[this.#depth]!;
    this.#members = this.#open.counts[this.#depth]!;
    this.#isObject = this.#depth > 0 && (this.#target.bytes[this.#header]! & 0xf0) === FIXMAP;
    return true;
  }

  /** A number or a literal; `byte` is its first. */
  #readBare(at: number, byte: number): number {
    if (byte === LETTER_N) return this.#readLiteral(at, LITERAL_NULL, NIL);
    if (byte === LETTER_T) return this.#readLiteral(at, LITERAL_TRUE, TRUE);
    if (byte === LETTER_F) return this.#readLiteral(at, LITERAL_FALSE, FALSE);
    return writeNumber(this.#source, at, this.#end, this.#target);
  }

  #readLiteral(at: number, literal: Uint8Array, encoded: number): number {
    const to = at + literal.length;
    if (to > this.#end) return invalid("no value", at);
    for (let i = 1; i < literal.length; i++)
      if (this.#source[at + i] !== literal[i]) return invalid("no value", at);
    if (!this.#target.reserve(1)) return tooLarge(at);
    this.#target.bytes[this.#target.length++] = encoded;
    return to;
  }
}

/** Puts a header with a 16- or 32-bit count in the place of the one byte at `header`. */
function widenHeader(target: ByteSink, header: number, members: number, isObject: boolean): boolean {
  const wider = members < 0x10000 ? 2 : 4;
  if (!target.reserve(wider)) return false;
  target.bytes.copyWithin(header + 1 + wider, header + 1, target.length);
  target.length += wider;
  if (wider === 2) {
    target.bytes[header] = isObject ? 0xde : 0xdc;
    target.view.setUint16(header + 1, members);
  } else {
    target.bytes[header] = isObject ? 0xdf : 0xdd;
    target.view.setUint32(header + 1, members);
  }
  return true;
}

function skipSpace(source: Uint8Array, at: number, end: number): number {
  while (at < end && isSpace(source[at]!)) at++;
  return at;
}

/** `skipSpace` that hands a refusal on. */
function skipSpaceAfter(source: Uint8Array, at: number, end: number): number {
  return at === REFUSED ? REFUSED : skipSpace(source, at, end);
}

function isSpace(byte: number): boolean {
  return byte <= 0x20 && (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09);
}
