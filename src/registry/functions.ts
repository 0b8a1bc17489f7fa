// The functions: a name, a handle, whoever offers it, and the route that says who serves it now.
//
// Exclusive functions have one serving offer; later ones stand by and the oldest is promoted when it leaves, with the same handle. Shared
// functions have many serving offers. A draining offer serves no more and is still there: its function stays known, and has no route
// while nobody else serves it. The routing table is written here and nowhere else.

import { CodedError, ErrorCode } from "../protocol/error.js";
import { NAMES_BYTES_MAX } from "../protocol/limits.js";
import { RoutingTable, Target } from "../router/routing-table.js";
import { FormerIds } from "./former-ids.js";
import { DEFAULT_KEY, Names, type NamespaceKey } from "./names.js";
import { OfferLists } from "./offer-lists.js";
import { OfferState, Offers, OfferWord } from "./offers.js";
import { type FunctionRule, headOf, matches, SHARE_NAMES, Share } from "./share.js";
import { SharedOwners } from "./shared-owners.js";
import { Slots } from "./slots.js";

/** `Served`: by another offer, or with another card. */
export const FunctionChange = { Added: 0, Served: 1, Removed: 2 } as const;
export type FunctionChange = (typeof FunctionChange)[keyof typeof FunctionChange];

/** What the registry tells whoever wants to follow it. */
export interface FunctionsObserver {
  /** A function came, or is going (its name can still be read), or something about it is not what it was. */
  changed(fn: number, change: FunctionChange): void;
  /** A connection became, or ceased to be, an owner of a shared function. */
  sharedOwner(fn: number, connection: number, isOwner: boolean): void;
  /** A connection offers a function no more. */
  withdrawn(fn: number, connection: number): void;
}

/** Carries out one call: the input as JSON text to the result as JSON text, null for none. Rejects with CodedError. */
export type Carry = (json: string) => Promise<string | null>;

export interface Registered {
  fn: number;
  state: OfferState;
  /** The connection that serves it, when this one stands by; 0 = the engine. */
  owner: number;
}

export class Functions {
  readonly names: Names;
  readonly offers: Offers;
  readonly lists: OfferLists;
  readonly routes: RoutingTable;
  readonly slots: Slots<"function">;
  /** Offers that the engine itself carries out for the connection that made them, by offer. */
  readonly carried = new Map<number, Carry>();
  readonly formerIds = new FormerIds();
  /** Grows with every change; what a feed resumes from. */
  revision = 0;
  readonly #serving: Int32Array;
  /** By connection: whatever it offers, now or later, gets no calls. */
  readonly #drains: Uint8Array;
  readonly #shared = new Map<number, SharedOwners>();
  readonly #timeouts = new Map<number, number>();
  readonly #yielding = new Set<number>();
  /** With what the ids begin that a rule can match: most functions are none of its, which is seen without making a string. */
  readonly #rules: readonly { rule: FunctionRule; head: Uint8Array }[];
  readonly #observer: FunctionsObserver;
  readonly #generationOf: (connection: number) => number;

  constructor(
    capacity: number,
    connections: number,
    rules: readonly FunctionRule[],
    observer: FunctionsObserver,
    generationOf: (connection: number) => number,
  ) {
    this.names = new Names(capacity);
    this.offers = new Offers(capacity, connections);
    this.routes = new RoutingTable(capacity);
    this.slots = new Slots<"function">(capacity, "retire");
    this.lists = new OfferLists(this.offers, capacity, connections);
    this.#serving = new Int32Array(capacity + 1);
    this.#drains = new Uint8Array(connections + 1);
    // the first that matches wins: it is applied last
    this.#rules = rules.map((rule) => ({ rule, head: headOf(rule.match) })).reverse();
    this.#observer = observer;
    this.#generationOf = generationOf;
  }

  get count(): number {
    return this.slots.open;
  }

  /** How many more offers of new functions the tables surely hold. */
  get room(): number {
    return Math.min(this.slots.room, this.offers.room);
  }

