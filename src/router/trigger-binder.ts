// Brings triggers and providers together: where a provider is looked up, how a trigger is handed over, parked, refused, taken away.
//
//   parked --bind--> active (or asked, while the provider's word is awaited) --park--> parked | rejected
//
// Nothing here waits. A provider is told first and believed until it objects; when it does, the trigger is parked again and its owner is told.

import type { Logger } from "../log.js";
import { Metric, type Metrics } from "../metrics.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { TRIGGER_ERROR_CHARS_MAX } from "../protocol/limits.js";
import { DEFAULT_NAMESPACE } from "../registry/names.js";
import type { TriggerTypes } from "../registry/trigger-types.js";
import { ParkReason, TriggerState, type Triggers } from "../registry/triggers.js";
import type { Workers } from "../registry/workers.js";
import type { Connection } from "../transport/connection.js";
import { ENGINE } from "./calls.js";
import type { TriggerAnswers } from "./trigger-answers.js";
import type { EngineTriggerType, TriggerWire } from "./trigger-wire.js";

export interface TriggerBinderOptions {
  triggers: Triggers;
  types: TriggerTypes;
  workers: Workers;
  connections: readonly (Connection | undefined)[];
  answers: TriggerAnswers;
  metrics: Metrics;
  log: Logger;
}

export class TriggerBinder {
  readonly #o: TriggerBinderOptions;
  readonly #engineTypes = new Map<number, EngineTriggerType>();
  /** Follows every change of a trigger's state; `isGone`: it is no more, and its row is about to be freed. */
  changed: (trigger: number, isGone: boolean) => void = () => undefined;
  #wires: { json: TriggerWire; msgpack: TriggerWire } | null = null;

  constructor(options: TriggerBinderOptions) {
    this.#o = options;
  }

  attach(json: TriggerWire, msgpack: TriggerWire): void {
    this.#wires = { json, msgpack };
  }

  serve(type: number, provider: EngineTriggerType): void {
    this.#engineTypes.set(type, provider);
  }

  isEngineType(type: number): boolean {
    return this.#engineTypes.has(type);
  }

  /** The type that provides for a trigger: the one it names a namespace for, and no other; else that of its home, then that of `default`. 0 = none. */
  resolve(trigger: number): number {
    const { triggers, types, workers } = this.#o;
    const name = triggers.typeName(trigger);
    const explicit = triggers.triggerNamespace(trigger);
    if (explicit !== undefined) return types.find(workers.namespace(explicit), name);
    const home = types.find(workers.namespace(triggers.home(trigger)), name);
    return home || types.find(workers.namespace(DEFAULT_NAMESPACE), name);
  }

  /** Hands a trigger to whoever provides for it now, or parks it with `reason` when nobody does. */
  place(trigger: number, reason: ParkReason): void {
    const type = this.resolve(trigger);
    if (type !== 0) return this.bind(trigger, type);
    this.#announcePark(trigger, reason);
    this.#park(trigger, reason, null);
  }

  /** Hands a trigger to the provider of a type; parks it when that one cannot be reached or will not have it. */
  bind(trigger: number, type: number): void {
    const { triggers, types } = this.#o;
    const provider = types.provider(type);
    if (provider === ENGINE) return this.#bindToEngine(trigger, type);
    const to = this.#o.connections[provider];
    if (to === undefined || !isUsable(to)) return this.#park(trigger, ParkReason.ProviderUnreachable, null);
    const before = triggers.state(trigger);
    const isAsked = before === TriggerState.Asked;
    triggers.bind(trigger, type, isAsked ? TriggerState.Asked : TriggerState.Active);
    const problem = this.#wire(to)?.offer(to, trigger) ?? null;
    if (problem !== null) return this.reject(trigger, problem);
    if (before !== triggers.state(trigger)) this.#announce(trigger, null);
  }

  /** As {@link bind}, but the trigger is `Asked` until its provider has said yes; it stays as it was when that one cannot be reached. Why it cannot be said, or null. */
  ask(trigger: number, type: number): CodedError | null {
    const { triggers, types, connections } = this.#o;
    const to = connections[types.provider(type)];
    if (to === undefined || !isUsable(to)) return null;
    triggers.bind(trigger, type, TriggerState.Asked);
    return this.#wire(to)?.offer(to, trigger) ?? null;
  }

  /** The provider has said yes, or nothing for too long: an asked trigger is active from here on. */
  accept(trigger: number): void {
    const { triggers, answers } = this.#o;
    if (triggers.state(trigger) !== TriggerState.Asked) return;
    triggers.bind(trigger, triggers.type(trigger), TriggerState.Active);
    answers.accept(trigger, triggers.id(trigger));
    this.changed(trigger, false);
  }

