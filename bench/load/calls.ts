// The open calls of one caller: which slots wait for an answer, how many were answered, how long each took.
//
// Closed loop: an answer at once becomes the next call of its slot. Paced: calls fall due at a fixed rate, free slots
// take them, and the time counts from when a call was due, not from when it could be sent.
// Every answer is checked: its slot must be open and its payload must carry the stamp of that slot.

import { performance } from "node:perf_hooks";
import { STAMPS } from "./stamp.js";

export interface Tally {
  calls: number;
  /** Answers to slots that were not open, or with the stamp of another slot. */
  wrong: number;
  /** Error answers; the first sentence is kept. */
  failed: number;
  failure: string;
}

export class Calls {
  readonly tally: Tally = { calls: 0, wrong: 0, failed: 0, failure: "" };
  open = 0;
  /** Round trips in milliseconds, filled while `timing`. */
  readonly roundTripsMs: number[] = [];
  timing = false;

  readonly #slots: number;
  readonly #isOpen: Uint8Array;
  readonly #sinceMs: Float64Array;
  readonly #free: number[] = [];
  readonly #send: (slot: number) => void;
  #closedLoop = false;
  #whenIdle: (() => void) | undefined;

  constructor(slots: number, send: (slot: number) => void) {
    this.#slots = slots;
    this.#isOpen = new Uint8Array(slots);
    this.#sinceMs = new Float64Array(slots);
    this.#send = send;
    for (let slot = slots - 1; slot >= 0; slot--) this.#free.push(slot);
  }

  /** Opens that many slots; each answer opens its slot again until `stop`. The way out is flushed by whoever calls. */
  startClosedLoop(outstanding: number): void {
    this.#closedLoop = true;
    while (this.#free.length > 0 && this.open < outstanding)
      this.#openSlot(this.#free.pop()!, this.timing ? performance.now() : 0);
  }

  /** One call that was due at `dueMs`; false when every slot is open. */
  startOne(dueMs: number): boolean {
    const slot = this.#free.pop();
    if (slot === undefined) return false;
    this.#openSlot(slot, dueMs);
    return true;
  }

  /** No new calls; resolves when the open ones have been answered. */
  stop(): Promise<void> {
    this.#closedLoop = false;
    if (this.open === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  answered(slot: number, stamp: number): void {
    if (slot >= this.#slots || this.#isOpen[slot] !== 1 || stamp !== STAMPS[slot]) {
      this.tally.wrong++;
      return;
    }
    this.tally.calls++;
    this.#end(slot);
  }

  failed(slot: number, why: string): void {
    if (this.tally.failed++ === 0) this.tally.failure = why;
    if (this.#isOpen[slot] === 1) this.#end(slot);
  }

  #openSlot(slot: number, sinceMs: number): void {
    this.#isOpen[slot] = 1;
    this.#sinceMs[slot] = sinceMs;
    this.open++;
    this.#send(slot);
  }

  #end(slot: number): void {
    this.#isOpen[slot] = 0;
    this.open--;
    const nowMs = this.timing ? performance.now() : 0;
    if (this.timing) this.roundTripsMs.push(nowMs - this.#sinceMs[slot]!);
    if (this.#closedLoop) this.#openSlot(slot, nowMs);
    else this.#rest(slot);
  }

  #rest(slot: number): void {
    this.#free.push(slot);
    if (this.open > 0) return;
    this.#whenIdle?.();
    this.#whenIdle = undefined;
  }
}
