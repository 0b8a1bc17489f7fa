// What a role of the load is, whatever wire it speaks.
//
// A caller opens calls and checks answers; a worker answers what it is asked. Both sit on one connection each.

import type { Calls } from "./calls.js";

/** Who is on the other side of the socket. */
export type Target =
  /** The engine: roles introduce themselves, register and resolve. */
  | "engine"
  /** A control, which pairs connections by path: `/caller/3` with `/worker/3`. */
  | "control";

/** Wires that a role can speak; `nats` only towards a NATS server. */
export type WireName = "msgpack" | "json" | "nats";

export interface RoleOptions {
  port: number;
  target: Target;
  /** Number of the caller or worker; on a control also the pair. */
  number: number;
  payloadBytes: number;
  /** The wire of the caller, in which the payload has exactly `payloadBytes`. */
  sizedIn: WireName;
  /** msgpack only: several records per frame. */
  coalesced: boolean;
  /** Shown to an engine that asks for one. */
  token?: string | undefined;
}

/** The path of a worker's socket on the engine. */
export function enginePath(token: string | undefined): string {
  return token === undefined ? "/" : `/?access_token=${token}`;
}

export interface CallerOptions extends RoleOptions {
  /** Calls open at once. */
  slots: number;
  /** Ids of the functions to call, slot after slot. */
  functions: string[];
}

export interface WorkerOptions extends RoleOptions {
  functions: string[];
  /** Calls it will have at once, so that a thousand workers do not prepare for a thousand calls each. */
  callsAtOnce: number;
}

export interface CallerRole {
  readonly calls: Calls;
  /** Resolves when every function answers. */
  ready(): Promise<void>;
  flush(): void;
  close(): Promise<void>;
}

export interface WorkerRole {
  /** Calls this worker answered. */
  readonly answered: number;
  close(): Promise<void>;
}

/** `bench::echo-002a`: ids of one length, so that they can be patched in place. */
export function functionId(number: number): string {
  return `bench::echo-${number.toString(16).padStart(4, "0")}`;
}

/** How many records a way out holds: enough for a turn, at most this many bytes. */
export function capacityOf(recordBytes: number, recordsMax: number): number {
  const BATCH_BYTES = 1 << 20;
  return Math.max(1, Math.min(recordsMax, Math.floor(BATCH_BYTES / recordBytes)));
}
