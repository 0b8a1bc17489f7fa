// The engine's byte memory: one WebAssembly memory that received JSON frames are copied into, that the scanner reads, and in which
// every outgoing byte is gathered. One memory, so that bytes move inside it without a view being made for each move.
//
//   0           64 KiB                                       input            chunks …
//   +-----------+-------------------------------------------+----------------+--------
//   | scanner   | side table: 128 bytes per call in flight   | received JSON  | 4 KiB and 64 KiB pieces, handed out and taken back
//   +-----------+-------------------------------------------+----------------+--------
//
// Address space is reserved, memory becomes resident when touched. When the memory grows, its buffer is a new object: use `arena.bytes`
// afresh after anything that may take a chunk.

import { assert } from "../assert.js";
import { type Move, moveIn } from "./move.js";

const PAGE = 65_536;
export const SMALL_BYTES = 4_096;
export const LARGE_BYTES = 65_536;
/** Bytes per call slot: length, invocation id (46), trace length, traceparent (64) and room. */
export const SIDE_BYTES = 128;
/** The scanner reads whole 64-byte steps, so this much behind a frame must be mapped. */
const OVERREAD_BYTES = 64;
const BYTES_MAX = 2 ** 31 - PAGE; // offsets stay int32
/** Above this, what is gathered is sent before more is: a quarter of what there can be, so that large frames always find room. */
const GATHERED_BYTES_MAX = 2 ** 29;

export class Arena {
  readonly memory: WebAssembly.Memory;
  /** Moves bytes inside the arena: (to, from, length). */
  readonly move: Move;
  bytes: Uint8Array;
  view: DataView;
  /** Where the side table begins. */
  readonly side = PAGE;
  #inputAt: number;
  #inputBytes: number;
  #end: number;
  #scratchAt = 0;
  #scratchBytes = 0;
  #chunkBytes = 0;
  #keepAt = 0;
  #keepEnd = 0;
  readonly #small: number[] = [];
  readonly #large: number[] = [];

  readonly #gatheredBytesMax: number;

  /** `calls`: highest call slot, for which the side table has room. `memoryBytesMax`: what the whole process may use. */
  constructor(calls: number, memoryBytesMax = Number.POSITIVE_INFINITY) {
    this.#gatheredBytesMax = Math.min(GATHERED_BYTES_MAX, memoryBytesMax / 8);
    const sideBytes = Math.ceil(((calls + 1) * SIDE_BYTES) / PAGE) * PAGE;
    this.#inputAt = PAGE + sideBytes;
    this.#inputBytes = 16 * PAGE;
    this.#end = this.#inputAt + this.#inputBytes;
    this.memory = new WebAssembly.Memory({ initial: this.#end / PAGE + 1, maximum: BYTES_MAX / PAGE });
    this.move = moveIn(this.memory);
    this.bytes = new Uint8Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
  }

  /** Copies a received frame in, and says where it lies until the next one comes. */
  receive(frame: Uint8Array): number {
    const at = this.input(frame.length);
    this.bytes.set(frame, at);
    return at;
  }

  /** Room for `bytes` where received frames go, valid until the next one. */
  input(bytes: number): number {
    if (bytes + OVERREAD_BYTES > this.#inputBytes) this.#growInput(bytes + OVERREAD_BYTES);
    return this.#inputAt;
  }

  /** So much is gathered that it should be sent before more is. */
  get isScarce(): boolean {
    return this.#large.length === 0 && this.#chunkBytes >= this.#gatheredBytesMax;
  }

  takeSmall(): number {
    if (this.#small.length === 0) this.#split();
    return this.#small.pop() ?? 0; // #split left sixteen
  }

  giveSmall(at: number): void {
    this.#small.push(at);
  }

  takeLarge(): number {
    const free = this.#large.pop();
    if (free !== undefined) return free;
    this.#chunkBytes += LARGE_BYTES;
    return this.#grow(LARGE_BYTES);
  }

  giveLarge(at: number): void {
    this.#large.push(at);
  }

  /** Room for one frame larger than a chunk, valid until the next call: it is sent before anything else is written. */
  scratch(bytes: number): number {
    if (bytes > this.#scratchBytes) {
      this.#giveBack(this.#scratchAt, this.#scratchBytes);
      this.#scratchBytes = Math.ceil((2 * bytes) / PAGE) * PAGE;
      this.#scratchAt = this.#grow(this.#scratchBytes);
    }
    return this.#scratchAt;
  }

  /** Keeps fixed bytes for as long as the arena lives, and returns where. */
  keep(bytes: Uint8Array): number {
    if (this.#keepAt + bytes.length > this.#keepEnd) {
      this.#keepAt = this.takeSmall();
      this.#keepEnd = this.#keepAt + SMALL_BYTES;
    }
    assert(bytes.length <= SMALL_BYTES, `what is kept has at most ${SMALL_BYTES} bytes`);
    const at = this.#keepAt;
    this.#keepAt += bytes.length;
    this.bytes.set(bytes, at);
    return at;
  }

  #split(): void {
    const at = this.takeLarge();
    for (let piece = at; piece < at + LARGE_BYTES; piece += SMALL_BYTES) this.#small.push(piece);
  }

  #growInput(bytes: number): void {
    this.#giveBack(this.#inputAt, this.#inputBytes);
    this.#inputBytes = Math.ceil((2 * bytes) / PAGE) * PAGE;
    this.#inputAt = this.#grow(this.#inputBytes);
  }

  /** An area that became too small serves on as chunks. */
  #giveBack(at: number, bytes: number): void {
    for (let piece = at; piece < at + bytes; piece += LARGE_BYTES) this.#large.push(piece);
  }

  #grow(bytes: number): number {
    const at = this.#end;
    assert(at + bytes + PAGE <= BYTES_MAX, "the arena is bounded by the bounds of what it holds");
    this.#end += bytes;
    const missing = this.#end + OVERREAD_BYTES - this.bytes.length;
    if (missing > 0) {
      this.memory.grow(Math.max(64, Math.ceil(missing / PAGE)));
      this.bytes = new Uint8Array(this.memory.buffer);
      this.view = new DataView(this.memory.buffer);
    }
    return at;
  }
}
