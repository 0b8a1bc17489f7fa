// A trigger type of the engine's whose events come from outside the data path: they leave in the order in which they are
// told, unmerged, and a binding may narrow them by lists in its config.

import type { Triggers } from "../registry/triggers.js";
import type { TriggerFires } from "./trigger-fires.js";
import { jsonBytes } from "./trigger-values.js";
import type { EngineTriggerType } from "./trigger-wire.js";
import { eventOf } from "./workers-available.js";

/** Member of the event → the values a binding wants; a member that is not named is not looked at. */
type Filter = ReadonlyMap<string, ReadonlySet<unknown>>;

export interface EngineEventsOptions {
  readonly id: string;
  readonly description: string;
  /** Key of a binding's config, which holds a list → the member of the event that has to be in it. */
  readonly filters: Readonly<Record<string, string>>;
}

export class EngineEvents implements EngineTriggerType {
  readonly id: string;
  readonly description: string;
  readonly #filters: Readonly<Record<string, string>>;
  readonly #fires: TriggerFires;
  readonly #triggers: Triggers;
  readonly #bound = new Map<number, Filter>();

  constructor(options: EngineEventsOptions, fires: TriggerFires, triggers: Triggers) {
    this.id = options.id;
    this.description = options.description;
    this.#filters = options.filters;
    this.#fires = fires;
    this.#triggers = triggers;
  }

  bound(trigger: number): void {
    this.#bound.set(trigger, this.#filterOf(JSON.parse(this.#triggers.config.text(trigger) ?? "null")));
  }

  unbound(trigger: number): void {
    this.#bound.delete(trigger);
  }

  /** Tells everyone who wants it; nobody is waited for. */
  tell(event: Readonly<Record<string, unknown>>): void {
    const wanted = [...this.#bound].filter(([, filter]) => passes(event, filter)).map(([trigger]) => trigger);
    if (wanted.length > 0) this.#fires.fireAll(wanted, eventOf(jsonBytes(JSON.stringify(event))), true);
  }

  /** Lists that are missing, empty or no lists narrow nothing. */
  #filterOf(config: unknown): Filter {
    const filter = new Map<string, ReadonlySet<unknown>>();
    if (typeof config !== "object" || config === null) return filter;
    for (const [key, value] of Object.entries(config)) {
      const member = this.#filters[key];
      if (member !== undefined && Array.isArray(value) && value.length > 0)
        filter.set(member, new Set(value));
    }
    return filter;
  }
}

function passes(event: Readonly<Record<string, unknown>>, filter: Filter): boolean {
  for (const [member, wanted] of filter) if (!wanted.has(event[member])) return false;
  return true;
}
