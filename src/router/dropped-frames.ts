// Frames of JSON peers that cannot be read: each is counted, and told to the operator, the first few of a connection one by
// one, later ones in one line a pause, so that a peer that sends nothing else cannot write the log full.
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import { Metric, type Metrics } from "../metrics.js";
import { REFUSAL_LOG_PAUSE_MS } from "../protocol/limits.js";
import type { Workers } from "../registry/workers.js";
import type { Connection } from "../transport/connection.js";

const FIRST_TOLD = 10; // enough to see what is wrong with a worker that is being written

interface Pace {
  told: number;
  untilMs: number;
  untold: number;
}

export interface DroppedFramesOptions {
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock: Clock;
  readonly workers: Workers;
}

export class DroppedFrames {
  readonly #o: DroppedFramesOptions;
  readonly #paces = new WeakMap<Connection, Pace>();

  constructor(options: DroppedFramesOptions) {
    this.#o = options;
  }

  /** `what` says what the frame was instead of something readable. */
  tell(from: Connection, what: string): void {
    const { metrics, clock, workers, log } = this.#o;
    metrics.add(Metric.frames_malformed);
    const pace = this.#paceOf(from);
    const now = clock.monotonicMs();
    if (pace.told >= FIRST_TOLD && now < pace.untilMs) {
      pace.untold++;
      return;
    }
    const worker = workers.of(from.index);
    const untold = pace.untold === 0 ? {} : { untold: pace.untold };
    log.warn({ worker: worker?.id, name: worker?.name, what, ...untold }, "frame dropped");
    pace.told++;
    pace.untilMs = now + REFUSAL_LOG_PAUSE_MS;
    pace.untold = 0;
  }

  #paceOf(from: Connection): Pace {
    const pace = this.#paces.get(from) ?? { told: 0, untilMs: 0, untold: 0 };
    this.#paces.set(from, pace);
    return pace;
  }
}
