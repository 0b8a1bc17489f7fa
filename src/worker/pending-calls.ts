// Calls that await their end, in slots.
//
//   call number  | generation, 12 bits | slot, 20 bits |
//
// The number travels with the call and comes back in its answer; an answer to a number whose slot was
// emptied or reused finds nothing. Free slots are used oldest first, so that a number comes back as
// late as possible. Deadlines are counted in ticks of one coarse timer, which runs only while calls are
// open: a timer per call would be the largest cost of a call.

import { CALLS_OPEN_MAX, DEADLINE_TICK_MS } from "./limits.js";
import type { CallContext } from "./record-writer.js";
import type { RemoteFunction } from "./remote-functions.js";

const SLOT_BITS = 20;
const SLOT_MASK = (1 << SLOT_BITS) - 1;
const GENERATIONS = 1 << (32 - SLOT_BITS);
const SLOTS_AT_FIRST = 64;

/** One open call: what its end needs, and what sending it (again) needs. */
export interface PendingCall {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly target: RemoteFunction;
  readonly data: unknown;
  readonly context: CallContext | undefined;
  /** 0: the engine's default. */
  readonly timeoutMs: number;
  /** Since when the time counts, for calls that had to wait for a connection; 0 until then. */
  queuedAtMs: number;
  /** The tick at which the client gives up. */
  expires: number;
  number: number;
  /** How it was sent last; `unsent` calls outlive a lost connection. */
  sentBy: "unsent" | "name" | "handle";
  /** Stops listening to the caller's signal. */
  forget: (() => void) | undefined;
}

export class PendingCalls {
  openMax: number;
  /** How many await their end. */
  open = 0;
  readonly #expired: (call: PendingCall) => void;
  #calls: (PendingCall | undefined)[] = [];
  #generations = new Uint16Array(0);
  #next = new Int32Array(0); // the free list; -1 ends it
  #firstFree = -1;
  #lastFree = -1;
  #tick = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** `expired` is told of a call whose deadline passed, after it was taken out. */
  constructor(openMax: number, expired: (call: PendingCall) => void) {
    this.openMax = openMax;
    this.#expired = expired;
  }

  /** Gives the call a number, or returns false when as many as may be are open. */
  add(call: PendingCall, waitMs: number): boolean {
    if (this.open >= this.openMax) return false;
    call.expires = this.#tick + Math.ceil(waitMs / DEADLINE_TICK_MS) + 1;
    this.#place(call);
    return true;
  }

  /** Gives a call that was just taken out another number; its deadline stays. */
  addAgain(call: PendingCall): void {
    this.#place(call);
  }

  /** Takes out the call of that number; undefined when it has ended already. */
  take(number: number): PendingCall | undefined {
    const slot = number & SLOT_MASK;
    const call = this.#calls[slot];
    if (call === undefined || call.number !== number) return undefined;
    this.#calls[slot] = undefined;
    this.#generations[slot] = (this.#generations[slot]! + 1) % GENERATIONS;
    this.#release(slot);
    this.open--;
    return call;
  }

  /** Every open call, oldest slot first; calls may be taken while this runs. */
  *all(): Generator<PendingCall> {
    for (const call of this.#calls) if (call !== undefined) yield call;
  }

  /** Stops the timer; it starts again with the next call. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #place(call: PendingCall): void {
    if (this.#firstFree === -1) this.#grow();
    const slot = this.#firstFree;
    this.#firstFree = this.#next[slot]!;
    if (this.#firstFree === -1) this.#lastFree = -1;
    this.#calls[slot] = call;
    call.number = ((this.#generations[slot]! << SLOT_BITS) | slot) >>> 0;
    this.open++;
    if (this.#timer === undefined) this.#watch();
  }

  #release(slot: number): void {
    this.#next[slot] = -1;
    if (this.#lastFree === -1) this.#firstFree = slot;
    else this.#next[this.#lastFree] = slot;
    this.#lastFree = slot;
  }

  #grow(): void {
    const from = this.#calls.length;
    const to = Math.min(Math.max(SLOTS_AT_FIRST, 2 * from), CALLS_OPEN_MAX);
    this.#generations = grown(this.#generations, new Uint16Array(to));
    this.#next = grown(this.#next, new Int32Array(to));
    for (let slot = from; slot < to; slot++) {
      this.#calls.push(undefined);
      this.#release(slot);
    }
  }

  #watch(): void {
    this.#timer = setInterval(() => this.#expire(), DEADLINE_TICK_MS);
    // An open call keeps a process alive by its socket; the timer alone should not (Node only).
    if (typeof this.#timer === "object") this.#timer.unref();
  }

  #expire(): void {
    this.#tick++;
    if (this.open === 0) return this.stop();
    for (const call of this.all()) {
      if (call.expires <= this.#tick && this.take(call.number) !== undefined) this.#expired(call);
    }
  }
}

function grown<T extends Uint16Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
