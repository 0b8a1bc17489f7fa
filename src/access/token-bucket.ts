// How many calls one session may make: a bucket that fills at a steady rate, up to a burst, and from which each call takes one.

export interface Rate {
  /** Calls a second, over time. */
  callsPerS: number;
  /** Calls at once after a rest; default a second's. */
  burst?: number | undefined;
}

export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #filledAtMs: number;

  /** Full at first. */
  constructor({ callsPerS, burst }: Rate, nowMs: number) {
    this.#perMs = callsPerS / 1000;
    this.#burst = burst ?? Math.max(1, callsPerS);
    this.#tokens = this.#burst;
    this.#filledAtMs = nowMs;
  }

  /** Takes one for a call that comes now: 0, or the milliseconds after which there will be one. */
  take(nowMs: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#filledAtMs) * this.#perMs);
    this.#filledAtMs = nowMs;
    if (this.#tokens < 1) return Math.max(1, Math.ceil((1 - this.#tokens) / this.#perMs));
    this.#tokens--;
    return 0;
  }
}
