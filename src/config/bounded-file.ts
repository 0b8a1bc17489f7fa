// A file's bytes, up to a bound: whatever a path of the configuration leads to (a huge file, a device that never ends),
// reading it costs no more than the bound. Missing and unreadable files throw the system's error.
import { closeSync, openSync, readSync } from "node:fs";

/** The bytes of the file, or its first `bytesMax + 1` when it has more. Pipes are read to their end, so `<(…)` works. */
export function readBounded(path: string, bytesMax: number): Buffer {
  const file = openSync(path, "r");
  try {
    return readUpTo(file, bytesMax + 1);
  } finally {
    closeSync(file);
  }
}

function readUpTo(file: number, bytesMax: number): Buffer {
  const parts: Buffer[] = [];
  let left = bytesMax;
  while (left > 0) {
    const part = Buffer.allocUnsafe(Math.min(left, CHUNK_BYTES));
    const length = readSync(file, part);
    if (length === 0) break;
    parts.push(part.subarray(0, length));
    left -= length;
  }
  return Buffer.concat(parts);
}

const CHUNK_BYTES = 64 << 10; // most configurations are one of these
