// A scripted msgpack worker on a raw WebSocket: sends literal bytes or packed arrays, and gives what it receives record by record.
import assert from "node:assert/strict";
import { Packr } from "msgpackr";
import { WebSocket } from "ws";
import { Inbox } from "./inbox.js";
import type { Closed } from "./json-peer.js";
import { bytes, canonicalCall, records } from "./wire.js";

const PROTOCOL = "tercet.msgpack.v1";
const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true, variableMapSize: true });

/** A record, or any value, as a library packs it: the general form. */
export function pack(value: unknown): Buffer {
  return Buffer.from(packr.pack(value)); // a copy: packr reuses its buffer
}

export interface Welcome {
  worker: string;
  number: number;
  token: string;
  [key: string]: unknown;
}

export class MsgpackPeer {
  readonly socket: WebSocket;
  readonly inbox = new Inbox<unknown[]>();
  /** Whole messages as they came. */
  readonly frames: Buffer[] = [];
  readonly closed: Promise<Closed>;
  readonly opened: Promise<void>;
  /** Sees every record as it comes, before it is in the inbox. */
  onRecord: (record: unknown[]) => void = () => undefined;
  welcome: Welcome = { worker: "", number: 0, token: "" };
  #request = 1_000;

  constructor(port: number, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/`, [PROTOCOL], { headers, perMessageDeflate: false });
    this.socket.binaryType = "nodebuffer";
    this.socket.on("message", (data: Buffer) => {
      this.frames.push(data);
      for (const record of records(data)) {
        this.onRecord(record);
        this.inbox.put(record);
      }
    });
    this.opened = new Promise((resolve, reject) => {
      this.socket.on("open", resolve);
      this.socket.on("error", reject);
    });
    this.closed = new Promise((resolve) =>
      this.socket.on("close", (code, reason) => {
        this.inbox.end(`closed with ${code} ${String(reason)}`);
        resolve({ code, reason: String(reason) });
      }),
    );
  }

  /** Opens the socket and says nothing. */
  static async open(port: number): Promise<MsgpackPeer> {
    const peer = new MsgpackPeer(port);
    await peer.opened;
    return peer;
  }

  /** Opens the socket, says hello and reads the welcome. */
  static async connect(port: number, hello: object = {}): Promise<MsgpackPeer> {
    const peer = await MsgpackPeer.open(port);
    await peer.greet(hello);
    return peer;
  }

  /** Says hello and reads the welcome. */
  async greet(hello: object = {}): Promise<void> {
    this.send([16, { version: 1, ...hello }]);
    const record = await this.next("welcome");
    assert.equal(record[0], 17, JSON.stringify(record));
    this.welcome = record[1] as Welcome; // tests of the welcome look closer
  }

  /** A worker that offers functions; gives their handles. */
  static async offering(
    port: number,
    ids: readonly string[],
    hello: object = {},
    share?: string,
  ): Promise<[MsgpackPeer, number[]]> {
    const peer = await MsgpackPeer.connect(port, hello);
    return [peer, await peer.register(ids, share)];
  }

  send(...all: unknown[][]): void {
    this.socket.send(Buffer.concat(all.map(pack)));
  }

  sendBytes(data: Uint8Array | string): void {
    this.socket.send(typeof data === "string" ? bytes(data) : data);
  }

  next(what = "the next record", waitMs?: number): Promise<unknown[]> {
    return this.inbox.next(what, waitMs);
  }

  async register(ids: readonly string[], share?: string, mode = 0): Promise<number[]> {
    const request = this.#request++;
    this.send([
      18,
      request,
      mode,
      ids.map((id) => (share === undefined ? [id] : [id, null, null, null, null, share])),
    ]);
    const record = await this.next("registered");
    assert.deepEqual(record.slice(0, 2), [19, request], JSON.stringify(record));
    return handles(record[2]);
  }

  async resolve(...names: (string | [string, string])[]): Promise<number[]> {
    const request = this.#request++;
    this.send([22, request, names]);
    const record = await this.next("resolved");
    assert.deepEqual(record.slice(0, 2), [23, request], JSON.stringify(record));
    return handles(record[2]);
  }

  /** Calls in canonical form and waits for the answer, which must be the next record: [kind, value of the payload]. */
  async call(fn: number, payload: Uint8Array, call = 7, timeoutMs = 0): Promise<[number, unknown]> {
    this.sendBytes(canonicalCall(call, fn, payload, timeoutMs));
    const record = await this.next("the answer");
    assert.equal(record[1], call);
    return [record[0] as number, value(record[2])];
  }

  /** Everything sent before has been handled, and nothing came back. */
  async settle(): Promise<void> {
    const request = this.#request++;
    this.send([22, request, []]);
    const record = await this.next("resolved");
    assert.deepEqual(record.slice(0, 2), [23, request], JSON.stringify(record));
  }

  /** What came until everything sent before was handled. */
  async drain(): Promise<unknown[][]> {
    const request = this.#request++;
    this.send([22, request, []]);
    const all: unknown[][] = [];
    for (
      let record = await this.next();
      record[0] !== 23 || record[1] !== request;
      record = await this.next()
    )
      all.push(record);
    return all;
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

export function handles(data: unknown): number[] {
  assert.ok(data instanceof Uint8Array, "handles are a bin");
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Array.from({ length: data.length / 4 }, (_, at) => view.getUint32(at * 4));
}

/** The one value in a payload, read by a library. */
export function value(payload: unknown): unknown {
  assert.ok(payload instanceof Uint8Array, `a payload is a bin, not ${String(payload)}`);
  return packr.unpack(payload);
}

/** Code and message of an error record's body. */
export function errorOf(record: readonly unknown[]): {
  code: string;
  message: string;
  retry_after_ms?: number;
} {
  assert.equal(record[0], 3, `an error record, not ${JSON.stringify(record)}`);
  return value(record[2]) as ReturnType<typeof errorOf>; // what the engine promises; tests compare the code
}
