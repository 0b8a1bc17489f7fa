// Workers and functions that are to go without losing a call: the route turns away at once, the calls in flight end within a bound.
//
// The registry's routes are all that the call path sees of it; here is only who waits, and what follows. In-flight figures are looked at from time to
// time: a call that ends tells nobody.

import type { Clock } from "../clock.js";
import { CloseCode } from "../protocol/error.js";
import { DRAIN_MS_MAX } from "../protocol/limits.js";
import type { Functions } from "../registry/functions.js";
import type { Worker, Workers } from "../registry/workers.js";
import type { Server } from "../transport/server.js";
import { type Calls, ENGINE } from "./calls.js";
import { CALL_WORDS, CallWord } from "./in-flight.js";

/** How often a drain looks whether calls are still open. */
const POLL_MS = 5;

export interface Drained {
  /** Functions that took no more calls because of it. */
  readonly functions: number;
  /** Calls that had not ended when the bound passed. */
  readonly callsLeft: number;
}

/** Tells a msgpack worker that it drains; `id` null: all of it, and it should leave. */
export type TellDraining = (worker: Worker, id: string | null, boundMs: number) => void;

export interface DrainsOptions {
  clock: Clock;
  functions: Functions;
  calls: Calls;
  workers: Workers;
  server: Server;
}

export class Drains {
  readonly #o: DrainsOptions;
  #tell: TellDraining | null = null;

  constructor(options: DrainsOptions) {
    this.#o = options;
  }

  attach(tell: TellDraining): void {
    this.#tell = tell;
  }

  /** No new calls to a worker from now on; settles when those it executes have ended, when it is gone, or after `boundMs`. */
  async worker(worker: Worker, boundMs: number): Promise<Drained> {
    const { functions, calls } = this.#o;
    const { index } = worker.connection;
    const drained = functions.drainAll(index);
    this.#passOn(worker);
    const callsLeft = await this.#ended(worker, boundMs, () => calls.outstanding(index));
    return { functions: drained, callsLeft };
  }

  /** As {@link worker}, for one function, which the worker offers no more afterwards. */
  async function(worker: Worker, fn: number, boundMs: number): Promise<Drained> {
    const { functions, calls } = this.#o;
    const { index } = worker.connection;
    const handle = functions.slots.handleOf(fn);
    const id = functions.names.idBytes(fn).slice();
    const drained = functions.drain(index, fn) ? 1 : 0;
    this.#passOn(worker);
    this.#tell?.(worker, Buffer.from(id).toString("utf8"), boundMs);
    const callsLeft = await this.#ended(worker, boundMs, () => calls.executingOf(index, handle));
    if (this.#isHere(worker) && functions.lists.drains(fn, index))
      functions.unregister(index, worker.namespace, id, 0, id.length);
    return { functions: drained, callsLeft };
  }

  /**
   * As {@link worker}, and a msgpack worker leaves: it is told so, and when what it executes and what it has called is over its connection is closed. A
   * JSON worker cannot be told; its connection stays, without calls. `ownCalls`: how many calls of its own it may have open (it asked for the drain itself).
   */
  async leave(worker: Worker, boundMs: number, ownCalls: number): Promise<Drained> {
    const { functions, calls, server } = this.#o;
    const { connection } = worker;
    const drained = functions.drainAll(connection.index);
    this.#passOn(worker);
    this.#tell?.(worker, null, boundMs);
    const open = (): number =>
      calls.outstanding(connection.index) + Math.max(0, calls.inFlight.calling(connection.index) - ownCalls);
    const callsLeft = await this.#ended(worker, boundMs, open);
    if (connection.isMsgpack && this.#isHere(worker)) server.end(connection, CloseCode.Drained, "drained");
    return { functions: drained, callsLeft };
  }

  /**
   * A worker drains by its own word: calls that wait for it go to others, and what only it can serve it still gets. True when nothing waits for it; else
   * `done` is called when nothing does any more. `handles`: of the functions that drain; null: all.
   */
  passOn(worker: Worker, handles: readonly number[] | null, done: () => void): boolean {
    const { queues } = this.#o.calls;
    const { index } = worker.connection;
    const waiting = (): number =>
      handles === null
        ? queues.lengthOf(index)
        : handles.reduce((sum, handle) => sum + queues.lengthOf(index, handle), 0);
    this.#passOn(worker);
    if (waiting() === 0) return true;
    void this.#ended(worker, DRAIN_MS_MAX, waiting).then(() => {
      if (this.#isHere(worker)) done();
    });
    return false;
  }

  #passOn({ connection }: Worker): void {
    const { calls, functions } = this.#o;
    calls.queues.passOn(connection, (fn) => functions.lists.drains(fn, connection.index));
  }

  /** Settles with how many calls are open when none is, or after `boundMs`. The engine's own functions (a follower of logs) hold nothing up. */
  all(boundMs: number): Promise<number> {
    return this.#until(boundMs, () => this.#o.calls.inFlight.open - this.#ownCalls());
  }

  /** The ids of functions with open calls, those with most first, each with how many. */
  openCalls(): { functionId: string; calls: number }[] {
    const { calls, functions } = this.#o;
    const counts = new Map<string, number>();
    calls.inFlight.eachOpen((slot) => {
      const fn = this.#functionOf(slot);
      if (fn !== 0 && functions.isBuiltin(fn)) return;
      const id = fn === 0 ? "(a function that is gone)" : functions.names.id(fn);
      counts.set(id, (counts.get(id) ?? 0) + 1);
    });
    const rows = [...counts].map(([functionId, count]) => ({ functionId, calls: count }));
    return rows.sort((one, other) => other.calls - one.calls);
  }

  /** Calls of the engine's own functions that are open. */
  #ownCalls(): number {
    const { calls, functions } = this.#o;
    let own = 0;
    calls.inFlight.eachExecuted(ENGINE, (slot) => {
      const fn = this.#functionOf(slot);
      if (fn !== 0 && functions.isBuiltin(fn)) own++;
    });
    return own;
  }

  /** The index of a call's function; 0 when it is no more. */
  #functionOf(slot: number): number {
    const { calls } = this.#o;
    return calls.functionIndex(calls.inFlight.words[slot * CALL_WORDS + CallWord.function]!);
  }

  #isHere(worker: Worker): boolean {
    return this.#o.workers.of(worker.connection.index) === worker;
  }

  /** Settles with how many calls are open when none is, the worker is gone, or the bound has passed. */
  #ended(worker: Worker, boundMs: number, count: () => number): Promise<number> {
    return this.#until(boundMs, () => (this.#isHere(worker) ? count() : 0));
  }

  #until(boundMs: number, open: () => number): Promise<number> {
    const { clock } = this.#o;
    const deadline = clock.monotonicMs() + boundMs;
    if (open() === 0 || boundMs <= 0) return Promise.resolve(open());
    return new Promise((resolve) => {
      const stop = clock.every(POLL_MS, () => {
        const left = open();
        if (left > 0 && clock.monotonicMs() < deadline) return;
        stop();
        resolve(left);
      });
    });
  }
}
