// What workers ask for and what becomes of it: trigger types and triggers registered, answered, taken away, and all that a leaving worker had.
//
// Whoever calls has read a frame of its wire; what is refused comes back as a CodedError. The wires and the handing over are behind trigger-binder.ts.

import type { Session } from "../access/session.js";
import type { Logger } from "../log.js";
import { Metric, type Metrics } from "../metrics.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import {
  CARD_DEPTH_MAX,
  ID_BYTES_MAX,
  type Limits,
  REGISTRY_BYTES_MAX,
  TRIGGER_BYTES_MAX,
  TRIGGER_DEPTH_MAX,
  TRIGGER_TYPES_MAX,
} from "../protocol/limits.js";
import { DEFAULT_KEY, DEFAULT_NAMESPACE } from "../registry/names.js";
import type { TriggerTypes } from "../registry/trigger-types.js";
import {
  bytesOfRequest,
  ParkReason,
  type TriggerRequest,
  TriggerState,
  type Triggers,
} from "../registry/triggers.js";
import { isBlank, type Worker, type Workers } from "../registry/workers.js";
import { ENGINE } from "./calls.js";
import type { TriggerAnswers } from "./trigger-answers.js";
import type { TriggerBinder } from "./trigger-binder.js";
import { levelsOf } from "./trigger-values.js";
import type { EngineTriggerType } from "./trigger-wire.js";

export interface TriggerRegistrarOptions {
  triggers: Triggers;
  types: TriggerTypes;
  workers: Workers;
  binder: TriggerBinder;
  answers: TriggerAnswers;
  limits: Limits;
  metrics: Metrics;
  log: Logger;
}

export class TriggerRegistrar {
  readonly #o: TriggerRegistrarOptions;
  /** Follows who provides a type; `type` 0 = nobody does any more. */
  typeChanged: (namespace: string, id: string, type: number) => void = () => undefined;

  constructor(options: TriggerRegistrarOptions) {
    this.#o = options;
  }

  /** Adds a trigger type of the engine's own, in namespace `default`. */
  serve(provider: EngineTriggerType): void {
    const card = Buffer.from(JSON.stringify({ description: provider.description }), "utf8");
    this.#o.binder.serve(this.#o.types.claim(ENGINE, DEFAULT_KEY, provider.id, card), provider);
  }

  // Trigger types

  /**
   * A worker provides a type from here on: it gets every trigger that was bound there, every parked one that now finds it, and those of its
   * namespace that had fallen back to `default`. Throws CodedError: `INVALID_NAMESPACE`, `trigger_type_reserved`, `limit_reached`.
   */
  registerType(worker: Worker, namespace: string | undefined, id: string, card: Uint8Array): void {
    const { types, workers, metrics } = this.#o;
    const where = namespace ?? worker.namespace.name;
    this.#checkType(where, id, card);
    const { index } = worker.connection;
    const before = types.find(workers.namespace(where), id);
    this.#checkClaim(index, before);
    this.#checkTypeBytes(index, before, card.length);
    this.#takeFromFormer(before, worker);
    const type = types.claim(index, workers.namespace(where), id, card);
    metrics.add(Metric.registrations);
    this.#handOver(type);
    this.#bindWaiting(type, id);
    if (where !== DEFAULT_NAMESPACE) this.#bringHome(type, where, id);
    this.typeChanged(where, id, type);
  }

  /** A worker provides a type no more. False when it did not. */
  unregisterType(worker: Worker, namespace: string | undefined, id: string): boolean {
    const { types, workers } = this.#o;
    const type = types.find(workers.namespace(namespace ?? worker.namespace.name), id);
    const { index } = worker.connection;
    if (type === 0 || !types.typesOf(index).includes(type)) return false;
    this.#withdrawType(index, type, true);
    return true;
  }

  // Triggers

  /** Registers a trigger by message: what can be told at once is thrown, a provider's no comes later. Throws CodedError. */
  register(request: TriggerRequest, owner: Worker): void {
    this.#checkNamespaces(request);
    this.#o.binder.place(this.#enter(request, owner.connection.index), ParkReason.NoProvider);
  }

  /**
   * Registers a trigger that belongs to nobody and waits for its provider's word: resolves with its id when that is yes, when there is none in ten
   * seconds, and when it is parked. Rejects with CodedError `trigger_registration_failed`, `limit_reached`. `session`: of whoever asks; null: none.
   */
  async registerForGood(asked: TriggerRequest, session: Session | null): Promise<string> {
    const { binder, answers, triggers } = this.#o;
    this.#checkNamespaces(asked);
    const trigger = this.#enter(asked, ENGINE);
    if (session !== null) triggers.askedBy.set(trigger, session);
    const type = binder.resolve(trigger);
    const problem = type === 0 || binder.isEngineType(type) ? null : binder.ask(trigger, type);
    if (problem !== null) {
      triggers.remove(trigger);
      throw new CodedError(ErrorCode.TriggerRegistrationFailed, `${problem.code}: ${problem.message}`);
    }
    if (triggers.state(trigger) === TriggerState.Asked) return answers.await(trigger);
    binder.place(trigger, ParkReason.NoProvider);
    return asked.id;
  }

