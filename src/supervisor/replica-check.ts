// Whether replicas serve at all: a function that is not shared has one owner, and the other replicas only stand by.
//
// What a worker registers is known only when it runs; so this is a warning in the log a moment after it is ready, once for
// each process, beside the one that reading the configuration gives.
import type { Logger } from "../log.js";
import type { Unit } from "./unit.js";

const LOOK_AFTER_MS = 1_000; // SDKs register their functions right after they have told their name
const SHOWN_MAX = 5;

export class ReplicaCheck {
  readonly #log: Logger;
  readonly #standsBy: (workerIds: readonly string[]) => Promise<readonly string[]>;
  readonly #told = new Set<string>();

  constructor(log: Logger, standsBy: (workerIds: readonly string[]) => Promise<readonly string[]>) {
    this.#log = log;
    this.#standsBy = standsBy;
  }

  onReady(unit: Unit): void {
    if (unit.spec.replicas < 2 || this.#told.has(unit.name)) return;
    setTimeout(() => void this.#look(unit), LOOK_AFTER_MS).unref();
  }

  async #look(unit: Unit): Promise<void> {
    const ids = await this.#standsBy(unit.workerIds);
    if (ids.length === 0 || this.#told.has(unit.name)) return;
    this.#told.add(unit.name);
    const shown = ids.slice(0, SHOWN_MAX).join(", ") + (ids.length > SHOWN_MAX ? ", …" : "");
    const advice = "share them by a pattern in functions, or when registering them";
    this.#log.warn(
      { worker: unit.name, functions: ids.length },
      `worker ${unit.name} only stands by for ${shown}: ${advice}`,
    );
  }
}
