// Finds a value that stands at the same place in almost every record: behind a fixed text.
//
// The place is learnt from the first record and checked afterwards with one load, the four bytes in front of the
// value; only when they differ is the text searched for again.

import { HEAD_BYTES } from "./reader.js";

export class Marker {
  readonly #text: Buffer;
  readonly #tail: number;
  #offset = -1;

  /** `text` ends where the value begins; at least four bytes. */
  constructor(text: Buffer) {
    this.#text = text;
    this.#tail = text.readUInt32BE(text.length - 4);
  }

  /** Where the value begins, or -1 when the text is not in the head of the record. */
  find(bytes: Buffer, view: DataView, at: number, length: number): number {
    const guess = at + this.#offset;
    if (this.#offset >= 4 && this.#offset < length && view.getUint32(guess - 4) === this.#tail) return guess;
    const found = bytes.subarray(at, at + Math.min(length, HEAD_BYTES)).indexOf(this.#text);
    if (found === -1) return -1;
    this.#offset = found + this.#text.length;
    return at + this.#offset;
  }
}
