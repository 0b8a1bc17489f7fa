// Calls that wait in the engine because their worker executes as many as it takes at once.
//
// A waiting call stands in the in-flight table under the engine as its executor, so its deadline, its caller's cancel and its caller's end work as for any
// other; what is to be sent to the worker lies here. At the end of a turn in which a worker answered, its callers get what became free by turns.
// Whoever routes asks one number before all this (InFlight.isFull).

import type { Clock } from "../clock.js";
import { Metric, type Metrics } from "../metrics.js";
import { ErrorCode } from "../protocol/error.js";
import type { Limits } from "../protocol/limits.js";
import { CallOffset, writeU32 } from "../protocol/msgpack/records.js";
import type { Concurrency } from "../registry/concurrency.js";
import { INDEX_MASK } from "../registry/slots.js";
import type { Arena } from "../transport/arena.js";
import type { Connection } from "../transport/connection.js";
import { type Calls, ENGINE } from "./calls.js";
import { CALL_WORDS, CallWord, Flag, type InFlight, type Ticket } from "./in-flight.js";
import type { Lane, QueuedCall } from "./lane.js";
import { Refusal } from "./refusal.js";
import { WorkerQueue } from "./worker-queue.js";

/** A caller is not told to come back later than this, in milliseconds: by then everything may be different. */
const RETRY_AFTER_MS_MAX = 10_000;

/** Where a call's frame is written: an outbox, or what keeps it for later. */
export interface Outgoing {
  reserve(bytes: number): number;
  commit(at: number, end: number): void;
}

export interface QueuesOptions {
  limits: Limits;
  clock: Clock;
  metrics: Metrics;
  arena: Arena;
  connections: readonly (Connection | undefined)[];
  /** Has {@link Queues.dispatch} called at the end of this turn. */
  loop: { schedule(): void };
  /** By connection: how much of the beginning of a function's id it must not see. */
  prefixBytes: Uint16Array;
}

export class Queues implements Outgoing {
  /** Calls waiting now, and their bytes. */
  length = 0;
  bytes = 0;
  readonly #o: QueuesOptions;
  readonly #calls: Calls;
  readonly #inFlight: InFlight;
  readonly #byWorker = new Map<number, WorkerQueue>();
  readonly #bySlot = new Map<number, QueuedCall>();
  /** By connection: bytes of the calls it made that wait. */
  readonly #bytesOf: Float64Array;
  #listed: WorkerQueue[] = [];
  /** Workers whose outbox is too full to be given more: looked at again when their socket has drained. */
  readonly #behind = new Set<number>();
  #writing: QueuedCall | null = null;

  constructor(options: QueuesOptions, calls: Calls) {
    this.#o = options;
    this.#calls = calls;
    this.#inFlight = calls.inFlight;
    this.#inFlight.attach((executor, fn) => this.#ended(executor, fn));
    this.#bytesOf = new Float64Array(options.limits.connectionsMax + 1);
  }

  // Declarations

  /** A connection came, of which nothing is known. */
  opened(connection: number): void {
    this.#inFlight.setWindow(connection, this.#o.limits.callsExecutingPerWorkerMax);
  }

  /** How many calls a worker takes at once, from here on. */
  declare(executor: number, rule: Concurrency): void {
    const queue = this.#queueOf(executor);
    queue.declare(rule);
    this.#settle(queue);
  }

  /** How many calls of one function (by index) a worker takes at once. */
  declareFunction(executor: number, fn: number, rule: Concurrency): void {
    const queue = this.#queueOf(executor);
    queue.declareFunction(fn, rule);
    this.#settle(queue);
  }

  undeclareFunction(executor: number, fn: number): void {
    const queue = this.#byWorker.get(executor);
    if (queue === undefined) return;
    queue.undeclareFunction(fn);
    this.#list(queue);
  }

  // Calls come

  /** Whether a further call of a function would have to wait for this worker. */
  isFull(executor: number, fn: number): boolean {
    const queue = this.#byWorker.get(executor);
    if (queue === undefined)
      return this.#inFlight.executing(executor) >= this.#o.limits.callsExecutingPerWorkerMax;
    return !this.#mayRun(queue, queue.laneOf(fn & INDEX_MASK));
  }

