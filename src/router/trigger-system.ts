// Ties the parts of triggers together: tables, binder, registrar, and the JSON wire. What the composition root makes one of.

import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import type { Metrics } from "../metrics.js";
import type { Limits } from "../protocol/limits.js";
import { TriggerTypes } from "../registry/trigger-types.js";
import { Triggers } from "../registry/triggers.js";
import type { Workers } from "../registry/workers.js";
import type { Connection } from "../transport/connection.js";
import { TriggerAnswers } from "./trigger-answers.js";
import { TriggerBinder } from "./trigger-binder.js";
import { TriggerRegistrar } from "./trigger-registrar.js";
import type { EngineTriggerType } from "./trigger-wire.js";

export interface TriggerSystemOptions {
  limits: Limits;
  clock: Clock;
  metrics: Metrics;
  log: Logger;
  workers: Workers;
  connections: readonly (Connection | undefined)[];
}

export class TriggerSystem {
  readonly triggers: Triggers;
  readonly types: TriggerTypes;
  readonly binder: TriggerBinder;
  readonly registrar: TriggerRegistrar;
  /** How many types the engine itself provides. */
  engineTypes = 0;

  constructor(options: TriggerSystemOptions) {
    const triggers = new Triggers(options.limits.connectionsMax);
    const types = new TriggerTypes(options.limits.connectionsMax);
    const answers = new TriggerAnswers(options.clock, (trigger) => binder.accept(trigger));
    const binder = new TriggerBinder({ ...options, triggers, types, answers });
    this.triggers = triggers;
    this.types = types;
    this.binder = binder;
    this.registrar = new TriggerRegistrar({ ...options, triggers, types, binder, answers });
  }

  /** Adds a trigger type of the engine's own. */
  serve(provider: EngineTriggerType): void {
    this.registrar.serve(provider);
    this.engineTypes++;
  }
}
