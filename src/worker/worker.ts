// A worker as its user sees it: functions in, calls out, one end.
//
// It only puts the parts together: caller.ts, handlers.ts, registrations.ts over session.ts.

import { Caller } from "./caller.js";
import { type DrainNotice, Drains } from "./drains.js";
import { PayloadError, WorkerClosedError } from "./errors.js";
import { Handlers } from "./handlers.js";
import { CLOSE_TIMEOUT_MS_DEFAULT } from "./limits.js";
import type {
  Calling,
  CallOptions,
  CastOptions,
  CloseOptions,
  DrainOptions,
  Handler,
  RegisterOptions,
} from "./options.js";
import { type Registration, Registrations } from "./registrations.js";
import { checkOf, jsonSchemaOf, type ToJsonSchema } from "./schema.js";
import { Session, type SessionOptions, type SessionState } from "./session.js";
import type { OpenSocket } from "./socket.js";
import { type ChannelRef, type Offered, type StreamPart, Streams } from "./streams.js";
import type { Trigger, TriggerOptions } from "./trigger.js";
import { ProvidedType, type TriggerTypeHandler, type TriggerTypeOptions } from "./trigger-types.js";
import { Triggers } from "./triggers.js";
import { type RegistryUpdate, type Watch, Watches, type WatchFilter } from "./watches.js";

export interface WorkerOptions extends SessionOptions {
  readonly whileDisconnected: "wait" | "fail";
  readonly waitingMax: number;
  readonly stacktraces: boolean;
  readonly toJSONSchema: ToJsonSchema | undefined;
}

interface Waiter {
  readonly isOver: () => boolean;
  readonly resolve: () => void;
}

/** A connection to the engine under which functions are offered and called. Made by `connect`. */
export class Worker implements Calling {
  readonly #options: WorkerOptions;
  readonly #caller: Caller;
  readonly #handlers: Handlers;
  readonly #registrations: Registrations;
  readonly #triggers: Triggers;
  readonly #watches: Watches;
  readonly #drains: Drains;
  readonly #streams: Streams;
  readonly #session: Session;
  /** Whoever waits until something has ended, each with how it looks whether it has. */
  readonly #waiters = new Set<Waiter>();
  #closing: Promise<void> | undefined;