  /** Enters a call that has been found not to be simply let through: it runs, or waits. 0 = refused. */
  enter(caller: number, call: number, executor: number, fn: number, timeoutMs: number): Ticket {
    const queue = this.#queueOf(executor);
    const lane = queue.laneOf(fn & INDEX_MASK);
    if (this.#mayRun(queue, lane)) {
      const ticket = this.#calls.enter(caller, call, executor, fn, timeoutMs, 0);
      if (ticket !== 0) lane.running++;
      this.#settle(queue);
      return ticket;
    }
    if (!this.#hasRoom(lane, caller)) return 0;
    return this.#wait(queue, lane, caller, call, fn, timeoutMs);
  }

  #wait(queue: WorkerQueue, lane: Lane, caller: number, call: number, fn: number, timeoutMs: number): Ticket {
    const { deadlines } = this.#calls;
    const { executor } = queue;
    const waitMs = Math.min(timeoutMs, lane.queueMs);
    const ticket = this.#calls.enter(caller, call, ENGINE, fn, waitMs, Flag.Queued);
    if (ticket === 0) return 0;
    const slot = ticket & INDEX_MASK;
    const deadlineTick = deadlines.tickAfter(timeoutMs);
    const queued: QueuedCall = {
      slot,
      caller,
      fn,
      deadlineTick,
      executor,
      bytes: null,
      lane: null,
      previous: null,
      next: null,
    };
    this.#bySlot.set(slot, queued);
    this.length++;
    queue.add(queued, lane, deadlines.nowMs());
    this.#inFlight.setWindow(executor, 0);
    this.#o.metrics.add(Metric.calls_queued);
    return ticket;
  }

  /** Workers of which more is known than of every worker, or for which something waits. */
  get workers(): number {
    return this.#byWorker.size;
  }

  /** Calls that wait for a worker; with `fn`, a handle, those of one function: that costs what waits at all. */
  lengthOf(executor: number, fn?: number): number {
    const length = this.#byWorker.get(executor)?.length ?? 0;
    if (fn === undefined || length === 0) return length;
    let count = 0;
    for (const call of this.#bySlot.values()) if (call.executor === executor && call.fn === fn) count++;
    return count;
  }

  /** The worker an entered call is for: the one that executes it, or the one it waits for. */
  executorOf(slot: number): number {
    return this.#bySlot.get(slot)?.executor ?? this.#inFlight.words[slot * CALL_WORDS + CallWord.executor]!;
  }

  /** Where the frame of a waiting call is written; until its end nothing else is. */
  writing(slot: number): Outgoing {
    this.#writing = this.#bySlot.get(slot) ?? null;
    return this;
  }

  reserve(bytes: number): number {
    return this.#o.arena.scratch(bytes);
  }

  commit(at: number, end: number): void {
    const call = this.#writing;
    this.#writing = null;
    const queue = call === null ? undefined : this.#byWorker.get(call.executor);
    if (call === null || queue === undefined || call.lane === null) return; // ended while it was being written
    const bytes = this.#o.arena.bytes.slice(at, end);
    queue.write(call, bytes);
    this.bytes += bytes.length;
    this.#bytesOf[call.caller]! += bytes.length;
    this.#o.metrics.add(Metric.bytes_copied, bytes.length);
    this.#fit(queue, call);
  }

  /** Bytes are known when the frame has been written: then it may be too much after all. */
  #fit(queue: WorkerQueue, call: QueuedCall): void {
    const { queuedBytesPerCallerMax, queuedBytesPerWorkerMax, queuedBytesMax } = this.#o.limits;
    const { lane, caller } = call;
    if (lane === null) return;
    const isTooMuch = (): boolean => queue.bytes > queuedBytesPerWorkerMax || this.bytes > queuedBytesMax;
    if (this.#bytesOf[caller]! > queuedBytesPerCallerMax)
      return this.#refuse(call, Refusal.QueueBytes, lane.drainMs);
    while (isTooMuch())
      if (!this.#makeRoom(lane, caller, "bytes", Refusal.QueueBytes))
        return this.#refuse(call, Refusal.QueueBytes, lane.drainMs);
  }

  // Room

  /** Room for one more; a caller with less waiting takes the place of the newest call of whoever has most. */
  #hasRoom(lane: Lane, caller: number): boolean {
    if (lane.expectedWaitMs(caller) > lane.queueMs)
      return this.#refused(Refusal.QueueWait, lane.expectedWaitMs(caller) - lane.queueMs);
    if (lane.length >= lane.queueCalls && !this.#makeRoom(lane, caller, "length", Refusal.QueueFull))
      return this.#refused(Refusal.QueueFull, lane.drainMs);
    return true;
  }

  #makeRoom(lane: Lane, caller: number, by: "length" | "bytes", why: Refusal): boolean {
    const longest = lane.newestOfLongest(caller, by);
    if (longest === undefined) return false;
    this.#refuse(longest, why, lane.drainMs);
    return true;
  }

  #refused(why: Refusal, retryAfterMs: number): false {
    this.#calls.refuse(why, withinBounds(retryAfterMs));
    return false;
  }

