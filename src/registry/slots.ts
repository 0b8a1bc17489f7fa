// Hands out handles that die.
//
// A handle is one uint32 (kept as int32 in JavaScript): index in the low 20 bits, generation in the high 12.
//
//   31            20 19                               0
//  +----------------+----------------------------------+
//  |   generation   |              index               |
//  +----------------+----------------------------------+
//
// An array index is the fastest key there is; the generation makes a stale key harmless. Generations begin at 1, so
// 0 is never a handle. Freed indexes queue up and the oldest is reused first, and only once enough of them wait, so that a generation
// lasts long. What happens after generation 4,095 is the owner's choice: `retire` never uses the index again (workers, functions:
// a stale handle can then never hit), `wrap` starts over at 1 (calls: an answer that is 4,095 uses of one slot late is not met in practice,
// and the executor is checked besides).

import { assert } from "../assert.js";

export const INDEX_BITS = 20;
export const INDEX_MASK = (1 << INDEX_BITS) - 1;
export const GENERATION_MAX = (1 << (32 - INDEX_BITS)) - 1;

/** An index and a generation in one int32. `Of` keeps handles of different tables apart at compile time. */
export type Handle<Of extends string> = number & { readonly of?: Of };

/** Freed indexes wait until this many are free, so that one slot is not reused at once. */
const REST_MIN = 1024;

export class Slots<Of extends string> {
  /** Generation per index; negative while the index is free. Read by the hot paths directly. */
  readonly generations: Int16Array;
  readonly capacity: number;
  #used = 1; // index 0 is never handed out: handle 0 means "none"
  #open = 0;
  readonly #atLast: "retire" | "wrap";
  readonly #queue: Int32Array;
  #first = 0;
  #waiting = 0;

  /** `capacity`: how many can be open at once, at most 2^20 - 1. Memory is touched only as far as it is used. */
  constructor(capacity: number, atLast: "retire" | "wrap") {
    assert(capacity >= 1 && capacity <= INDEX_MASK, `a slot table holds 1 to ${INDEX_MASK}, not ${capacity}`);
    this.capacity = capacity;
    this.#atLast = atLast;
    this.generations = new Int16Array(capacity + 1);
    this.#queue = new Int32Array(capacity + 1);
  }

  get open(): number {
    return this.#open;
  }

  /** How many more can be taken now. */
  get room(): number {
    return this.#waiting + (this.capacity + 1 - this.#used);
  }

  /** One above the highest index that was ever open: the end of loops over all. */
  get end(): number {
    return this.#used;
  }

  /** A new handle, or 0 when all slots are open (or retired). */
  take(): Handle<Of> {
    const index = this.#takeIndex();
    if (index === 0) return 0;
    const generation = -this.generations[index]! + 1; // free slots hold the negated last generation
    this.generations[index] = generation > GENERATION_MAX ? 1 : generation;
    this.#open++;
    return (this.generations[index]! << INDEX_BITS) | index;
  }

  /** Ends a handle. The caller knows that it is open. */
  free(index: number): void {
    const generation = this.generations[index]!;
    assert(generation > 0, `slot ${index} is freed once`);
    this.generations[index] = -generation;
    this.#open--;
    if (generation === GENERATION_MAX && this.#atLast === "retire") return;
    let last = this.#first + this.#waiting;
    if (last >= this.#queue.length) last -= this.#queue.length;
    this.#queue[last] = index;
    this.#waiting++;
  }

  /** The index of an open handle, or 0 when the handle is stale or never was. */
  indexOf(handle: Handle<Of>): number {
    const index = handle & INDEX_MASK;
    const generation = handle >>> INDEX_BITS;
    // Generation 0 is what an index that was never used reads as: no handle has it.
    if (generation === 0 || index > this.capacity || this.generations[index] !== generation) return 0;
    return index;
  }

  /** The handle of an open index. */
  handleOf(index: number): Handle<Of> {
    return (this.generations[index]! << INDEX_BITS) | index;
  }

  isOpen(index: number): boolean {
    return index > 0 && index <= this.capacity && this.generations[index]! > 0;
  }

  #takeIndex(): number {
    if (this.#waiting > REST_MIN || (this.#waiting > 0 && this.#used > this.capacity))
      return this.#takeOldest();
    if (this.#used > this.capacity) return 0;
    return this.#used++;
  }

  #takeOldest(): number {
    const index = this.#queue[this.#first]!;
    this.#first = this.#first + 1 === this.#queue.length ? 0 : this.#first + 1;
    this.#waiting--;
    return index;
  }
}
