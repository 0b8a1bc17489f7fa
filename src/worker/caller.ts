// The caller's half: calls out, their ends back.
//
// A call takes a slot before anything is sent, and leaves it exactly once: answered, timed out, cancelled, or its
// connection lost. Calls made without a connection wait in their slots.

import type { Connection } from "./connection.js";
import {
  CallError,
  CancelledError,
  ConnectionLostError,
  callErrorOf,
  PayloadError,
  RecordError,
  TimeoutError,
  WorkerClosedError,
} from "./errors.js";
import { Kind } from "./kind.js";
import { CALLS_OPEN_MAX_DEFAULT, DEADLINE_GRACE_MS, TIMEOUT_MS_DEFAULT } from "./limits.js";
import type { CallOptions, CastOptions, SendOptions } from "./options.js";
import { type PendingCall, PendingCalls } from "./pending-calls.js";
import type { CallContext } from "./record-writer.js";
import { type RemoteFunction, RemoteFunctions } from "./remote-functions.js";
import { ValueReader } from "./value-reader.js";
import type { WelcomeLimits } from "./welcome.js";

export interface CallerOptions {
  whileDisconnected: "wait" | "fail";
  waitingMax: number;
  /** Called whenever a call has ended. */
  ended: () => void;
  /** A cast that waited for a connection cannot be sent. */
  castFailed: (id: string, error: unknown) => void;
}

interface WaitingCast {
  readonly target: RemoteFunction;
  readonly data: unknown;
  readonly options: CastOptions | undefined;
}

const MODE_ONE = 0;
const MODE_ALL = 1;

export class Caller {
  /** Answers to calls that had ended already. */
  answersLate = 0;
  readonly #options: CallerOptions;
  readonly #pending: PendingCalls;
  readonly #remote = new RemoteFunctions();
  readonly #values = new ValueReader();
  #connection: Connection | undefined;
  #timeoutMsDefault = TIMEOUT_MS_DEFAULT;
  #waiting = 0; // calls in slots that were not sent
  #casts: WaitingCast[] = [];
  #unresolved: RemoteFunction[] = [];
  readonly #asked = new Map<number, readonly RemoteFunction[]>();
  #request = 0;
  #closed = false;

  constructor(options: CallerOptions) {
    this.#options = options;
    this.#pending = new PendingCalls(CALLS_OPEN_MAX_DEFAULT, (call) => this.#expired(call));
  }

  /** How many calls await their end. */
  get open(): number {
    return this.#pending.open;
  }

  call(id: string, data: unknown, options: CallOptions | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => this.#begin(id, data, options, resolve, reject));
  }

