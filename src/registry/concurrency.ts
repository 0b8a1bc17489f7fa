// How many calls a worker takes at once, of all its functions or of one, and what may wait in the engine beyond.
//
// Said by configuration (by pattern of function ids, by name of a declared worker) or by a msgpack worker itself; configuration wins.

import { QUEUE_CALLS_MIN, QUEUE_MS } from "../protocol/limits.js";

export interface Concurrency {
  /** Calls executed at once. */
  concurrency: number;
  /** Calls that may wait for that; beyond them callers are told `overloaded`. Default as many as are executed at once, 16 at least. */
  queueCalls?: number | undefined;
  /** How long one may wait, in milliseconds. Default 1,000. */
  queueMs?: number | undefined;
}

/** A rule of configuration for workers by name; `*` stands for any run of characters. */
export interface WorkerRule extends Concurrency {
  match: string;
}

/** The rule with its defaults filled in. */
export function completed(rule: Concurrency): Required<{ [K in keyof Concurrency]: number }> {
  const { concurrency, queueCalls, queueMs } = rule;
  return {
    concurrency,
    queueCalls: queueCalls ?? Math.max(QUEUE_CALLS_MIN, concurrency),
    queueMs: queueMs ?? QUEUE_MS,
  };
}
