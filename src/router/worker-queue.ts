// What waits for one worker: a lane for the functions without a bound of their own, and one for each function that has one. Lanes take turns, too.

import { type Concurrency, completed } from "../registry/concurrency.js";
import { Lane, type QueuedCall } from "./lane.js";

export class WorkerQueue {
  readonly executor: number;
  /** Calls the worker takes at once. */
  concurrency: number;
  /** Calls that wait, and their bytes. */
  length = 0;
  bytes = 0;
  /** It stands in the list of those that can perhaps be given more. */
  isListed = false;
  #isDeclared = false;
  readonly #common: Lane;
  /** By function index. */
  readonly #ofFunction = new Map<number, Lane>();
  /** Lanes with a call that may run, in the order of their turns. */
  readonly #ready = new Set<Lane>();

  /** A worker of which nothing is known but how many calls everybody may get: what waits is bounded by bytes and by its callers' patience. */
  constructor(executor: number, concurrency: number) {
    this.executor = executor;
    this.concurrency = concurrency;
    this.#common = new Lane(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  }

  /** Nothing is known of it that every worker does not have. */
  get isPlain(): boolean {
    return !this.#isDeclared && !this.hasLanes;
  }

  /** A function has a bound of its own: then every call is looked at. */
  get hasLanes(): boolean {
    return this.#ofFunction.size > 0;
  }

  /** Some call waits that may run as far as its function is concerned. */
  get isReady(): boolean {
    return this.#ready.size > 0;
  }

  declare(rule: Concurrency): void {
    const { concurrency, queueCalls, queueMs } = completed(rule);
    this.#isDeclared = true;
    this.concurrency = concurrency;
    this.#common.queueCalls = queueCalls;
    this.#common.queueMs = queueMs;
  }

  /** Bounds one function (by index). Its calls are counted from here on. */
  declareFunction(fn: number, rule: Concurrency): void {
    const { concurrency, queueCalls, queueMs } = completed(rule);
    const lane = this.#ofFunction.get(fn) ?? new Lane(concurrency, queueCalls, queueMs);
    Object.assign(lane, { max: concurrency, queueCalls, queueMs });
    this.#ofFunction.set(fn, lane);
    this.#judge(lane);
  }

  /** The worker offers a function no more; what waits for it waits on, without a bound. */
  undeclareFunction(fn: number): void {
    const lane = this.#ofFunction.get(fn);
    if (lane === undefined) return;
    this.#ofFunction.delete(fn);
    lane.max = Number.POSITIVE_INFINITY;
    this.#judge(lane);
  }

  laneOf(fn: number): Lane {
    return this.#ofFunction.get(fn) ?? this.#common;
  }

  /** Whether a further call of this lane may run at once as far as other calls that wait are concerned. */
  isFree(lane: Lane): boolean {
    return lane.length === 0 && lane.running < lane.max && this.#ready.size === 0;
  }

  add(call: QueuedCall, lane: Lane, nowMs: number): void {
    lane.add(call, nowMs);
    this.length++;
    this.bytes += call.bytes?.length ?? 0;
    this.#judge(lane);
  }

  /** What a call waits with has been written. */
  write(call: QueuedCall, bytes: Uint8Array): void {
    call.lane?.write(call, bytes);
    this.bytes += bytes.length;
  }

  /** A call leaves, wherever it stands. */
  remove(call: QueuedCall): void {
    const { lane } = call;
    if (lane === null) return;
    lane.remove(call);
    this.length--;
    this.bytes -= call.bytes?.length ?? 0;
    this.#judge(lane);
  }

  /** The next call that may run; it leaves, and runs. Undefined when there is none. */
  take(nowMs: number): QueuedCall | undefined {
    const [lane] = this.#ready;
    const call = lane?.next();
    if (lane === undefined || call === undefined) return undefined;
    this.remove(call);
    lane.taken(call.caller, nowMs);
    lane.running++;
    this.#ready.delete(lane); // and again behind those whose turn it is now
    this.#judge(lane);
    return call;
  }

  /** Any call that waits; undefined when none does. */
  first(): QueuedCall | undefined {
    for (const lane of [this.#common, ...this.#ready, ...this.#ofFunction.values()]) {
      const call = lane.next();
      if (call !== undefined) return call;
    }
    return undefined;
  }

  /** One call of a function left the worker. */
  ended(fn: number): void {
    const lane = this.#ofFunction.get(fn);
    if (lane === undefined || lane.running === 0) return;
    lane.running--;
    this.#judge(lane);
  }

  #judge(lane: Lane): void {
    if (lane.isReady) this.#ready.add(lane);
    else this.#ready.delete(lane);
  }
}