  /** A provider answers for a trigger. Heard only from whoever provides for it now. `error` null = yes. */
  answered(from: Worker, id: string, error: CodedError | null): void {
    const { triggers, types, binder, metrics, log } = this.#o;
    const trigger = triggers.find(id);
    const type = trigger === 0 ? 0 : triggers.type(trigger);
    if (type === 0 || types.provider(type) !== from.connection.index) {
      metrics.add(Metric.trigger_answers_unmatched);
      return log.debug(
        { worker: from.id, trigger: id },
        "answer for a trigger ignored: not from its provider",
      );
    }
    if (error === null) binder.accept(trigger);
    else binder.reject(trigger, error);
  }

  /** Removes a trigger by id for the worker it belongs to, or (`by` null) for whoever calls engine::unregister_trigger. False when there is none, or it is another's. */
  unregister(id: string, by: Worker | null): boolean {
    const { triggers, log } = this.#o;
    const trigger = triggers.find(id);
    if (trigger === 0) return false;
    if (by !== null && triggers.owner(trigger) !== by.connection.index) {
      log.warn(
        { worker: by.id, trigger: id },
        "unregistertrigger ignored: the trigger belongs to somebody else",
      );
      return false;
    }
    this.#take(trigger);
    return true;
  }

  /** A worker leaves: its triggers go and their providers are told, then its types go and what they served is placed anew. */
  depart(worker: Worker): void {
    const { index } = worker.connection;
    for (const trigger of this.#o.triggers.ofOwner(index)) this.#take(trigger);
    for (const type of this.#o.types.typesOf(index)) this.#withdrawType(index, type, false);
  }

  #checkType(namespace: string, id: string, card: Uint8Array): void {
    const { types, binder } = this.#o;
    if (isBlank(namespace))
      throw new CodedError(ErrorCode.InvalidNamespace, "The namespace must not be blank");
    checkBytes("A trigger type's id", id);
    checkBytes("A namespace", namespace);
    if (binder.isEngineType(types.find(DEFAULT_KEY, id)))
      throw new CodedError(ErrorCode.TriggerTypeReserved, `Cannot provide ${id}: the engine itself does`);
    if (card.length > TRIGGER_BYTES_MAX)
      throw new CodedError(
        ErrorCode.LimitReached,
        `Description and formats of a trigger type have at most ${TRIGGER_BYTES_MAX} bytes, not ${card.length}`,
      );
    if (levelsOf(card) > CARD_DEPTH_MAX + 1)
      throw new CodedError(
        ErrorCode.PayloadOutOfBounds,
        `Formats of a trigger type have at most ${CARD_DEPTH_MAX} levels`,
      );
  }

  /** Before anybody is told anything: a claim that is refused takes nothing from whoever provides the type now. `type` 0: nobody does. */
  #checkClaim(connection: number, type: number): void {
    const { types, limits } = this.#o;
    if (type !== 0 && types.isClaimed(type, connection)) return;
    if (types.countOf(connection) >= limits.triggerTypesPerConnectionMax)
      throw new CodedError(
        ErrorCode.LimitReached,
        `One connection provides at most ${limits.triggerTypesPerConnectionMax} trigger types`,
      );
    if (types.isFull)
      throw new CodedError(
        ErrorCode.LimitReached,
        `The engine holds ${TRIGGER_TYPES_MAX} claims to trigger types already`,
      );
  }

