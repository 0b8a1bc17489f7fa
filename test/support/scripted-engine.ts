// An engine by script: the msgpack wire of PROTOCOL.md on a real socket, small and slow, with every step open to
// the test. It relays calls among its connections, keeps what it received, and can be told to misbehave.
//
// It reads and writes with msgpackr, so that it shares no code with what it tests.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Packr, Unpackr } from "msgpackr";
import { type WebSocket, WebSocketServer } from "ws";

const packr = new Packr({ useRecords: false, moreTypes: false });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true });

export const pack = (value: unknown): Buffer => Buffer.from(packr.pack(value));

export type Row = unknown[];

interface Served {
  readonly peer: Peer;
  readonly handle: number;
  readonly name: string;
}

interface Ticket {
  readonly caller: Peer;
  readonly call: number;
  readonly executor: Peer;
  readonly timer: NodeJS.Timeout;
}

/** One connection, as the engine sees it. */
export class Peer {
  readonly socket: WebSocket;
  readonly number: number;
  hello: Record<string, unknown> = {};
  /** Every frame received, as the records in it. */
  readonly frames: Row[][] = [];
  /** And how many bytes each had. */
  readonly frameSizes: number[] = [];

  constructor(socket: WebSocket, number: number) {
    this.socket = socket;
    this.number = number;
  }

  get records(): Row[] {
    return this.frames.flat();
  }

  get namespace(): string {
    return String(this.hello["namespace"] ?? "default");
  }

  send(...records: Uint8Array[]): void {
    this.socket.send(Buffer.concat(records), { binary: true });
  }
}

export interface Script {
  port?: number;
  limits?: Record<string, number>;
  /** Sees every record first; true: the engine does nothing more about it. */
  intercept?: (peer: Peer, record: Row) => boolean;
}

export class ScriptedEngine {
  readonly peers: Peer[] = [];
  readonly script: Script;
  /** Every handle is stale: calls by handle are function_not_found. */
  refuseHandles = false;
  readonly #server: WebSocketServer;
  readonly #functions = new Map<string, Served>();
  readonly #tickets = new Map<number, Ticket>();
  #lastHandle = 0x1000;
  #lastTicket = 0x100000;

  static async start(script: Script = {}): Promise<ScriptedEngine> {
    const server = new WebSocketServer({
      host: "127.0.0.1",
      port: script.port ?? 0,
      handleProtocols: () => "tercet.msgpack.v1",
    });
    await once(server, "listening");
    return new ScriptedEngine(server, script);
  }

