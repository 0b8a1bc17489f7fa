// The connection that a worker has with the engine over time: it is made, greeted, lost, and made again.
//
//   connecting -> connected -> reconnecting -> connected … -> closing -> closed
//
// Incoming records are handed to the caller's half (caller.ts) or the executor's (handlers.ts, registrations.ts).

import type { Caller } from "./caller.js";
import { Connection, type ConnectionEvents } from "./connection.js";
import type { ControlPart } from "./control-part.js";
import type { Drains } from "./drains.js";
import { surroundingFacts } from "./environment.js";
import { ConnectError, RecordError, WorkerError } from "./errors.js";
import type { Handlers } from "./handlers.js";
import { Kind, VERSION } from "./kind.js";
import { WELCOME_MS_MAX } from "./limits.js";
import type { WorkerEvent } from "./options.js";
import { Backoff, type ReconnectOptions, spreadMsOf } from "./reconnect.js";
import type { IncomingCall } from "./record-reader.js";
import type { Registrations } from "./registrations.js";
import type { OpenSocket, SocketOptions } from "./socket.js";
import type { Streams } from "./streams.js";
import { readWelcome, type Welcome } from "./welcome.js";

export type SessionState = "connecting" | "connected" | "reconnecting" | "closing" | "closed";

export interface SessionOptions {
  readonly url: string;
  readonly hello: Readonly<Record<string, unknown>>;
  readonly socket: SocketOptions;
  readonly reconnect: ReconnectOptions | false;
  readonly connectTimeoutMs: number;
  readonly onEvent: (event: WorkerEvent) => void;
}

/** What a session serves. */
export interface SessionParts {
  readonly caller: Caller;
  readonly handlers: Handlers;
  readonly registrations: Registrations;
  /** Parts with a conversation of their own: triggers. */
  readonly controls: readonly ControlPart[];
  readonly drains: Drains;
  readonly streams: Streams;
  /** The session has ended for good. */
  readonly onEnd: () => void;
}

/** The engine will not change its mind: coming back with the same words is pointless. */
const FINAL_CLOSE_CODES: ReadonlySet<number> = new Set([4400, 4410, 4411]);
const NAME_TAKEN_CLOSE_CODE = 4409;

export class Session implements ConnectionEvents {
  state: SessionState = "connecting";
  welcome: Welcome | undefined;
  readonly #openSocket: OpenSocket;
  readonly #options: SessionOptions;
  readonly #parts: SessionParts;
  readonly #backoff: Backoff;
  #connection: Connection | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #welcomeTimer: ReturnType<typeof setTimeout> | undefined;
  #refusal: WorkerError | undefined; // the last one of this connection: why it will be closed
  #opened: { resolve: () => void; reject: (error: ConnectError) => void; giveUpAtMs: number } | undefined;
  #closed: (() => void)[] = [];
  #withdrawn: { request: number; resolve: () => void } | undefined;

  constructor(openSocket: OpenSocket, options: SessionOptions, parts: SessionParts) {
    this.#openSocket = openSocket;
    this.#options = options;
    this.#parts = parts;
    this.#backoff = new Backoff(options.reconnect === false ? {} : options.reconnect);
  }

  /** Resolves when the engine has said welcome; rejects with ConnectError when it will not, or not in time. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#opened = { resolve, reject, giveUpAtMs: Date.now() + this.#options.connectTimeoutMs };
      this.#connect();
    });
  }

  /** Something to register or unregister waits: it leaves with this turn's frame. */
  touch(): void {
    if (this.state === "connected") this.#connection?.written();
  }

  /** Writes what waits to be registered now: calls that follow in the same frame may need it. */
  flushRegistrations(): void {
    const connection = this.#connection;
    if (this.state === "connected" && connection !== undefined)
      this.#parts.registrations.write(connection.writer);
  }

