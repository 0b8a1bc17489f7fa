// The registry as watchers see it: every function, worker, trigger type and trigger as a key and a row of plain values.

import type { Sight } from "../access/sight.js";
import type { Change } from "../registry/change-log.js";
import type { FunctionRows } from "../registry/function-rows.js";
import type { Functions } from "../registry/functions.js";
import { OfferWord } from "../registry/offers.js";
import type { TriggerRows } from "../registry/trigger-rows.js";
import type { TriggerTypes } from "../registry/trigger-types.js";
import { REASON_NAMES, TriggerState, type Triggers } from "../registry/triggers.js";
import type { Worker, Workers } from "../registry/workers.js";
import { STATE_NUMBER } from "./trigger-msgpack.js";

export interface RegistryViewOptions {
  functions: Functions;
  workers: Workers;
  types: TriggerTypes;
  triggers: Triggers;
  functionRows: FunctionRows;
  triggerRows: TriggerRows;
  sight: Sight;
}

/** What is there now, with what filters look at; its row as PROTOCOL.md lays it out. */
export interface Present extends Change {
  row: readonly unknown[];
}

export class RegistryView {
  readonly #o: RegistryViewOptions;

  constructor(options: RegistryViewOptions) {
    this.#o = options;
  }

  /** The thing a change is about as it is now; undefined when it is gone. */
  now({ what, keyNamespace, id }: Change): Present | undefined {
    const { functions, workers, types, triggers } = this.#o;
    const namespace = workers.namespace(keyNamespace);
    if (what === "function") {
      const bytes = Buffer.from(id, "utf8");
      return this.function(functions.names.find(namespace, bytes, 0, bytes.length));
    }
    if (what === "worker") return this.worker(workers.byId(id));
    if (what === "trigger_type") return this.type(types.find(namespace, id));
    return this.trigger(triggers.find(id));
  }

  /** Whether a worker may know of a thing that is there. */
  isSeen(viewer: Worker, { what, keyNamespace, id }: Change): boolean {
    const { functions, workers, triggers, sight } = this.#o;
    if (what === "function") {
      const bytes = Buffer.from(id, "utf8");
      return sight.function(
        viewer,
        functions.names.find(workers.namespace(keyNamespace), bytes, 0, bytes.length),
      );
    }
    if (what === "trigger") return sight.trigger(viewer, triggers.find(id));
    if (what === "trigger_type") return sight.type(viewer, id);
    const worker = workers.byId(id);
    return worker !== undefined && sight.worker(viewer, worker);
  }

  /** The id of the worker that serves a function; undefined when the engine does. */
  serverOf({ keyNamespace, id }: Change): string | undefined {
    const { functions, workers } = this.#o;
    const bytes = Buffer.from(id, "utf8");
    const fn = functions.names.find(workers.namespace(keyNamespace), bytes, 0, bytes.length);
    const offer = fn === 0 ? 0 : functions.servingOffer(fn);
    return offer === 0 ? undefined : workers.of(functions.offers.get(offer, OfferWord.connection))?.id;
  }

  /** The triggers that call a function. */
  triggersOf({ keyNamespace, id }: Change): Present[] {
    const { triggers, workers } = this.#o;
    const found = triggers.ofTarget(workers.namespace(keyNamespace), id).map((one) => this.trigger(one));
    return found.filter((one) => one !== undefined);
  }

  all(): Present[] {
    const { functions, workers, types, triggers } = this.#o;
    const found: (Present | undefined)[] = [];
    functions.each((fn) => found.push(this.function(fn)));
    for (const worker of workers.all()) found.push(this.worker(worker));
    types.each((type) => found.push(this.type(type)));
    triggers.each((trigger) => found.push(this.trigger(trigger)));
    return found.filter((one) => one !== undefined);
  }

  function(fn: number): Present | undefined {
    if (fn === 0) return undefined;
    const { id, namespace, workerName, description } = this.#o.functionRows.row(fn);
    const row = [workerName, description ?? null];
    return { what: "function", keyNamespace: namespace, id, namespace, text: id, row };
  }

  worker(worker: Worker | undefined): Present | undefined {
    if (worker === undefined) return undefined;
    const { id, name, runtime } = worker;
    const namespace = worker.namespace.name;
    return {
      what: "worker",
      keyNamespace: "",
      id,
      namespace,
      text: name ?? "",
      row: [namespace, name, runtime],
    };
  }

  type(type: number): Present | undefined {
    if (type === 0) return undefined;
    const { id, namespace, workerName, description } = this.#o.triggerRows.typeRow(type);
    const row = [workerName, description];
    return { what: "trigger_type", keyNamespace: namespace, id, namespace, text: id, row };
  }

  trigger(trigger: number): Present | undefined {
    const { triggers } = this.#o;
    if (trigger === 0 || triggers.state(trigger) === TriggerState.Asked) return undefined;
    const namespace = triggers.namespace(trigger);
    const text = triggers.functionId(trigger);
    const reason = REASON_NAMES[triggers.reason(trigger)];
    const row = [namespace, text, triggers.typeName(trigger), STATE_NUMBER[triggers.state(trigger)], reason];
    return { what: "trigger", keyNamespace: "", id: triggers.id(trigger), namespace, text, row };
  }
}
