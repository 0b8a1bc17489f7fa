// The caller and the worker of the load on the msgpack wire (src/protocol/PROTOCOL.md), canonical records only.
//
// On a control the same records go through a relay that does not read them: the caller's number comes back as it was.

import { pack, unpack } from "msgpackr";
import { Calls } from "./calls.js";
import { type Connection, upgraded } from "./connection.js";
import { Marker } from "./marker.js";
import { Outgoing } from "./outgoing.js";
import { asJson, asMsgpack, document } from "./payload.js";
import { Reader, type Sink } from "./reader.js";
import {
  type CallerOptions,
  type CallerRole,
  capacityOf,
  enginePath,
  type RoleOptions,
  type WorkerOptions,
  type WorkerRole,
} from "./role.js";
import { STAMPS } from "./stamp.js";

export const SUBPROTOCOL = "tercet.msgpack.v1";

export const Kind = {
  Call: 1,
  Result: 2,
  Error: 3,
  Cancel: 4,
  Cast: 5,
  Chunk: 6,
  Credit: 7,
  End: 8,
  Open: 9,
  Hello: 16,
  Welcome: 17,
  Register: 18,
  Registered: 19,
  Resolve: 22,
  Resolved: 23,
  Refused: 25,
  TriggerType: 26,
  Trigger: 28,
  Watch: 32,
  Watching: 33,
} as const;

// Offsets of the canonical forms: [kind, call, function, timeout_ms, caller, context, payload] and [kind, call, payload].
const ID_AT = 3;
const FUNCTION_AT = 8;
const CONTEXT_AT = 22;
const CALL_HEAD_BYTES = 28;
const ANSWER_HEAD_BYTES = 12;
const CAST_HEAD_BYTES = 23;
const CANCEL_BYTES = 7;
/** A chunk besides what it carries; its length stands in the last four of them. */
export const CHUNK_HEAD_BYTES = 17;
const CREDIT_BYTES = 12;
const NIL = 0xc0;

/** Longer than a cell; a call that waits this long is a fault of the run. */
const TIMEOUT_MS = 60_000;

export const MSGPACK_STAMP_KEY = Buffer.from("stamp\xa4", "latin1");

function uint32(value: number): Buffer {
  const bytes = Buffer.from([0xce, 0, 0, 0, 0]);
  bytes.writeUInt32BE(value, 1);
  return bytes;
}

function bin32(body: Buffer): Buffer {
  const head = Buffer.from([0xc6, 0, 0, 0, 0]);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

export function callRecord(call: number, handle: number, payload: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from([0x97, Kind.Call]),
    ...[call, handle, TIMEOUT_MS, 0].map(uint32),
    Buffer.from([NIL]),
    bin32(payload),
  ]);
}

export function resultRecord(call: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x93, Kind.Result]), uint32(call), bin32(payload)]);
}

export function chunkRecord(stream: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x94, Kind.Chunk]), uint32(stream), uint32(0), bin32(bytes)]);
}

export function creditRecord(stream: number, bytes: number): Buffer {
  return Buffer.concat([Buffer.from([0x93, Kind.Credit]), uint32(stream), uint32(bytes)]);
}

/** `mode` 1 reaches every owner. */
export function castRecord(handle: number, mode: 0 | 1, payload: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from([0x96, Kind.Cast]),
    ...[handle, mode, 0].map(uint32),
    Buffer.from([NIL]),
    bin32(payload),
  ]);
}

/** Bytes of the record at `at`; a control record fills its frame. */
export function recordBytes(bytes: Buffer, at: number, frameLeft: number): number {
  switch (bytes[at + 1]) {
    case Kind.Call:
      if (bytes[at + CONTEXT_AT] !== NIL) throw new Error("a call with context: the bench sends none");
      return CALL_HEAD_BYTES + bytes.readUInt32BE(at + CALL_HEAD_BYTES - 4);
    case Kind.Result:
    case Kind.Error:
      return ANSWER_HEAD_BYTES + bytes.readUInt32BE(at + ANSWER_HEAD_BYTES - 4);
    case Kind.Cast:
      return CAST_HEAD_BYTES + bytes.readUInt32BE(at + CAST_HEAD_BYTES - 4);
    case Kind.Cancel:
      return CANCEL_BYTES;
    case Kind.Chunk:
      return CHUNK_HEAD_BYTES + bytes.readUInt32BE(at + CHUNK_HEAD_BYTES - 4);
    case Kind.Credit:
      return CREDIT_BYTES;
    default:
      return frameLeft;
  }
}

