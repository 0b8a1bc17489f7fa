// Who offers which function: one offer per (function, connection).
//
// Twelve int32 per offer. An offer hangs in two doubly linked lists: those of its connection, so that a leaving worker costs what it
// offered and no more, and those of its function, oldest first, so that the oldest standby is promoted.
//
//   word 0 function       index
//   word 1 connection     index
//   word 2 state          see OfferState
//   word 3, 4             previous, next of the same connection
//   word 5, 6             previous, next of the same function
//   word 7, 8             where its card lies, and how long it is (description, formats, metadata as one JSON object; 0 = none)
//   word 9                share policy it asked for
//   word 10               round of registration: a replacing registration drops what it did not name

import { REGISTRY_BYTES_MAX } from "../protocol/limits.js";
import { ByteStore } from "./byte-store.js";
import { Slots } from "./slots.js";

const OFFER_WORDS = 12;
export const OfferWord = {
  function: 0,
  connection: 1,
  state: 2,
  connectionPrevious: 3,
  connectionNext: 4,
  functionPrevious: 5,
  functionNext: 6,
  cardAt: 7,
  cardLength: 8,
  share: 9,
  round: 10,
} as const;

/** `Draining`: it gets no new calls, and goes when those it has have ended. */
export const OfferState = { Serving: 0, Standby: 1, Draining: 2 } as const;
export type OfferState = (typeof OfferState)[keyof typeof OfferState];

export class Offers {
  readonly words: Int32Array;
  readonly #slots: Slots<"offer">;
  #cards = new ByteStore();
  /** Bytes of all cards. */
  cardBytes = 0;
  readonly #cardBytesOf: Float64Array;

  /** `connections`: the highest index of a connection. */
  constructor(capacity: number, connections: number) {
    this.#cardBytesOf = new Float64Array(connections + 1);
    this.#slots = new Slots<"offer">(capacity, "wrap");
    this.words = new Int32Array((capacity + 1) * OFFER_WORDS);
  }

  get count(): number {
    return this.#slots.open;
  }

  /** How many more can be taken. */
  get room(): number {
    return this.#slots.room;
  }

  get(offer: number, word: number): number {
    return this.words[offer * OFFER_WORDS + word]!;
  }

  set(offer: number, word: number, value: number): void {
    this.words[offer * OFFER_WORDS + word] = value;
  }

  /** A new offer in no list, or 0 when the table is full. */
  take(fn: number, connection: number, state: OfferState): number {
    const handle = this.#slots.take();
    if (handle === 0) return 0;
    const offer = this.#slots.indexOf(handle);
    const at = offer * OFFER_WORDS;
    this.words.fill(0, at, at + OFFER_WORDS);
    this.words[at] = fn;
    this.words[at + 1] = connection;
    this.words[at + 2] = state;
    return offer;
  }

  free(offer: number): void {
    this.#dropCard(offer);
    this.#slots.free(offer);
  }

  /** Bytes of the cards of a connection's offers. */
  cardBytesOf(connection: number): number {
    return this.#cardBytesOf[connection]!;
  }

  /** Whether the cards of a connection may grow by so much. `bytesMax`: its bound. */
  hasCardRoom(connection: number, added: number, bytesMax: number): boolean {
    return this.#cardBytesOf[connection]! + added <= bytesMax && this.cardBytes + added <= REGISTRY_BYTES_MAX;
  }

  /** The offer is another connection's from here on; its lists are the caller's affair. */
  give(offer: number, connection: number): void {
    const length = this.get(offer, OfferWord.cardLength);
    this.#cardBytesOf[this.get(offer, OfferWord.connection)]! -= length;
    this.#cardBytesOf[connection]! += length;
    this.set(offer, OfferWord.connection, connection);
  }

  /** Stores the card, `source[start, end)`: UTF-8 of a JSON object, or nothing. Replaces the one before. */
  setCard(offer: number, source: Uint8Array, start: number, end: number): void {
    this.#dropCard(offer);
    if (start === end) return;
    this.set(offer, OfferWord.cardAt, this.#cards.add(source, start, end));
    this.set(offer, OfferWord.cardLength, end - start);
    this.cardBytes += end - start;
    this.#cardBytesOf[this.get(offer, OfferWord.connection)]! += end - start;
  }

  /** The card as JSON text, or undefined when it has none. */
  card(offer: number): string | undefined {
    const length = this.get(offer, OfferWord.cardLength);
    if (length === 0) return undefined;
    return Buffer.from(this.#cards.bytes.buffer, this.get(offer, OfferWord.cardAt), length).toString("utf8");
  }

  #dropCard(offer: number): void {
    const length = this.get(offer, OfferWord.cardLength);
    if (length === 0) return;
    this.#cards.remove(length);
    this.cardBytes -= length;
    this.#cardBytesOf[this.get(offer, OfferWord.connection)]! -= length;
    this.set(offer, OfferWord.cardLength, 0);
    if (this.#cards.shouldCompact) this.#compact();
  }

  #compact(): void {
    const store = new ByteStore(this.#cards.length);
    for (let offer = 1; offer < this.#slots.end; offer++) {
      const length = this.#slots.isOpen(offer) ? this.get(offer, OfferWord.cardLength) : 0;
      if (length === 0) continue;
      const at = this.get(offer, OfferWord.cardAt);
      this.set(offer, OfferWord.cardAt, store.add(this.#cards.bytes, at, at + length));
    }
    this.#cards = store;
  }
}