  constructor(openSocket: OpenSocket, options: WorkerOptions) {
    const { onEvent } = options;
    const ended = (): void => this.#settled();
    const castFailed = (id: string, error: unknown): void =>
      onEvent({ type: "cast_failed", function: id, error });
    this.#options = options;
    this.#caller = new Caller({ ...options, ended, castFailed });
    this.#handlers = new Handlers(this, options.stacktraces, ended, castFailed);
    this.#registrations = new Registrations(({ code, message }, functions) =>
      onEvent({ type: "refused", code, message, functions }),
    );
    this.#triggers = new Triggers(onEvent);
    this.#watches = new Watches(onEvent, () => this.#session.touch());
    this.#drains = new Drains((notice) => this.#onDrain(notice));
    this.#streams = new Streams(ended);
    this.#session = new Session(openSocket, options, {
      caller: this.#caller,
      handlers: this.#handlers,
      registrations: this.#registrations,
      controls: [this.#triggers, this.#watches, this.#drains],
      drains: this.#drains,
      streams: this.#streams,
      onEnd: () => this.#end(),
    });
  }

  /** Makes the first connection; `connect` calls it. */
  open(): Promise<void> {
    return this.#session.open();
  }

  get state(): SessionState {
    return this.#session.state;
  }

  /** The connection's id, as lists of workers show it; changes with a reconnect. */
  get id(): string {
    return this.#session.welcome?.worker ?? "";
  }

  /** The connection's number, as handlers elsewhere see it in `caller`; changes with a reconnect. */
  get number(): number {
    return this.#session.welcome?.number ?? 0;
  }

  /** Calls that await their end, answers that came too late for theirs, handlers that have not settled. */
  get stats(): {
    readonly callsOpen: number;
    readonly answersLate: number;
    readonly handlersRunning: number;
  } {
    const { open, answersLate } = this.#caller;
    return { callsOpen: open, answersLate, handlersRunning: this.#handlers.running };
  }

  /**
   * Offers a function. Effective at once and after every reconnect; registering an id again replaces it.
   * What is registered in one turn goes to the engine together.
   *
   * A handler that throws CallError chooses what its caller gets; anything else becomes `invocation_failed`.
   */
  register<Data = unknown, Result = unknown>(
    id: string,
    handler: Handler<Data, Result>,
    options: RegisterOptions<Data, Result> = {},
  ): Registration {
    this.#checkOpen();
    const { request, response, description, metadata, share } = options;
    const { toJSONSchema } = this.#options;
    this.#drains.forget(id);
    const registration = this.#registrations.add({
      id,
      handler,
      description,
      requestFormat: jsonSchemaOf(request, "input", toJSONSchema),
      responseFormat: jsonSchemaOf(response, "output", toJSONSchema),
      metadata,
      share,
      concurrency: options,
      checkRequest: checkOf(request, "request_invalid"),
      checkResponse: checkOf(response, "response_invalid"),
    });
    this.#session.touch();
    return registration;
  }

  /** Offers a function no more; calls that are with it already go on. False when it was not registered. */
  unregister(id: string): boolean {
    const removed = this.#registrations.remove(id);
    if (removed) this.#session.touch();
    return removed;
  }

  /**
   * Provides a trigger type: the handler is told of each trigger that some worker wants, and of its end, also after a reconnect. The latest worker to
   * provide a type serves; when it leaves, the one before it does.
   */
  registerTriggerType<Config = unknown>(
    id: string,
    handler: TriggerTypeHandler<Config>,
    options: TriggerTypeOptions = {},
  ): ProvidedType {
    this.#checkOpen();
    const { description, config, payload, namespace } = options;
    const { toJSONSchema, onEvent } = this.#options;
    const formats = [
      jsonSchemaOf(config, "input", toJSONSchema),
      jsonSchemaOf(payload, "input", toJSONSchema),
    ];
    const failed = (trigger: string, error: unknown): void =>
      onEvent({ type: "trigger_failed", trigger, error });
    const type = new ProvidedType([id, description, ...formats, namespace], handler, this, failed);
    this.#triggers.provide(type);
    this.#session.touch();
    return type;
  }

  /** Provides a trigger type no more; its handler is told of the end of every trigger. False when it was not provided. */
  unregisterTriggerType(id: string): boolean {
    const isGone = this.#triggers.withdraw(id);
    if (isGone) this.#session.touch();
    return isGone;
  }

  /** Wants a function called when something happens. Effective at once, or when a provider of the type comes; and after every reconnect. */
  registerTrigger(options: TriggerOptions): Trigger {
    this.#checkOpen();
    const trigger = this.#triggers.want(options);
    this.#session.touch();
    return trigger;
  }

  /** Wants a trigger no more. False when it was not registered. */
  unregisterTrigger(id: string): boolean {
    const isGone = this.#triggers.unwant(id);
    if (isGone) this.#session.touch();
    return isGone;
  }

  /** Follows the registry: tells all there is, then every change, and after a reconnect what changed meanwhile. */
  watch(filter: WatchFilter, listener: (update: RegistryUpdate) => void): Watch {
    this.#checkOpen();
    return this.#watches.add(filter, listener);
  }

  call<Result = unknown>(id: string, data?: unknown, options?: CallOptions): Promise<Result> {
    if (this.#registrations.unsent) this.#session.flushRegistrations();
    const answer =
      options?.streams === undefined
        ? this.#caller.call(id, data, options)
        : this.#callWithStreams(id, data, options, options.streams);
    // The answer's type is the caller's word; see Calling.
    return answer as Promise<Result>;
  }

  offer(stream: ReadableStream<StreamPart> | WritableStream<StreamPart>): ChannelRef {
    return this.#streams.offer(stream).ref;
  }

  readable(ref: ChannelRef): ReadableStream<StreamPart> {
    return this.#streams.readable(ref);
  }

  writable(ref: ChannelRef): WritableStream<StreamPart> {
    return this.#streams.writable(ref);
  }

  cast(id: string, data?: unknown, options?: CastOptions): boolean {
    if (this.#registrations.unsent) this.#session.flushRegistrations();
    return this.#caller.cast(id, data, options);
  }

  /**
   * Takes no more calls, of all its functions or of some: others that offer them take over at once, and where there is none callers are told `draining`.
   * Resolves when the handlers that run have ended, or `timeoutMs` is over, with how many have not. The worker stays connected and may call; `close()` it
   * when it has nothing more to do. Functions listed here serve again when they are registered anew.
   */
  async drain({ functions, timeoutMs = CLOSE_TIMEOUT_MS_DEFAULT }: DrainOptions = {}): Promise<{
    handlersRunning: number;
  }> {
    this.#checkOpen();
    const running = (): number =>
      functions === undefined ? this.#handlers.running : this.#registrations.runningOf(functions);
    const confirmed = this.#drains.ask(functions ?? null);
    this.#session.touch();
    await within(
      timeoutMs,
      confirmed.then(() => this.#until(() => running() === 0)),
    );
    return { handlersRunning: running() };
  }

  /**
   * Leaves gracefully: takes no more calls, lets handlers and calls end, sends what is unsent, closes.
   * What has not ended after `timeoutMs` is given up: signals are aborted, calls reject with WorkerClosedError.
   */
  close({ timeoutMs = CLOSE_TIMEOUT_MS_DEFAULT }: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #checkOpen(): void {
    if (this.state === "closing" || this.state === "closed") throw new WorkerClosedError();
  }

  /** The streams go with the call: what its failure leaves is ended. */
  async #callWithStreams(
    id: string,
    data: unknown,
    options: CallOptions,
    streams: NonNullable<CallOptions["streams"]>,
  ): Promise<unknown> {
    if (data !== undefined && data !== null && (typeof data !== "object" || Array.isArray(data)))
      throw new PayloadError("payload_unencodable", "The data of a call with streams must be an object");
    const offered: Offered[] = [];
    try {
      const refs: Record<string, ChannelRef> = {};
      for (const [name, stream] of Object.entries(streams)) {
        const one = this.#streams.offer(stream);
        offered.push(one);
        refs[name] = one.ref;
      }
      return await this.#caller.call(id, { ...data, ...refs }, options);
    } catch (error) {
      for (const one of offered) one.fail(error);
      throw error;
    }
  }

  async #close(timeoutMs: number): Promise<void> {
    // Without a connection nothing that is open can end well any more.
    if (this.state === "connected") await this.#finish(timeoutMs);
    this.#caller.close();
    await this.#session.close();
  }

  /** Takes no more calls and waits until nothing is open, or the time is over. */
  #finish(timeoutMs: number): Promise<void> {
    const isOver = (): boolean =>
      this.#caller.open === 0 && this.#handlers.running === 0 && this.#streams.open === 0;
    return within(
      timeoutMs,
      this.#session.withdraw().then(() => this.#until(isOver)),
    );
  }

  #until(isOver: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.add({ isOver, resolve });
      this.#settled();
    });
  }

  /** Something has ended. */
  #settled(): void {
    for (const waiter of this.#waiters) if (waiter.isOver()) this.#release(waiter);
  }

  #release(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    waiter.resolve();
  }

  /** An operator drains this worker: drained as a whole, it leaves. */
  #onDrain({ functions, timeoutMs }: DrainNotice): void {
    this.#options.onEvent({ type: "drain", functions, timeoutMs });
    if (functions === undefined) void this.close({ timeoutMs });
  }

  #end(): void {
    this.#caller.close();
    this.#registrations.end(new WorkerClosedError());
    this.#triggers.end(new WorkerClosedError());
    this.#watches.end();
    this.#drains.end();
    for (const waiter of this.#waiters) this.#release(waiter); // what still runs has nobody to answer to
  }
}

/** Settles with the work, or when the time is over. */
async function within(timeoutMs: number, work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([work, tooLate]);
  clearTimeout(timer);
}
