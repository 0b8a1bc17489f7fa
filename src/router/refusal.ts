// Why a call is answered `overloaded`, one reason at a time: a sentence for people and a counter for each.

import { Metric } from "../metrics.js";

export interface Refusal {
  readonly metric: number;
  readonly message: string;
}

export const Refusal = {
  WorkerBytes: {
    metric: Metric.calls_overloaded_worker_bytes,
    message: "Every worker that serves the function is behind in reading what it was sent",
  },
  CallerCalls: {
    metric: Metric.calls_overloaded_caller_calls,
    message: "The caller has too many calls open",
  },
  TableFull: {
    metric: Metric.calls_overloaded_table_full,
    message: "The engine has as many calls open as it can",
  },
  QueueFull: {
    metric: Metric.calls_overloaded_queue_full,
    message: "The worker is busy, and as many calls wait for it as may",
  },
  QueueWait: {
    metric: Metric.calls_overloaded_queue_wait,
    message: "The worker is busy, and the call would wait, or has waited, for longer than it may",
  },
  QueueBytes: {
    metric: Metric.calls_overloaded_queue_bytes,
    message: "The worker is busy, and as many bytes wait in the engine as may",
  },
  WorkerLeft: {
    metric: Metric.calls_overloaded_worker_left,
    message: "The worker that the call waited for has left, and no other can take it",
  },
  GoingDown: {
    metric: Metric.calls_overloaded_going_down,
    message: "The engine is going down and takes no new calls",
  },
  Memory: {
    metric: Metric.calls_overloaded_memory,
    message: "The engine is near the memory that it may use",
  },
} as const satisfies Record<string, Refusal>;

/** The sentence with `rate_limited`. */
export const RATE_LIMITED = "The session makes more calls than its listener's rules allow it";
