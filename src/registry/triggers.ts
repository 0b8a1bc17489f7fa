// The triggers: who wants which function called when what happens, and who sees to it.
//
// A trigger is a row of typed arrays and stands in three lists: of its owner (a connection; 0 = nobody, it was made through engine::register_trigger), of
// its target function, and of the type it is bound to or, without a provider, of the type name it waits for. So a leaving owner, a leaving
// provider and a type that appears cost what concerns them. Names and values are kept as they came; config and metadata as JSON text.

import type { Session } from "../access/session.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { TRIGGER_TYPES_MAX, TRIGGERS_MAX } from "../protocol/limits.js";
import { Blobs } from "./blobs.js";
import { BARE, Interned } from "./interned.js";
import { Links } from "./links.js";
import type { NamespaceKey } from "./names.js";
import { Slots } from "./slots.js";

/** `Asked`: its provider's answer is awaited before anybody hears of it. `Removed` is told and never stored. */
export const TriggerState = { Active: 1, Parked: 2, Rejected: 3, Asked: 4, Removed: 5 } as const;
export type TriggerState = (typeof TriggerState)[keyof typeof TriggerState];

/** Why a trigger is not active. */
export const ParkReason = {
  None: 0,
  /** Nobody provides its type where it is looked up. */
  NoProvider: 1,
  /** Its provider left, and nobody else provides the type. */
  ProviderLeft: 2,
  /** Its provider's connection is closing. */
  ProviderUnreachable: 3,
  /** Its provider refused it, or could not be told; the error says what. */
  Refused: 4,
} as const;
export type ParkReason = (typeof ParkReason)[keyof typeof ParkReason];

/** Reasons as listings and records say them. */
export const REASON_NAMES = {
  [ParkReason.None]: null,
  [ParkReason.NoProvider]: "no_provider",
  [ParkReason.ProviderLeft]: "provider_left",
  [ParkReason.ProviderUnreachable]: "provider_unreachable",
  [ParkReason.Refused]: "refused",
} as const satisfies Record<ParkReason, string | null>;

/** A trigger as it is asked for. */
export interface TriggerRequest {
  id: string;
  type: string;
  functionId: string;
  /** Where the function is looked up when it fires. */
  namespace: string;
  /** Where the provider is looked up, and nowhere else; undefined: at home, then in `default`. */
  triggerNamespace: string | undefined;
  /** The namespace of whoever asks. */
  home: string;
  /** JSON text. */
  config: Uint8Array;
  /** JSON text; empty = none. */
  metadata: Uint8Array;
}

/** What a trigger takes of its owner's bound. */
export function bytesOfRequest(asked: TriggerRequest): number {
  const { id, type, functionId, namespace, home, triggerNamespace = "" } = asked;
  const names = [id, type, functionId, namespace, home, triggerNamespace];
  return names.reduce(
    (sum, name) => sum + Buffer.byteLength(name),
    asked.config.length + asked.metadata.length,
  );
}

export class Triggers {
  readonly config = new Blobs(TRIGGERS_MAX);
  readonly metadata = new Blobs(TRIGGERS_MAX);
  /** JSON text of the last error, {code, message}. */
  readonly error = new Blobs(TRIGGERS_MAX);
  /** When the engine last fired it, in epoch milliseconds; 0 = never. */
  readonly lastFiredAtMs = new Float64Array(TRIGGERS_MAX + 1);
  /** Of triggers that belong to nobody: the session that asked for them, where one did. What the engine tells through them is what it may see. */
  readonly askedBy = new Map<number, Session>();
  readonly #ids = new Interned(TRIGGERS_MAX);
  readonly #slots = new Slots<"trigger">(TRIGGERS_MAX, "wrap");
  readonly #typeNames = new Interned(TRIGGERS_MAX);
  readonly #namespaces = new Interned(2 * TRIGGERS_MAX); // a trigger may name two
  readonly #targets = new Interned(TRIGGERS_MAX);
  /** By trigger: row of {@link #ids} and back. */
  readonly #idOf = new Int32Array(TRIGGERS_MAX + 1);
  readonly #byId = new Int32Array(TRIGGERS_MAX + 1);
  readonly #typeName = new Int32Array(TRIGGERS_MAX + 1);
  readonly #target = new Int32Array(TRIGGERS_MAX + 1);
  readonly #home = new Int32Array(TRIGGERS_MAX + 1);
  readonly #explicit = new Int32Array(TRIGGERS_MAX + 1);
  readonly #owner = new Int32Array(TRIGGERS_MAX + 1);
  readonly #type = new Int32Array(TRIGGERS_MAX + 1);
  readonly #state = new Uint8Array(TRIGGERS_MAX + 1);
  readonly #reason = new Uint8Array(TRIGGERS_MAX + 1);
  readonly #ofOwner: Links;
  readonly #ofTarget = new Links(TRIGGERS_MAX, TRIGGERS_MAX);
  readonly #ofType = new Links(TRIGGER_TYPES_MAX, TRIGGERS_MAX);
  readonly #waiting = new Links(TRIGGERS_MAX, TRIGGERS_MAX);
  readonly #bytesOf: Float64Array;
  readonly #bytes = new Int32Array(TRIGGERS_MAX + 1);
  /** Bytes of ids, config and metadata of all triggers. */
  bytes = 0;