  /** False when it was dropped. */
  cast(id: string, data: unknown, options: CastOptions | undefined): boolean {
    const target = this.#remote.get(options?.namespace, id);
    if (this.#connection !== undefined) this.#sendCast(this.#connection, target, data, options);
    else if (!this.#mayWait()) return false;
    else this.#casts.push({ target, data, options });
    return true;
  }

  /** A connection stands: what waited is sent. */
  connect(connection: Connection, limits: WelcomeLimits): void {
    this.#connection = connection;
    this.#timeoutMsDefault = limits.timeoutMsDefault;
    this.#pending.openMax = limits.callsOpenMax;
    for (const call of this.#pending.all()) if (call.sentBy === "unsent") this.#sendLate(connection, call);
    const casts = this.#casts;
    this.#casts = [];
    for (const { target, data, options } of casts) this.#sendWaitingCast(connection, target, data, options);
  }

  /** The connection is gone: calls that were sent on it end, those that wait go on waiting. */
  disconnect(reason: string): void {
    this.#connection = undefined;
    this.#remote.disconnect();
    this.#asked.clear();
    this.#unresolved = [];
    for (const call of this.#pending.all()) {
      if (call.sentBy === "unsent") continue;
      this.#reject(
        call,
        new ConnectionLostError(`The connection was lost during a call of ${call.target.id}: ${reason}`),
      );
    }
  }

  /** No connection will come any more. */
  close(): void {
    this.#closed = true;
    this.#connection = undefined;
    for (const call of this.#pending.all()) this.#reject(call, new WorkerClosedError());
    this.#casts = [];
    this.#pending.stop();
  }

  /** Asks for the handles of functions that were called by name since the last frame. */
  writeResolves(connection: Connection): void {
    if (this.#unresolved.length === 0) return;
    const targets = this.#unresolved;
    this.#unresolved = [];
    const request = ++this.#request;
    this.#asked.set(request, targets);
    connection.writer.control([Kind.Resolve, request, targets.map(({ name }) => name)]);
  }

  onResolved(request: number, handles: Uint8Array): void {
    const view = new DataView(handles.buffer, handles.byteOffset, handles.byteLength);
    for (const [index, target] of (this.#asked.get(request) ?? []).entries()) {
      target.resolving = false;
      if (index * 4 + 4 <= handles.length) target.handle = view.getUint32(index * 4);
    }
    this.#asked.delete(request);
  }

  onResult(number: number, frame: Uint8Array, start: number, end: number): void {
    const call = this.#take(number);
    if (call === undefined) return this.#late();
    if (start < 0) return this.#resolve(call, undefined);
    let value: unknown;
    try {
      value = this.#values.readWhole(frame, start, end);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      return this.#settle(call, new CallError("answer_invalid", error.message, { cause: error }));
    }
    this.#resolve(call, value);
  }

  onError(number: number, frame: Uint8Array, start: number, end: number): void {
    const call = this.#take(number);
    if (call === undefined) return this.#late();
    const error = this.#errorOf(frame, start, end);
    if (error.code === "function_not_found" && call.sentBy === "handle") return this.#sendByName(call);
    this.#settle(call, error);
  }

  #begin(
    id: string,
    data: unknown,
    options: CallOptions | undefined,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    if (this.#closed) return reject(new WorkerClosedError());
    const call: PendingCall = {
      resolve,
      reject,
      target: this.#remote.get(options?.namespace, id),
      data,
      context: options === undefined ? undefined : contextOf(options),
      timeoutMs: options === undefined ? 0 : timeoutOf(options),
      queuedAtMs: 0,
      expires: 0,
      number: 0,
      sentBy: "unsent",
      forget: undefined,
    };
    const signal = options?.signal;
    if (signal?.aborted === true) return reject(cancelled(signal));
    if (this.#connection === undefined && !this.#mayWait()) return reject(noConnection(id));
    if (!this.#pending.add(call, (call.timeoutMs || this.#timeoutMsDefault) + DEADLINE_GRACE_MS)) {
      return reject(new CallError("overloaded", `${this.#pending.openMax} calls are open already`));
    }
    if (signal !== undefined) this.#listen(call, signal);
    if (this.#connection === undefined) this.#wait(call);
    else this.#send(this.#connection, call, call.timeoutMs);
  }

  #mayWait(): boolean {
    const { whileDisconnected, waitingMax } = this.#options;
    return !this.#closed && whileDisconnected === "wait" && this.#waiting + this.#casts.length < waitingMax;
  }

  #wait(call: PendingCall): void {
    this.#waiting++;
    call.queuedAtMs = Date.now();
  }

  #send(connection: Connection, call: PendingCall, timeoutMs: number): void {
    const { target } = call;
    try {
      if (target.handle === 0) {
        call.sentBy = "name";
        connection.writer.call(call.number, target.name, timeoutMs, call.context, call.data);
        this.#wantHandle(target);
      } else {
        call.sentBy = "handle";
        connection.writer.call(call.number, target.handle, timeoutMs, call.context, call.data);
      }
    } catch (error) {
      return this.#reject(call, error);
    }
    connection.written();
  }

  /** A call that had to wait has less time left. */
  #sendLate(connection: Connection, call: PendingCall): void {
    this.#waiting--;
    const waitedMs = Date.now() - call.queuedAtMs;
    call.sentBy = "name"; // no longer counted as waiting, whatever happens next
    if (call.timeoutMs === 0) return this.#send(connection, call, 0);
    if (waitedMs < call.timeoutMs) return this.#send(connection, call, Math.ceil(call.timeoutMs - waitedMs));
    this.#reject(
      call,
      new TimeoutError("deadline_exceeded", `No connection came in time to call ${call.target.id}`),
    );
  }

  /** The handle had gone stale and the call was not executed: once more, under the name. */
  #sendByName(call: PendingCall): void {
    call.target.handle = 0;
    this.#pending.addAgain(call);
    if (this.#connection !== undefined) this.#send(this.#connection, call, call.timeoutMs);
  }

  /** A cast under this handle reached nobody: the next one goes under the name. */
  onStale(handle: number): void {
    this.#remote.forget(handle);
  }

  #wantHandle(target: RemoteFunction): void {
    if (target.resolving) return;
    target.resolving = true;
    this.#unresolved.push(target);
  }

  #sendCast(
    connection: Connection,
    target: RemoteFunction,
    data: unknown,
    options: CastOptions | undefined,
  ): void {
    const mode = options?.all === true ? MODE_ALL : MODE_ONE;
    const context = options === undefined ? undefined : contextOf(options);
    connection.writer.cast(target.handle || target.name, mode, context, data);
    // A handle that went stale costs casts until `stale` tells of it; a call is sent again.
    if (target.handle === 0) this.#wantHandle(target);
    connection.written();
  }