  /** Functions a connection offers, standbys included. */
  countOf(connection: number): number {
    return this.lists.countOf(connection);
  }

  /** Time of a call whose caller names none, if a rule gives this function one of its own, in milliseconds. */
  timeoutMs(fn: number): number | undefined {
    return this.#timeouts.size === 0 ? undefined : this.#timeouts.get(fn);
  }

  /** The owners of a shared function. */
  sharedOwners(fn: number): SharedOwners | undefined {
    return this.#shared.get(fn);
  }

  /** The serving offer of an exclusive function; of a shared one, the oldest; where all drain, one of these. 0 = the engine's own. */
  servingOffer(fn: number): number {
    return this.#serving[fn]!;
  }

  /** A function of the engine itself. It cannot be shadowed, unless it `yields`: then a worker that registers it serves it until it leaves. */
  registerBuiltin(id: string, card: Uint8Array, yields = false): number {
    const bytes = new TextEncoder().encode(id);
    const fn = this.#create(DEFAULT_KEY, bytes, 0, bytes.length);
    const offer = this.#offer(fn, 0, OfferState.Serving);
    this.offers.setCard(offer, card, 0, card.length);
    this.#serving[fn] = offer;
    this.#publish(fn, offer);
    if (yields) this.#yielding.add(fn);
    return fn;
  }