/** A connection that has said hello and can ask; hot records go to `onRecord`. */
export class MsgpackPeer implements Sink {
  readonly connection: Connection;
  /** What the engine said in `welcome`. */
  welcome: Record<string, unknown> = {};
  onRecord: (bytes: Buffer, view: DataView, at: number, length: number) => void = () => {};
  /** Chunks, credits and ends of streams. */
  onStream: (bytes: Buffer, view: DataView, at: number, length: number) => void = () => {};
  #replies = new Map<number, (record: unknown[]) => void>();
  #requests = 0;

  private constructor(connection: Connection) {
    this.connection = connection;
    const reader = new Reader(this);
    connection.feed = (bytes, view, from, to) => reader.feed(bytes, view, from, to);
  }

  static async onControl(port: number, path: string): Promise<MsgpackPeer> {
    return new MsgpackPeer(await upgraded(port, path));
  }

  static async onEngine(
    port: number,
    hello: Record<string, unknown> = {},
    token?: string,
  ): Promise<MsgpackPeer> {
    const peer = new MsgpackPeer(await upgraded(port, enginePath(token), SUBPROTOCOL));
    const welcomed = peer.#reply(Kind.Welcome);
    peer.connection.send(pack([Kind.Hello, { version: 1, runtime: "bench", ...hello }]), true);
    // The welcome's second element is a map (PROTOCOL.md, welcome).
    peer.welcome = (await welcomed)[1] as Record<string, unknown>;
    return peer;
  }

  /** Handles in the order of `functions`. */
  async register(functions: unknown[][]): Promise<number[]> {
    const reply = await this.#ask([Kind.Register, 0, 0, functions], Kind.Registered);
    return handlesIn(reply[2]);
  }

  async resolve(names: string[]): Promise<number[]> {
    const reply = await this.#ask([Kind.Resolve, 0, names], Kind.Resolved);
    return handlesIn(reply[2]);
  }

