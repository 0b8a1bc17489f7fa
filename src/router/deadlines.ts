// The one timer for all deadlines.
//
// Time is counted in ticks of 16 ms; each call hangs at its deadline's position of the wheel in the in-flight table. The timer runs only
// while calls are open. A deadline is met at most two ticks late on an idle engine, never early.

import type { Clock } from "../clock.js";
import type { InFlight } from "./in-flight.js";

export const TICK_MS = 16;

export class Deadlines {
  /** The tick it is now, kept by the timer: reading a clock for each call would cost more than the rest of entering it. */
  now = 0;
  readonly #clock: Clock;
  readonly #inFlight: InFlight;
  readonly #expire: (slot: number) => void;
  readonly #startedMs: number;
  #stop: (() => void) | null = null;

  constructor(clock: Clock, inFlight: InFlight, expire: (slot: number) => void) {
    this.#clock = clock;
    this.#inFlight = inFlight;
    this.#expire = expire;
    this.#startedMs = clock.monotonicMs();
  }

  /** The tick at which a call that may take `timeoutMs` from now is over. Starts the timer when it rests. */
  tickAfter(timeoutMs: number): number {
    if (this.#stop === null) this.#start();
    return (this.now + 1 + Math.ceil(timeoutMs / TICK_MS)) | 0;
  }

  /** Milliseconds from now to a deadline, at least 1. */
  remainingMs(deadlineTick: number): number {
    return Math.max(1, (deadlineTick - this.now - 1) * TICK_MS);
  }

  close(): void {
    this.#stop?.();
    this.#stop = null;
  }

  #start(): void {
    this.now = this.#tickNow();
    this.#stop = this.#clock.every(TICK_MS, () => this.#advance());
  }

  /** Goes through every tick since the last time: after a stall none is skipped. */
  #advance(): void {
    const until = this.#tickNow();
    while (this.now < until) {
      this.now++;
      this.#inFlight.expireAt(this.now, this.#expire);
    }
    if (this.#inFlight.open === 0) this.close();
  }

  #tickNow(): number {
    return Math.floor((this.#clock.monotonicMs() - this.#startedMs) / TICK_MS);
  }
}
