// The engine as a peer of calls: it executes its own functions, and it calls functions of workers (queue providers, probes).

import type { Builtin } from "../builtin/builtin.js";
import type { Logger } from "../log.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import type { Functions } from "../registry/functions.js";
import { namespaceKey } from "../registry/names.js";
import { INDEX_MASK } from "../registry/slots.js";
import type { Worker } from "../registry/workers.js";
import { type AnswerSink, type Calls, DRAINING, ENGINE, Executor } from "./calls.js";
import type { Crossing } from "./crossing.js";
import type { ErrorBody } from "./error-body.js";
import type { Ticket } from "./in-flight.js";

interface Waiter {
  resolve: (json: string | null) => void;
  reject: (error: CodedError) => void;
}

export class EnginePeer implements AnswerSink {
  readonly #calls: Calls;
  readonly #functions: Functions;
  readonly #log: Logger;
  readonly #builtins = new Map<number, Builtin>();
  readonly #waiting = new Map<number, Waiter>();
  #crossing: Crossing | null = null;

  constructor(calls: Calls, functions: Functions, log: Logger) {
    this.#calls = calls;
    this.#functions = functions;
    this.#log = log;
  }

  attach(crossing: Crossing): void {
    this.#crossing = crossing;
  }

  /** Adds a function of the engine's own, in namespace `default`. */
  serve(builtin: Builtin): void {
    const { id, description, request_format, response_format, metadata } = builtin;
    const card = Buffer.from(
      JSON.stringify({ description, request_format, response_format, metadata }),
      "utf8",
    );
    this.#builtins.set(this.#functions.registerBuiltin(id, card, builtin.yields), builtin);
  }

  /** Runs a function of the engine's own on JSON text. What is not a CodedError is our own mistake: logged, and told as such. */
  run(fn: number, json: string, caller: Worker | undefined): string | null | Promise<string | null> {
    const builtin = this.isCarried(fn) ? undefined : this.#builtins.get(fn);
    if (builtin === undefined) return this.#carry(fn, json);
    return builtin.handle(JSON.parse(json), caller, () => json);
  }

  /** Runs it for an event that wants no answer. What it throws is logged. */
  runForNobody(fn: number, json: string): void {
    const failed = (cause: unknown): void => {
      const { code, message } = this.coded(cause);
      this.#log.warn({ fn, code, message }, "a function of the engine failed for a trigger");
    };
    try {
      const result = this.run(fn, json, undefined);
      if (result instanceof Promise) result.catch(failed);
    } catch (cause) {
      failed(cause);
    }
  }

  /** Whether the engine carries out the function for the worker that registered it. */
  isCarried(fn: number): boolean {
    return this.#functions.carried.has(this.#functions.servingOffer(fn));
  }

  #carry(fn: number, json: string): Promise<string | null> {
    const carry = this.#functions.carried.get(this.#functions.servingOffer(fn));
    if (carry === undefined) throw new Error(`function ${fn} is neither the engine's nor carried by it`);
    return carry(json);
  }

  /** Runs it for nobody; `failed` is told when that does not go well. */
  cast(fn: number, json: string, caller: Worker | undefined, failed: () => void): void {
    const fail = (cause: unknown): void => {
      const { code, message } = this.coded(cause);
      this.#log.debug({ worker: caller?.id, code, message }, "a cast to the engine failed");
      failed();
    };
    try {
      const result = this.run(fn, json, caller);
      if (result instanceof Promise) result.catch(fail);
    } catch (cause) {
      fail(cause);
    }
  }

  /** Runs it for an entered call and answers, at once or later. */
  execute(slot: number, fn: number, json: string, caller: Worker | undefined): void {
    const ticket = this.#calls.inFlight.ticketOf(slot);
    try {
      const result = this.run(fn, json, caller);
      if (result instanceof Promise) this.settleLater(ticket, result);
      else this.#crossing?.engineResult(slot, result);
    } catch (cause) {
      this.#fail(ticket, cause);
    }
  }

  /** Answers an entered call of the engine's (by ticket: its caller may be gone by then) when `result` settles. */
  settleLater(ticket: Ticket, result: Promise<string | null>): void {
    result.then(
      (json) => {
        const slot = this.#calls.inFlight.slotOf(ticket, ENGINE);
        if (slot !== 0) this.#crossing?.engineResult(slot, json);
      },
      (cause: unknown) => this.#fail(ticket, cause),
    );
  }

  #fail(ticket: Ticket, cause: unknown): void {
    const slot = this.#calls.inFlight.slotOf(ticket, ENGINE);
    if (slot === 0) return;
    const error = this.coded(cause);
    this.#crossing?.engineFailure(slot, error);
  }

  /** The error to tell a caller; one that is not coded is our own mistake and is logged. */
  coded(cause: unknown): CodedError {
    if (cause instanceof CodedError) return cause;
    this.#log.error({ err: cause }, "a function of the engine failed");
    return new CodedError(ErrorCode.InvocationFailed, cause instanceof Error ? cause.message : String(cause));
  }

  /** Calls a worker's function with JSON text. Rejects with CodedError. `metadataJson`: the call's metadata, none when absent. */
  call(
    namespace: string,
    id: string,
    json: string,
    timeoutMs: number,
    metadataJson?: string,
  ): Promise<string | null> {
    const bytes = Buffer.from(id, "utf8");
    const index = this.#functions.names.find(namespaceKey(namespace), bytes, 0, bytes.length);
    if (index === 0)
      return Promise.reject(
        new CodedError(ErrorCode.FunctionNotFound, `Function ${id} not found in namespace ${namespace}`),
      );
    const fn = this.#functions.slots.handleOf(index);
    let executor = this.#calls.executorOf(fn);
    if (executor === Executor.ByKey) executor = this.#calls.executorByKey(fn, 0);
    if (executor === Executor.Builtin) return this.#callBuiltin(index, json);
    if (executor === Executor.NotFound) return Promise.reject(new CodedError(ErrorCode.Draining, DRAINING));
    const ticket = executor <= 0 ? 0 : this.#calls.admit(ENGINE, 0, executor, fn, timeoutMs);
    if (ticket === 0) return Promise.reject(this.#overloaded(id));
    const slot = ticket & INDEX_MASK;
    return new Promise((resolve, reject) => {
      this.#waiting.set(slot, { resolve, reject });
      // Not now: whoever asks may be in the middle of a received frame, and sending writes to where it lies.
      queueMicrotask(() => {
        if (this.#calls.inFlight.isOpen(ticket)) this.#crossing?.callFromEngine(slot, json, metadataJson);
      });
    });
  }

  #overloaded(id: string): CodedError {
    const { message, retryAfterMs } = this.#calls.refused();
    return new CodedError(ErrorCode.Overloaded, `Cannot call ${id}: ${message}`, retryAfterMs);
  }

  async #callBuiltin(index: number, json: string): Promise<string | null> {
    return await this.run(index, json, undefined);
  }

  engineError(slot: number, { code, message, retry_after_ms }: ErrorBody): void {
    this.rejected(slot, new CodedError(code, message, retry_after_ms));
  }

  /** A worker answered a call of the engine's. The slot is left by whoever tells us. */
  resolved(slot: number, json: string | null): void {
    this.#take(slot)?.resolve(json);
  }

  rejected(slot: number, error: CodedError): void {
    this.#take(slot)?.reject(error);
  }

  #take(slot: number): Waiter | undefined {
    const waiter = this.#waiting.get(slot);
    this.#waiting.delete(slot);
    return waiter;
  }
}
