// What a test and its engine process say to each other, over Node's IPC channel.
import type { EngineOptions, EngineStats } from "../engine.js";

/** The engine's options that can cross to another process. */
export type TestedOptions = Pick<
  EngineOptions,
  "limits" | "channelLimits" | "slowCallMs" | "functions" | "workers"
>;

export interface Memory {
  readonly rssBytes: number;
  /** What the engine holds on V8's heap and beside it, after a full collection. */
  readonly heldBytes: number;
}

export interface Start {
  readonly port: number;
  readonly options: TestedOptions;
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error" | "silent";
}

/** Each request and what its answer holds. */
export interface Requests {
  start: { ask: Start; answer: number };
  stats: { ask: null; answer: EngineStats };
  call: { ask: { functionId: string; data: unknown }; answer: unknown };
  advance: { ask: number; answer: null };
  jumpEpoch: { ask: number; answer: null };
  memory: { ask: null; answer: Memory };
  leftovers: { ask: null; answer: string[] };
  leak: { ask: number; answer: null };
  close: { ask: number; answer: { callsLost: number } };
}

export interface Request {
  readonly id: number;
  readonly name: keyof Requests;
  readonly ask: unknown;
}

export interface Answer {
  readonly id: number;
  readonly answer?: unknown;
  /** Why it failed; then there is no answer. */
  readonly error?: string;
}
