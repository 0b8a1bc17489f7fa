// What the harness says to a load generator process and what it hears back, over the IPC channel of fork().

import type { Tally } from "./calls.js";
import type { Target, WireName } from "./role.js";

/** One load: who is connected how, and how many calls are open. */
export interface LoadShape {
  callerWire: WireName;
  workerWire: WireName;
  coalesced: boolean;
  callers: number;
  workers: number;
  /** Calls open at once, per caller. */
  outstanding: number;
  payloadBytes: number;
  /** Shown when connecting to an engine that asks for one. */
  token?: string;
}

export interface OpenRequest {
  kind: "open";
  port: number;
  target: Target;
  shape: LoadShape;
}

export interface RunRequest {
  kind: "run";
  durationMs: number;
  /** Calls open at once, per caller, in a closed loop; by default the shape's. */
  outstanding?: number;
  /** Undefined: closed loop, every answer is the next call. Else calls a second, spread evenly. */
  callsPerSecond?: number;
  /** Take the time of each call. */
  timing: boolean;
}

export interface CloseRequest {
  kind: "close";
}

export type Request = OpenRequest | RunRequest | CloseRequest;

/** In milliseconds. */
export interface RoundTrips {
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

export interface RunReport extends Tally {
  elapsedMs: number;
  /** CPU of the generator itself: to see that it is cheaper than the router. */
  ownCpuUs: number;
  /** Undefined without `timing`. */
  roundTripsMs: RoundTrips | undefined;
}

/** `report` is what the request asked for; each program documents its own. */
export type Reply = { kind: "done"; report: unknown } | { kind: "failed"; why: string };