  /**
   * Registers `bytes[start, end)` for a connection; again by the same connection replaces its card. The card is UTF-8 of a JSON object, or empty.
   * With `carry` the engine carries out its calls, and the connection gets none. Throws CodedError: `function_id_reserved`, `limit_reached`,
   * `INVALID_ARGUMENTS` (a carried function that a rule shares).
   */
  register(
    connection: number,
    namespace: NamespaceKey,
    bytes: Uint8Array,
    start: number,
    end: number,
    share: Share,
    round: number,
    carry: Carry | null = null,
  ): Registered & { offer: number } {
    if (carry !== null) this.#checkNotRuled(bytes, start, end);
    let fn = this.names.find(namespace, bytes, start, end);
    if (fn !== 0) this.#checkNotReserved(fn);
    const isNew = fn === 0;
    if (fn === 0) fn = this.#create(namespace, bytes, start, end, share);
    const offer = this.lists.of(fn, connection) || this.#offer(fn, connection, OfferState.Draining);
    if (this.#stateOf(offer) === OfferState.Draining) this.#place(fn, connection, offer, share);
    this.offers.set(offer, OfferWord.round, round);
    if (carry !== null || this.carried.size > 0) this.#setCarry(fn, offer, carry);
    const state = this.#stateOf(offer);
    const owner = this.offers.get(this.#serving[fn]!, OfferWord.connection);
    this.#touch();
    if (isNew || state === OfferState.Serving)
      this.#observer.changed(fn, isNew ? FunctionChange.Added : FunctionChange.Served);
    return { fn, state, owner, offer };
  }

  /** Does a connection offer this function, serving or standing by? */
  isOffered(
    connection: number,
    namespace: NamespaceKey,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const fn = this.names.find(namespace, bytes, start, end);
    return fn !== 0 && this.lists.of(fn, connection) !== 0;
  }

  /** Bytes of the card with which a connection offers this function; 0 when it does not, or has none. */
  cardBytes(
    connection: number,
    namespace: NamespaceKey,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    const fn = this.names.find(namespace, bytes, start, end);
    const offer = fn === 0 ? 0 : this.lists.of(fn, connection);
    return offer === 0 ? 0 : this.offers.get(offer, OfferWord.cardLength);
  }

  /** Removes a connection's offer by name. False when it has none. */
  unregister(
    connection: number,
    namespace: NamespaceKey,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const fn = this.names.find(namespace, bytes, start, end);
    const offer = fn === 0 ? 0 : this.lists.of(fn, connection);
    if (offer === 0) return false;
    this.#withdraw(offer);
    this.#touch();
    return true;
  }

  /** Removes all a connection offers: it is gone. Costs what it offered. */
  unregisterAll(connection: number): void {
    for (let offer = this.lists.firstOf(connection); offer !== 0; offer = this.lists.firstOf(connection))
      this.#withdraw(offer);
    this.#drains[connection] = 0;
    this.#touch();
  }

  /** No new calls to a connection for what it offers, and will offer: others take over where there are any. Returns how many offers serve no more. */
  drainAll(connection: number): number {
    let drained = 0;
    this.#drains[connection] = 1;
    this.eachOf(connection, (fn) => {
      if (this.drain(connection, fn)) drained++;
    });
    return drained;
  }

  /** As {@link drainAll}, of one function, until the connection registers it anew. False when it does not offer it, or it drains already. */
  drain(connection: number, fn: number): boolean {
    const offer = this.lists.of(fn, connection);
    if (offer === 0 || this.#stateOf(offer) === OfferState.Draining) return false;
    const served = this.#stateOf(offer) === OfferState.Serving;
    this.offers.set(offer, OfferWord.state, OfferState.Draining);
    if (served) this.#stopSharing(fn, connection);
    if (this.#serving[fn] === offer) this.#succeed(fn);
    this.#touch();
    return true;
  }

  /** Removes what a connection offers and did not name in `round`. Returns how many. */
  unregisterOthers(connection: number, round: number): number {
    let removed = 0;
    for (let offer = this.lists.firstOf(connection); offer !== 0; ) {
      const next = this.lists.nextOf(offer);
      if (this.offers.get(offer, OfferWord.round) !== round) {
        this.#withdraw(offer);
        removed++;
      }
      offer = next;
    }
    if (removed > 0) this.#touch();
    return removed;
  }

  /**
   * Hands everything `from` offers to `to`: handles and routes stay, without a gap. What `to` offered of the same functions gives way. What drains
   * goes: the new connection registers it anew, and is not draining.
   */
  handOver(from: number, to: number): void {
    for (let offer = this.lists.firstOf(from); offer !== 0; offer = this.lists.firstOf(from)) {
      const fn = this.offers.get(offer, OfferWord.function);
      if (this.#stateOf(offer) === OfferState.Draining) {
        this.#withdraw(offer);
        continue;
      }
      const own = this.lists.of(fn, to);
      if (own !== 0) this.#withdraw(own);
      this.lists.move(offer, to);
      if (this.#stateOf(offer) === OfferState.Serving) this.#handOverServing(fn, from, to);
    }
    this.#touch();
  }

  /** Calls `visit(fn, offer)` for each function a connection offers. */
  eachOf(connection: number, visit: (fn: number, offer: number) => void): void {
    for (let offer = this.lists.firstOf(connection); offer !== 0; ) {
      const next = this.lists.nextOf(offer);
      visit(this.offers.get(offer, OfferWord.function), offer);
      offer = next;
    }
  }

  /** Calls `visit(fn)` for every function that is registered. */
  each(visit: (fn: number) => void): void {
    for (let fn = 1; fn < this.slots.end; fn++) if (this.slots.isOpen(fn)) visit(fn);
  }

  /** Everybody who offers it drains: it is known, and nobody takes a call of it. */
  isDraining(fn: number): boolean {
    return this.#stateOf(this.#serving[fn]!) === OfferState.Draining;
  }

  isShared(fn: number): boolean {
    return this.#shared.has(fn);
  }

  /** Served by the engine, and no worker may take its place. */
  isReserved(fn: number): boolean {
    return this.isBuiltin(fn) && !this.#yielding.has(fn);
  }

  isBuiltin(fn: number): boolean {
    return this.offers.get(this.#serving[fn]!, OfferWord.connection) === 0;
  }

  #checkNotReserved(fn: number): void {
    if (!this.isReserved(fn)) return;
    throw new CodedError(
      ErrorCode.FunctionIdReserved,
      `Cannot register ${this.names.id(fn)}: the engine itself serves it`,
    );
  }

  /** Calls of a shared function go to connections by turns: nothing that the engine carries out can take part. */
  #checkNotRuled(bytes: Uint8Array, start: number, end: number): void {
    const id = Buffer.from(bytes.subarray(start, end)).toString("utf8");
    if (!this.#rules.some(({ rule }) => rule.share !== undefined && matches(rule.match, id))) return;
    throw new CodedError(
      ErrorCode.InvalidArguments,
      `Cannot register ${id}: a rule shares it among workers, and the engine itself would carry it out`,
    );
  }

  #setCarry(fn: number, offer: number, carry: Carry | null): void {
    if (carry !== null) this.carried.set(offer, carry);
    else if (!this.carried.delete(offer)) return;
    const isServing = this.#stateOf(offer) === OfferState.Serving;
    if (isServing && !this.#shared.has(fn)) this.#publish(fn, offer);
  }

  #publish(fn: number, offer: number): void {
    const connection = this.offers.get(offer, OfferWord.connection);
    const isCarried = connection === 0 || (this.carried.size > 0 && this.carried.has(offer));
    this.routes.publish(
      this.slots.handleOf(fn),
      isCarried ? Target.Builtin : connection,
      this.#generationOf(connection),
    );
  }

  #create(
    namespace: NamespaceKey,
    bytes: Uint8Array,
    start: number,
    end: number,
    asked: Share = Share.Exclusive,
  ): number {
    const handle = this.names.bytes > NAMES_BYTES_MAX ? 0 : this.slots.take();
    if (handle === 0)
      throw new CodedError(
        ErrorCode.LimitReached,
        `Cannot register: the engine holds ${this.slots.capacity} functions, or ${NAMES_BYTES_MAX} bytes of names, already`,
      );
    const fn = this.slots.indexOf(handle);
    this.names.add(fn, namespace, bytes, start, end);
    const share = this.#rules.length === 0 ? asked : this.#applyRules(fn, asked);
    if (share !== Share.Exclusive) this.#shared.set(fn, new SharedOwners(share));
    return fn;
  }

  #applyRules(fn: number, asked: Share): Share {
    let share = asked;
    for (const { rule, head } of this.#rules) {
      if (!this.names.startsWith(fn, head) || !matches(rule.match, this.names.id(fn))) continue;
      if (rule.share !== undefined) share = SHARE_NAMES[rule.share];
      if (rule.timeoutMs !== undefined) this.#timeouts.set(fn, rule.timeoutMs);
    }
    return share;
  }

  /** Whether configuration, not registration, made the function shared: then what a registration asks for does not matter. */
  #isRuled(fn: number): boolean {
    return this.#rules.some(({ rule }) => rule.share !== undefined && matches(rule.match, this.names.id(fn)));
  }

  /** Decides what becomes of an offer that is new, or drained and is made anew. */
  #place(fn: number, connection: number, offer: number, share: Share): void {
    this.offers.set(offer, OfferWord.share, share);
    if (this.#drains[connection] === 1) {
      if (this.#serving[fn] === 0) this.#succeed(fn);
      return;
    }
    const isAbandoned = this.isDraining(fn);
    this.offers.set(offer, OfferWord.state, OfferState.Standby);
    const shared = this.#shared.get(fn);
    const joins = shared !== undefined && (shared.share === share || this.#isRuled(fn));
    const serves = joins || this.isBuiltin(fn); // also when nobody serves it yet
    if (serves && !joins) this.#standDown(fn);
    if (serves) this.#serve(fn, offer);
    else if (isAbandoned) this.#promote(fn, offer);
  }

  /** The engine's own offer gives way to a worker's. */
  #standDown(fn: number): void {
    const own = this.#serving[fn]!;
    if (own !== 0) this.offers.set(own, OfferWord.state, OfferState.Standby);
    this.#serving[fn] = 0;
  }

  #serve(fn: number, offer: number): void {
    const connection = this.offers.get(offer, OfferWord.connection);
    const shared = this.#shared.get(fn);
    if (this.#serving[fn] === 0 || this.isDraining(fn)) this.#serving[fn] = offer;
    this.offers.set(offer, OfferWord.state, OfferState.Serving);
    if (shared === undefined) return this.#publish(fn, offer);
    shared.add(connection);
    this.#observer.sharedOwner(fn, connection, true);
    this.routes.publish(this.slots.handleOf(fn), Target.Shared, 0);
  }

  #handOverServing(fn: number, from: number, to: number): void {
    this.#observer.changed(fn, FunctionChange.Served);
    const shared = this.#shared.get(fn);
    if (shared === undefined) {
      this.routes.publish(this.slots.handleOf(fn), to, this.#generationOf(to));
      return;
    }
    shared.remove(from);
    shared.add(to);
    this.#observer.sharedOwner(fn, from, false);
    this.#observer.sharedOwner(fn, to, true);
  }

  #offer(fn: number, connection: number, state: OfferState): number {
    const offer = this.offers.take(fn, connection, state);
    if (offer === 0) {
      if (this.lists.first(fn) === 0) this.#remove(fn); // made for this offer
      throw new CodedError(ErrorCode.LimitReached, "Cannot register: the engine's table of offers is full");
    }
    this.lists.add(offer);
    return offer;
  }

