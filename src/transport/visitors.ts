// Who is at the door, by address: sockets that have not asked for anything yet, and open WebSockets, each with its bound.
//
// An IPv6 visitor is its /64, which is what one customer gets at least; an IPv4 address inside IPv6 is that address. Everything behind one
// proxy is one visitor. The time of a socket that asks for nothing is bounded by uWebSockets: 10 to 12 s from accept, TLS included.

/** What one address has open. */
export class Visitor {
  readonly key: string;
  /** Sockets whose request has not come. */
  handshakes = 0;
  /** WebSockets. */
  connections = 0;

  constructor(key: string) {
    this.key = key;
  }
}

export interface VisitorBounds {
  connectionsPerAddressMax: number;
  handshakesPerAddressMax: number;
  /** Of all addresses together. */
  handshakesMax: number;
}

export class Visitors {
  /** Sockets whose request has not come, of all addresses. */
  handshakes = 0;
  readonly #bounds: VisitorBounds;
  readonly #byKey = new Map<string, Visitor>();

  constructor(bounds: VisitorBounds) {
    this.#bounds = bounds;
  }

  /** Addresses that have something open. */
  get count(): number {
    return this.#byKey.size;
  }

  /** A socket was accepted. Null: it has to go, and is not counted. `address` as uWebSockets writes it. */
  came(address: string): Visitor | null {
    const visitor = this.#of(address);
    const { handshakesMax, handshakesPerAddressMax, connectionsPerAddressMax } = this.#bounds;
    const isTooMany =
      this.handshakes >= handshakesMax ||
      visitor.handshakes >= handshakesPerAddressMax ||
      visitor.connections >= connectionsPerAddressMax;
    if (isTooMany) {
      this.#forgetIdle(visitor);
      return null;
    }
    visitor.handshakes++;
    this.handshakes++;
    return visitor;
  }

  /** Its request came. */
  asked(address: string): Visitor {
    const visitor = this.#of(address);
    this.#handshakeOver(visitor);
    return visitor;
  }

  /** It went without a request. */
  gaveUp(visitor: Visitor): void {
    this.#handshakeOver(visitor);
    this.#forgetIdle(visitor);
  }

  /** Its request was answered, and that is all. */
  answered(visitor: Visitor): void {
    this.#forgetIdle(visitor);
  }

  /** It wants a WebSocket; false: it has too many. */
  stays(visitor: Visitor): boolean {
    if (visitor.connections >= this.#bounds.connectionsPerAddressMax) return false;
    visitor.connections++;
    return true;
  }

  /** A WebSocket closed. */
  left(visitor: Visitor): void {
    visitor.connections--;
    this.#forgetIdle(visitor);
  }

  #of(address: string): Visitor {
    const key = visitorKey(address);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const visitor = new Visitor(key);
    this.#byKey.set(key, visitor);
    return visitor;
  }

  #handshakeOver(visitor: Visitor): void {
    if (visitor.handshakes === 0) return; // a second request on one socket: its first was the one that counted
    visitor.handshakes--;
    this.handshakes--;
  }

  #forgetIdle(visitor: Visitor): void {
    if (visitor.handshakes + visitor.connections === 0) this.#byKey.delete(visitor.key);
  }
}

/** "0123:4567:89ab:cdef": the first 64 bits. */
const SUBNET_CHARS = 19;
/** With what an IPv4 address inside IPv6 begins. */
const MAPPED = "0000:0000:0000:0000:0000:ffff:";

/** By what an address is counted: an IPv4 address whole, an IPv6 address by its first 64 bits. uWebSockets writes all eight groups in full. */
export function visitorKey(address: string): string {
  if (!address.includes(":")) return address;
  if (!address.startsWith(MAPPED)) return address.slice(0, SUBNET_CHARS);
  const bytes = Buffer.from(address.slice(MAPPED.length).replace(":", ""), "hex");
  return bytes.join(".");
}
