// How offers hang together: those of one connection, so that a leaving worker costs what it offered and no more, and those of one function, oldest
// first, so that the oldest standby is found first. The links lie in the offers themselves (offers.ts).

import { OfferState, type Offers, OfferWord } from "./offers.js";

export class OfferLists {
  readonly #offers: Offers;
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #firstOf: Int32Array;
  readonly #countOf: Int32Array;

  constructor(offers: Offers, functions: number, connections: number) {
    this.#offers = offers;
    this.#first = new Int32Array(functions + 1);
    this.#last = new Int32Array(functions + 1);
    this.#firstOf = new Int32Array(connections + 1);
    this.#countOf = new Int32Array(connections + 1);
  }

  /** The oldest offer of a function; 0 = none. */
  first(fn: number): number {
    return this.#first[fn]!;
  }

  /** The next younger offer of the same function; 0 = none. */
  next(offer: number): number {
    return this.#offers.get(offer, OfferWord.functionNext);
  }

  /** An offer of a connection; 0 = none. */
  firstOf(connection: number): number {
    return this.#firstOf[connection]!;
  }

  /** The next offer of the same connection; 0 = none. */
  nextOf(offer: number): number {
    return this.#offers.get(offer, OfferWord.connectionNext);
  }

  countOf(connection: number): number {
    return this.#countOf[connection]!;
  }

  /** What a connection offers of a function; 0 = nothing. */
  of(fn: number, connection: number): number {
    for (let offer = this.#first[fn]!; offer !== 0; offer = this.next(offer))
      if (this.#offers.get(offer, OfferWord.connection) === connection) return offer;
    return 0;
  }

  /** Whether what a connection offers of a function drains. */
  drains(fn: number, connection: number): boolean {
    const offer = this.of(fn, connection);
    return offer !== 0 && this.#offers.get(offer, OfferWord.state) === OfferState.Draining;
  }

  /** Whether somebody beside this connection serves a function, or would. */
  hasOther(fn: number, connection: number): boolean {
    for (let offer = this.#first[fn]!; offer !== 0; offer = this.next(offer)) {
      const isAble = this.#offers.get(offer, OfferWord.state) !== OfferState.Draining;
      if (isAble && this.#offers.get(offer, OfferWord.connection) !== connection) return true;
    }
    return false;
  }

  oldestServing(fn: number): number {
    for (let offer = this.#first[fn]!; offer !== 0; offer = this.next(offer))
      if (this.#offers.get(offer, OfferWord.state) === OfferState.Serving) return offer;
    return 0;
  }

  /** The engine's own offer comes last. */
  oldestStandby(fn: number): number {
    let own = 0;
    for (let offer = this.#first[fn]!; offer !== 0; offer = this.next(offer)) {
      if (this.#offers.get(offer, OfferWord.state) !== OfferState.Standby) continue;
      if (this.#offers.get(offer, OfferWord.connection) !== 0) return offer;
      own = offer;
    }
    return own;
  }

  add(offer: number): void {
    const fn = this.#offers.get(offer, OfferWord.function);
    const last = this.#last[fn]!;
    this.#offers.set(offer, OfferWord.functionPrevious, last);
    if (last === 0) this.#first[fn] = offer;
    else this.#offers.set(last, OfferWord.functionNext, offer);
    this.#last[fn] = offer;
    this.#linkToConnection(offer, this.#offers.get(offer, OfferWord.connection));
  }

  remove(offer: number): void {
    const fn = this.#offers.get(offer, OfferWord.function);
    const previous = this.#offers.get(offer, OfferWord.functionPrevious);
    const next = this.#offers.get(offer, OfferWord.functionNext);
    if (previous === 0) this.#first[fn] = next;
    else this.#offers.set(previous, OfferWord.functionNext, next);
    if (next === 0) this.#last[fn] = previous;
    else this.#offers.set(next, OfferWord.functionPrevious, previous);
    this.#unlinkFromConnection(offer);
  }

  /** Gives an offer to another connection; its age among the function's offers stays. */
  move(offer: number, connection: number): void {
    this.#unlinkFromConnection(offer);
    this.#offers.give(offer, connection);
    this.#linkToConnection(offer, connection);
  }

  #linkToConnection(offer: number, connection: number): void {
    const first = this.#firstOf[connection]!;
    this.#offers.set(offer, OfferWord.connectionPrevious, 0);
    this.#offers.set(offer, OfferWord.connectionNext, first);
    if (first !== 0) this.#offers.set(first, OfferWord.connectionPrevious, offer);
    this.#firstOf[connection] = offer;
    this.#countOf[connection]!++;
  }

  #unlinkFromConnection(offer: number): void {
    const connection = this.#offers.get(offer, OfferWord.connection);
    const previous = this.#offers.get(offer, OfferWord.connectionPrevious);
    const next = this.#offers.get(offer, OfferWord.connectionNext);
    if (previous === 0) this.#firstOf[connection] = next;
    else this.#offers.set(previous, OfferWord.connectionNext, next);
    if (next !== 0) this.#offers.set(next, OfferWord.connectionPrevious, previous);
    this.#countOf[connection]!--;
  }
}
