// The ids of functions that are no more, for a while: a call may outlive its function, and its answer names it.
//
// Direct-mapped by function index, so that remembering and asking cost the same whatever has gone before: an id is forgotten when another
// function with the same place goes. It is then missing from a late error, nothing else.

import { FORMER_IDS_MAX } from "../protocol/limits.js";
import { INDEX_MASK } from "./slots.js";

export class FormerIds {
  readonly #handles = new Int32Array(FORMER_IDS_MAX);
  readonly #ids: (Uint8Array | undefined)[] = new Array(FORMER_IDS_MAX);

  /** Keeps a copy of the id of a function handle. */
  add(functionHandle: number, id: Uint8Array): void {
    const place = placeOf(functionHandle);
    this.#handles[place] = functionHandle;
    this.#ids[place] = new Uint8Array(id); // not slice: of a Buffer that is a view
  }

  get(functionHandle: number): Uint8Array | undefined {
    const place = placeOf(functionHandle);
    return this.#handles[place] === (functionHandle | 0) ? this.#ids[place] : undefined;
  }
}

function placeOf(functionHandle: number): number {
  return (functionHandle & INDEX_MASK) % FORMER_IDS_MAX;
}
