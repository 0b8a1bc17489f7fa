// The words for what a declared process is doing, and the record of each change.
//
//   waiting ─> starting ─> ready <─> unready
//      ^          |          |          |          backoff ─────> starting
//      |          v          v          v        ┌─> crash_loop ─> starting   (slowly)
//   stopped <─ stopping <────┴──────────┴─> ended┼─> completed
//                                                └─> failed

export const UNIT_STATES = [
  "waiting", // for the workers it depends on
  "starting", // the process runs, readiness is awaited
  "ready",
  "unready", // it was ready; its connection is gone
  "stopping", // draining, signalled, or being killed
  "stopped", // by an operator, a reload or the shutdown
  "completed", // it ended well and its policy does not start it again
  "backoff", // it ended; the next start is due after a pause
  "crash_loop", // it ended too often; one try every probe_ms
  "failed", // it will not be started again by itself
] as const;

export type UnitState = (typeof UNIT_STATES)[number];

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timeMs: number;
}

/** A change of state: a line in the log and an event `engine::worker-processes`. */
export interface Transition {
  /** Name of the process: the worker's, with #n when it has replicas. */
  readonly worker: string;
  /** Name of the entry it belongs to. */
  readonly entry: string;
  readonly state: UnitState;
  readonly previous: UnitState;
  readonly timeMs: number;
  readonly pid?: number;
  readonly reason?: string;
  /** How the last process ended, when this change is because of it. */
  readonly exit?: Exit;
  /** The last lines it printed before it ended, oldest first. */
  readonly lastLines?: readonly string[];
  readonly uptimeMs?: number;
  /** Starts after the first one, over the life of the declaration. */
  readonly restarts: number;
  /** When the next start is due, in milliseconds since the epoch. */
  readonly nextStartMs?: number;
}

/** What is known of one process now. */
export interface UnitStatus {
  readonly name: string;
  /** The entry it belongs to. */
  readonly worker: string;
  readonly namespace: string;
  readonly state: UnitState;
  readonly sinceMs: number;
  readonly pid: number | undefined;
  readonly restarts: number;
  readonly restartsInWindow: number;
  readonly lastExit: Exit | undefined;
  readonly nextStartMs: number | undefined;
  readonly reason: string | undefined;
  readonly memoryBytes: number | undefined;
  readonly isRegistered: boolean;
}

/** States in which a process of the unit runs. */
export function hasProcess(state: UnitState): boolean {
  return state === "starting" || state === "ready" || state === "unready" || state === "stopping";
}
