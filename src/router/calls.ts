// The life of a call between being asked for and its one end, whatever wires its two sides speak.
//
//   enter -> (result | error | deadline | cancelled | executor gone | caller gone) -> leave
//
// The wires themselves are behind two small interfaces: `AnswerSink` tells a caller how its call ended, `CancelSink` tells an executor that nobody waits.

import type { Clock } from "../clock.js";
import { Metric, type Metrics } from "../metrics.js";
import { ErrorCode } from "../protocol/error.js";
import { CALL_TIMEOUT_MS_MAX, type Limits } from "../protocol/limits.js";
import type { Functions } from "../registry/functions.js";
import type { NamespaceKey } from "../registry/names.js";
import { Share } from "../registry/share.js";
import type { SharedOwners } from "../registry/shared-owners.js";
import { INDEX_MASK } from "../registry/slots.js";
import type { Workers } from "../registry/workers.js";
import type { Arena } from "../transport/arena.js";
import type { Connection } from "../transport/connection.js";
import { Deadlines } from "./deadlines.js";
import { Durations } from "./durations.js";
import { type ErrorBody, engineErrorBody } from "./error-body.js";
import { CALL_WORDS, CallWord, Flag, InFlight, type Ticket } from "./in-flight.js";
import { type Outgoing, Queues } from "./queues.js";
import { Refusal } from "./refusal.js";
import { Target } from "./routing-table.js";

/** The connection index of the engine itself, as a caller and as an executor. */
export const ENGINE = 0;

/** What a caller is told with {@link ErrorCode.Draining}. */
export const DRAINING = "Whoever serves the function takes no more calls and is about to leave; try again";

/** What {@link Calls.executorOf} answers besides a connection index. `NotFound` of a living handle: all who offer the function drain. */
export const Executor = { NotFound: 0, Builtin: -2, Overloaded: -3, ByKey: -4 } as const;

/** How a caller is told of the end of a call that the engine ended. `slot` is still open. */
export interface AnswerSink {
  engineError(slot: number, error: ErrorBody): void;
}

/** How an executor is told that nobody waits for a ticket any more. */
export interface CancelSink {
  cancel(executor: Connection, ticket: Ticket): void;
}

/** Sees a call that ends, `slot` being open still; see {@link Calls.leave} for `code`. */
export type CallWatch = (slot: number, elapsedMs: number, code: ErrorCode | null) => void;

export interface CallsOptions {
  limits: Limits;
  clock: Clock;
  metrics: Metrics;
  functions: Functions;
  workers: Workers;
  connections: readonly (Connection | undefined)[];
  arena: Arena;
  /** Counts turns of the event loop, and sees to it that the end of this one is noticed. */
  loop: { readonly turns: number; schedule(): void; attach(beforeFlush: () => void): void };
  /** By connection: how much of the beginning of a function's id it must not see. */
  prefixBytes: Uint16Array;
}

export class Calls {
  readonly inFlight: InFlight;
  readonly deadlines: Deadlines;
  /** Calls that wait for workers which execute as many as they take. */
  readonly queues: Queues;
  /** How long the calls took that have ended. */
  readonly durations = new Durations();
  #watchedFromMs = Number.POSITIVE_INFINITY;
  #watch: CallWatch | null = null;
  readonly connections: readonly (Connection | undefined)[];
  /** What JSON callers sent as `baggage`, by slot, to be echoed in the answer. */
  readonly baggage = new Map<number, Uint8Array>();
  /** By connection that has cancelled: its open calls by their numbers. */
  readonly #made = new Map<number, Map<number, number>>();
  /** The function id as the caller spelled it, by slot, of calls to no registered function (enqueue). */
  readonly spelledIds = new Map<number, Uint8Array>();
  readonly #limits: Limits;
  readonly #metrics: Metrics;
  readonly #functions: Functions;
  readonly #workers: Workers;
  #answers: { json: AnswerSink; msgpack: AnswerSink; engine: AnswerSink } | null = null;
  #cancels: CancelSink | null = null;
  #isDraining = false;
  /** New calls of peers are refused: the engine is near its memory ceiling. Those that the engine itself executes go on. */
  #isMemoryNear = false;
  /** Calls one connection may have open now; 0 while none is taken. */
  #callsOpenPerConnectionMax: number;
  /** Why the latest call was refused, and when it may be tried again; for whoever tells its caller. */
  #refusal: Refusal = Refusal.WorkerBytes;
  #retryAfterMs: number | undefined;
  /** Of what shared owners are asked about. */
  #choosingFor = 0;

