// Workers come and go: what has to happen, in the order in which others can rely on it.

import type { Logger } from "../log.js";
import type { Functions } from "../registry/functions.js";
import type { Worker, Workers } from "../registry/workers.js";
import type { Calls } from "./calls.js";
import type { TriggerRegistrar } from "./trigger-registrar.js";

/** What follows the comings and goings of workers: discovery, the supervisor's readiness. */
export interface WorkerObserver {
  connected(worker: Worker): void;
  metadataUpdated(worker: Worker): void;
  disconnected(worker: Worker): void;
}

export class Departures {
  readonly #workers: Workers;
  readonly #functions: Functions;
  readonly #calls: Calls;
  readonly #triggers: TriggerRegistrar;
  readonly #log: Logger;
  readonly #observers: WorkerObserver[] = [];

  constructor(workers: Workers, functions: Functions, calls: Calls, triggers: TriggerRegistrar, log: Logger) {
    this.#workers = workers;
    this.#functions = functions;
    this.#calls = calls;
    this.#triggers = triggers;
    this.#log = log;
  }

  observe(observer: WorkerObserver): void {
    this.#observers.push(observer);
  }

  arrived(worker: Worker): void {
    for (const observer of this.#observers) observer.connected(worker);
    this.#log.debug(
      { worker: worker.id, name: worker.name, address: worker.connection.address },
      "worker connected",
    );
  }

  updated(worker: Worker): void {
    for (const observer of this.#observers) observer.metadataUpdated(worker);
  }

  /**
   * Calls, functions, triggers, the name, in one go: nobody else is heard in between, so a caller who tries again meets `function_not_found` and not a dead
   * worker. Calls come first because their answers name their functions.
   */
  depart(worker: Worker): void {
    const { index } = worker.connection;
    this.#calls.dropConnection(index);
    this.#functions.unregisterAll(index);
    this.#calls.queues.depart(worker.connection);
    this.#triggers.depart(worker);
    this.#workers.remove(worker);
    for (const observer of this.#observers) observer.disconnected(worker);
    this.#log.debug({ worker: worker.id, name: worker.name }, "worker disconnected");
  }
}