  private constructor(server: WebSocketServer, script: Script) {
    this.script = script;
    this.#server = server;
    server.on("connection", (socket) => this.#connected(socket));
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string")
      throw new Error("The scripted engine does not listen");
    return (address satisfies AddressInfo).port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  /** The connection that came last. */
  get last(): Peer {
    const peer = this.peers.at(-1);
    if (peer === undefined) throw new Error("No connection was made");
    return peer;
  }

  /** Every open call's end is still to come. */
  get callsOpen(): number {
    return this.#tickets.size;
  }

  /** Drops every connection without a word. */
  cut(): void {
    for (const socket of this.#server.clients) socket.terminate();
  }

  async stop(): Promise<void> {
    this.cut();
    for (const { timer } of this.#tickets.values()) clearTimeout(timer);
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #connected(socket: WebSocket): void {
    const peer = new Peer(socket, this.peers.length + 1);
    this.peers.push(peer);
    socket.on("message", (data: Buffer) => {
      const records = unpackr.unpackMultiple(data) as Row[]; // every record is an array
      peer.frames.push(records);
      peer.frameSizes.push(data.length);
      for (const record of records) this.#onRecord(peer, record);
    });
    socket.on("close", () => this.#left(peer));
  }

  #left(peer: Peer): void {
    for (const [key, served] of this.#functions) if (served.peer === peer) this.#functions.delete(key);
    for (const [number, ticket] of this.#tickets) {
      if (ticket.executor === peer)
        this.#end(number, error(ticket.call, "invocation_stopped", "The executor left"));
      else if (ticket.caller === peer) this.#end(number, undefined);
    }
  }

  #onRecord(peer: Peer, record: Row): void {
    if (this.script.intercept?.(peer, record) === true) return;
    const [kind, first, second, third] = record;
    if (kind === 16) return this.#onHello(peer, first as Record<string, unknown>);
    if (kind === 18) return this.#onRegister(peer, Number(first), Number(second), third as Row[]);
    if (kind === 20) return this.#onUnregister(peer, Number(first), second as string[]);
    if (kind === 22) return this.#onResolve(peer, Number(first), second as unknown[]);
    if (kind === 1) return this.#onCall(peer, record);
    if (kind === 5) return this.#onCast(peer, record);
    if (kind === 4) return this.#onCancel(peer, Number(first));
    if (kind === 2 || kind === 3) return this.#onAnswer(peer, kind, Number(first), second as Buffer);
    throw new Error(`The scripted engine does not know records of kind ${kind}`);
  }

  #onHello(peer: Peer, hello: Record<string, unknown>): void {
    peer.hello = hello;
    const limits = {
      frame_bytes_max: 1 << 20,
      calls_open_max: 65_536,
      timeout_ms_default: 30_000,
      ...this.script.limits,
    };
    const token = `token-${peer.number}`;
    const welcome = {
      version: 1,
      worker: `worker-${peer.number}`,
      number: peer.number,
      token,
      capabilities: [],
      limits,
    };
    peer.send(pack([17, { ...welcome, engine: { name: "scripted", version: "1" } }]));
  }

  #onRegister(peer: Peer, request: number, mode: number, entries: Row[]): void {
    if (mode === 1) {
      for (const [key, served] of this.#functions) if (served.peer === peer) this.#functions.delete(key);
    }
    const handles = entries.map(([id]) => {
      const key = `${peer.namespace}/${id}`;
      const handle = this.#functions.get(key)?.handle ?? ++this.#lastHandle;
      this.#functions.set(key, { peer, handle, name: String(id) });
      return handle;
    });
    peer.send(pack([19, request, handleBytes(handles), Buffer.alloc(handles.length)]));
  }

  #onUnregister(peer: Peer, request: number, ids: string[]): void {
    const removed = ids.filter((id) => this.#functions.delete(`${peer.namespace}/${id}`));
    peer.send(pack([21, request, removed.length]));
  }

  #onResolve(peer: Peer, request: number, names: unknown[]): void {
    const handles = names.map((name) => this.#find(peer, name)?.handle ?? 0);
    peer.send(pack([23, request, handleBytes(handles)]));
  }

  #find(peer: Peer, name: unknown): Served | undefined {
    if (typeof name === "number") return [...this.#functions.values()].find(({ handle }) => handle === name);
    const [namespace, id] = Array.isArray(name) ? name : [peer.namespace, name];
    return this.#functions.get(`${namespace}/${id}`);
  }

  #onCall(peer: Peer, [, call, name, timeoutMs, , context, payload]: Row): void {
    const number = Number(call);
    const served = this.#find(peer, name);
    if (served === undefined || (this.refuseHandles && typeof name === "number")) {
      return peer.send(error(number, "function_not_found", `Nobody offers ${name}`));
    }
    const ticket = ++this.#lastTicket;
    const remainingMs = Number(timeoutMs) || 30_000;
    const timer = setTimeout(() => this.#deadline(ticket), remainingMs);
    this.#tickets.set(ticket, { caller: peer, call: number, executor: served.peer, timer });
    const fixed = [word(ticket), word(served.handle), word(remainingMs), word(peer.number)];
    served.peer.send(Buffer.from([0x97, 1]), ...fixed, bin(context), bin(payload));
  }

  #onCast(peer: Peer, [, name, , , context, payload]: Row): void {
    const served = this.#find(peer, name);
    const fixed = served && [word(served.handle), word(0), word(peer.number)];
    if (fixed !== undefined) served?.peer.send(Buffer.from([0x96, 5]), ...fixed, bin(context), bin(payload));
  }

  #onCancel(peer: Peer, call: number): void {
    for (const [number, ticket] of this.#tickets) {
      if (ticket.caller !== peer || ticket.call !== call) continue;
      ticket.executor.send(Buffer.from([0x92, 4]), word(number));
      this.#end(number, error(call, "cancelled", "The caller cancelled"));
    }
  }

  #deadline(number: number): void {
    const ticket = this.#tickets.get(number);
    if (ticket === undefined) return;
    ticket.executor.send(Buffer.from([0x92, 4]), word(number));
    this.#end(number, error(ticket.call, "deadline_exceeded", "The call's time has passed"));
  }

  #onAnswer(peer: Peer, kind: number, number: number, body: Buffer | null): void {
    const ticket = this.#tickets.get(number);
    if (ticket?.executor !== peer) return;
    this.#end(number, Buffer.concat([Buffer.from([0x93, kind]), word(ticket.call), bin(body)]));
  }

  #end(number: number, answer: Buffer | undefined): void {
    const ticket = this.#tickets.get(number);
    if (ticket === undefined) return;
    clearTimeout(ticket.timer);
    this.#tickets.delete(number);
    if (answer !== undefined && ticket.caller.socket.readyState === 1) ticket.caller.send(answer);
  }
}

/** An error record in canonical form. */
export function error(
  call: number,
  code: string,
  message: string,
  more: Record<string, unknown> = {},
): Buffer {
  return Buffer.concat([Buffer.from([0x93, 3]), word(call), bin(pack({ code, message, ...more }))]);
}

/** A result record in canonical form. */
export function result(call: number, value: unknown): Buffer {
  return Buffer.concat([Buffer.from([0x93, 2]), word(call), bin(pack(value))]);
}

/** A fixed-width uint32. */
export function word(value: number): Buffer {
  const bytes = Buffer.from([0xce, 0, 0, 0, 0]);
  bytes.writeUInt32BE(value, 1);
  return bytes;
}

/** A bin32, or nil. */
export function bin(body: unknown): Buffer {
  if (body === null || body === undefined) return Buffer.from([0xc0]);
  const bytes = body as Buffer; // msgpackr reads every bin as a Buffer
  const head = Buffer.from([0xc6, 0, 0, 0, 0]);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function handleBytes(handles: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * handles.length);
  for (const [index, handle] of handles.entries()) bytes.writeUInt32BE(handle, 4 * index);
  return bytes;
}
