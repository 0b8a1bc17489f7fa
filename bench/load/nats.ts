// The caller and the worker of the load on the NATS text protocol, for comparison with `nats-server` where it is on
// the PATH: request and reply as nats clients do it, a subject per function and a reply subject per call.
//
//   caller    PUB bench.echo-0000 _INBOX.….0007002a 128\r\n<payload>\r\n
//   worker    MSG bench.echo-0000 1 _INBOX.….0007002a 128\r\n<payload>\r\n
//   worker    PUB _INBOX.….0007002a 128\r\n<payload>\r\n
//   caller    MSG _INBOX.….0007002a 1 128\r\n<payload>\r\n
//
// Reply subjects are as long as those of nats clients and, as theirs, never used twice (a running number in front of
// the slot): with a subject per slot the server would answer from its subject cache, at half the price.
// Otherwise the design of the other wires: records prefilled, digits patched in place, one write per turn.

import net from "node:net";
import { Calls } from "./calls.js";
import { asMsgpack, document } from "./payload.js";
import {
  type CallerOptions,
  type CallerRole,
  capacityOf,
  type WorkerOptions,
  type WorkerRole,
} from "./role.js";
import { STAMPS, slotOf } from "./stamp.js";

const CR = 13;
const READ_BYTES = 512 << 10;
/** Longest line the server sends while a cell runs: MSG with two short subjects. */
const LINE_BYTES_MAX = 256;
const STAMP_KEY = Buffer.from("stamp\xa4", "latin1");

/** Called for each message with where its line, reply digits and payload are. */
type OnMessage = (bytes: Buffer, view: DataView, line: number, lineEnd: number, payload: number) => void;

/** `_INBOX.`, a unique part of 22 characters, and a token of eight: running number and slot, four digits each. */
const INBOX_BYTES = "_INBOX.".length + 22;
const REPLY_BYTES = INBOX_BYTES + 1 + 8;
const RUNNING_AT = INBOX_BYTES + 1;
const SLOT_AT = RUNNING_AT + 4;

function inboxOf(caller: number): string {
  return `_INBOX.${`${process.pid}x${caller}`.padEnd(22, "x")}`;
}

/** A connection to the server; messages are read in place, a partial one waits in front of the next chunk. */
class NatsPeer {
  readonly socket: net.Socket;
  onMessage: OnMessage = () => {};
  onTurnEnd: () => void = () => {};
  onReady: () => void = () => {};
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #front: number;
  #restBytes = 0;

  constructor(port: number, messageBytes: number) {
    this.#front = LINE_BYTES_MAX + messageBytes;
    this.#bytes = Buffer.alloc(this.#front + READ_BYTES);
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length);
    const buffer = this.#bytes.subarray(this.#front);
    const onread = { buffer, callback: (bytes: number) => this.#read(bytes) };
    this.socket = net.connect({ host: "127.0.0.1", port, noDelay: true, onread });
  }

  /** Resolves when the server has taken everything sent before. */
  async settled(commands: string): Promise<void> {
    const ready = new Promise<void>((resolve) => {
      this.onReady = resolve;
    });
    this.socket.write(`${commands}PING\r\n`);
    await ready;
  }

  #read(bytes: number): boolean {
    const to = this.#front + bytes;
    const at = this.#messages(this.#front - this.#restBytes, to);
    this.#restBytes = to - at;
    this.#bytes.copy(this.#bytes, this.#front - this.#restBytes, at, to);
    this.onTurnEnd();
    return true;
  }

  #messages(from: number, to: number): number {
    let at = from;
    for (;;) {
      const lineEnd = this.#lineEnd(at, to);
      if (lineEnd === -1) return at;
      const payload = lineEnd + 2;
      if (this.#bytes[at] !== 77 /* M of MSG */) {
        this.#command(this.#bytes.toString("latin1", at, lineEnd));
        at = payload;
        continue;
      }
      const end = payload + this.#lastNumber(lineEnd) + 2;
      if (end > to) return at;
      this.onMessage(this.#bytes, this.#view, at, lineEnd, payload);
      at = end;
    }
  }

  #lineEnd(at: number, to: number): number {
    for (let i = at; i + 1 < to; i++) if (this.#bytes[i] === CR) return i;
    return -1;
  }

  /** The size: the decimal number at the end of the line. */
  #lastNumber(lineEnd: number): number {
    let value = 0;
    let scale = 1;
    for (let i = lineEnd - 1; this.#bytes[i] !== 32; i--, scale *= 10)
      value += scale * (this.#bytes[i]! - 48);
    return value;
  }

  #command(line: string): void {
    if (line === "PING") this.socket.write("PONG\r\n");
    else if (line === "PONG") this.onReady();
    else if (line.startsWith("-ERR")) throw new Error(`nats-server: ${line}`);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.socket.once("close", () => resolve());
      this.socket.destroy();
    });
  }
}