  #stateOf(offer: number): OfferState {
    return this.offers.get(offer, OfferWord.state) as OfferState; // written from an OfferState only
  }

  #withdraw(offer: number): void {
    const fn = this.offers.get(offer, OfferWord.function);
    const connection = this.offers.get(offer, OfferWord.connection);
    const served = this.#stateOf(offer) === OfferState.Serving;
    this.lists.remove(offer);
    this.offers.free(offer);
    if (this.carried.size > 0) this.carried.delete(offer);
    this.#observer.withdrawn(fn, connection);
    if (served) this.#stopSharing(fn, connection);
    if (this.lists.first(fn) === 0) this.#remove(fn);
    else if (this.#serving[fn] === offer) this.#succeed(fn);
  }

  #stopSharing(fn: number, connection: number): void {
    const shared = this.#shared.get(fn);
    if (shared === undefined) return;
    shared.remove(connection);
    this.#observer.sharedOwner(fn, connection, false);
  }

  /** Whoever stood for a function does so no more: another one does, or, where all drain, there is no route. */
  #succeed(fn: number): void {
    this.#serving[fn] = this.lists.oldestServing(fn);
    if (this.#serving[fn] !== 0) return;
    const standby = this.lists.oldestStandby(fn);
    if (standby !== 0) return this.#promote(fn, standby);
    this.#serving[fn] = this.lists.first(fn);
    this.routes.publish(this.slots.handleOf(fn), Target.None, 0);
  }

  /** A standby serves from here on; the way it asked to share decides whether others may join it. */
  #promote(fn: number, standby: number): void {
    const share = this.#isRuled(fn)
      ? (this.#shared.get(fn)?.share ?? Share.Exclusive)
      : (this.offers.get(standby, OfferWord.share) as Share); // written by #place from a Share
    this.#shared.delete(fn);
    if (share !== Share.Exclusive) this.#shared.set(fn, new SharedOwners(share));
    this.#serve(fn, standby);
    this.#observer.changed(fn, FunctionChange.Served);
    if (share !== Share.Exclusive) this.#joinAll(fn, share);
  }

  #joinAll(fn: number, share: Share): void {
    for (let offer = this.lists.first(fn); offer !== 0; offer = this.lists.next(offer)) {
      const isStandby = this.#stateOf(offer) === OfferState.Standby;
      if (isStandby && this.offers.get(offer, OfferWord.share) === share) this.#serve(fn, offer);
    }
  }

  #remove(fn: number): void {
    this.#serving[fn] = 0;
    this.#observer.changed(fn, FunctionChange.Removed);
    const handle = this.slots.handleOf(fn);
    this.routes.withdraw(handle);
    this.formerIds.add(handle, this.names.idBytes(fn));
    this.names.remove(fn);
    this.slots.free(fn);
    this.#shared.delete(fn);
    this.#timeouts.delete(fn);
  }

  #touch(): void {
    this.revision++;
  }
}