  #checkTypeBytes(connection: number, type: number, bytes: number): void {
    const { types, limits } = this.#o;
    const added = bytes - (type === 0 ? 0 : types.cardBytes(type, connection));
    const most = limits.functionBytesPerConnectionMax;
    if (types.cardBytesOf(connection) + added > most)
      throw new CodedError(
        ErrorCode.LimitReached,
        `The trigger types of one connection have at most ${most} bytes of description and formats`,
      );
    if (types.bytes + added > REGISTRY_BYTES_MAX)
      throw new CodedError(
        ErrorCode.LimitReached,
        `All trigger types have at most ${REGISTRY_BYTES_MAX} bytes`,
      );
  }

  /** Whoever provided a type until now hears that its triggers are over, so that none is fired by two. */
  #takeFromFormer(type: number, by: Worker): void {
    const { binder, triggers, types } = this.#o;
    if (type === 0 || types.provider(type) === by.connection.index) return;
    for (const trigger of triggers.ofType(type)) binder.withdrawFrom(type, trigger);
  }

  /** Every trigger bound to a type goes to its provider of now. */
  #handOver(type: number): void {
    for (const trigger of this.#o.triggers.ofType(type)) this.#o.binder.bind(trigger, type);
  }

  #bindWaiting(type: number, id: string): void {
    const { binder, triggers } = this.#o;
    for (const trigger of triggers.waitingFor(id))
      if (binder.resolve(trigger) === type) binder.bind(trigger, type);
  }

  /** Triggers of a namespace that were bound to `default` for want of a provider at home move to the one that is there now. */
  #bringHome(type: number, namespace: string, id: string): void {
    const { binder, triggers, types } = this.#o;
    const fallback = types.find(DEFAULT_KEY, id);
    if (fallback === 0) return;
    for (const trigger of triggers.ofType(fallback)) {
      if (triggers.home(trigger) !== namespace || triggers.triggerNamespace(trigger) !== undefined) continue;
      binder.withdrawFrom(fallback, trigger);
      binder.bind(trigger, type);
    }
  }

  /** `isPolite`: the provider is still there and is told of what it loses. */
  #withdrawType(connection: number, type: number, isPolite: boolean): void {
    const { binder, triggers, types } = this.#o;
    const bound = triggers.ofType(type);
    if (isPolite && types.provider(type) === connection)
      for (const trigger of bound) binder.withdrawFrom(type, trigger);
    const name = types.names.id(type);
    const namespace = types.names.namespace(type);
    const { served, isServed } = types.withdraw(connection, type);
    if (!served) return;
    this.typeChanged(namespace, name, isServed ? type : 0);
    if (isServed) this.#handOver(type);
    else {
      for (const trigger of bound) binder.place(trigger, ParkReason.ProviderLeft);
      types.free(type);
    }
    for (const trigger of triggers.waitingFor(name))
      if (triggers.reason(trigger) === ParkReason.ProviderUnreachable)
        binder.place(trigger, ParkReason.ProviderLeft); // it came while this provider was going
  }

  #checkNamespaces(request: TriggerRequest): void {
    if (isBlank(request.namespace))
      throw new CodedError(ErrorCode.InvalidNamespace, "namespace must not be blank");
    if (request.triggerNamespace !== undefined && isBlank(request.triggerNamespace))
      throw new CodedError(ErrorCode.InvalidNamespace, "trigger_namespace must not be blank");
  }

  /** Enters a trigger, in place of one of the same id whoever has that: a worker that comes back under another connection takes its own over. */
  #enter(request: TriggerRequest, owner: number): number {
    const { triggers, metrics, workers } = this.#o;
    const former = triggers.find(request.id);
    this.#checkBounds(request, owner, former);
    if (former !== 0) this.#replace(former, request);
    const trigger = triggers.add(request, owner, workers.namespace(request.namespace));
    metrics.add(Metric.triggers_registered);
    return trigger;
  }

  #checkBounds(request: TriggerRequest, owner: number, former: number): void {
    const { triggers, limits } = this.#o;
    checkBytes("A trigger's id", request.id);
    checkBytes("A trigger type's id", request.type);
    checkBytes("A function id", request.functionId);
    checkBytes("A namespace", request.namespace);
    checkBytes("A namespace", request.triggerNamespace ?? "");
    const bytes = request.config.length + request.metadata.length;
    if (bytes > TRIGGER_BYTES_MAX)
      throw new CodedError(
        ErrorCode.LimitReached,
        `Config and metadata of a trigger have at most ${TRIGGER_BYTES_MAX} bytes, not ${bytes}`,
      );
    if (Math.max(levelsOf(request.config), levelsOf(request.metadata)) > TRIGGER_DEPTH_MAX)
      throw new CodedError(
        ErrorCode.PayloadOutOfBounds,
        `Config and metadata of a trigger have at most ${TRIGGER_DEPTH_MAX} levels`,
      );
    const isNew = former === 0 || triggers.owner(former) !== owner;
    if (isNew && triggers.countOf(owner) >= limits.triggersPerConnectionMax)
      throw new CodedError(
        ErrorCode.LimitReached,
        `One connection has at most ${limits.triggersPerConnectionMax} triggers`,
      );
    const added = bytesOfRequest(request) - (isNew ? 0 : triggers.bytesOfTrigger(former));
    if (triggers.bytesOf(owner) + added > limits.triggerBytesPerConnectionMax)
      throw new CodedError(
        ErrorCode.LimitReached,
        `The triggers of one connection have at most ${limits.triggerBytesPerConnectionMax} bytes of ids, config and metadata`,
      );
    if (triggers.bytes + added > REGISTRY_BYTES_MAX)
      throw new CodedError(ErrorCode.LimitReached, `All triggers have at most ${REGISTRY_BYTES_MAX} bytes`);
  }

  /** The former trigger of an id goes silently when its provider is about to get the new one, which takes its place there; else it is told. */
  #replace(former: number, request: TriggerRequest): void {
    const { triggers, types, workers, binder } = this.#o;
    const home = workers.namespace(request.triggerNamespace ?? request.home);
    const fallback = request.triggerNamespace === undefined ? types.find(DEFAULT_KEY, request.type) : 0;
    const next = types.find(home, request.type) || fallback;
    const isSameProvider = next !== 0 && next === triggers.type(former) && !binder.isEngineType(next);
    if (isSameProvider) binder.remove(former);
    else this.#take(former);
  }

  #take(trigger: number): void {
    this.#o.binder.tellProvider(trigger);
    this.#o.binder.remove(trigger);
  }
}

function checkBytes(what: string, name: string): void {
  if (Buffer.byteLength(name) > ID_BYTES_MAX)
    throw new CodedError(ErrorCode.LimitReached, `${what} has at most ${ID_BYTES_MAX} bytes`);
}
