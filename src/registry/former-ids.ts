// The ids of functions that are no more, for a while: a call may outlive its function, and its answer names it.
//
// Bounded: the oldest goes first. An id that has gone is missing from a late error, nothing else.

import { FORMER_IDS_MAX } from "../protocol/limits.js";

export class FormerIds {
  readonly #ids = new Map<number, Uint8Array>();

  /** Keeps a copy of the id of a function handle. */
  add(functionHandle: number, id: Uint8Array): void {
    this.#ids.set(functionHandle, new Uint8Array(id)); // not slice: of a Buffer that is a view
    if (this.#ids.size <= FORMER_IDS_MAX) return;
    const [oldest] = this.#ids.keys();
    if (oldest !== undefined) this.#ids.delete(oldest);
  }

  get(functionHandle: number): Uint8Array | undefined {
    return this.#ids.get(functionHandle);
  }
}
