// What becomes of those who are not let in: each is counted, and told to the operator in at most one line per kind and pause, so that
// strangers cannot write the log full.

import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import { Metric, type Metrics } from "../metrics.js";
import { REFUSAL_LOG_PAUSE_MS } from "../protocol/limits.js";

/** Why, and the counter of it. */
const COUNTER = {
  origin: Metric.origins_refused,
  host: Metric.hosts_refused,
  certificate: Metric.certificates_missing,
  address: Metric.addresses_refused,
} as const;

export type RefusalKind = keyof typeof COUNTER;

export class Refusals {
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #paces = new Map<RefusalKind, { untilMs: number; untold: number }>();

  constructor(metrics: Metrics, log: Logger, clock: Clock) {
    this.#metrics = metrics;
    this.#log = log;
    this.#clock = clock;
  }

  /** `fields` must hold no secret: a request's path and query are none of it. */
  tell(kind: RefusalKind, fields: Readonly<Record<string, unknown>>, message: string): void {
    this.#metrics.add(COUNTER[kind]);
    const now = this.#clock.monotonicMs();
    const pace = this.#paces.get(kind) ?? { untilMs: 0, untold: 0 };
    this.#paces.set(kind, pace);
    if (now < pace.untilMs) {
      pace.untold++;
      return;
    }
    this.#log.warn({ ...fields, ...(pace.untold === 0 ? {} : { untold: pace.untold }) }, message);
    pace.untilMs = now + REFUSAL_LOG_PAUSE_MS;
    pace.untold = 0;
  }

  /** A socket ended before its request came: its TLS was refused, it was slow, or it gave up. */
  handshakeFailed(): void {
    this.#metrics.add(Metric.handshakes_failed);
  }
}
