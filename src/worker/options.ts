// What a user may choose, with the defaults, and the shapes that handlers and calls are written with.

import type { WorkerError } from "./errors.js";
import type { ReconnectOptions } from "./reconnect.js";
import type { JsonSchema, StandardSchema, ToJsonSchema } from "./schema.js";
import type { SocketTls } from "./socket.js";
import type { ChannelRef, StreamPart } from "./streams.js";
import type { TriggerState } from "./trigger.js";

/** `concurrency` and what belongs to it bound the calls of all functions of the worker together. */
export interface ConnectOptions extends Concurrency {
  /** Default: `III_URL` of the environment, else ws://127.0.0.1:49134. */
  url?: string;
  /** The worker's name, unique in its namespace. Default: `III_WORKER_NAME`, else none. */
  name?: string;
  /** Where its functions live. Default: `III_NAMESPACE`, else "default". */
  namespace?: string;
  /** Shown in lists of workers. */
  description?: string;
  /** Headers of the upgrade request (a token, say); not available in browsers. */
  headers?: Readonly<Record<string, string>>;
  /** For wss://, PEM texts: authorities to believe instead of the well-known ones (NODE_EXTRA_CA_CERTS adds to those), and a client certificate. Node only. */
  tls?: SocketTls;
  /** How long `connect` goes on trying before it fails; default 30,000. */
  connectTimeoutMs?: number;
  /** How it comes back after a lost connection; false: not at all. */
  reconnect?: ReconnectOptions | false;
  /** Calls and casts made without a connection wait for the next one (bounded by their time), or fail at once. Default "wait". */
  whileDisconnected?: "wait" | "fail";
  /** How many may wait; default 10,000. */
  waitingMax?: number;
  /** Send the stack trace of a failed handler to its caller; default true. */
  stacktraces?: boolean;
  /** For schema libraries that cannot make a JSON Schema by themselves. */
  toJSONSchema?: ToJsonSchema;
  /** What happens to the connection; by default refusals and final closes are printed with console.warn. */
  onEvent?: (event: WorkerEvent) => void;
}

export type WorkerEvent =
  /** The engine knows the worker, at first and after each reconnect. */
  | { type: "connected"; worker: string; engine: string }
  | { type: "disconnected"; code: number; reason: string }
  | { type: "reconnecting"; attempt: number; delayMs: number }
  /** An operator drains functions of this worker, or with `functions` undefined all of it: then it closes by itself, within `timeoutMs`. */
  | { type: "drain"; functions: readonly string[] | undefined; timeoutMs: number }
  /** The engine could not do what a record asked, a registration for instance. */
  | { type: "refused"; code: string; message: string; functions: readonly string[] }
  /** A cast could not be served: its handler failed, or its value cannot be sent. Of calls the caller is told. */
  | { type: "cast_failed"; function: string; error: unknown }
  /** What became of a trigger, when nothing was asked or its provider refused it. */
  | {
      type: "trigger_state";
      trigger: string;
      state: TriggerState;
      reason: string | undefined;
      error: WorkerError | undefined;
    }
  /** A trigger type's handler failed to unregister a trigger. */
  | { type: "trigger_failed"; trigger: string; error: unknown }
  /** The worker is closed and will not come back. */
  | { type: "closed"; code: number; reason: string };

/** How many calls are taken at once. More wait in the engine, where callers take turns, within bounds; beyond these callers get `overloaded`. */
export interface Concurrency {
  /** Calls executed at once; default: no bound of its own. */
  concurrency?: number;
  /** With `concurrency`: calls that may wait; default as many as are executed, 16 at least. */
  queueCalls?: number;
  /** With `concurrency`: how long one may wait, in milliseconds; default 1,000. */
  queueMs?: number;
}

export type Share = "least_outstanding" | "round_robin" | "hash";

