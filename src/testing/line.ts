// A line to an engine that can break the way networks do: a TCP proxy on a port of its own, with faults for each byte or each WebSocket message.
//
// As bytes: cut, stalled, delayed, split, corrupted. As messages (`messages: true`): duplicated, reordered, altered or swallowed whole, so that what is
// doubled is a message and never half a frame. The first message of each side is a greeting and is left alone.
import { once } from "node:events";
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";
import { Pipe } from "./pipe.js";

/** Chances are from 0 to 1, each for one piece of bytes (or message); absent: never. */
export interface LineFaults {
  /** How long a piece waits, in milliseconds: drawn between the two. Order is kept. */
  readonly delayMs?: readonly [number, number];
  /** That a piece is sent in several of a few bytes. */
  readonly split?: number;
  /** That the line is cut in the middle of a piece. */
  readonly cut?: number;
  /** That a byte of a piece is changed. */
  readonly corrupt?: number;
  /** That a message is sent twice; lines of messages only. */
  readonly duplicate?: number;
  /** That a message is sent after the one that follows it; lines of messages only. */
  readonly reorder?: number;
}

export type Direction = "to engine" | "from engine";

/** A whole message on its way: as the engine receives it, or as it has sent it. */
export interface MessageSeen {
  /** Counts the line's connections, from 1. */
  readonly connection: number;
  readonly direction: Direction;
  readonly isBinary: boolean;
  readonly payload: Buffer;
}

export interface LineOptions {
  readonly faults?: LineFaults;
  /** Whole WebSocket messages instead of bytes. Default false. */
  readonly messages?: boolean;
  /** Sees each message between the faults and the engine; lines of messages only. */
  readonly onMessage?: (seen: MessageSeen) => void;
  /** Gives what is sent in place of a message, null for nothing; lines of messages only. */
  readonly alter?: (seen: MessageSeen) => Buffer | null;
  /** Numbers from 0 up to 1; a seeded one makes faults repeatable. Default Math.random. */
  readonly random?: () => number;
}

/** How often a line did what. */
export interface FaultCounts {
  cut: number;
  stalled: number;
  delayed: number;
  split: number;
  corrupted: number;
  duplicated: number;
  reordered: number;
  altered: number;
}

interface Link {
  readonly number: number;
  readonly client: Socket;
  readonly upstream: Socket;
  readonly pipes: readonly [Pipe, Pipe];
}

const PIECES_MAX = 8;

export class Line {
  /** May be replaced at any time. */
  faults: LineFaults;
  readonly counts: FaultCounts = {
    cut: 0,
    stalled: 0,
    delayed: 0,
    split: 0,
    corrupted: 0,
    duplicated: 0,
    reordered: 0,
    altered: 0,
  };
  /** Connections so far. */
  accepted = 0;
  readonly options: LineOptions;
  readonly random: () => number;
  readonly #enginePort: () => number;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #isStalled = false;

  private constructor(enginePort: () => number, options: LineOptions) {
    this.options = options;
    this.faults = options.faults ?? {};
    this.random = options.random ?? Math.random;
    this.#enginePort = enginePort;
    this.#server = createServer((client) => this.#join(client));
  }

  /** Listens on a free port; `enginePort` is asked at each connection. */
  static async open(enginePort: () => number, options: LineOptions = {}): Promise<Line> {
    const line = new Line(enginePort, options);
    line.#server.listen(0, "127.0.0.1");
    await once(line.#server, "listening");
    return line;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port; // a listening TCP server has one
  }

  /** For workers, in place of the engine's. */
  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  /** Numbers of the connections that are open now, on both sides. */
  get connections(): number[] {
    const open = [...this.#links].filter(({ client, upstream }) => !client.destroyed && !upstream.destroyed);
    return open.map(({ number }) => number);
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** Ends every connection on both sides with a reset, without a word. New ones may come. */
  cut(): void {
    for (const link of [...this.#links]) this.#cut(link);
  }

  /** Nothing passes any more, nobody is told: until `resume`. */
  stall(): void {
    if (!this.#isStalled) this.counts.stalled++;
    this.#isStalled = true;
  }

  resume(): void {
    this.#isStalled = false;
    for (const { pipes } of this.#links) for (const pipe of pipes) pipe.pump();
  }

  /** From here on each piece takes `ms` longer; 0: no longer. */
  slow(ms: number): void {
    this.faults = { ...this.faults, delayMs: [ms, ms] };
  }

  /** Cuts everything and listens no more. */
  close(): void {
    this.cut();
    this.#server.close();
  }

  #join(client: Socket): void {
    const upstream = createConnection(this.#enginePort(), "127.0.0.1");
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    const number = ++this.accepted;
    const cut = (): void => this.#cut(link);
    const pipes = [
      new Pipe({ line: this, connection: number, direction: "to engine", from: client, to: upstream, cut }),
      new Pipe({ line: this, connection: number, direction: "from engine", from: upstream, to: client, cut }),
    ] as const;
    const link: Link = { number, client, upstream, pipes };
    this.#links.add(link);
    for (const socket of [client, upstream]) {
      socket.on("error", () => undefined); // a close follows, and the other side is told of that
      // a side that is gone may have left something on the way to the other: the link stays until both are
      socket.on("close", () => client.destroyed && upstream.destroyed && this.#links.delete(link));
    }
  }

  #cut(link: Link): void {
    this.counts.cut++;
    this.#links.delete(link);
    for (const pipe of link.pipes) pipe.end();
    link.client.resetAndDestroy();
    link.upstream.resetAndDestroy();
  }
}

/** `bytes` in a few pieces, each at least a byte long. */
export function splitBytes(bytes: Buffer, random: () => number): Buffer[] {
  const pieces: Buffer[] = [];
  let rest = bytes;
  while (rest.length > 1 && pieces.length < PIECES_MAX) {
    const length = 1 + Math.floor(random() * Math.min(rest.length - 1, 24));
    pieces.push(rest.subarray(0, length));
    rest = rest.subarray(length);
  }
  return [...pieces, rest];
}
