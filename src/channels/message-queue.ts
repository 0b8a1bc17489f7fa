// Messages that wait in a channel: whole, in order, text or binary, packed in one buffer, so that a million empty ones cost their five bytes each.
//
//   head                                      tail
//    | kind:1 | length:4 | bytes … | kind:1 | …|            free
//
// What is read is a view that stays valid until the next push.

import { assert } from "../assert.js";

const HEAD_BYTES = 5;
const BYTES_AT_FIRST = 4_096;
const Kind = { Binary: 0, Text: 1 } as const;

export class MessageQueue {
  #bytes: Buffer = Buffer.alloc(0);
  #head = 0;
  #tail = 0;
  #count = 0;

  /** Messages that wait. */
  get count(): number {
    return this.#count;
  }

  /** Bytes that they take, heads included. */
  get bytes(): number {
    return this.#tail - this.#head;
  }

  /** Adds a copy of `message`. */
  push(message: Uint8Array, isText: boolean): void {
    this.#reserve(HEAD_BYTES + message.length);
    this.#bytes[this.#tail] = isText ? Kind.Text : Kind.Binary;
    this.#bytes.writeUInt32LE(message.length, this.#tail + 1);
    this.#bytes.set(message, this.#tail + HEAD_BYTES);
    this.#tail += HEAD_BYTES + message.length;
    this.#count++;
  }

  /** Whether the first message is text. There must be one. */
  get isText(): boolean {
    assert(this.#count > 0, "an empty queue has no first message");
    return this.#bytes[this.#head] === Kind.Text;
  }

  /** The first message. There must be one. */
  peek(): Uint8Array {
    assert(this.#count > 0, "an empty queue has no first message");
    const start = this.#head + HEAD_BYTES;
    return this.#bytes.subarray(start, start + this.#bytes.readUInt32LE(this.#head + 1));
  }

  /** Takes the first `bytes` bytes of the first message out, or all of it. There must be one. */
  drop(bytes: number): void {
    const { length } = this.peek();
    assert(bytes <= length, "no more is dropped than there is");
    const kind = this.#bytes[this.#head] ?? Kind.Binary; // a head is there, as the assertion said
    if (bytes < length) {
      this.#head += bytes; // the head moves behind what was dropped, over bytes that nobody needs any more
      this.#bytes[this.#head] = kind;
      this.#bytes.writeUInt32LE(length - bytes, this.#head + 1);
      return;
    }
    this.#head += HEAD_BYTES + length;
    this.#count--;
    if (this.#count === 0) this.clear();
  }

  /** Forgets everything, its memory too. */
  clear(): void {
    this.#bytes = Buffer.alloc(0);
    this.#head = 0;
    this.#tail = 0;
    this.#count = 0;
  }

  /** Makes room at the end: by moving what waits to the front when half of the buffer is free there, else in a larger one. */
  #reserve(needed: number): void {
    if (this.#tail + needed <= this.#bytes.length) return;
    const waiting = this.bytes;
    const fits = waiting + needed <= this.#bytes.length && this.#head >= this.#bytes.length / 2;
    const to = fits ? this.#bytes : Buffer.allocUnsafeSlow(Math.max(BYTES_AT_FIRST, 2 * (waiting + needed)));
    this.#bytes.copy(to, 0, this.#head, this.#tail);
    this.#bytes = to;
    this.#head = 0;
    this.#tail = waiting;
  }
}