  constructor(options: CallsOptions) {
    this.#limits = options.limits;
    this.#callsOpenPerConnectionMax = options.limits.callsOpenPerConnectionMax;
    this.#metrics = options.metrics;
    this.#functions = options.functions;
    this.#workers = options.workers;
    this.connections = options.connections;
    this.inFlight = new InFlight(options.limits.callsOpenMax, options.limits.connectionsMax);
    this.deadlines = new Deadlines(options.clock, this.inFlight, options.loop, (slot) => this.#expire(slot));
    this.queues = new Queues(options, this);
    options.loop.attach(() => this.queues.dispatch());
  }

  attach(answers: { json: AnswerSink; msgpack: AnswerSink; engine: AnswerSink }, cancels: CancelSink): void {
    this.#answers = answers;
    this.#cancels = cancels;
  }

  /** Shows every call that took at least `fromMs` to `watch` as it ends; one watch at a time. Infinity: none, and nothing is paid. */
  watch(fromMs: number, watch: CallWatch): void {
    this.#watchedFromMs = fromMs;
    this.#watch = watch;
  }

  /** Who executes the next call of a function: a connection index, or one of {@link Executor}; `ByKey`: ask {@link executorByKey}. */
  executorOf(fn: number): number {
    const target = this.#functions.routes.target(fn);
    if (target > 0) return this.canTake(target) ? target : this.#overloaded();
    if (target === Target.Shared) return this.#choose(fn);
    return target === Target.Builtin ? Executor.Builtin : Executor.NotFound;
  }

  /** Who executes a call of a function shared by hash. `key`: a hash of the call's key; 0 = it has none, so the owners take turns. */
  executorByKey(fn: number, key: number): number {
    const owners = this.#functions.sharedOwners(fn & INDEX_MASK);
    if (owners === undefined) return Executor.NotFound;
    return (key === 0 ? this.#inTurn(owners, fn) : owners.byHash(key, this.canTake)) || this.#overloaded();
  }

  /** Whether a worker keeps up: what waits for it is below the soft bound. */
  readonly canTake = (connection: number): boolean => {
    const peer = this.connections[connection];
    return peer !== undefined && !peer.isEnding && peer.outbox.load < this.#limits.outboxSoftBytes;
  };

  readonly #executing = (connection: number): number => this.inFlight.executing(connection);

  /** Calls that a connection executes, and those that wait for it. */
  readonly outstanding = (connection: number): number =>
    this.inFlight.executing(connection) + this.queues.lengthOf(connection);

  /** Whether it could execute a call at once; where none can, one of those that keep up has it wait. */
  readonly #isFree = (connection: number): boolean =>
    this.canTake(connection) &&
    !(this.inFlight.isFull(connection) && this.queues.isFull(connection, this.#choosingFor));

  #choose(fn: number): number {
    const owners = this.#functions.sharedOwners(fn & INDEX_MASK);
    if (owners === undefined) return Executor.NotFound;
    if (owners.share === Share.Hash) return Executor.ByKey;
    return this.#chooseBy(owners, fn) || this.#overloaded();
  }

  #chooseBy(owners: SharedOwners, fn: number): number {
    if (owners.share !== Share.LeastOutstanding) return this.#inTurn(owners, fn);
    this.#choosingFor = fn;
    return (
      owners.leastOutstanding(this.#executing, this.#isFree) ||
      owners.leastOutstanding(this.outstanding, this.canTake)
    );
  }

  #inTurn(owners: SharedOwners, fn: number): number {
    this.#choosingFor = fn;
    return owners.roundRobin(this.#isFree) || owners.roundRobin(this.canTake);
  }

  #overloaded(): number {
    this.refuse(Refusal.WorkerBytes, undefined);
    return Executor.Overloaded;
  }

  /** Notes why a call is refused. `retryAfterMs`: where that can be told. Returns what stands for a ticket then. */
  refuse(why: Refusal, retryAfterMs?: number): 0 {
    this.#refusal = why;
    this.#retryAfterMs = retryAfterMs;
    return 0;
  }

  /** Counts the latest refusal, for whoever tells the caller. */
  refused(): { message: string; retryAfterMs: number | undefined } {
    const { metric, message } = this.#refusal;
    this.#metrics.add(Metric.calls_overloaded);
    this.#metrics.add(metric);
    return { message, retryAfterMs: this.#retryAfterMs };
  }

  /** The index of a function handle, or 0 when it is stale. */
  functionIndex(fn: number): number {
    return this.#functions.slots.indexOf(fn);
  }

  /** The id of a function that is no more, if it is remembered. */
  formerId(fn: number): Uint8Array | undefined {
    return this.#functions.formerIds.get(fn);
  }

  /** Time of a call, in milliseconds: what the caller asks for within bounds, else the function's own, else the default. */
  timeoutMs(fn: number, askedMs: number): number {
    if (askedMs !== 0) return Math.min(askedMs >>> 0, CALL_TIMEOUT_MS_MAX);
    return this.#functions.timeoutMs(fn & INDEX_MASK) ?? this.#limits.callTimeoutMs;
  }

  /** Enters a call for a worker, which may be busy: then it waits, and its frame is written to {@link outgoing}. 0 = refused, see {@link refused}. */
  admit(caller: number, call: number, executor: number, fn: number, timeoutMs: number): Ticket {
    const isQueued = executor !== ENGINE && this.inFlight.isFull(executor);
    return isQueued
      ? this.queues.enter(caller, call, executor, fn, timeoutMs)
      : this.enter(caller, call, executor, fn, timeoutMs, 0);
  }

  /** Where the frame of an entered call is written: the outbox of its executor, or the queue that it waits in. */
  outgoing(slot: number, to: Connection): Outgoing {
    const isQueued = (this.inFlight.words[slot * CALL_WORDS + CallWord.flags]! & Flag.Queued) !== 0;
    return isQueued ? this.queues.writing(slot) : to.outbox;
  }

  /** Enters a call before its frame is sent. 0 = a bound is reached, see {@link refused}. */
  enter(
    caller: number,
    call: number,
    executor: number,
    fn: number,
    timeoutMs: number,
    flags: number,
  ): Ticket {
    if (
      caller !== ENGINE &&
      this.inFlight.calling(caller) >= this.#callsOpenPerConnectionMax &&
      !this.#mayFinish(caller) &&
      !this.#isForEngine(caller, executor, flags)
    )
      return this.refuse(this.#whyShut());
    const ticket = this.inFlight.enter(
      caller,
      call,
      executor,
      fn,
      this.deadlines.tickAfter(timeoutMs),
      flags,
    );
    if (ticket === 0) return this.refuse(Refusal.TableFull);
    if (this.#made.size > 0) this.#made.get(caller)?.set(call | 0, ticket & INDEX_MASK); // as the table keeps it
    return ticket;
  }

  /**
   * From here on a call of a peer is answered `overloaded`: the engine is going down. Those in flight end as they would, and so that they can, whoever
   * executes one may still call.
   */
  refuseNew(): void {
    this.#isDraining = true;
    this.#openOrShut();
  }

  get isMemoryNear(): boolean {
    return this.#isMemoryNear;
  }

  set isMemoryNear(isNear: boolean) {
    this.#isMemoryNear = isNear;
    this.#openOrShut();
  }

  #openOrShut(): void {
    const isShut = this.#isDraining || this.#isMemoryNear;
    this.#callsOpenPerConnectionMax = isShut ? 0 : this.#limits.callsOpenPerConnectionMax;
  }

  #whyShut(): Refusal {
    if (this.#isDraining) return Refusal.GoingDown;
    return this.#isMemoryNear ? Refusal.Memory : Refusal.CallerCalls;
  }

  /** Calls of one function that a connection executes, or that wait for it. Costs what these are. */
  executingOf(connection: number, fn: number): number {
    const { words } = this.inFlight;
    let count = 0;
    this.inFlight.eachExecuted(connection, (slot) => {
      if (words[slot * CALL_WORDS + CallWord.function] === fn) count++;
    });
    return count + this.queues.lengthOf(connection, fn);
  }

  /** While the engine drains: a call in flight may need further ones. */
  #mayFinish(caller: number): boolean {
    return this.#isDraining && this.inFlight.executing(caller) > 0;
  }

  /** Near the memory ceiling: who operates the engine may still ask it. */
  #isForEngine(caller: number, executor: number, flags: number): boolean {
    const isOwn = executor === ENGINE && (flags & Flag.Queued) === 0 && !this.#isDraining;
    return isOwn && this.inFlight.calling(caller) < this.#limits.callsOpenPerConnectionMax;
  }

  /** Ends a call whose end its caller has been, or need not be, told of; `code`: the error it ended with, null for an answer of its executor's. */
  leave(slot: number, code: ErrorCode | null = null): void {
    const elapsedMs = this.deadlines.nowMs() - this.inFlight.openedMs(slot);
    this.durations.add(elapsedMs);
    if (elapsedMs >= this.#watchedFromMs) this.#watch?.(slot, elapsedMs, code);
    const at = slot * CALL_WORDS;
    const flags = this.inFlight.words[at + CallWord.flags]!;
    if (flags !== 0) this.#forget(slot, flags);
    if (this.#made.size > 0)
      this.#forgetMade(slot, this.inFlight.words[at]!, this.inFlight.words[at + CallWord.call]!);
    this.inFlight.leave(slot);
  }

  /** What is kept beside the table. */
  #forget(slot: number, flags: number): void {
    if ((flags & Flag.Baggage) !== 0) this.baggage.delete(slot);
    if ((flags & Flag.SpelledId) !== 0) this.spelledIds.delete(slot);
    if ((flags & Flag.Queued) !== 0) this.queues.forget(slot);
  }

  #forgetMade(slot: number, caller: number, call: number): void {
    const index = this.#made.get(caller);
    if (index?.get(call) === slot) index.delete(call);
  }

  /** Ends a call with an error of the engine's. `retryAfterMs`: where the code goes with one and more is known than the default. */
  fail(slot: number, code: ErrorCode, message: string, retryAfterMs?: number): void {
    this.#tell(slot, engineErrorBody(code, message, retryAfterMs));
    this.leave(slot, code);
  }

  /**
   * The open call that a connection made under its number, or 0. The first question of a connection makes an index of what it has open, kept up from
   * then on: a caller that cancels thousands of calls costs one look-up each, one that never cancels costs nothing.
   */
  madeAs(caller: number, call: number): number {
    let index = this.#made.get(caller);
    if (index === undefined) {
      index = this.#indexMade(caller);
      this.#made.set(caller, index);
    }
    return index.get(call) ?? 0;
  }

  #indexMade(caller: number): Map<number, number> {
    const { inFlight } = this;
    const index = new Map<number, number>();
    for (
      let slot = inFlight.firstMade(caller);
      slot !== 0;
      slot = inFlight.words[slot * CALL_WORDS + CallWord.callerNext]!
    ) {
      index.set(inFlight.words[slot * CALL_WORDS + CallWord.call]!, slot);
    }
    return index;
  }

  /** The caller no longer waits: told so itself, and the executor too. */
  cancel(slot: number): void {
    this.#metrics.add(Metric.calls_cancelled);
    this.#cancelAtExecutor(slot);
    this.fail(slot, ErrorCode.Cancelled, "The caller cancelled the call");
  }

  /** A connection ended: every call it executed ends with `invocation_stopped`, every call it made is forgotten. Costs what it had open. */
  dropConnection(connection: number): void {
    const { inFlight } = this;
    for (
      let slot = inFlight.firstExecuted(connection);
      slot !== 0;
      slot = inFlight.firstExecuted(connection)
    ) {
      this.#metrics.add(Metric.calls_stopped);
      if (inFlight.words[slot * CALL_WORDS + CallWord.caller] === connection)
        this.leave(slot, ErrorCode.InvocationStopped);
      else this.fail(slot, ErrorCode.InvocationStopped, "Invocation stopped");
    }
    for (let slot = inFlight.firstMade(connection); slot !== 0; slot = inFlight.firstMade(connection)) {
      this.#metrics.add(Metric.calls_stopped);
      this.#cancelAtExecutor(slot);
      this.leave(slot, ErrorCode.InvocationStopped);
    }
    this.#made.delete(connection);
  }

  /** The sentence for a function that is not there, with the namespaces where it is, as far as whoever asks may call it there. */
  notFoundMessage(
    namespace: NamespaceKey,
    bytes: Uint8Array,
    start: number,
    end: number,
    mayCall: (fn: number) => boolean,
  ): string {
    const id = new TextDecoder().decode(bytes.subarray(start, end));
    const isThere = (name: string): boolean => {
      const index = this.#functions.names.find(this.#workers.namespace(name), bytes, start, end);
      return index !== 0 && mayCall(this.#functions.slots.handleOf(index));
    };
    const elsewhere = this.#workers.namespaceNames().filter(isThere).sort();
    const hint = elsewhere.length === 0 ? "" : ` It is registered in namespace(s): ${elsewhere.join(", ")}.`;
    return `Function ${id} not found in namespace ${namespace.name}.${hint}`;
  }

  #expire(slot: number): void {
    if (this.queues.length > 0 && this.queues.expire(slot)) return;
    this.#metrics.add(Metric.calls_deadline_exceeded);
    this.#cancelAtExecutor(slot);
    this.fail(slot, ErrorCode.DeadlineExceeded, "The call's time has passed");
  }

  #cancelAtExecutor(slot: number): void {
    const executor = this.connections[this.inFlight.words[slot * CALL_WORDS + CallWord.executor]!];
    if (executor?.isMsgpack === true) this.#cancels?.cancel(executor, this.inFlight.ticketOf(slot));
  }

  #tell(slot: number, error: ErrorBody): void {
    const answers = this.#answers;
    if (answers === null) return;
    const caller = this.inFlight.words[slot * CALL_WORDS + CallWord.caller]!;
    if (caller === ENGINE) return answers.engine.engineError(slot, error);
    const connection = this.connections[caller];
    if (connection === undefined) return;
    (connection.isMsgpack ? answers.msgpack : answers.json).engineError(slot, error);
  }
}
