// What the kernel says about a process: CPU time of all its threads, resident memory. And the medians.
//
// CPU comes from /proc/<pid>/task/*/schedstat (nanoseconds; user and system, every thread: V8's helpers count), from
// /proc/<pid>/stat (10 ms ticks) where the kernel has no schedstat.

import { readdirSync, readFileSync } from "node:fs";

const TICK_US = 10_000;
const PAGE_BYTES = 4096;

/** CPU time that the process has used, in microseconds. */
export function cpuUs(pid: number): number {
  let ns = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const own = taskNs(`/proc/${pid}/task/${task}/schedstat`);
    if (own === undefined) return statUs(pid);
    ns += own;
  }
  return ns / 1000;
}

/** Undefined when the kernel keeps no schedstat, or the thread has just ended. */
function taskNs(path: string): number | undefined {
  try {
    return Number(readFileSync(path, "latin1").split(" ", 1)[0]);
  } catch {
    return undefined;
  }
}

function statUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

/** Resident memory in bytes. */
export function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]) * PAGE_BYTES;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle];
  if (high === undefined) throw new Error("the median of nothing");
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? high) + high) / 2;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Half the distance between the first and the third quartile, relative to the median: how quiet the run was. */
export function spread(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  const middle = median(values);
  return middle === 0 ? 0 : (at(0.75) - at(0.25)) / 2 / middle;
}

/** Chance, on each side, that the median lies outside of {@link medianInterval}. */
const TAIL = 0.05;

/**
 * Where the median lies with nine chances in ten, whatever the distribution: a value is above or below it as a coin
 * falls, so the chance that the median lies below the k-th smallest of n is that of fewer than k heads in n throws. Empty for fewer than five
 * values, which cannot say it.
 */
export function medianInterval(values: readonly number[]): { low: number; high: number } | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = tailRank(sorted.length);
  const low = sorted[rank - 1];
  const high = sorted[sorted.length - rank];
  return low === undefined || high === undefined ? undefined : { low, high };
}

/** The greatest k for which fewer than k heads in `throws` are rarer than TAIL; 0 when there is none. */
function tailRank(throws: number): number {
  let exactly = 0.5 ** throws; // the chance of exactly k heads, k = 0 here
  let fewer = 0;
  let k = 0;
  while (fewer + exactly <= TAIL && k < throws) {
    fewer += exactly;
    exactly *= (throws - k) / (k + 1);
    k++;
  }
  return k;
}
