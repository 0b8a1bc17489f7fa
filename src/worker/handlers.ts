// The executor's half: incoming calls to handlers, what they return to answers.
//
// A handler that returns a plain value is answered in the same breath; one that returns a promise is kept among
// the running until it settles, so that a cancel finds it and a close can wait for it.

import type { Connection } from "./connection.js";
import { CallError, PayloadError, RecordError, WorkerError } from "./errors.js";
import { HandlerContext } from "./handler-context.js";
import type { Calling, Handler } from "./options.js";
import type { IncomingCall } from "./record-reader.js";
import type { CallContext } from "./record-writer.js";
import type { FunctionEntry, Registration } from "./registrations.js";
import { SchemaError } from "./schema.js";
import { ValueReader } from "./value-reader.js";

const CAST = 0; // no ticket: nobody waits

export class Handlers {
  /** How many handlers have not settled, also of connections that are gone. */
  running = 0;
  readonly #calling: Calling;
  readonly #stacktraces: boolean;
  readonly #settled: () => void;
  readonly #castFailed: (id: string, error: unknown) => void;
  readonly #values = new ValueReader();
  #open = new Map<number, HandlerContext>();

  /** `settled` is called whenever a running handler has ended, `castFailed` when one failed that nobody waits for. */
  constructor(
    calling: Calling,
    stacktraces: boolean,
    settled: () => void,
    castFailed: (id: string, error: unknown) => void,
  ) {
    this.#castFailed = castFailed;
    this.#calling = calling;
    this.#stacktraces = stacktraces;
    this.#settled = settled;
  }

  /** Serves a call (or a cast, which has ticket 0). Never throws: what goes wrong is the answer. */
  serve(call: IncomingCall, registration: Registration | undefined, connection: Connection): void {
    const { ticket } = call;
    if (registration === undefined) {
      const missing = new CallError("function_not_found", `No function has the handle ${call.handle} here`);
      return this.#fail(ticket, missing, connection);
    }
    try {
      const context = this.#contextOf(call, connection);
      const data = call.start < 0 ? undefined : this.#values.readWhole(call.frame, call.start, call.end);
      const result = run(registration.entry, data, context);
      if (isThenable(result)) this.#await(registration, ticket, result, context, connection);
      else this.#answer(ticket, result, connection);
    } catch (error) {
      this.#failed(registration, ticket, error, connection);
    }
  }

  /** Nobody waits for the ticket any more. */
  cancel(ticket: number): void {
    this.#open.get(ticket)?.abort();
  }

  /** The connection is gone: nobody waits for anything. */
  disconnect(): void {
    const open = this.#open;
    this.#open = new Map();
    for (const context of open.values()) context.abort();
  }

  #contextOf(call: IncomingCall, connection: Connection): HandlerContext {
    const deadline =
      call.ticket === CAST ? Number.POSITIVE_INFINITY : connection.receivedAtMs + call.timeoutMs;
    const passed = call.contextStart < 0 ? undefined : this.#passed(call);
    return new HandlerContext(this.#calling, call.caller, deadline, passed);
  }

  #passed(call: IncomingCall): CallContext {
    const context = this.#values.readWhole(call.frame, call.contextStart, call.contextEnd);
    if (typeof context !== "object" || context === null) throw new RecordError("The context is not a map");
    return context; // its members are what the caller says they are; PROTOCOL.md names their types
  }

  #await(
    registration: Registration,
    ticket: number,
    result: PromiseLike<unknown>,
    context: HandlerContext,
    connection: Connection,
  ): void {
    this.running++;
    registration.running++;
    if (ticket !== CAST) this.#open.set(ticket, context);
    result.then(
      (value) => {
        this.#end(registration, ticket, context);
        this.#answer(ticket, value, connection);
        this.#settled();
      },
      (error: unknown) => {
        this.#end(registration, ticket, context);
        this.#failed(registration, ticket, error, connection);
        this.#settled();
      },
    );
  }

  #end(registration: Registration, ticket: number, context: HandlerContext): void {
    this.running--;
    registration.running--;
    // After a reconnect another call may have the same ticket.
    if (this.#open.get(ticket) === context) this.#open.delete(ticket);
  }

  #answer(ticket: number, value: unknown, connection: Connection): void {
    if (ticket === CAST || !connection.isOpen) return;
    try {
      connection.writer.result(ticket, value);
      connection.written();
    } catch (error) {
      this.#fail(ticket, error, connection);
    }
  }

  #failed(registration: Registration, ticket: number, error: unknown, connection: Connection): void {
    if (ticket === CAST) this.#castFailed(registration.id, error);
    else this.#fail(ticket, error, connection);
  }

  #fail(ticket: number, error: unknown, connection: Connection): void {
    if (ticket === CAST || !connection.isOpen) return;
    const body = errorBody(error, this.#stacktraces);
    try {
      connection.writer.error(ticket, body);
    } catch (unencodable) {
      if (!(unencodable instanceof PayloadError)) throw unencodable;
      connection.writer.error(ticket, { code: body.code, message: body.message.slice(0, 1_000) });
    }
    connection.written();
  }
}

/** The handler's result: checked, where there are schemas. */
function run(entry: FunctionEntry, data: unknown, context: HandlerContext): unknown {
  // The entry's handler takes what its own schema, or its author's word, says the data is.
  const handler = entry.handler as Handler;
  const { checkRequest, checkResponse } = entry;
  if (checkRequest === undefined && checkResponse === undefined) return handler(data, context);
  const checked = checkRequest === undefined ? data : checkRequest(data);
  const result = isThenable(checked)
    ? checked.then((value: unknown) => handler(value, context))
    : handler(checked, context);
  if (checkResponse === undefined) return result;
  return isThenable(result) ? result.then(checkResponse) : checkResponse(result);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

interface ErrorBody extends Record<string, unknown> {
  code: string;
  message: string;
}

/** What the caller is told: the code of what the SDK knows, `invocation_failed` for everything else a handler throws. */
function errorBody(error: unknown, stacktraces: boolean): ErrorBody {
  if (error instanceof SchemaError) return { code: error.code, message: error.message, data: error.issues };
  if (error instanceof RecordError) return { code: "payload_invalid", message: error.message };
  if (error instanceof CallError) {
    const { code, message, data, retryAfterMs } = error;
    return { code, message, data, retry_after_ms: retryAfterMs, stacktrace: stackOf(error, stacktraces) };
  }
  const message = error instanceof Error ? error.message : String(error);
  const from = error instanceof WorkerError ? ` (${error.code})` : "";
  return { code: "invocation_failed", message: message + from, stacktrace: stackOf(error, stacktraces) };
}

function stackOf(error: unknown, stacktraces: boolean): string | undefined {
  return stacktraces && error instanceof Error ? error.stack : undefined;
}
