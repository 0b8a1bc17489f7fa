// A clock that a test moves itself: no sleeping, no luck.
//
// Timers fire in the order of their time while the clock is advanced, each at its own moment; a repeating one can be held up, as by an event loop
// that is busy.
import type { Clock } from "../../src/clock.js";

interface Timer {
  atMs: number;
  everyMs: number;
  fire: () => void;
}

export class FakeClock implements Clock {
  readonly #timers = new Set<Timer>();
  #nowMs: number;

  constructor(startMs = 1_000) {
    this.#nowMs = startMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  epochMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  every(everyMs: number, tick: () => void): () => void {
    return this.#add({ atMs: this.#nowMs + everyMs, everyMs, fire: tick });
  }

  after(afterMs: number, fire: () => void): () => void {
    return this.#add({ atMs: this.#nowMs + afterMs, everyMs: 0, fire });
  }

  /** Timers that would still fire. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Moves time on; every timer that is due fires at its moment. */
  advance(ms: number): void {
    const until = this.#nowMs + ms;
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#fire(next);
    }
    this.#nowMs = until;
  }

  /** Moves time on without any timer: an event loop that stands still. What is due fires at the next {@link advance}. */
  stall(ms: number): void {
    this.#nowMs += ms;
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  #next(untilMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers)
      if (timer.atMs <= untilMs && (next === undefined || timer.atMs < next.atMs)) next = timer;
    return next;
  }

  /** As Node does, a repeating timer that was held up counts on from when it fires. */
  #fire(timer: Timer): void {
    if (timer.everyMs === 0) this.#timers.delete(timer);
    else timer.atMs = this.#nowMs + timer.everyMs;
    timer.fire();
  }
}