  /** Takes no more calls; resolves when the engine has confirmed, or at once without a connection. */
  withdraw(): Promise<void> {
    const connection = this.#connection;
    const connected = this.state === "connected" && connection?.isOpen === true;
    this.state = "closing";
    clearTimeout(this.#retryTimer);
    if (!connected) return Promise.resolve();
    if (this.welcome?.canDrain === true) {
      const confirmed = this.#parts.drains.ask(null);
      connection.written();
      return confirmed;
    }
    return new Promise((resolve) => {
      this.#withdrawn = { request: this.#parts.registrations.writeNone(connection.writer), resolve };
      connection.written();
    });
  }

  /** Ends the connection politely; resolves when it is gone. */
  close(): Promise<void> {
    if (this.state === "closed") return Promise.resolve();
    this.state = "closing";
    const connection = this.#connection;
    return new Promise((resolve) => {
      this.#closed.push(resolve);
      if (connection === undefined) this.#end(1000, "");
      else connection.close(1000, "");
    });
  }

  #connect(): void {
    const { url, socket } = this.#options;
    const giveUpMs = this.#opened === undefined ? WELCOME_MS_MAX : this.#opened.giveUpAtMs - Date.now();
    this.#refusal = undefined;
    const connection = new Connection(this.#openSocket, url, socket, this);
    if (this.welcome !== undefined) connection.writer.frameBytesMax = this.welcome.limits.frameBytesMax;
    this.#connection = connection;
    this.#welcomeTimer = setTimeout(() => connection.terminate(), Math.min(giveUpMs, WELCOME_MS_MAX));
  }

  // --- what the connection tells ---

  onOpen(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const previous = this.welcome && { previous: { worker: this.welcome.worker, token: this.welcome.token } };
    connection.writer.control([
      Kind.Hello,
      { version: VERSION, ...surroundingFacts(), ...this.#options.hello, ...previous },
    ]);
    if (previous !== undefined || this.#parts.registrations.unsent) {
      this.#parts.registrations.writeAll(connection.writer);
    }
    for (const part of this.#parts.controls) part.writeAll(connection);
  }

  onFlush(): void {
    const connection = this.#connection;
    if (connection === undefined || this.state === "connecting" || this.state === "reconnecting") return;
    this.#parts.registrations.unsent && this.#parts.registrations.write(connection.writer);
    for (const part of this.#parts.controls) part.unsent && part.write(connection);
    this.#parts.caller.writeResolves(connection);
  }

  onClosed(code: number, reason: string): void {
    clearTimeout(this.#welcomeTimer);
    this.#connection = undefined;
    const { caller, handlers, registrations } = this.#parts;
    registrations.disconnect();
    for (const part of this.#parts.controls) part.disconnect();
    handlers.disconnect();
    const why = `close ${code}${reason && `, ${reason}`}`;
    caller.disconnect(why);
    this.#parts.streams.disconnect(why);
    this.#withdrawn?.resolve();
    this.#withdrawn = undefined;
    if (this.state === "connected") this.#options.onEvent({ type: "disconnected", code, reason });
    if (this.state === "closing") this.#end(code, reason);
    else if (this.#opened !== undefined) this.#retryFirst(code, reason);
    else if (FINAL_CLOSE_CODES.has(code) || this.#options.reconnect === false) this.#end(code, reason);
    else this.#retry(code, reason);
  }

  onCall(call: IncomingCall): void {
    const connection = this.#connection;
    if (connection !== undefined) {
      this.#parts.handlers.serve(call, this.#parts.registrations.serving(call.handle), connection);
    }
  }

  onCast(cast: IncomingCall): void {
    this.onCall(cast);
  }

  onCancel(ticket: number): void {
    this.#parts.handlers.cancel(ticket);
  }

  onResult(call: number, frame: Uint8Array, start: number, end: number): void {
    this.#parts.caller.onResult(call, frame, start, end);
  }

  onError(call: number, frame: Uint8Array, start: number, end: number): void {
    this.#parts.caller.onError(call, frame, start, end);
  }

  onChunk(stream: number, flags: number, bytes: Uint8Array): void {
    this.#parts.streams.onChunk(stream, flags, bytes);
  }

  onControl(elements: readonly unknown[]): void {
    const [kind, first, second, third] = elements;
    switch (kind) {
      case Kind.Chunk:
        return this.#parts.streams.onChunk(Number(first), Number(second), bytesOf(third));
      case Kind.Credit:
        return this.#parts.streams.onCredit(Number(first), Number(second));
      case Kind.End:
        return this.#parts.streams.onEnd(Number(first), textOf(second), textOf(third) ?? "");
      case Kind.Welcome:
        return this.#onWelcome(readWelcome(first));
      case Kind.Registered:
        return this.#onRegistered(Number(first), bytesOf(second), bytesOf(third));
      case Kind.Unregistered:
        return this.#parts.registrations.onUnregistered(Number(first));
      case Kind.Resolved:
        return this.#parts.caller.onResolved(Number(first), bytesOf(second));
      case Kind.Stale:
        return this.#parts.caller.onStale(Number(first));
      case Kind.Refused:
        return this.#onRefused(first, String(second), String(third));
      default:
        return this.#onOther(elements);
    }
  }

  /** What no part knows is skipped, as PROTOCOL.md says: the engine is newer. */
  #onOther(elements: readonly unknown[]): void {
    const connection = this.#connection;
    if (connection !== undefined) this.#parts.controls.some((part) => part.onRecord(elements, connection));
  }

  // --- what the engine says ---

  #onWelcome(welcome: Welcome): void {
    const connection = this.#connection;
    if (connection === undefined || this.state === "closing") return;
    clearTimeout(this.#welcomeTimer);
    this.welcome = welcome;
    this.state = "connected";
    this.#backoff.reset();
    connection.writer.frameBytesMax = welcome.limits.frameBytesMax;
    this.#parts.streams.connect(connection, welcome.limits);
    this.#parts.caller.connect(connection, welcome.limits);
    this.#options.onEvent({ type: "connected", worker: welcome.worker, engine: welcome.engine });
    this.#opened?.resolve();
    this.#opened = undefined;
    if (this.#parts.registrations.unsent || this.#parts.controls.some(({ unsent }) => unsent))
      connection.written();
  }

  #onRegistered(request: number, handles: Uint8Array, states: Uint8Array): void {
    if (request === this.#withdrawn?.request) this.#withdrawn.resolve();
    else this.#parts.registrations.onRegistered(request, handles, states);
  }

  #onRefused(request: unknown, code: string, message: string): void {
    const connection = this.#connection;
    const error = new WorkerError(code, message);
    this.#refusal = error;
    if (connection === undefined) return;
    const number = typeof request === "number" ? request : -1;
    const isRegistration =
      this.#parts.controls.some((part) => part.onRefused(number, error)) ||
      this.#parts.registrations.onRefused(number, error, connection.writer);
    connection.written();
    if (number === this.#withdrawn?.request) this.#withdrawn.resolve();
    if (!isRegistration) this.#options.onEvent({ type: "refused", code, message, functions: [] });
  }

  // --- coming back ---

  #retryFirst(code: number, reason: string): void {
    const error = this.#connectError(code, reason);
    const final = FINAL_CLOSE_CODES.has(code) || code === NAME_TAKEN_CLOSE_CODE;
    const delayMs = this.#backoff.next();
    const opened = this.#opened;
    if (opened === undefined) return;
    if (!final && delayMs !== undefined && Date.now() + delayMs < opened.giveUpAtMs)
      return this.#connectIn(delayMs);
    this.#opened = undefined;
    this.state = "closing"; // whoever connects is told by the rejection, not by an event
    this.#end(code, reason);
    opened.reject(error);
  }

  #connectError(code: number, reason: string): ConnectError {
    const { url } = this.#options;
    const refusal = this.#refusal;
    if (refusal !== undefined) return new ConnectError(refusal.code, `${url} refused: ${refusal.message}`);
    const why = reason === "" ? `close code ${code}` : reason;
    return new ConnectError("connect_failed", `Cannot connect to ${url}: ${why}`);
  }

  #retry(code: number, reason: string): void {
    const delayMs = this.#backoff.next(spreadMsOf(reason));
    if (delayMs === undefined) return this.#end(code, reason);
    this.state = "reconnecting";
    this.#options.onEvent({ type: "reconnecting", attempt: this.#backoff.attempts, delayMs });
    this.#connectIn(delayMs);
  }

  #connectIn(delayMs: number): void {
    this.#retryTimer = setTimeout(() => this.#connect(), delayMs);
  }

  #end(code: number, reason: string): void {
    clearTimeout(this.#retryTimer);
    const wanted = this.state === "closing";
    this.state = "closed";
    this.#parts.onEnd();
    const closed = this.#closed;
    this.#closed = [];
    for (const resolve of closed) resolve();
    if (!wanted) this.#options.onEvent({ type: "closed", code, reason });
  }
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new RecordError("An element is not a bin");
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
