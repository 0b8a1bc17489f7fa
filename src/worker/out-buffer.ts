// The outgoing bytes of one connection: records are written at `position`, a frame is what lies between
// `start` and `position`.
//
//   slab   | sent, owned by the socket | this frame ... | free          |
//          0                           start            position        length
//
// `full` holds frames that had to end before this one because the engine takes none that are longer.
// A frame that is taken is never written again: the next one begins behind it, or in a fresh slab, so
// the socket may keep the bytes without a copy. Whoever writes calls `reserve` first.

import { utf8 } from "./bytes.js";
import { SLAB_BYTES_MAX, SLAB_BYTES_MIN, SLAB_REST_BYTES_MIN } from "./limits.js";

export class OutBuffer {
  bytes: Uint8Array<ArrayBuffer> = utf8.allocate(0);
  view: DataView = new DataView(this.bytes.buffer);
  start = 0;
  position = 0;
  #full: Uint8Array<ArrayBuffer>[] = [];

  /** Makes room for `size` more bytes; may move what is unsent, so offsets count from `start`. */
  reserve(size: number): void {
    if (this.position + size > this.bytes.length) this.#move(size);
  }

  /** How many bytes wait to be taken. */
  get pending(): number {
    return this.position - this.start;
  }

  /** Ends the frame `size` bytes after its start; what follows belongs to the next one. */
  split(size: number): void {
    const end = this.start + size;
    this.#full.push(this.bytes.subarray(this.start, end));
    this.start = end;
  }

  /** The unsent bytes as frames, nearly always one, which are the taker's from now on. */
  take(): readonly Uint8Array<ArrayBuffer>[] {
    const frames = this.#full;
    this.#full = [];
    if (this.position > this.start) frames.push(this.bytes.subarray(this.start, this.position));
    this.start = this.position;
    return frames;
  }

  #move(size: number): void {
    const unsent = this.pending;
    const needed = unsent + size + SLAB_REST_BYTES_MIN;
    const usual = Math.min(Math.max(2 * this.bytes.length, SLAB_BYTES_MIN), SLAB_BYTES_MAX);
    const bytes = utf8.allocate(needed <= usual ? usual : 2 * needed);
    bytes.set(this.bytes.subarray(this.start, this.position));
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.start = 0;
    this.position = unsent;
  }
}
