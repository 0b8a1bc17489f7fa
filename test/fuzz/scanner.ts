// JSON frames for the envelope scanner, held against JSON.parse both ways: as a worker could write them, cut, mutated, nested and
// with digits around the bounds; at shifting places in the memory.
import { isUtf8 } from "node:buffer";
import { SCANNER_BYTES, ScanStatus } from "../../src/protocol/json/scanner.js";
import { RandomJson } from "../support/random-json.js";
import { ScanArena } from "../support/scan-arena.js";
import { pureFuzzer } from "./fuzzer.js";

/** Inputs made from one frame. */
const KIN = 8;
const STATUS = Object.entries(ScanStatus);

export const scanner = pureFuzzer(
  "scanner",
  "the envelope scanner reads what JSON.parse reads, the same, and refuses what it refuses",
  (seed, tally) => {
    const random = new RandomJson(Math.imul(seed, 0x9e37_79b1)); // neighbouring seeds would begin alike
    const arena = new ScanArena();
    let frame = Buffer.alloc(0);
    let turn = 0;
    return () => {
      const isNew = turn++ % KIN === 0;
      if (isNew) frame = Buffer.from(random.below(200) === 0 ? extreme(random) : random.frame());
      const input = isNew ? frame : relative(random, frame);
      const status = arena.agree(input, SCANNER_BYTES + random.below(130));
      tally.add(STATUS.find(([, value]) => value === status)?.[0] ?? "unknown");
    };
  },
);

/** Deeper, or with a longer number, than a frame may be that is passed on: both are told by the scanner, judged by others. */
function extreme(random: RandomJson): string {
  const levels = random.below(300);
  const digits = random.below(2) === 0 ? "7" : "1".repeat(4_200 + random.below(200));
  return `{"type":"invokefunction","data":${"[".repeat(levels)}${digits}${"]".repeat(levels)}}`;
}

function relative(random: RandomJson, frame: Buffer): Buffer {
  if (frame.length === 0) return frame;
  for (;;) {
    const made =
      random.below(5) === 0 ? frame.subarray(0, random.below(frame.length)) : mutated(random, frame);
    if (isUtf8(made)) return made; // other texts end before the scanner
  }
}

function mutated(random: RandomJson, frame: Buffer): Buffer {
  const once = random.mutated(frame);
  return random.below(4) === 0 && once.length > 0 ? random.mutated(once) : once;
}
