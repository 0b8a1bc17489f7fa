// How long to wait before the next attempt: full jitter, so that a thousand workers whose engine was
// restarted do not come back in the same millisecond.

export interface ReconnectOptions {
  /** The first wait is random up to this; default 1,000. */
  baseMs?: number;
  /** Each attempt multiplies the bound by this; default 2. */
  factor?: number;
  /** The bound grows no further than this; default 30,000. */
  capMs?: number;
  /** Give up (the worker closes) after this many attempts in a row; default: never. */
  attemptsMax?: number;
}

/** The longest spread that an engine's word is taken for: beyond it something else is meant. */
const SPREAD_MS_MAX = 60_000;

/** The time in the reason of a close over which the engine wants its workers to come back, in milliseconds. PROTOCOL.md, "The reason of 1012". */
export function spreadMsOf(reason: string): number | undefined {
  const [, digits] = /(?:^|; )reconnect_ms=(\d{1,9})(?:;|$)/.exec(reason) ?? [];
  return digits === undefined ? undefined : Math.min(SPREAD_MS_MAX, Number(digits));
}

export class Backoff {
  attempts = 0;
  readonly #options: Required<ReconnectOptions>;
  readonly #random: () => number;

  constructor(options: ReconnectOptions = {}, random: () => number = Math.random) {
    this.#options = {
      baseMs: options.baseMs ?? 1_000,
      factor: options.factor ?? 2,
      capMs: options.capMs ?? 30_000,
      attemptsMax: options.attemptsMax ?? Number.POSITIVE_INFINITY,
    };
    this.#random = random;
  }

  /** The wait before the next attempt in milliseconds, or undefined when there shall be none. `spreadMs`: the engine said over how long workers come back. */
  next(spreadMs?: number): number | undefined {
    const { baseMs, factor, capMs, attemptsMax } = this.#options;
    if (this.attempts >= attemptsMax) return undefined;
    const boundMs = spreadMs ?? Math.min(capMs, baseMs * factor ** this.attempts);
    this.attempts++;
    return this.#random() * boundMs;
  }

  /** The connection stands: the next trouble begins small. */
  reset(): void {
    this.attempts = 0;
  }
}
