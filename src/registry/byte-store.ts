// Many small byte strings in one growing buffer: names and descriptions of functions, without an object for each.
//
// Adding appends. Removing only counts the bytes as garbage; when more than half is garbage, the owner moves what lives (see `shouldCompact`).

export class ByteStore {
  bytes: Uint8Array;
  #end = 0;
  #garbage = 0;

  constructor(bytes = 65_536) {
    this.bytes = new Uint8Array(bytes);
  }

  /** Bytes in use, garbage included. */
  get length(): number {
    return this.#end;
  }

  /** Appends `source[start, end)` and returns where it lies. */
  add(source: Uint8Array, start: number, end: number): number {
    const at = this.reserve(end - start);
    for (let from = start, to = at; from < end; from++, to++) this.bytes[to] = source[from]!;
    return at;
  }

  /** Appends room for `length` bytes, to be written by the caller, and returns where it lies. */
  reserve(length: number): number {
    const at = this.#end;
    if (at + length > this.bytes.length) this.#grow(at + length);
    this.#end = at + length;
    return at;
  }

  remove(length: number): void {
    this.#garbage += length;
  }

  /** Time to make a new store of what lives: more than half is garbage, and it is worth it. */
  get shouldCompact(): boolean {
    return this.#garbage > 65_536 && this.#garbage * 2 > this.#end;
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.bytes.length + (this.bytes.length >> 1)));
    grown.set(this.bytes.subarray(0, this.#end));
    this.bytes = grown;
  }
}
