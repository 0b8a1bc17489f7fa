// The trigger types: a name, and the workers who claim to provide it.
//
// The latest claim serves. An earlier claimant that is still connected is not forgotten: when the latest leaves, the one before it serves again,
// as a standby does for a function. Which triggers are bound to a type is in triggers.ts.

import { CodedError, ErrorCode } from "../protocol/error.js";
import { TRIGGER_TYPES_MAX } from "../protocol/limits.js";
import { Blobs } from "./blobs.js";
import { Links } from "./links.js";
import { Names, type NamespaceKey } from "./names.js";
import { Slots } from "./slots.js";

const NO_CARD = new Uint8Array(0);

export class TriggerTypes {
  readonly names = new Names(TRIGGER_TYPES_MAX);
  readonly #slots = new Slots<"trigger type">(TRIGGER_TYPES_MAX, "wrap");
  readonly #claims = new Slots<"claim">(TRIGGER_TYPES_MAX, "wrap");
  readonly #cards = new Blobs(TRIGGER_TYPES_MAX);
  readonly #typeOf = new Int32Array(TRIGGER_TYPES_MAX + 1);
  readonly #connectionOf = new Int32Array(TRIGGER_TYPES_MAX + 1);
  readonly #ofType: Links;
  readonly #ofConnection: Links;
  /** Bytes of description and formats of all claims. */
  bytes = 0;
  readonly #bytesOf: Float64Array;

  /** `connections`: the highest index of a connection. */
  constructor(connections: number) {
    this.#ofType = new Links(TRIGGER_TYPES_MAX, TRIGGER_TYPES_MAX);
    this.#ofConnection = new Links(connections, TRIGGER_TYPES_MAX);
    this.#bytesOf = new Float64Array(connections + 1);
  }

  /** Types that have a provider. */
  get count(): number {
    return this.#slots.open;
  }

  /** No further claim can be entered. */
  get isFull(): boolean {
    return this.#claims.room === 0;
  }

  /** Claims of a connection. */
  countOf(connection: number): number {
    return this.#ofConnection.count(connection);
  }

  /** Bytes of description and formats of a connection's claims. */
  cardBytesOf(connection: number): number {
    return this.#bytesOf[connection]!;
  }

  /** A connection claims to provide a type. */
  isClaimed(type: number, connection: number): boolean {
    return this.#claimOf(type, connection) !== 0;
  }

  /** Bytes of description and formats of a connection's claim to a type; 0 when it has none. */
  cardBytes(type: number, connection: number): number {
    return this.#cards.length(this.#claimOf(type, connection));
  }

  /** The index of a type that somebody provides, or 0. */
  find(namespace: NamespaceKey, id: string): number {
    const bytes = Buffer.from(id, "utf8");
    return this.names.find(namespace, bytes, 0, bytes.length);
  }

  /** The connection that provides a type; 0 = the engine. */
  provider(type: number): number {
    return this.#connectionOf[this.#ofType.last(type)]!;
  }

  /** What the provider said of the type: JSON text of an object, or undefined. */
  card(type: number): string | undefined {
    return this.#cards.text(this.#ofType.last(type));
  }

  /**
   * A connection (0 = the engine) provides a type from here on, whoever did before. `card`: UTF-8 of a JSON object, or empty.
   * Throws CodedError `limit_reached`.
   */
  claim(connection: number, namespace: NamespaceKey, id: string, card: Uint8Array): number {
    const type = this.find(namespace, id) || this.#create(namespace, id);
    const claim = this.#claimOf(type, connection) || this.#take(type, connection);
    this.#ofType.remove(type, claim);
    this.#ofType.append(type, claim); // the latest
    this.#setCard(claim, connection, card);
    return type;
  }

  /** A connection provides a type no more. Tells whether it was the one who served, and whether another serves now. */
  withdraw(connection: number, type: number): { served: boolean; isServed: boolean } {
    const claim = this.#claimOf(type, connection);
    if (claim === 0) return { served: false, isServed: true };
    const served = this.#ofType.last(type) === claim;
    this.#ofType.remove(type, claim);
    this.#ofConnection.remove(connection, claim);
    this.#setCard(claim, connection, NO_CARD);
    this.#claims.free(claim);
    const isServed = this.#ofType.last(type) !== 0;
    if (!isServed) this.names.remove(type);
    return { served, isServed };
  }

  /** The number of a type without provider may be used again: nothing is bound to it any more. */
  free(type: number): void {
    this.#slots.free(type);
  }

  /** The types a connection claims, the oldest claim first. */
  typesOf(connection: number): number[] {
    return this.#ofConnection.rows(connection).map((claim) => this.#typeOf[claim]!);
  }

  each(visit: (type: number) => void): void {
    for (let type = 1; type < this.#slots.end; type++) if (this.#slots.isOpen(type)) visit(type);
  }

  #setCard(claim: number, connection: number, card: Uint8Array): void {
    const added = card.length - this.#cards.length(claim);
    this.#cards.set(claim, card);
    this.bytes += added;
    this.#bytesOf[connection]! += added;
  }

  #claimOf(type: number, connection: number): number {
    for (let claim = this.#ofType.first(type); claim !== 0; claim = this.#ofType.next(claim))
      if (this.#connectionOf[claim] === connection) return claim;
    return 0;
  }

  #create(namespace: NamespaceKey, id: string): number {
    const type = this.#slots.indexOf(this.#slots.take());
    if (type === 0 || this.#claims.open === this.#claims.capacity) {
      if (type !== 0) this.#slots.free(type);
      throw full();
    }
    const bytes = Buffer.from(id, "utf8");
    this.names.add(type, namespace, bytes, 0, bytes.length);
    return type;
  }

  #take(type: number, connection: number): number {
    const claim = this.#claims.indexOf(this.#claims.take());
    if (claim === 0) throw full();
    this.#typeOf[claim] = type;
    this.#connectionOf[claim] = connection;
    this.#ofType.append(type, claim);
    this.#ofConnection.append(connection, claim);
    return claim;
  }
}

function full(): CodedError {
  return new CodedError(
    ErrorCode.LimitReached,
    `The engine holds ${TRIGGER_TYPES_MAX} trigger types already`,
  );
}
