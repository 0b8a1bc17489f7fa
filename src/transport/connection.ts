// One peer: its socket, its outbox, and a number by which everybody else knows it.

import type { CloseCode } from "../protocol/error.js";
import type { Handle } from "../registry/slots.js";
import { Outbox, type Outboxes, type OutgoingSocket } from "./outbox.js";

export type ConnectionHandle = Handle<"connection">;
export type Wire = "json" | "msgpack";

/** What a connection needs of its WebSocket beyond sending; uWebSockets' fits. */
export interface ConnectionSocket extends OutgoingSocket {
  end(code?: number, shortMessage?: string): unknown;
  close(): unknown;
  subscribe(topic: string): boolean;
  unsubscribe(topic: string): boolean;
}

export class Connection {
  readonly index: number;
  readonly handle: ConnectionHandle;
  readonly wire: Wire;
  readonly isMsgpack: boolean;
  readonly outbox: Outbox;
  /** The peer's address as text, captured at the upgrade. */
  readonly address: string;
  /** Which listener it came through. */
  readonly listener: number;
  isOpen = true;
  /** Its door knows of it; false while access is being decided. */
  isAdmitted = false;
  /** Its frames are handled as they come. False while they have to wait ({@link pause}), and for good once it is ending. */
  isReading = true;
  #socket: ConnectionSocket | null = null;
  #ending: { code: number; reason: string } | null = null;

  constructor(
    handle: ConnectionHandle,
    index: number,
    wire: Wire,
    outboxes: Outboxes,
    address: string,
    listener: number,
  ) {
    this.handle = handle;
    this.index = index;
    this.wire = wire;
    this.isMsgpack = wire === "msgpack";
    this.outbox = new Outbox(outboxes, index, wire === "json");
    this.address = address;
    this.listener = listener;
  }

  opened(socket: ConnectionSocket): void {
    this.#socket = socket;
    this.outbox.open(socket);
  }

  /** The socket is gone: nothing is sent from here on. */
  closed(): void {
    this.isOpen = false;
    this.#socket = null;
    this.outbox.close();
  }

  /** A close was asked for and waits for the end of the turn. */
  get isEnding(): boolean {
    return this.#ending !== null;
  }

  /** The close to carry out, and that it is asked for once only. */
  askEnd(code: CloseCodeValue, reason: string): boolean {
    if (this.#ending !== null || !this.isOpen) return false;
    this.#ending = { code, reason };
    this.isReading = false;
    return true;
  }

  /** Its frames wait from here on, also the records behind the one being handled. */
  pause(): void {
    this.isReading = false;
  }

  resume(): void {
    this.isReading = this.isOpen && this.#ending === null;
  }

  /** Carries out {@link askEnd}: flushes, then closes with code and reason. uWebSockets calls the close handler before this returns. */
  end(): void {
    if (this.#socket === null || this.#ending === null) return;
    this.outbox.flush();
    this.#socket.end(this.#ending.code, this.#ending.reason);
  }

  /** Closes without a word: a polite close would leave megabytes queued for somebody who does not read. */
  cut(): void {
    this.#socket?.close();
  }

  subscribe(topic: string): void {
    this.#socket?.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.#socket?.unsubscribe(topic);
  }
}

export type CloseCodeValue = (typeof CloseCode)[keyof typeof CloseCode];
