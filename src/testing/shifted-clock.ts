// The system's clock, moved: a test jumps over an hour without waiting for it, and real sockets go on working beside it.
//
// `advance` moves both readings on and fires what is due by then, each timer once; `jumpEpoch` moves the wall clock alone, backwards too, as an operator or NTP
// does. The monotonic reading never goes back: no clock of a machine does that.
import { type Clock, systemClock } from "../clock.js";

interface Timer {
  atMs: number;
  readonly everyMs: number;
  readonly fire: () => void;
  stop: () => void;
}

export class ShiftedClock implements Clock {
  #aheadMs = 0;
  #epochAheadMs = 0;
  readonly #timers = new Set<Timer>();

  monotonicMs(): number {
    return systemClock.monotonicMs() + this.#aheadMs;
  }

  epochMs(): number {
    return Math.round(systemClock.epochMs() + this.#aheadMs + this.#epochAheadMs);
  }

  every(everyMs: number, tick: () => void): () => void {
    return this.#start({ atMs: this.monotonicMs() + everyMs, everyMs, fire: tick, stop: () => undefined });
  }

  after(afterMs: number, fire: () => void): () => void {
    return this.#start({ atMs: this.monotonicMs() + afterMs, everyMs: 0, fire, stop: () => undefined });
  }

  /** Moves time on by `ms`, at least 0. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`time moves on by 0 ms or more, not by ${ms}`);
    this.#aheadMs += ms;
    for (const timer of [...this.#timers]) if (timer.atMs <= this.monotonicMs()) this.#fire(timer);
  }

  /** Moves the wall clock by `ms`, which may be negative. */
  jumpEpoch(ms: number): void {
    this.#epochAheadMs += ms;
  }

  #start(timer: Timer): () => void {
    this.#timers.add(timer);
    this.#wait(timer);
    return () => {
      this.#timers.delete(timer);
      timer.stop();
    };
  }

  #wait(timer: Timer): void {
    timer.stop();
    timer.stop = systemClock.after(Math.max(0, timer.atMs - this.monotonicMs()), () => this.#fire(timer));
  }

  #fire(timer: Timer): void {
    if (!this.#timers.has(timer)) return; // stopped by one that fired before it
    timer.stop();
    if (timer.everyMs === 0) this.#timers.delete(timer);
    else {
      timer.atMs = this.monotonicMs() + timer.everyMs;
      this.#wait(timer);
    }
    timer.fire();
  }
}
