// Whether memory grows: a robust line through its samples, judged by how far it climbs.
//
// The samples after the warm-up fall into windows of equal length; each is its median, so that a collection more or less does not matter. The line is
// Theil and Sen's: the median of the slopes between all pairs of windows, which a quarter of wild windows cannot bend.

export interface Sample {
  /** Since the start, in milliseconds. */
  readonly atMs: number;
  readonly bytes: number;
}

export interface Trend {
  /** How far the line climbs from the end of the warm-up to the last sample, in bytes; negative: it falls. */
  readonly growthBytes: number;
  /** Median of the first window after the warm-up. */
  readonly baseBytes: number;
  readonly allowedBytes: number;
  readonly isFlat: boolean;
}

/** The share of the time in which caches, tables and compiled code are filled for the first time. */
export const WARM_UP_SHARE = 0.25;
const WINDOWS = 30;
/** What a process may wander: a few blocks of the allocator's, or a twentieth of what it has. */
const ALLOWED_BYTES = 8 << 20;
const ALLOWED_SHARE = 0.05;

/** Throws when there are too few samples to say anything. */
export function trendOf(samples: readonly Sample[]): Trend {
  const endMs = samples.at(-1)?.atMs ?? 0;
  const windows = windowsOf(samples, endMs * WARM_UP_SHARE, endMs);
  if (windows.length < WINDOWS / 2) throw new Error(`${samples.length} samples are too few for a trend`);
  const [first, last] = [windows[0], windows.at(-1)];
  const slopes = windows.flatMap((from, at) =>
    windows.slice(at + 1).map((to) => (to.bytes - from.bytes) / (to.atMs - from.atMs)),
  );
  const growthBytes = median(slopes) * ((last?.atMs ?? 0) - (first?.atMs ?? 0));
  const baseBytes = first?.bytes ?? 0;
  const allowedBytes = Math.max(ALLOWED_BYTES, baseBytes * ALLOWED_SHARE);
  return { growthBytes, baseBytes, allowedBytes, isFlat: growthBytes <= allowedBytes };
}

function windowsOf(samples: readonly Sample[], fromMs: number, endMs: number): Sample[] {
  const lengthMs = (endMs - fromMs) / WINDOWS;
  const windows: Sample[] = [];
  for (let at = 0; at < WINDOWS; at++) {
    const startMs = fromMs + at * lengthMs;
    const inside = samples.filter(({ atMs }) => atMs >= startMs && atMs < startMs + lengthMs);
    if (inside.length > 0)
      windows.push({ atMs: startMs + lengthMs / 2, bytes: median(inside.map(({ bytes }) => bytes)) });
  }
  return windows;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