  /** The provider has said no: parked until the type is registered again, or, when it was only asked for, gone. */
  reject(trigger: number, error: CodedError): void {
    const { triggers, answers, metrics, log } = this.#o;
    metrics.add(Metric.triggers_rejected);
    log.warn(
      {
        trigger: triggers.id(trigger),
        type: triggers.typeName(trigger),
        code: error.code,
        message: error.message,
      },
      "trigger refused by its provider",
    );
    if (triggers.state(trigger) === TriggerState.Asked) {
      answers.refuse(trigger, asFailure(error));
      return triggers.remove(trigger);
    }
    this.#park(trigger, ParkReason.Refused, error);
  }

  /** Tells the provider of a trigger that it is no more; nobody when it has none. */
  tellProvider(trigger: number): void {
    const { triggers } = this.#o;
    const type = triggers.type(trigger);
    if (type !== 0) this.withdrawFrom(type, trigger);
  }

  /** Tells the provider of `type`, where the trigger was bound, that it is no more. */
  withdrawFrom(type: number, trigger: number): void {
    const { triggers, types, connections } = this.#o;
    const provider = types.provider(type);
    if (provider === ENGINE) return this.#engineTypes.get(type)?.unbound(trigger);
    const to = connections[provider];
    if (to !== undefined && isUsable(to))
      this.#wire(to)?.withdraw(to, triggers.id(trigger), triggers.typeName(trigger));
  }

  remove(trigger: number): void {
    this.changed(trigger, true);
    this.#tellOwner(trigger, null, TriggerState.Removed);
    this.#o.answers.accept(trigger, this.#o.triggers.id(trigger)); // nobody waits for a trigger that was taken away
    this.#o.triggers.remove(trigger);
  }

  #bindToEngine(trigger: number, type: number): void {
    const { triggers } = this.#o;
    triggers.bind(trigger, type, TriggerState.Active);
    this.#o.answers.accept(trigger, triggers.id(trigger));
    this.#announce(trigger, null);
    this.#engineTypes.get(type)?.bound(trigger);
  }

  #park(trigger: number, reason: ParkReason, error: CodedError | null): void {
    const { triggers, answers } = this.#o;
    triggers.park(trigger, reason);
    if (error !== null) triggers.error.set(trigger, errorBytes(error));
    answers.accept(trigger, triggers.id(trigger)); // parked counts as registered
    this.#announce(trigger, error);
  }

  #announce(trigger: number, error: CodedError | null): void {
    this.#tellOwner(trigger, error);
    this.changed(trigger, false);
  }

  #tellOwner(trigger: number, error: CodedError | null, told?: TriggerState): void {
    const { triggers, connections } = this.#o;
    const to = connections[triggers.owner(trigger)];
    if (triggers.owner(trigger) === ENGINE || to === undefined || !isUsable(to)) return;
    this.#wire(to)?.tell(to, {
      id: triggers.id(trigger),
      type: triggers.typeName(trigger),
      functionId: triggers.functionId(trigger),
      state: told ?? triggers.state(trigger),
      reason: triggers.reason(trigger),
      error,
    });
  }

  /** Said once for a type that many wait for. */
  #announcePark(trigger: number, reason: ParkReason): void {
    const { triggers, log } = this.#o;
    const type = triggers.typeName(trigger);
    const isFirst = triggers.countWaiting(type) <= (triggers.isBound(trigger) ? 0 : 1);
    const fields = { trigger: triggers.id(trigger), type, functionId: triggers.functionId(trigger) };
    if (isFirst && reason === ParkReason.NoProvider)
      log.warn(
        fields,
        "trigger parked: nobody provides its type yet; others of the type are logged at debug level",
      );
    else log.debug({ ...fields, reason }, "trigger parked");
  }

  #wire(to: Connection): TriggerWire | undefined {
    return to.isMsgpack ? this.#wires?.msgpack : this.#wires?.json;
  }
}

function isUsable(to: Connection): boolean {
  return to.isOpen && !to.isEnding;
}

/** What is kept of a refusal for listings: a provider may say as much as fits a frame. */
function errorBytes({ code, message }: CodedError): Uint8Array {
  const kept = {
    code: code.slice(0, TRIGGER_ERROR_CHARS_MAX),
    message: message.slice(0, TRIGGER_ERROR_CHARS_MAX),
  };
  return Buffer.from(JSON.stringify(kept), "utf8");
}

/** What a caller of engine::register_trigger is told of a provider's no. */
function asFailure(error: CodedError): CodedError {
  return new CodedError(ErrorCode.TriggerRegistrationFailed, `${error.code}: ${error.message}`);
}
