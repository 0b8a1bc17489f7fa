// Reads the elements of one record in whatever valid encoding they come: the general form of PROTOCOL.md.
//
// A cursor is moved over the bytes of one record that is known to be whole (its end was found by skipValue), so it cannot run out. It builds
// no objects from payloads: bin and str elements are given as positions.

import { skipValue } from "./skip.js";

/** An element is not of the type its place asks for. The message names the place. */
export class ElementError extends Error {
  override readonly name = "ElementError";
}

export class Cursor {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  /** Where the bytes of the last bin or str lie. */
  start = 0;
  end = 0;
  #left = 0;

  /** Opens the array at `at`. Returns the number of its elements, or -1 when there is none. */
  open(bytes: Uint8Array, at: number): number {
    this.bytes = bytes;
    const head = bytes[at]!;
    if (head >= 0x90 && head <= 0x9f) this.#enter(at + 1, head & 15);
    else if (head === 0xdc) this.#enter(at + 3, (bytes[at + 1]! << 8) | bytes[at + 2]!);
    else if (head === 0xdd) this.#enter(at + 5, this.#u32(at + 1));
    else return -1;
    return this.#left;
  }

  /** Opens the map at `at`: its keys and values are read in turn. Returns how many members it has, or -1 when there is none. */
  openMap(bytes: Uint8Array, at: number): number {
    this.bytes = bytes;
    const head = bytes[at]!;
    if (head >= 0x80 && head <= 0x8f) this.#enter(at + 1, 2 * (head & 15));
    else if (head === 0xde) this.#enter(at + 3, 2 * ((bytes[at + 1]! << 8) | bytes[at + 2]!));
    else if (head === 0xdf) this.#enter(at + 5, 2 * this.#u32(at + 1));
    else return -1;
    return this.#left / 2;
  }

  /** Elements not read yet. */
  get left(): number {
    return this.#left;
  }

  /** An unsigned integer up to 2^32 - 1, as a number. A missing element reads as 0, nil too. */
  uint(what: string): number {
    if (this.#isMissing()) return 0;
    const { bytes, at } = this;
    const head = bytes[at]!;
    if (head <= 0x7f) return this.#step(1, head);
    if (head === 0xcc) return this.#step(2, bytes[at + 1]!);
    if (head === 0xcd) return this.#step(3, (bytes[at + 1]! << 8) | bytes[at + 2]!);
    if (head === 0xce) return this.#step(5, this.#u32(at + 1));
    if (head === 0xcf && this.#u32(at + 1) === 0) return this.#step(9, this.#u32(at + 5));
    return this.#signed(head, what);
  }

  /** Is the next element an unsigned integer up to 2^32 - 1, in any encoding? */
  isUint(): boolean {
    if (this.#left === 0) return false;
    const head = this.bytes[this.at]!;
    if (head <= 0x7f || (head >= 0xcc && head <= 0xce)) return true;
    if (head >= 0xd0 && head <= 0xd2) return this.bytes[this.at + 1]! < 0x80;
    return (head === 0xcf || head === 0xd3) && this.#u32(this.at + 1) === 0;
  }

  /** True when the next element is nil or there is none; a nil is read. */
  nil(): boolean {
    if (this.#left === 0) return true;
    if (this.bytes[this.at] !== 0xc0) return false;
    this.#step(1, 0);
    return true;
  }

  /** Is the next element a str? */
  isStr(): boolean {
    const head = this.#left === 0 ? 0xc0 : this.bytes[this.at]!;
    return (head >= 0xa0 && head <= 0xbf) || (head >= 0xd9 && head <= 0xdb);
  }

  isArray(): boolean {
    const head = this.#left === 0 ? 0xc0 : this.bytes[this.at]!;
    return (head >= 0x90 && head <= 0x9f) || head === 0xdc || head === 0xdd;
  }

  isMap(): boolean {
    const head = this.#left === 0 ? 0xc0 : this.bytes[this.at]!;
    return (head >= 0x80 && head <= 0x8f) || head === 0xde || head === 0xdf;
  }

  /** A bin, or a str in its place: `start` and `end` say where its bytes lie. False for nil and for a missing element. */
  blob(what: string): boolean {
    if (this.nil()) return false;
    if (!this.#span()) throw new ElementError(`${what} must be bin or nil`);
    return true;
  }

  /** A str: `start` and `end` say where its bytes lie. */
  str(what: string): void {
    if (!this.isStr() || !this.#span()) throw new ElementError(`${what} must be a str`);
  }

  /** Any element, unread: `start` and `end` say where it lies. */
  raw(): void {
    this.start = this.at;
    if (this.#left > 0) {
      this.at = skipValue(this.bytes, this.at, this.bytes.length);
      this.#left--;
    }
    this.end = this.at;
  }

  #span(): boolean {
    const { bytes, at } = this;
    const head = bytes[at]!;
    if (head >= 0xa0 && head <= 0xbf) return this.#take(at + 1, head & 31);
    if (head === 0xc4 || head === 0xd9) return this.#take(at + 2, bytes[at + 1]!);
    if (head === 0xc5 || head === 0xda) return this.#take(at + 3, (bytes[at + 1]! << 8) | bytes[at + 2]!);
    if (head === 0xc6 || head === 0xdb) return this.#take(at + 5, this.#u32(at + 1));
    return false;
  }

  #take(start: number, length: number): true {
    this.start = start;
    this.end = start + length;
    this.at = this.end;
    this.#left--;
    return true;
  }

  /** int8 to int64 hold unsigned values too: some encoders write every integer that way. */
  #signed(head: number, what: string): number {
    const { bytes, at } = this;
    if (head === 0xd0 && bytes[at + 1]! < 0x80) return this.#step(2, bytes[at + 1]!);
    if (head === 0xd1 && bytes[at + 1]! < 0x80) return this.#step(3, (bytes[at + 1]! << 8) | bytes[at + 2]!);
    if (head === 0xd2 && bytes[at + 1]! < 0x80) return this.#step(5, this.#u32(at + 1));
    if (head === 0xd3 && this.#u32(at + 1) === 0) return this.#step(9, this.#u32(at + 5));
    throw new ElementError(`${what} must be an integer from 0 to 4294967295`);
  }

  #isMissing(): boolean {
    return this.nil();
  }

  #enter(at: number, count: number): void {
    this.at = at;
    this.#left = count;
  }

  #step(bytes: number, value: number): number {
    this.at += bytes;
    this.#left--;
    return value;
  }

  #u32(at: number): number {
    const { bytes } = this;
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  }
}