/** `concurrency` and what belongs to it bound the calls of this function. */
export interface RegisterOptions<Data, Result> extends Concurrency {
  description?: string;
  /** Checks what callers send and types the handler; or a JSON Schema that is only shown. */
  request?: StandardSchema<unknown, Data> | JsonSchema;
  /** Checks what the handler returns; or a JSON Schema that is only shown. */
  response?: StandardSchema<Result, unknown> | JsonSchema;
  /** Anything; shown in lists of functions. */
  metadata?: unknown;
  /** Several workers serve the function at once, chosen this way. Default: one owner, the others stand by. */
  share?: Share;
}

/** What travels beside a call or cast. */
export interface SendOptions {
  /** Of the function; default: the worker's own. */
  namespace?: string;
  /** Which owner of a function shared by "hash" gets it. */
  key?: string | number;
  /** Anything; the handler sees it in its context. */
  metadata?: unknown;
  /** W3C trace context. */
  traceparent?: string;
  baggage?: string;
}

export interface CallOptions extends SendOptions {
  /** Then the call ends with TimeoutError; default: what the engine says (`timeout_ms_default`). */
  timeoutMs?: number;
  /** Aborting it ends the call with CancelledError and tells the executor. */
  signal?: AbortSignal;
  /**
   * Streams beside the payload: `data` (an object, or nothing) gets for each name the ref of its other end. A ReadableStream is sent to the executor, which
   * reads it; a WritableStream receives what the executor writes. They may go on after the answer, and fail when the call does.
   */
  streams?: Readonly<Record<string, ReadableStream<StreamPart> | WritableStream<StreamPart>>>;
}

export interface CastOptions extends SendOptions {
  /** To every owner of a shared function instead of one. */
  all?: boolean;
}

export interface Calling {
  /**
   * Calls a function and resolves with what its handler returned.
   *
   * Rejects with CallError (TimeoutError, CancelledError), ConnectionLostError, WorkerClosedError or PayloadError;
   * all carry a `code`. The type of the answer is what you say it is: it is not checked here.
   */
  call<Result = unknown>(id: string, data?: unknown, options?: CallOptions): Promise<Result>;

  /**
   * Calls a function without waiting for an answer, which there is none of, nor an error. False when it was dropped
   * here: no connection, and none may wait or too many do. Throws PayloadError for a value that cannot be sent.
   */
  cast(id: string, data?: unknown, options?: CastOptions): boolean;

  /**
   * Gives a ref to put anywhere in a payload or an answer. Whoever takes it reads what the ReadableStream gives, or writes to the
   * WritableStream, once; worker SDKs of other wires see it as a channel. Throws ConnectionLostError without a connection.
   */
  offer(stream: ReadableStream<StreamPart> | WritableStream<StreamPart>): ChannelRef;

  /** The stream behind a ref with direction "read". It fails with a CallError (`channel_not_found`, `stream_broken`, … or its writer's code). */
  readable(ref: ChannelRef): ReadableStream<StreamPart>;

  /** The stream behind a ref with direction "write". Bytes are cut as need be; a string is one message of at most 64 KiB. */
  writable(ref: ChannelRef): WritableStream<StreamPart>;
}

/** What a handler knows about the call it serves. Calls made through it inherit time, trace and cancellation. */
export interface Context extends Calling {
  /** The number of the calling worker; 0 is the engine itself. */
  readonly caller: number;
  /** When the caller stops waiting, in epoch milliseconds; Infinity for a cast. */
  readonly deadline: number;
  /** Aborted when nobody waits any more: cancelled, deadline passed, caller or connection gone. */
  readonly signal: AbortSignal;
  readonly traceparent: string | undefined;
  readonly baggage: string | undefined;
  readonly metadata: unknown;
  /** What an owner of a function shared by "hash" was chosen by. */
  readonly key: unknown;
}

export type Handler<Data = unknown, Result = unknown> = (
  data: Data,
  context: Context,
) => Result | Promise<Result>;

export interface DrainOptions {
  /** Only these functions; default: all of them, and those registered later. */
  functions?: readonly string[];
  /** How long to wait for handlers; default 10,000. */
  timeoutMs?: number;
}

export interface CloseOptions {
  /** Calls and handlers still open after this are given up; default 10,000. */
  timeoutMs?: number;
}
