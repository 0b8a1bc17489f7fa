// Looks closer at calls as they end, for those who asked to: the log of slow calls, and calls by function while somebody watches (`tercet top`).
//
// Off, it costs the one compare that Calls makes anyway. Watched, each call costs a look-up; the watch ends by itself when nobody has asked for a while.

import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import { Metric, type Metrics } from "../metrics.js";
import type { ErrorCode } from "../protocol/error.js";
import { SLOW_CALL_LINES_PER_S, WATCH_MS, WATCHED_FUNCTIONS_MAX } from "../protocol/limits.js";
import type { Functions } from "../registry/functions.js";
import type { Workers } from "../registry/workers.js";
import { type Calls, ENGINE } from "./calls.js";
import { Durations } from "./durations.js";
import { CALL_WORDS, CallWord } from "./in-flight.js";

export interface EndedCallsOptions {
  calls: Calls;
  functions: Functions;
  workers: Workers;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
}

export class EndedCalls {
  readonly #options: EndedCallsOptions;
  #slowMs = Number.POSITIVE_INFINITY;
  /** By function handle, since somebody began to watch. */
  #byFunction: Map<number, Durations> | null = null;
  #watchedUntilMs = 0;
  #linesThisSecond = 0;
  #linesLeftOut = 0;

  constructor(options: EndedCallsOptions) {
    this.#options = options;
  }

  /** Logs every call that takes this long, in milliseconds, from now on; 0 = none. At most ten lines a second, then how many were left out. */
  logSlow(slowMs: number): void {
    this.#slowMs = slowMs === 0 ? Number.POSITIVE_INFINITY : slowMs;
    this.#look();
  }

  /** Durations by function handle since the first of the recent askers asked; goes on for five seconds. */
  byFunction(): ReadonlyMap<number, Durations> {
    this.#watchedUntilMs = this.#options.clock.monotonicMs() + WATCH_MS;
    this.#byFunction ??= new Map();
    this.#look();
    return this.#byFunction;
  }

  #look(): void {
    const fromMs = this.#byFunction === null ? this.#slowMs : 0;
    this.#options.calls.watch(fromMs, this.#ended);
  }

  readonly #ended = (slot: number, elapsedMs: number, code: ErrorCode | null): void => {
    if (this.#byFunction !== null) this.#count(this.#byFunction, slot, elapsedMs);
    if (elapsedMs < this.#slowMs) return;
    this.#options.metrics.add(Metric.calls_slow);
    this.#logOne(slot, elapsedMs, code);
  };

  #count(byFunction: Map<number, Durations>, slot: number, elapsedMs: number): void {
    if (this.#options.clock.monotonicMs() > this.#watchedUntilMs) {
      this.#byFunction = null;
      this.#look();
      return;
    }
    const fn = this.#options.calls.inFlight.words[slot * CALL_WORDS + CallWord.function]!;
    let durations = byFunction.get(fn);
    if (durations === undefined) {
      if (byFunction.size >= WATCHED_FUNCTIONS_MAX) return;
      durations = new Durations();
      byFunction.set(fn, durations);
    }
    durations.add(elapsedMs);
  }

  #logOne(slot: number, elapsedMs: number, code: ErrorCode | null): void {
    if (!this.#mayLog()) return;
    const { calls, log } = this.#options;
    const at = slot * CALL_WORDS;
    log.warn(
      {
        ...this.#functionOf(calls.inFlight.words[at + CallWord.function]!),
        caller: this.#nameOf(calls.inFlight.words[at + CallWord.caller]!),
        executor: this.#nameOf(calls.inFlight.words[at + CallWord.executor]!),
        elapsedMs: Math.round(elapsedMs),
        ended: code ?? "answered",
      },
      "slow call",
    );
  }

  /** A call may outlive its function, whose id is then remembered for a while. */
  #functionOf(fn: number): { functionId: string; namespace?: string } {
    const { calls, functions } = this.#options;
    const index = calls.functionIndex(fn);
    if (index !== 0)
      return { functionId: functions.names.id(index), namespace: functions.names.namespace(index) };
    const former = calls.formerId(fn);
    return { functionId: former === undefined ? "unknown" : new TextDecoder().decode(former) };
  }

  #mayLog(): boolean {
    if (this.#linesThisSecond === 0) this.#options.clock.after(1_000, this.#secondIsOver);
    if (this.#linesThisSecond === SLOW_CALL_LINES_PER_S) {
      this.#linesLeftOut++;
      return false;
    }
    this.#linesThisSecond++;
    return true;
  }

  readonly #secondIsOver = (): void => {
    if (this.#linesLeftOut > 0)
      this.#options.log.warn(
        { calls: this.#linesLeftOut },
        "more slow calls in this second than are logged one by one",
      );
    this.#linesThisSecond = 0;
    this.#linesLeftOut = 0;
  };

  #nameOf(connection: number): string {
    if (connection === ENGINE) return "engine";
    const worker = this.#options.workers.of(connection);
    return worker?.name ?? worker?.id ?? "gone";
  }
}