  /** `connections`: the highest index of a connection. */
  constructor(connections: number) {
    this.#ofOwner = new Links(connections, TRIGGERS_MAX);
    this.#bytesOf = new Float64Array(connections + 1);
  }

  get count(): number {
    return this.#slots.open;
  }

  /** Triggers of a connection, whatever their state. */
  countOf(owner: number): number {
    return this.#ofOwner.count(owner);
  }

  /** Bytes of ids, config and metadata of a connection's triggers. */
  bytesOf(owner: number): number {
    return this.#bytesOf[owner]!;
  }

  /** Bytes of ids, config and metadata of one trigger. */
  bytesOfTrigger(trigger: number): number {
    return this.#bytes[trigger]!;
  }

  /** Triggers bound to a type. */
  countBound(type: number): number {
    return this.#ofType.count(type);
  }

  /** Triggers that wait for a type of this name. */
  countWaiting(typeName: string): number {
    const name = this.#typeNames.find(BARE, typeName);
    return name === 0 ? 0 : this.#waiting.count(name);
  }

  find(id: string): number {
    return this.#byId[this.#ids.find(BARE, id)]!;
  }

  /** Enters a trigger that {@link find} did not find, parked without a provider. Throws CodedError `limit_reached`. */
  add(request: TriggerRequest, owner: number, target: NamespaceKey): number {
    const trigger = this.#slots.indexOf(this.#slots.take());
    if (trigger === 0)
      throw new CodedError(ErrorCode.LimitReached, `The engine holds ${TRIGGERS_MAX} triggers already`);
    this.#enterNames(trigger, request, target);
    this.config.set(trigger, request.config);
    this.metadata.set(trigger, request.metadata);
    this.#owner[trigger] = owner;
    this.#count(trigger, owner, bytesOfRequest(request));
    this.#type[trigger] = 0;
    this.#state[trigger] = TriggerState.Parked;
    this.#reason[trigger] = ParkReason.NoProvider;
    this.#ofOwner.append(owner, trigger);
    this.#ofTarget.append(this.#target[trigger]!, trigger);
    this.#waiting.append(this.#typeName[trigger]!, trigger);
    return trigger;
  }

  remove(trigger: number): void {
    const owner = this.#owner[trigger]!;
    this.#leaveList(trigger);
    this.#ofOwner.remove(owner, trigger);
    this.#ofTarget.remove(this.#target[trigger]!, trigger);
    this.#count(trigger, owner, -this.#bytes[trigger]!);
    for (const blobs of [this.config, this.metadata, this.error]) blobs.delete(trigger);
    this.lastFiredAtMs[trigger] = 0;
    this.askedBy.delete(trigger);
    this.#leaveNames(trigger);
    this.#slots.free(trigger);
  }

  /** Binds a trigger to a type. */
  bind(trigger: number, type: number, state: typeof TriggerState.Active | typeof TriggerState.Asked): void {
    this.#leaveList(trigger);
    this.#type[trigger] = type;
    this.#state[trigger] = state;
    this.#reason[trigger] = ParkReason.None;
    this.#ofType.append(type, trigger);
  }

