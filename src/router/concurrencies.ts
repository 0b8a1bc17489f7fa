// Who said how many calls a worker takes at once: configuration, by name of the worker and by pattern of function ids, or the worker itself. Configuration
// wins. What holds is told to the queues.

import type { Concurrency, WorkerRule } from "../registry/concurrency.js";
import type { Names } from "../registry/names.js";
import { type FunctionRule, matches } from "../registry/share.js";
import type { Worker } from "../registry/workers.js";
import type { WorkerObserver } from "./departures.js";
import type { Queues } from "./queues.js";

export interface ConcurrencyRules {
  functions: readonly FunctionRule[];
  workers: readonly WorkerRule[];
}

export class Concurrencies implements WorkerObserver {
  readonly #queues: Queues;
  readonly #names: Names;
  readonly #functions: readonly (FunctionRule & Concurrency)[];
  #workers: readonly WorkerRule[];

  constructor(queues: Queues, names: Names, rules: ConcurrencyRules) {
    this.#queues = queues;
    this.#names = names;
    this.#functions = rules.functions.filter(isBounded);
    this.#workers = rules.workers;
  }

  /** The rules for workers as they are from here on; they hold for whoever is connected, too. */
  replaceWorkers(rules: readonly WorkerRule[], connected: Iterable<Worker>): void {
    this.#workers = rules;
    for (const worker of connected) this.metadataUpdated(worker);
  }

  /** A connection offers a function (by index). `stated`: what it says itself. */
  offered(connection: number, fn: number, stated: Concurrency | null): void {
    if (this.#functions.length === 0 && stated === null) return this.withdrawn(connection, fn);
    const rule = this.#ruleOf(fn) ?? stated;
    if (rule === null) this.withdrawn(connection, fn);
    else this.#queues.declareFunction(connection, fn, rule);
  }

  withdrawn(connection: number, fn: number): void {
    this.#queues.undeclareFunction(connection, fn);
  }

  connected(): void {
    // what it says of itself comes with metadataUpdated
  }

  metadataUpdated(worker: Worker): void {
    const { name, concurrency, connection } = worker;
    const rule = name === null ? undefined : this.#workers.find(({ match }) => matches(match, name));
    const holds = rule ?? concurrency;
    if (holds !== null) this.#queues.declare(connection.index, holds);
  }

  disconnected(): void {
    // its queue went with its calls
  }

  #ruleOf(fn: number): Concurrency | null {
    if (this.#functions.length === 0) return null;
    const id = this.#names.id(fn);
    return this.#functions.find(({ match }) => matches(match, id)) ?? null;
  }
}

function isBounded(rule: FunctionRule): rule is FunctionRule & Concurrency {
  return rule.concurrency !== undefined;
}