/** Records back to back, as many as a turn needs; NATS has no frames. */
class NatsOut {
  readonly #socket: net.Socket;
  readonly #record: Buffer;
  readonly #capacity: number;
  #bytes: Buffer;
  view: DataView;
  #count = 0;

  constructor(socket: net.Socket, record: Buffer, recordsMax: number) {
    this.#socket = socket;
    this.#record = record;
    this.#capacity = capacityOf(record.length, recordsMax);
    this.#bytes = this.#filled();
    this.view = viewOf(this.#bytes);
  }

  #filled(): Buffer {
    return Buffer.alloc(this.#capacity * this.#record.length, this.#record);
  }

  next(): number {
    if (this.#count === this.#capacity) this.flush();
    return this.#count++ * this.#record.length;
  }

  flush(): void {
    if (this.#count === 0) return;
    this.#socket.write(this.#bytes.subarray(0, this.#count * this.#record.length));
    this.#count = 0;
    if (this.#socket.writableLength === 0) return;
    this.#bytes = this.#filled(); // the old one belongs to the socket
    this.view = viewOf(this.#bytes);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

const CONNECT =
  'CONNECT {"verbose":false,"pedantic":false,"echo":false,"headers":false,"lang":"bench","version":"1"}\r\n';

function command(line: string, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${line} ${payload.length}\r\n`), payload, Buffer.from("\r\n")]);
}

function subjectOf(functionId: string): string {
  return functionId.replace("::", ".");
}

export async function natsCaller(options: CallerOptions): Promise<CallerRole> {
  const payload = asMsgpack(document(options.payloadBytes, asMsgpack));
  const peer = new NatsPeer(options.port, payload.length + 2);
  const inbox = inboxOf(options.number);
  const subject = subjectOf(options.functions[0] ?? "");
  const record = command(`PUB ${subject} ${inbox}.00000000`, payload);
  const out = new NatsOut(peer.socket, record, options.slots);
  const replyAt = record.indexOf(inbox);
  const stampAt = record.indexOf(STAMP_KEY) + STAMP_KEY.length;
  const payloadStampAt = payload.indexOf(STAMP_KEY) + STAMP_KEY.length;
  const subjectAt = record.indexOf(subject) + subject.length - 4;
  const words = options.functions.map((id) => Buffer.from(id.slice(-4)).readUInt32BE());
  let running = 0;
  const calls = new Calls(options.slots, (slot) => {
    const at = out.next();
    out.view.setUint32(at + replyAt + RUNNING_AT, STAMPS[running++ & 0xffff]!);
    out.view.setUint32(at + replyAt + SLOT_AT, STAMPS[slot]!);
    out.view.setUint32(at + stampAt, STAMPS[slot]!);
    if (words.length > 1) out.view.setUint32(at + subjectAt, words[slot % words.length]!);
  });
  const answerSlotAt = "MSG ".length + SLOT_AT;
  peer.onMessage = (_bytes, view, line, _lineEnd, at) => {
    calls.answered(slotOf(view.getUint32(line + answerSlotAt)), view.getUint32(at + payloadStampAt));
  };
  peer.onTurnEnd = () => out.flush();
  await peer.settled(`${CONNECT}SUB ${inbox}.* 1\r\n`);
  return { calls, ready: async () => {}, flush: () => out.flush(), close: () => peer.close() };
}

export async function natsWorker(options: WorkerOptions): Promise<WorkerRole> {
  const payload = asMsgpack(document(options.payloadBytes, asMsgpack));
  const peer = new NatsPeer(options.port, payload.length + 2);
  const record = command(`PUB ${inboxOf(0)}.00000000`, payload);
  const out = new NatsOut(peer.socket, record, options.callsAtOnce);
  const replyAt = "PUB ".length;
  const payloadStampAt = payload.indexOf(STAMP_KEY) + STAMP_KEY.length;
  const stampAt = record.indexOf(STAMP_KEY) + STAMP_KEY.length;
  const subject = subjectOf(options.functions[0] ?? "");
  const askedReplyAt = `MSG ${subject} 1 `.length;
  const role = { answered: 0, close: () => peer.close() };
  peer.onMessage = (bytes, view, line, _lineEnd, at) => {
    const start = out.next();
    for (let i = 0; i < REPLY_BYTES; i++)
      out.view.setUint8(start + replyAt + i, bytes[line + askedReplyAt + i]!);
    out.view.setUint32(start + stampAt, view.getUint32(at + payloadStampAt));
    role.answered++;
  };
  peer.onTurnEnd = () => out.flush();
  await peer.settled(`${CONNECT}SUB ${subject} 1\r\n`);
  return role;
}