  /** Ends a call that waits. */
  #refuse({ slot }: QueuedCall, why: Refusal, retryAfterMs: number): void {
    this.#o.metrics.add(Metric.calls_overloaded);
    this.#o.metrics.add(why.metric);
    this.#calls.fail(slot, ErrorCode.Overloaded, why.message, withinBounds(retryAfterMs));
  }

  // Calls go

  /** A waiting call ends: its caller cancelled or left, its time has passed, or it was refused after all. */
  forget(slot: number): void {
    const call = this.#bySlot.get(slot);
    if (call === undefined) return;
    this.#bySlot.delete(slot);
    this.#uncount(call);
    const queue = this.#byWorker.get(call.executor);
    queue?.remove(call);
    if (queue?.length === 0) this.#list(queue); // the short way opens again at the end of the turn
  }

  /** Its place in the wheel has come. True when it may not wait any longer although its caller would: it is refused. */
  expire(slot: number): boolean {
    const call = this.#bySlot.get(slot);
    if (call === undefined || ((call.deadlineTick - this.#calls.deadlines.now) | 0) <= 0) return false;
    this.#refuse(call, Refusal.QueueWait, call.lane?.drainMs ?? 0);
    return true;
  }

  #uncount(call: QueuedCall): void {
    const bytes = call.bytes?.length ?? 0;
    this.length--;
    this.bytes -= bytes;
    this.#bytesOf[call.caller]! -= bytes;
  }

  /** A call of a worker that is looked at has ended. */
  #ended(executor: number, fn: number): void {
    const queue = this.#byWorker.get(executor);
    if (queue === undefined) return;
    queue.ended(fn & INDEX_MASK);
    if (queue.isReady) this.#list(queue);
  }

  /** A worker's socket has taken some of what it held back. */
  drained(executor: number): void {
    const queue = this.#behind.delete(executor) ? this.#byWorker.get(executor) : undefined;
    if (queue !== undefined) this.#list(queue);
  }

  /** At the end of a turn: gives workers what they can take now. */
  dispatch(): void {
    if (this.#listed.length === 0) return;
    const listed = this.#listed;
    this.#listed = [];
    for (const queue of listed) {
      queue.isListed = false;
      if (this.#byWorker.get(queue.executor) === queue) this.#fill(queue);
    }
  }

  #fill(queue: WorkerQueue): void {
    const { executor } = queue;
    const to = this.#o.connections[executor];
    const nowMs = this.#calls.deadlines.nowMs();
    while (to !== undefined && queue.isReady && this.#inFlight.executing(executor) < queue.concurrency) {
      if (!this.#calls.canTake(executor)) return this.#postpone(queue, to);
      const call = queue.take(nowMs);
      if (call === undefined) break;
      this.#send(call, to);
    }
    this.#settle(queue);
  }

  /** What is gathered leaves at the end of this turn; what the socket holds back, when it has drained. */
  #postpone(queue: WorkerQueue, to: Connection): void {
    if (to.outbox.buffered < this.#o.limits.outboxSoftBytes) this.#list(queue);
    else this.#behind.add(queue.executor);
  }

  #send(call: QueuedCall, to: Connection): void {
    const { slot, bytes, deadlineTick } = call;
    if (bytes === null) throw new Error("a waiting call has been written by the end of its turn");
    this.#bySlot.delete(slot);
    this.#uncount(call);
    this.#inFlight.words[slot * CALL_WORDS + CallWord.flags]! &= ~Flag.Queued;
    this.#inFlight.assign(slot, to.index, deadlineTick);
    if (to.isMsgpack) writeU32(bytes, CallOffset.timeoutMs, this.#calls.deadlines.remainingMs(deadlineTick));
    to.outbox.add(bytes);
  }

  /** A worker has left: what waited for it goes to whoever serves its functions now. */
  depart(connection: Connection): void {
    const { index } = connection;
    const queue = this.#byWorker.get(index);
    this.#inFlight.setWindow(index, 0);
    this.#behind.delete(index);
    if (queue === undefined) return;
    this.#byWorker.delete(index);
    for (let call = queue.first(); call !== undefined; call = queue.first()) {
      queue.remove(call);
      this.#rehome(call, connection);
    }
  }

  /**
   * A worker takes no more calls of some functions: what waits for it goes to others that serve them now; where there is none it stays. `isDraining`: of
   * a function by its index.
   */
  passOn(connection: Connection, isDraining: (fn: number) => boolean): void {
    const queue = this.#byWorker.get(connection.index);
    if (queue === undefined) return;
    for (const call of [...this.#bySlot.values()]) {
      if (call.executor !== connection.index || !isDraining(call.fn & INDEX_MASK)) continue;
      const heir = this.#heir(call, connection);
      if (heir === 0) continue;
      queue.remove(call);
      this.#moveTo(call, heir);
    }
    this.#list(queue);
  }

  #rehome(call: QueuedCall, former: Connection): void {
    const heir = this.#heir(call, former);
    if (heir === 0) this.#refuse(call, Refusal.WorkerLeft, 0);
    else this.#moveTo(call, heir);
  }

  /** Who else can be given a call that waits; 0 = nobody. */
  #heir(call: QueuedCall, former: Connection): number {
    let executor = this.#calls.executorOf(call.fn);
    if (executor < ENGINE) executor = this.#calls.executorByKey(call.fn, 0);
    const to = executor > 0 ? this.#o.connections[executor] : undefined;
    return to !== undefined && this.#isAlike(former, to) ? executor : 0;
  }

  #moveTo(call: QueuedCall, executor: number): void {
    const queue = this.#queueOf(executor);
    call.executor = executor;
    queue.add(call, queue.laneOf(call.fn & INDEX_MASK), this.#calls.deadlines.nowMs());
    this.#inFlight.setWindow(executor, 0);
    this.#list(queue);
  }

  /** Whether what was written for one worker can be sent to another as it stands. */
  #isAlike(one: Connection, other: Connection): boolean {
    const { prefixBytes } = this.#o;
    return one.wire === other.wire && (one.isMsgpack || prefixBytes[one.index] === prefixBytes[other.index]);
  }

  // The short way

  /** The short way is open while nothing waits and no function has a bound of its own. */
  #settle(queue: WorkerQueue): void {
    const isOpen = queue.length === 0 && !queue.hasLanes;
    this.#inFlight.setWindow(queue.executor, isOpen ? queue.concurrency : 0);
    if (isOpen && queue.isPlain) this.#byWorker.delete(queue.executor);
  }

  #mayRun(queue: WorkerQueue, lane: Lane): boolean {
    return queue.isFree(lane) && this.#inFlight.executing(queue.executor) < queue.concurrency;
  }

  #queueOf(executor: number): WorkerQueue {
    const known = this.#byWorker.get(executor);
    if (known !== undefined) return known;
    const queue = new WorkerQueue(executor, this.#o.limits.callsExecutingPerWorkerMax);
    this.#byWorker.set(executor, queue);
    return queue;
  }

  #list(queue: WorkerQueue): void {
    if (queue.isListed) return;
    queue.isListed = true;
    this.#listed.push(queue);
    this.#o.loop.schedule();
  }
}

/** When to try again, from an estimate in milliseconds; nothing is known when it is 0. */
function withinBounds(estimateMs: number): number | undefined {
  return estimateMs > 0 ? Math.ceil(Math.min(estimateMs, RETRY_AFTER_MS_MAX)) : undefined;
}
