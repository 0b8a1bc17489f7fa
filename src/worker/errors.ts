// The errors a user of the SDK meets: classes to catch by, with a stable `code` for programs.
//
// What came over the wire keeps its code from PROTOCOL.md; what the SDK finds by itself has codes of its
// own, listed here and nowhere else.

/** Every error of the SDK. `code` is stable; the message is for people. */
export class WorkerError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** What an error record may carry beside code and message. */
export interface CallErrorDetails {
  /** The stack trace of the handler that failed, where its worker shows it. */
  stacktrace?: string | undefined;
  /** Anything the handler wanted to say to programs. */
  data?: unknown;
  /** How long to wait before trying again, with `overloaded`. */
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/**
 * A call ended with an error: the engine's (`function_not_found`, `overloaded`, …), or the handler's
 * (`invocation_failed`, or the code of the CallError that it threw). Throw one in a handler to choose
 * what the caller gets.
 */
export class CallError extends WorkerError {
  readonly stacktrace: string | undefined;
  readonly data: unknown;
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, details: CallErrorDetails = {}) {
    super(code, message, details.cause === undefined ? undefined : { cause: details.cause });
    this.stacktrace = details.stacktrace;
    this.data = details.data;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** `deadline_exceeded`: the call's time has passed. It may have been executed, or may still be. */
export class TimeoutError extends CallError {}

/** `cancelled`: the caller's signal was aborted; its reason is the `cause`. */
export class CancelledError extends CallError {}

/** `connection_lost`: the connection ended with the call open, which may have been executed; or there was none to send it on. */
export class ConnectionLostError extends WorkerError {
  constructor(message: string, options?: ErrorOptions) {
    super("connection_lost", message, options);
  }
}

/** `connect_failed`, or the code that the engine refused the connection with (`worker_name_taken`, …). */
export class ConnectError extends WorkerError {}

/** `worker_closed`: the worker was closed by `close()`, or for good by the engine. */
export class WorkerClosedError extends WorkerError {
  constructor(message = "The worker is closed") {
    super("worker_closed", message);
  }
}

/** `payload_unencodable` or `payload_too_large`: a value that cannot be sent. Nothing was. */
export class PayloadError extends WorkerError {}

/** `record_unreadable`: the engine sent bytes that are not records of PROTOCOL.md. */
export class RecordError extends WorkerError {
  constructor(message: string) {
    super("record_unreadable", message);
  }
}

/** The class that belongs to a wire code. */
export function callErrorOf(code: string, message: string, details: CallErrorDetails = {}): CallError {
  if (code === "deadline_exceeded") return new TimeoutError(code, message, details);
  if (code === "cancelled") return new CancelledError(code, message, details);
  return new CallError(code, message, details);
}
