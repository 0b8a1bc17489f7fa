// The functions: a name, a handle, whoever offers it, and the route that says who serves it now.
//
// Exclusive functions have one serving offer; later ones stand by and the oldest is promoted when it leaves, with the same handle. Shared
// functions have many serving offers. The routing table is written here and nowhere else.

import { CodedError, ErrorCode } from "../protocol/error.js";
import { NAMES_BYTES_MAX } from "../protocol/limits.js";
import { RoutingTable, Target } from "../router/routing-table.js";
import { FormerIds } from "./former-ids.js";
import { DEFAULT_KEY, Names, type NamespaceKey } from "./names.js";
import { OfferState, Offers, OfferWord } from "./offers.js";
import { type FunctionRule, matches, SHARE_NAMES, Share } from "./share.js";
import { SharedOwners } from "./shared-owners.js";
import { type Handle, Slots } from "./slots.js";

export type FunctionHandle = Handle<"function">;

/** `Served`: by another offer, or with another card. */
export const FunctionChange = { Added: 0, Served: 1, Removed: 2 } as const;
export type FunctionChange = (typeof FunctionChange)[keyof typeof FunctionChange];

/** What the registry tells whoever wants to follow it. */
export interface FunctionsObserver {
  /** A function came, or is going (its name can still be read), or something about it is not what it was. */
  changed(fn: number, change: FunctionChange): void;
  /** A connection became, or ceased to be, an owner of a shared function. */
  sharedOwner(fn: number, connection: number, isOwner: boolean): void;
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
  readonly routes: RoutingTable;
  readonly slots: Slots<"function">;
  /** Offers that the engine itself carries out for the connection that made them, by offer. */
  readonly carried = new Map<number, Carry>();
  readonly formerIds = new FormerIds();
  /** Grows with every change; what a feed resumes from. */
  revision = 0;
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #serving: Int32Array;
  readonly #firstOf: Int32Array;
  readonly #countOf: Int32Array;
  readonly #shared = new Map<number, SharedOwners>();
  readonly #timeouts = new Map<number, number>();
  readonly #yielding = new Set<number>();
  readonly #rules: readonly FunctionRule[];
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
    this.#first = new Int32Array(capacity + 1);
    this.#last = new Int32Array(capacity + 1);
    this.#serving = new Int32Array(capacity + 1);
    this.#firstOf = new Int32Array(connections + 1);
    this.#countOf = new Int32Array(connections + 1);
    this.#rules = rules;
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
    return this.#countOf[connection]!;
  }

  /** Time of a call whose caller names none, if a rule gives this function one of its own, in milliseconds. */
  timeoutMs(fn: number): number | undefined {
    return this.#timeouts.size === 0 ? undefined : this.#timeouts.get(fn);
  }

  /** The owners of a shared function. */
  sharedOwners(fn: number): SharedOwners | undefined {
    return this.#shared.get(fn);
  }

  /** The serving offer of an exclusive function; of a shared one, the oldest. 0 = the engine's own. */
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
    const offer = this.#offerOf(fn, connection) || this.#enter(fn, connection, share);
    this.offers.set(offer, OfferWord.round, round);
    if (carry !== null || this.carried.size > 0) this.#setCarry(fn, offer, carry);
    const state =
      this.offers.get(offer, OfferWord.state) === OfferState.Serving
        ? OfferState.Serving
        : OfferState.Standby;
    const owner = this.offers.get(this.#serving[fn]!, OfferWord.connection);
    this.#touch();
    if (state === OfferState.Serving)
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
    return fn !== 0 && this.#offerOf(fn, connection) !== 0;
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
    const offer = fn === 0 ? 0 : this.#offerOf(fn, connection);
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
    const offer = fn === 0 ? 0 : this.#offerOf(fn, connection);
    if (offer === 0) return false;
    this.#withdraw(offer);
    this.#touch();
    return true;
  }

  /** Removes all a connection offers. Costs what it offered. */
  unregisterAll(connection: number): void {
    for (let offer = this.#firstOf[connection]!; offer !== 0; offer = this.#firstOf[connection]!)
      this.#withdraw(offer);
    this.#touch();
  }

  /** Removes what a connection offers and did not name in `round`. Returns how many. */
  unregisterOthers(connection: number, round: number): number {
    let removed = 0;
    for (let offer = this.#firstOf[connection]!; offer !== 0; ) {
      const next = this.offers.get(offer, OfferWord.connectionNext);
      if (this.offers.get(offer, OfferWord.round) !== round) {
        this.#withdraw(offer);
        removed++;
      }
      offer = next;
    }
    if (removed > 0) this.#touch();
    return removed;
  }

  /** Hands everything `from` offers to `to`: handles and routes stay, without a gap. What `to` offered of the same functions gives way. */
  handOver(from: number, to: number): void {
    for (let offer = this.#firstOf[from]!; offer !== 0; offer = this.#firstOf[from]!) {
      const own = this.#offerOf(this.offers.get(offer, OfferWord.function), to);
      if (own !== 0) this.#withdraw(own);
      this.#unlinkFromConnection(offer);
      this.offers.give(offer, to);
      this.#linkToConnection(offer, to);
      const fn = this.offers.get(offer, OfferWord.function);
      if (this.offers.get(offer, OfferWord.state) === OfferState.Serving) this.#handOverServing(fn, from, to);
    }
    this.#touch();
  }

  /** Calls `visit(fn, offer)` for each function a connection offers. */
  eachOf(connection: number, visit: (fn: number, offer: number) => void): void {
    for (let offer = this.#firstOf[connection]!; offer !== 0; ) {
      const next = this.offers.get(offer, OfferWord.connectionNext);
      visit(this.offers.get(offer, OfferWord.function), offer);
      offer = next;
    }
  }

  /** Calls `visit(fn)` for every function that is registered. */
  each(visit: (fn: number) => void): void {
    for (let fn = 1; fn < this.slots.end; fn++) if (this.slots.isOpen(fn)) visit(fn);
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
    if (!this.#rules.some((rule) => rule.share !== undefined && matches(rule.match, id))) return;
    throw new CodedError(
      ErrorCode.InvalidArguments,
      `Cannot register ${id}: a rule shares it among workers, and the engine itself would carry it out`,
    );
  }

  #setCarry(fn: number, offer: number, carry: Carry | null): void {
    if (carry !== null) this.carried.set(offer, carry);
    else if (!this.carried.delete(offer)) return;
    const isServing = this.offers.get(offer, OfferWord.state) === OfferState.Serving;
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
    const id = this.names.id(fn);
    let share = asked;
    for (const rule of this.#rules) {
      if (!matches(rule.match, id)) continue;
      if (rule.share !== undefined) share = SHARE_NAMES[rule.share];
      if (rule.timeoutMs !== undefined) this.#timeouts.set(fn, rule.timeoutMs);
    }
    return share;
  }

  /** Whether configuration, not registration, made the function shared: then what a registration asks for does not matter. */
  #isRuled(fn: number): boolean {
    return (
      this.#rules.length > 0 &&
      this.#rules.some((rule) => rule.share !== undefined && matches(rule.match, this.names.id(fn)))
    );
  }

  #enter(fn: number, connection: number, share: Share): number {
    const shared = this.#shared.get(fn);
    const joins = shared !== undefined && (shared.share === share || this.#isRuled(fn));
    const serves = joins || this.isBuiltin(fn); // also when nobody serves it yet
    const offer = this.#offer(fn, connection, serves ? OfferState.Serving : OfferState.Standby);
    this.offers.set(offer, OfferWord.share, share);
    if (serves && !joins) this.#standDown(fn);
    if (serves) this.#serve(fn, offer);
    return offer;
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
    this.offers.set(offer, OfferWord.state, OfferState.Serving);
    if (this.#serving[fn] === 0) this.#serving[fn] = offer;
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
      if (this.#first[fn] === 0) this.#remove(fn); // made for this offer
      throw new CodedError(ErrorCode.LimitReached, "Cannot register: the engine's table of offers is full");
    }
    this.#linkToFunction(offer, fn);
    this.#linkToConnection(offer, connection);
    return offer;
  }

  #offerOf(fn: number, connection: number): number {
    for (let offer = this.#first[fn]!; offer !== 0; offer = this.offers.get(offer, OfferWord.functionNext)) {
      if (this.offers.get(offer, OfferWord.connection) === connection) return offer;
    }
    return 0;
  }

  #withdraw(offer: number): void {
    const fn = this.offers.get(offer, OfferWord.function);
    const connection = this.offers.get(offer, OfferWord.connection);
    const served = this.offers.get(offer, OfferWord.state) === OfferState.Serving;
    this.#unlinkFromFunction(offer, fn);
    this.#unlinkFromConnection(offer);
    this.offers.free(offer);
    if (this.carried.size > 0) this.carried.delete(offer);
    const shared = this.#shared.get(fn);
    if (served && shared !== undefined) {
      shared.remove(connection);
      this.#observer.sharedOwner(fn, connection, false);
    }
    if (this.#serving[fn] === offer) this.#serving[fn] = this.#oldestServing(fn);
    if (this.#first[fn] === 0) this.#remove(fn);
    else if (this.#serving[fn] === 0) this.#promote(fn);
  }

  #oldestServing(fn: number): number {
    for (let offer = this.#first[fn]!; offer !== 0; offer = this.offers.get(offer, OfferWord.functionNext)) {
      if (this.offers.get(offer, OfferWord.state) === OfferState.Serving) return offer;
    }
    return 0;
  }

  /** The engine's own offer comes last. */
  #oldestStandby(fn: number): number {
    const first = this.#first[fn]!;
    if (this.offers.get(first, OfferWord.connection) !== 0) return first;
    return this.offers.get(first, OfferWord.functionNext) || first;
  }

  /** The oldest standby serves from here on; the way it asked to share decides whether others may join it. */
  #promote(fn: number): void {
    const oldest = this.#oldestStandby(fn);
    const share = this.#isRuled(fn)
      ? (this.#shared.get(fn)?.share ?? Share.Exclusive)
      : (this.offers.get(oldest, OfferWord.share) as Share); // written by #enter from a Share
    this.#shared.delete(fn);
    if (share !== Share.Exclusive) this.#shared.set(fn, new SharedOwners(share));
    this.#serve(fn, oldest);
    this.#observer.changed(fn, FunctionChange.Served);
    if (share !== Share.Exclusive) this.#joinAll(fn, share);
  }

  #joinAll(fn: number, share: Share): void {
    for (let offer = this.#first[fn]!; offer !== 0; offer = this.offers.get(offer, OfferWord.functionNext)) {
      const isStandby = this.offers.get(offer, OfferWord.state) === OfferState.Standby;
      if (isStandby && this.offers.get(offer, OfferWord.share) === share) this.#serve(fn, offer);
    }
  }

  #remove(fn: number): void {
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

  #linkToFunction(offer: number, fn: number): void {
    const last = this.#last[fn]!;
    this.offers.set(offer, OfferWord.functionPrevious, last);
    if (last === 0) this.#first[fn] = offer;
    else this.offers.set(last, OfferWord.functionNext, offer);
    this.#last[fn] = offer;
  }

  #unlinkFromFunction(offer: number, fn: number): void {
    const previous = this.offers.get(offer, OfferWord.functionPrevious);
    const next = this.offers.get(offer, OfferWord.functionNext);
    if (previous === 0) this.#first[fn] = next;
    else this.offers.set(previous, OfferWord.functionNext, next);
    if (next === 0) this.#last[fn] = previous;
    else this.offers.set(next, OfferWord.functionPrevious, previous);
  }

  #linkToConnection(offer: number, connection: number): void {
    const first = this.#firstOf[connection]!;
    this.offers.set(offer, OfferWord.connectionPrevious, 0);
    this.offers.set(offer, OfferWord.connectionNext, first);
    if (first !== 0) this.offers.set(first, OfferWord.connectionPrevious, offer);
    this.#firstOf[connection] = offer;
    this.#countOf[connection]!++;
  }

  #unlinkFromConnection(offer: number): void {
    const connection = this.offers.get(offer, OfferWord.connection);
    const previous = this.offers.get(offer, OfferWord.connectionPrevious);
    const next = this.offers.get(offer, OfferWord.connectionNext);
    if (previous === 0) this.#firstOf[connection] = next;
    else this.offers.set(previous, OfferWord.connectionNext, next);
    if (next !== 0) this.offers.set(next, OfferWord.connectionPrevious, previous);
    this.#countOf[connection]!--;
  }
}
