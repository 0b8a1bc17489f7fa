// Where each function is served: shared memory, one writer, any number of readers, no lock.
//
// Four int32 per function index, so that a route sits in one cache line:
//
//   word 0  sequence    odd while the writer is in the middle of a change
//   word 1  function    the handle that this route is for; 0 = no such function
//   word 2  target      connection index, or one of the markers below
//   word 3  generation  of that connection, so that a reader on another thread can tell a reused slot
//
// The writer makes the sequence odd, writes, makes it even again. A reader takes the sequence before and after and tries again when it
// changed or is odd: it never sees half a route. Only the control side writes; whoever routes only reads. All of it is reserved
// at once (16 MiB of address space for 2^20 functions) and becomes resident page by page as functions register, so it never moves.

import { assert } from "../assert.js";
import { INDEX_MASK } from "../registry/slots.js";

export const WORDS = 4;

/** Values of `target` that are no connection index. */
export const Target = {
  /** Nobody serves it, or the handle is stale. */
  None: 0,
  /** Many owners: the registry chooses. */
  Shared: -1,
  /** The engine itself. */
  Builtin: -2,
} as const;

export class RoutingTable {
  readonly words: Int32Array;

  /** Attaches to `memory` (a reader on another thread), or reserves room for `capacity` functions. */
  constructor(capacityOrMemory: number | SharedArrayBuffer) {
    const memory =
      typeof capacityOrMemory === "number"
        ? new SharedArrayBuffer((capacityOrMemory + 1) * WORDS * 4)
        : capacityOrMemory;
    this.words = new Int32Array(memory);
  }

  /** The memory to hand to a reader thread. */
  get memory(): SharedArrayBuffer {
    // The constructor made or took a SharedArrayBuffer; the typed array's declaration forgets which kind.
    return this.words.buffer as SharedArrayBuffer;
  }

  /** Publishes a route whole. Control side only. */
  publish(functionHandle: number, target: number, targetGeneration: number): void {
    const at = (functionHandle & INDEX_MASK) * WORDS;
    assert(at > 0 && at < this.words.length, "a route belongs to a function of this table");
    const words = this.words;
    const sequence = words[at]!; // nobody else writes it
    Atomics.store(words, at, sequence + 1);
    Atomics.store(words, at + 1, functionHandle);
    Atomics.store(words, at + 2, target);
    Atomics.store(words, at + 3, targetGeneration);
    Atomics.store(words, at, sequence + 2);
  }

  /** Withdraws the route of a function that is no more. One word, so there is no half of it to be seen; what stands beside it belongs to no handle. */
  withdraw(functionHandle: number): void {
    Atomics.store(this.words, (functionHandle & INDEX_MASK) * WORDS + 1, 0);
  }

  /**
   * Where a function is served: a connection index, or one of {@link Target}. Only on the thread that writes: nothing changes between its loads, so
   * they are plain ones. (Of four `Atomics.load`, each a call of its own, a lookup costs a multiple; bench `micro-tables`.)
   */
  target(functionHandle: number): number {
    const at = (functionHandle & INDEX_MASK) * WORDS;
    const words = this.words;
    return at < words.length && words[at + 1] === functionHandle ? words[at + 2]! : Target.None;
  }

  /** As {@link target}, with the target's generation: `into[0]` target, `into[1]` generation. False: none. Any thread. */
  route(functionHandle: number, into: Int32Array): boolean {
    const at = (functionHandle & INDEX_MASK) * WORDS;
    const words = this.words;
    if (at >= words.length || functionHandle === 0) return false;
    for (;;) {
      const before = Atomics.load(words, at);
      const found = Atomics.load(words, at + 1);
      into[0] = Atomics.load(words, at + 2);
      into[1] = Atomics.load(words, at + 3);
      if (Atomics.load(words, at) === before && (before & 1) === 0) {
        return found === functionHandle && into[0] !== Target.None;
      }
    }
  }
}