  /** Asks again until every name is served. */
  async resolveAll(names: string[], deadlineMs = 10_000): Promise<number[]> {
    const giveUpMs = Date.now() + deadlineMs;
    for (;;) {
      const handles = await this.resolve(names);
      if (!handles.includes(0)) return handles;
      if (Date.now() > giveUpMs)
        throw new Error(`not served within ${deadlineMs} ms: ${names[handles.indexOf(0)]}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #ask(record: unknown[], answer: number): Promise<unknown[]> {
    record[1] = ++this.#requests;
    const reply = this.#reply(answer);
    this.connection.send(pack(record), true);
    return reply;
  }

  #reply(kind: number): Promise<unknown[]> {
    return new Promise((resolve) => this.#replies.set(kind, resolve));
  }

  recordBytes(bytes: Buffer, at: number, frameLeft: number): number {
    return recordBytes(bytes, at, frameLeft);
  }

  wanted(bytes: Buffer, at: number): boolean {
    return bytes[at + 1]! >= Kind.Hello || bytes[at + 1] === Kind.Error;
  }

  record(bytes: Buffer, view: DataView, at: number, length: number): void {
    const kind = bytes[at + 1]!;
    if (kind < Kind.Chunk) this.onRecord(bytes, view, at, length);
    else if (kind < Kind.Hello) this.onStream(bytes, view, at, length);
    else this.#control(kind, bytes, at, length);
  }

  #control(kind: number, bytes: Buffer, at: number, length: number): void {
    const record: unknown[] = unpack(Buffer.from(bytes.subarray(at, at + length)));
    if (kind === Kind.Refused) throw new Error(`refused: ${record.slice(1).join(" ")}`);
    this.#replies.get(kind)?.(record);
    this.#replies.delete(kind);
  }

  ping(body: Buffer): void {
    this.connection.pong(body);
  }
}

function handlesIn(bin: unknown): number[] {
  if (!(bin instanceof Uint8Array)) throw new Error("handles are not a bin");
  const view = new DataView(bin.buffer, bin.byteOffset, bin.length);
  return Array.from({ length: bin.length / 4 }, (_, i) => view.getUint32(4 * i));
}

/** The payload of a role: sized in the caller's wire, so a worker's may come out a little shorter or longer. */
function payloadOf(options: RoleOptions): Buffer {
  return asMsgpack(document(options.payloadBytes, options.sizedIn === "json" ? asJson : asMsgpack));
}

async function peerFor(role: "caller" | "worker", options: RoleOptions): Promise<MsgpackPeer> {
  if (options.target === "control") return MsgpackPeer.onControl(options.port, `/${role}/${options.number}`);
  const name = `bench-${role}-${options.number}-${process.pid}`;
  return MsgpackPeer.onEngine(options.port, { name }, options.token);
}

export async function msgpackCaller(options: CallerOptions): Promise<CallerRole & { peer: MsgpackPeer }> {
  const peer = await peerFor("caller", options);
  const handles = options.target === "control" ? [1] : await peer.resolveAll(options.functions);
  const payload = payloadOf(options);
  const record = callRecord(0, handles[0] ?? 0, payload);
  const capacity = capacityOf(record.length, options.slots);
  const out = new Outgoing(peer.connection.socket, {
    record,
    binary: true,
    coalesced: options.coalesced,
    capacity,
  });
  const stampAt = CALL_HEAD_BYTES + payload.indexOf(MSGPACK_STAMP_KEY) + MSGPACK_STAMP_KEY.length;
  const stamp = new Marker(MSGPACK_STAMP_KEY);
  const calls = new Calls(options.slots, (slot) => {
    const at = out.next();
    const { view } = out.batch;
    view.setUint32(at + ID_AT, slot);
    if (handles.length > 1) view.setUint32(at + FUNCTION_AT, handles[slot % handles.length]!);
    view.setUint32(at + stampAt, STAMPS[slot]!);
  });
  peer.onRecord = (bytes, view, at, length) => {
    const slot = view.getUint32(at + ID_AT);
    if (bytes[at + 1] !== Kind.Result) return calls.failed(slot, failureIn(bytes, at, length));
    const found = stamp.find(bytes, view, at, length);
    calls.answered(slot, found === -1 ? 0 : view.getUint32(found));
  };
  peer.connection.onTurnEnd = () => out.flush();
  return {
    peer,
    calls,
    ready: async () => {},
    flush: () => out.flush(),
    close: () => peer.connection.close(),
  };
}

function failureIn(bytes: Buffer, at: number, length: number): string {
  if (bytes[at + 1] !== Kind.Error) return `unexpected record of kind ${bytes[at + 1]}`;
  return JSON.stringify(unpack(Buffer.from(bytes.subarray(at + ANSWER_HEAD_BYTES, at + length))));
}

export async function msgpackWorker(options: WorkerOptions): Promise<WorkerRole & { peer: MsgpackPeer }> {
  const peer = await peerFor("worker", options);
  if (options.target === "engine") await peer.register(options.functions.map((id) => [id]));
  const payload = payloadOf(options);
  const record = resultRecord(0, payload);
  const capacity = capacityOf(record.length, options.callsAtOnce);
  const out = new Outgoing(peer.connection.socket, {
    record,
    binary: true,
    coalesced: options.coalesced,
    capacity,
  });
  const stampAt = ANSWER_HEAD_BYTES + payload.indexOf(MSGPACK_STAMP_KEY) + MSGPACK_STAMP_KEY.length;
  const stamp = new Marker(MSGPACK_STAMP_KEY);
  const role = { peer, answered: 0, close: () => peer.connection.close() };
  peer.onRecord = (bytes, view, at, length) => {
    if (bytes[at + 1] !== Kind.Call) return;
    const found = stamp.find(bytes, view, at, length);
    const start = out.next();
    const { view: to } = out.batch;
    to.setUint32(start + ID_AT, view.getUint32(at + ID_AT));
    to.setUint32(start + stampAt, found === -1 ? 0 : view.getUint32(found));
    role.answered++;
  };
  peer.connection.onTurnEnd = () => out.flush();
  return role;
}
