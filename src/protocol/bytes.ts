// A byte buffer that grows as it is written, up to a maximum, and is used again for the next translation.
//
// Writers ask for room once (`reserve`), then store into `bytes` or `view` at `length` and move `length` on: no call per byte.
// What was written stays valid until the next `reserve` or `clear`; whoever keeps it longer copies it.

/** A buffer that grew beyond this is given back by `clear`, so that one large payload does not hold its memory for ever. */
const KEPT_BYTES_MAX = 1 << 20;

export class ByteSink {
  /** The buffer; replaced when it grows, so read it again after every `reserve`. */
  bytes: Uint8Array;
  /** The same memory, for wide stores. */
  view: DataView;
  /** Bytes written so far. */
  length = 0;
  readonly bytesMax: number;

  /**
   * `bytesMax` bounds what can ever be written, `bytesStart` is the room before the first growth. Writers ask for the longest form of
   * the value at hand, so within the last hundred bytes below `bytesMax` a value may be refused that would just have fitted.
   */
  constructor(bytesMax: number, bytesStart = 4_096) {
    this.bytesMax = bytesMax;
    this.bytes = new Uint8Array(Math.min(bytesStart, bytesMax));
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `count` more bytes. False when that would pass `bytesMax`: nothing has changed then. */
  reserve(count: number): boolean {
    return this.length + count <= this.bytes.length || this.#grow(this.length + count);
  }

  /** Forgets what was written. */
  clear(): void {
    this.length = 0;
    if (this.bytes.length > KEPT_BYTES_MAX)
      this.#replace(new Uint8Array(Math.min(KEPT_BYTES_MAX, this.bytesMax)));
  }

  /** What was written, as a view: valid until the next `reserve` or `clear`. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  #grow(needed: number): boolean {
    if (needed > this.bytesMax) return false;
    const grown = new Uint8Array(Math.min(this.bytesMax, Math.max(needed, 2 * this.bytes.length)));
    grown.set(this.written());
    this.#replace(grown);
    return true;
  }

  #replace(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }
}