  /** Whoever made the cast cannot be told any more that its value cannot be sent. */
  #sendWaitingCast(
    connection: Connection,
    target: RemoteFunction,
    data: unknown,
    options: CastOptions | undefined,
  ): void {
    try {
      this.#sendCast(connection, target, data, options);
    } catch (error) {
      if (!(error instanceof PayloadError)) throw error;
      this.#options.castFailed(target.id, error);
    }
  }

  #listen(call: PendingCall, signal: AbortSignal): void {
    const onAbort = (): void => this.#cancel(call, signal);
    signal.addEventListener("abort", onAbort, { once: true });
    call.forget = () => signal.removeEventListener("abort", onAbort);
  }

  #cancel(call: PendingCall, signal: AbortSignal): void {
    const connection = this.#connection;
    if (call.sentBy !== "unsent" && connection !== undefined) {
      connection.writer.cancel(call.number);
      connection.written();
    }
    this.#reject(call, cancelled(signal));
  }

  #expired(call: PendingCall): void {
    if (call.sentBy === "unsent") this.#waiting--;
    this.#settle(call, new TimeoutError("deadline_exceeded", `No answer from ${call.target.id} in time`));
  }

  /** The call was cancelled or given up before its answer came. */
  #late(): void {
    this.answersLate++;
  }

  #take(number: number): PendingCall | undefined {
    return this.#pending.take(number);
  }

  /** Ends a call that still has its slot. */
  #reject(call: PendingCall, error: unknown): void {
    if (this.#take(call.number) === undefined) return;
    if (call.sentBy === "unsent" && call.queuedAtMs !== 0) this.#waiting--;
    this.#settle(call, error);
  }

  #resolve(call: PendingCall, value: unknown): void {
    call.forget?.();
    call.resolve(value);
    this.#options.ended();
  }

  #settle(call: PendingCall, error: unknown): void {
    call.forget?.();
    call.reject(error);
    this.#options.ended();
  }

  #errorOf(frame: Uint8Array, start: number, end: number): CallError {
    try {
      const body = start < 0 ? undefined : this.#values.readWhole(frame, start, end);
      return errorOf(body);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      return new CallError("answer_invalid", error.message, { cause: error });
    }
  }
}

function errorOf(body: unknown): CallError {
  // Any object can be read by key; every member's type is looked at below.
  const members =
    typeof body === "object" && body !== null ? (body as Readonly<Record<string, unknown>>) : {};
  const { code, message, stacktrace, data, retry_after_ms: retryAfterMs } = members;
  if (typeof code !== "string" || typeof message !== "string") {
    return new CallError("answer_invalid", "The error has no code and message");
  }
  return callErrorOf(code, message, {
    stacktrace: typeof stacktrace === "string" ? stacktrace : undefined,
    data,
    retryAfterMs: typeof retryAfterMs === "number" ? retryAfterMs : undefined,
  });
}

/** What travels beside the payload, or undefined when nothing does. */
function contextOf(options: SendOptions): CallContext | undefined {
  const { traceparent, baggage, metadata, key } = options;
  if (traceparent === undefined && baggage === undefined && metadata === undefined && key === undefined)
    return undefined;
  return {
    ...(traceparent !== undefined && { traceparent }),
    ...(baggage !== undefined && { baggage }),
    ...(metadata !== undefined && { metadata }),
    ...(key !== undefined && { key }),
  };
}

/** Whole milliseconds from 1 up, as the wire has them; 0 = the engine's default. */
function timeoutOf({ timeoutMs }: CallOptions): number {
  if (timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY) return 0;
  if (!(timeoutMs > 0)) throw new RangeError(`timeoutMs is ${timeoutMs}: it must be more than 0`);
  return Math.min(Math.ceil(timeoutMs), 0xffff_ffff);
}

function cancelled(signal: AbortSignal): CancelledError {
  return new CancelledError("cancelled", "The call was cancelled", { cause: signal.reason });
}

function noConnection(id: string): ConnectionLostError {
  return new ConnectionLostError(`There is no connection to call ${id} on`);
}