  /** Unbinds a trigger: it waits for a type of its name. */
  park(trigger: number, reason: ParkReason): void {
    this.#leaveList(trigger);
    this.#type[trigger] = 0;
    this.#state[trigger] = reason === ParkReason.Refused ? TriggerState.Rejected : TriggerState.Parked;
    this.#reason[trigger] = reason;
    this.#waiting.append(this.#typeName[trigger]!, trigger);
  }

  state(trigger: number): TriggerState {
    return this.#state[trigger] as TriggerState; // written here only, from a TriggerState
  }

  reason(trigger: number): ParkReason {
    return this.#reason[trigger] as ParkReason; // written here only, from a ParkReason
  }

  /** Bound to a type: active, or asked. */
  isBound(trigger: number): boolean {
    return this.#type[trigger] !== 0;
  }

  /** The type it is bound to, or 0. */
  type(trigger: number): number {
    return this.#type[trigger]!;
  }

  /** The connection it belongs to; 0 = nobody. */
  owner(trigger: number): number {
    return this.#owner[trigger]!;
  }

  id(trigger: number): string {
    return this.#ids.id(this.#idOf[trigger]!);
  }

  typeName(trigger: number): string {
    return this.#typeNames.id(this.#typeName[trigger]!);
  }

  /** The id's bytes, valid until a trigger comes or goes. */
  functionIdBytes(trigger: number): Uint8Array {
    return this.#targets.names.idBytes(this.#target[trigger]!);
  }

  functionId(trigger: number): string {
    return this.#targets.id(this.#target[trigger]!);
  }

  /** Where its function is looked up. */
  namespace(trigger: number): string {
    return this.#targets.namespace(this.#target[trigger]!);
  }

  home(trigger: number): string {
    return this.#namespaces.id(this.#home[trigger]!);
  }

  /** The one namespace in which its provider is looked up; undefined when it named none. */
  triggerNamespace(trigger: number): string | undefined {
    const explicit = this.#explicit[trigger]!;
    return explicit === 0 ? undefined : this.#namespaces.id(explicit);
  }

  /** What belongs to a connection, oldest first. */
  ofOwner(owner: number): number[] {
    return this.#ofOwner.rows(owner);
  }

  /** What is bound to a type, in the order of binding. */
  ofType(type: number): number[] {
    return this.#ofType.rows(type);
  }

  /** What waits for a type of this name. */
  waitingFor(typeName: string): number[] {
    const name = this.#typeNames.find(BARE, typeName);
    return name === 0 ? [] : this.#waiting.rows(name);
  }

  /** What calls a function. */
  ofTarget(namespace: NamespaceKey, functionId: string): number[] {
    const target = this.#targets.find(namespace, functionId);
    return target === 0 ? [] : this.#ofTarget.rows(target);
  }

  each(visit: (trigger: number) => void): void {
    for (let trigger = 1; trigger < this.#slots.end; trigger++)
      if (this.#slots.isOpen(trigger)) visit(trigger);
  }

  #count(trigger: number, owner: number, bytes: number): void {
    this.#bytes[trigger]! += bytes;
    this.#bytesOf[owner]! += bytes;
    this.bytes += bytes;
  }

  #leaveList(trigger: number): void {
    const type = this.#type[trigger]!;
    if (type === 0) this.#waiting.remove(this.#typeName[trigger]!, trigger);
    else this.#ofType.remove(type, trigger);
  }

  #enterNames(trigger: number, request: TriggerRequest, target: NamespaceKey): void {
    const id = this.#ids.enter(BARE, request.id);
    this.#idOf[trigger] = id;
    this.#byId[id] = trigger;
    this.#typeName[trigger] = this.#typeNames.enter(BARE, request.type);
    this.#target[trigger] = this.#targets.enter(target, request.functionId);
    this.#home[trigger] = this.#namespaces.enter(BARE, request.home);
    const { triggerNamespace } = request;
    this.#explicit[trigger] =
      triggerNamespace === undefined ? 0 : this.#namespaces.enter(BARE, triggerNamespace);
  }

  #leaveNames(trigger: number): void {
    const id = this.#idOf[trigger]!;
    this.#byId[id] = 0;
    this.#ids.leave(id);
    this.#typeNames.leave(this.#typeName[trigger]!);
    this.#targets.leave(this.#target[trigger]!);
    this.#namespaces.leave(this.#home[trigger]!);
    if (this.#explicit[trigger] !== 0) this.#namespaces.leave(this.#explicit[trigger]!);
  }
}
