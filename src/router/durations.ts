// How long calls took, from entering the engine to leaving it: one histogram for all of them, kept up with one addition per call.
//
// A bucket is a quarter of an octave of microseconds, so a quantile read from it is at most a quarter too high. Times are those of turns of the event loop
// (the clock is read once a turn), which is what a caller waits for too.

/** Quarter octaves from 1 µs to 2^31 µs (36 minutes); what took longer counts in the last. */
export const DURATION_BUCKETS = 120;
const US_MAX = 2 ** 31 - 1;

export class Durations {
  readonly counts = new Float64Array(DURATION_BUCKETS);
  sumMs = 0;

  add(elapsedMs: number): void {
    this.counts[bucketOf(elapsedMs)]!++;
    this.sumMs += elapsedMs;
  }
}

function bucketOf(elapsedMs: number): number {
  const us = Math.min(elapsedMs * 1000, US_MAX) | 0;
  if (us < 4) return us;
  const octave = 31 - Math.clz32(us);
  return (octave << 2) + ((us >>> (octave - 2)) & 3) - 4;
}

/** The time at which a bucket ends, in milliseconds: what falls in it took less. */
export function bucketEndMs(bucket: number): number {
  if (bucket < 4) return (bucket + 1) / 1000;
  const octave = (bucket + 4) >> 2;
  return (2 ** octave + ((bucket & 3) + 1) * 2 ** (octave - 2)) / 1000;
}

/** The time below which a share `q` (0 to 1) of the counted calls stayed, in milliseconds; null when none were counted. */
export function quantileMs(counts: ArrayLike<number>, q: number): number | null {
  let total = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) total += counts[bucket]!;
  if (total === 0) return null;
  let left = Math.max(1, Math.ceil(total * q));
  for (let bucket = 0; bucket < counts.length; bucket++) {
    left -= counts[bucket]!;
    if (left <= 0) return bucketEndMs(bucket);
  }
  return bucketEndMs(counts.length - 1);
}
