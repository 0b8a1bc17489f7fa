// The arrays and maps that are open while a payload is translated: two numbers a level, no recursion, no objects.
//
// One stack serves both directions, as one translation ends before the next begins. It is as deep as the deepest bound asked for so far.

import { PAYLOAD_DEPTH_MAX } from "../limits.js";

/** Levels that get their room when the module loads. */
let levels = PAYLOAD_DEPTH_MAX + 1;

export interface OpenContainers {
  /** Per level: where its header stands in the target (JSON → msgpack), or 1 for a map and 0 for an array (msgpack → JSON). */
  marks: Uint32Array;
  /** Per level: members written so far (JSON → msgpack), or members still to come (msgpack → JSON). */
  counts: Uint32Array;
}

const open: OpenContainers = { marks: new Uint32Array(levels), counts: new Uint32Array(levels) };

/** The stack, with room for `depthMax` levels below the outermost value. What it holds is left from before. */
export function openContainers(depthMax: number): OpenContainers {
  if (depthMax >= levels) {
    levels = depthMax + 1;
    open.marks = new Uint32Array(levels);
    open.counts = new Uint32Array(levels);
  }
  return open;
}
