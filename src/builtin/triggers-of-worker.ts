// What `engine::workers::info` tells of triggers: the types a worker provides, and the live triggers that call its functions.

import type { Functions } from "../registry/functions.js";
import { byId, type TriggerRows, type TriggerTypeRow } from "../registry/trigger-rows.js";
import type { TriggerTypes } from "../registry/trigger-types.js";
import type { Triggers } from "../registry/triggers.js";
import type { Worker, Workers } from "../registry/workers.js";

export class TriggersOfWorker {
  readonly rows: TriggerRows;
  readonly #triggers: Triggers;
  readonly #types: TriggerTypes;
  readonly #functions: Functions;
  readonly #workers: Workers;

  constructor(
    rows: TriggerRows,
    triggers: Triggers,
    types: TriggerTypes,
    functions: Functions,
    workers: Workers,
  ) {
    this.rows = rows;
    this.#triggers = triggers;
    this.#types = types;
    this.#functions = functions;
    this.#workers = workers;
  }

  /** The types that a worker provides now; one that another has taken over is not among them. */
  typesOf(worker: Worker): TriggerTypeRow[] {
    const { index } = worker.connection;
    const types = this.#types.typesOf(index).filter((type) => this.#types.provider(type) === index);
    return types.map((type) => this.rows.typeRow(type));
  }

  /** RegisteredTriggerSummary of every live trigger that calls one of these functions, by id. */
  calling(fns: readonly number[]): string[] {
    const { names } = this.#functions;
    const found = fns.flatMap((fn) =>
      this.#triggers
        .ofTarget(this.#workers.namespace(names.namespace(fn)), names.id(fn))
        .filter((trigger) => this.rows.isLive(trigger))
        .map((trigger) => ({ trigger, id: this.#triggers.id(trigger) })),
    );
    return found.sort(byId).map(({ trigger }) => this.rows.summary(trigger, false));
  }
}
