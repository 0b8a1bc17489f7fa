// The one timer for all deadlines.
//
// Time is counted in ticks of 16 ms; each call hangs at its deadline's position of the wheel in the in-flight table. The timer runs only
// while calls are open. A deadline is met at most two ticks late on an idle engine, never early: the clock is read once for the calls of a turn of the
// event loop, so that calls entered after the loop stood still are not counted from before.

import type { Clock } from "../clock.js";
import type { InFlight } from "./in-flight.js";

export const TICK_MS = 16;

export class Deadlines {
  /** The tick up to which deadlines have been looked at. */
  now = 0;
  /** The tick it was when the clock was last read (the time is `turnMs` of the table): reading it for each call would cost more than the rest of entering it. */
  #read = 0;
  #readInTurn = -1;
  readonly #loop: { readonly turns: number };
  readonly #clock: Clock;
  readonly #inFlight: InFlight;
  readonly #expire: (slot: number) => void;
  readonly #startedMs: number;
  #stop: (() => void) | null = null;

  /** `loop.turns` counts turns of the event loop. */
  constructor(
    clock: Clock,
    inFlight: InFlight,
    loop: { readonly turns: number },
    expire: (slot: number) => void,
  ) {
    this.#loop = loop;
    this.#clock = clock;
    this.#inFlight = inFlight;
    this.#expire = expire;
    this.#startedMs = clock.monotonicMs();
  }

  /** The tick at which a call that may take `timeoutMs` from now is over. Starts the timer when it rests. */
  tickAfter(timeoutMs: number): number {
    if (this.#stop === null) this.#start();
    if (this.#readInTurn !== this.#loop.turns) this.#readClock();
    return (this.#read + 1 + Math.ceil(timeoutMs / TICK_MS)) | 0;
  }

  /** The time in this turn of the event loop, in milliseconds of the clock. */
  nowMs(): number {
    if (this.#readInTurn !== this.#loop.turns) this.#readClock();
    return this.#inFlight.turnMs[0]!;
  }

  /** Milliseconds from now to a deadline, at least 1. */
  remainingMs(deadlineTick: number): number {
    return Math.max(1, ((deadlineTick - this.#read - 1) | 0) * TICK_MS);
  }

  close(): void {
    this.#stop?.();
    this.#stop = null;
  }

  #start(): void {
    this.#readClock(); // what was read before the rest is as old as the rest was long
    this.now = this.#read;
    this.#stop = this.#clock.every(TICK_MS, () => this.#advance());
  }

  /** Goes through every tick since the last time: after a stall none is skipped. */
  #advance(): void {
    this.#readClock();
    while (this.now < this.#read) {
      this.now++;
      this.#inFlight.expireAt(this.now, this.#expire);
    }
    if (this.#inFlight.open === 0) this.close();
  }

  #readClock(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#inFlight.turnMs[0] = nowMs;
    this.#read = this.#tickAt(nowMs);
    this.#readInTurn = this.#loop.turns;
  }

  #tickAt(timeMs: number): number {
    return Math.floor((timeMs - this.#startedMs) / TICK_MS);
  }
}
