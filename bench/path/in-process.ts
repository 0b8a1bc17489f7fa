// An engine in this process whose peers have no sockets: frames go straight to its doors, and what it sends is kept.
//
// So a row shows what our own JavaScript costs between a received frame and the frame sent for it, without the kernel
// and without uWebSockets. Received frames are written to by the engine, as the socket's memory is.

import { pack, unpack } from "msgpackr";
import { Engine } from "../../src/engine.js";
import { createLogger } from "../../src/log.js";
import { Connection, type ConnectionSocket, type Wire } from "../../src/transport/connection.js";
import { Kind } from "../load/msgpack.js";

/** Keeps a copy of what it is sent, one frame behind the other, as the kernel would. */
export class KeptFrames implements ConnectionSocket {
  readonly bytes: Buffer;
  /** Where each kept frame ends. */
  readonly ends: number[] = [];

  constructor(capacity: number) {
    this.bytes = Buffer.alloc(capacity);
  }

  get length(): number {
    return this.ends.at(-1) ?? 0;
  }

  clear(): void {
    this.ends.length = 0;
  }

  send(message: Uint8Array): number {
    const at = this.length;
    this.bytes.set(message, at);
    this.ends.push(at + message.length);
    return 1;
  }

  cork(write: () => void): void {
    write();
  }

  getBufferedAmount(): number {
    return 0;
  }

  end(code?: number, reason?: string): void {
    throw new Error(`the engine closes a connection of the bench: ${code} ${reason}`);
  }

  close(): void {
    this.end();
  }

  subscribe(): boolean {
    return true;
  }

  unsubscribe(): boolean {
    return true;
  }
}

export interface Peer {
  connection: Connection;
  kept: KeptFrames;
}

const KEPT_BYTES = 4 << 20;

export class InProcess {
  readonly engine = new Engine({ log: createLogger({ level: "silent" }), listeners: [] });

  connect(wire: Wire): Peer {
    const { server } = this.engine;
    const handle = server.slots.take();
    const index = server.slots.indexOf(handle);
    const connection = new Connection(handle, index, wire, server.outboxes, "127.0.0.1", 0);
    const kept = new KeptFrames(KEPT_BYTES);
    server.connections[index] = connection;
    connection.opened(kept);
    server.doors[wire].opened(connection);
    return { connection, kept };
  }

  /** One received frame, and nothing at the end of the turn yet. */
  receive({ connection }: Peer, frame: Uint8Array): void {
    const isText = connection.wire === "json";
    this.engine.server.doors[connection.wire].received(connection, frame, isText);
  }

  endTurn(): void {
    this.engine.server.outboxes.flush();
  }

  /** Says something in msgpack that is answered in the same turn, and returns the answer. */
  ask(peer: Peer, record: unknown[]): unknown[] {
    peer.kept.clear();
    this.receive(peer, new Uint8Array(pack(record)));
    this.endTurn();
    const answer: unknown[] = unpack(peer.kept.bytes.subarray(0, peer.kept.length));
    peer.kept.clear();
    return answer;
  }

  hello(peer: Peer): void {
    const [kind] = this.ask(peer, [Kind.Hello, { version: 1 }]);
    if (kind !== Kind.Welcome) throw new Error(`no welcome but a record of kind ${kind}`);
  }
}
