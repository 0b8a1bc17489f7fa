// The connection of an actor under chaos: opened again whenever it is lost, announced under a name that no earlier one had.
import { Packr } from "msgpackr";
import { WebSocket } from "ws";
import type { JsonFrame } from "../support/json-peer.js";
import { pack } from "../support/msgpack-peer.js";
import { records } from "../support/wire.js";

export type Wire = "json" | "msgpack";

export interface ActorPart<Message> {
  /** Announced: everything may be sent. */
  ready(): void;
  received(message: Message): void;
  lost(): void;
}

const AGAIN_MS = 20;
const PROTOCOL = "tercet.msgpack.v1";
const packr = new Packr({ useRecords: false });

abstract class ActorPeer<Message> {
  readonly #port: number;
  readonly #protocols: string[];
  readonly #name: string;
  protected part: ActorPart<Message>;
  #socket: WebSocket | null = null;
  #connections = 0;
  #hasEnded = false;
  isReady = false;
  /** Messages that cannot be read are skipped, and not the end of this process. */
  isForgiving = false;

  constructor(port: number, protocols: string[], name: string, part: ActorPart<Message>) {
    this.#port = port;
    this.#protocols = protocols;
    this.#name = name;
    this.part = part;
  }

  connect(): void {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}/`, this.#protocols, {
      perMessageDeflate: false,
    });
    this.#socket = socket;
    this.#connections++;
    socket.on("open", () => this.opened());
    socket.on("message", (data: Buffer) => this.#read(data));
    socket.on("error", () => undefined); // a close follows
    socket.on("close", () => {
      this.isReady = false;
      this.part.lost();
      if (!this.#hasEnded) setTimeout(() => this.connect(), AGAIN_MS);
    });
  }

  /** Leaves for good. */
  end(): void {
    this.#hasEnded = true;
    this.#socket?.terminate();
  }

  /** Sends, or drops what a connection that is gone cannot take. */
  sendRaw(data: Uint8Array | string): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(data);
    return true;
  }

  #read(data: Buffer): void {
    try {
      this.take(data);
    } catch (error) {
      if (!this.isForgiving) throw error;
    }
  }

  protected get name(): string {
    return `${this.#name}.${this.#connections}`;
  }

  protected isNowReady(): void {
    this.isReady = true;
    this.part.ready();
  }

  protected abstract opened(): void;
  protected abstract take(data: Buffer): void;
}

export class JsonActor extends ActorPeer<JsonFrame> {
  constructor(port: number, name: string, part: ActorPart<JsonFrame>) {
    super(port, [], name, part);
  }

  send(frame: object): boolean {
    return this.sendRaw(JSON.stringify(frame));
  }

  protected opened(): void {
    // the engine speaks first
  }

  protected take(data: Buffer): void {
    const frame = JSON.parse(String(data)) as JsonFrame; // what the engine sends
    if (frame.type !== "workerregistered") return this.part.received(frame);
    const about = { name: this.name, pid: process.pid };
    this.send({
      type: "invokefunction",
      function_id: "engine::workers::register",
      action: { type: "void" },
      data: about,
    });
    this.isNowReady();
  }
}

export class MsgpackActor extends ActorPeer<unknown[]> {
  constructor(port: number, name: string, part: ActorPart<unknown[]>) {
    super(port, [PROTOCOL], name, part);
  }

  send(...all: unknown[][]): boolean {
    return this.sendRaw(Buffer.concat(all.map(pack)));
  }

  protected opened(): void {
    this.sendRaw(packr.pack([16, { version: 1, name: this.name, pid: process.pid }]));
  }

  protected take(data: Buffer): void {
    for (const record of records(data))
      if (record[0] === 17) this.isNowReady();
      else this.part.received(record);
  }
}
