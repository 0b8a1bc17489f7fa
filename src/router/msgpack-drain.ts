// `drain` on the msgpack wire: a worker says that it takes no more calls, or is told that it gets none.
//
// What it does to routes is the registry's; who waits for the end of calls is drains.ts, or the worker itself.

import { Cursor, ElementError } from "../protocol/msgpack/cursor.js";
import { pack } from "../protocol/msgpack/general.js";
import { Kind } from "../protocol/msgpack/records.js";
import type { Functions } from "../registry/functions.js";
import type { Worker } from "../registry/workers.js";
import type { Drains } from "./drains.js";
import { prefixedId } from "./msgpack-review.js";

export class MsgpackDrain {
  readonly #functions: Functions;
  readonly #drains: Drains;
  readonly #list = new Cursor();

  constructor(functions: Functions, drains: Drains) {
    this.#functions = functions;
    this.#drains = drains;
  }

  /** Reads a record, its kind taken. False when it is none of this. */
  record(worker: Worker, kind: number, cursor: Cursor): boolean {
    if (kind !== Kind.Drain) return false;
    const request = cursor.uint("request");
    const isAll = cursor.left === 0 || cursor.nil();
    const handles = isAll ? null : this.#offered(worker, cursor);
    const count = this.#drain(worker.connection.index, handles);
    const confirm = (): void => this.#send(worker, [Kind.Draining, request, count]);
    if (this.#drains.passOn(worker, handles, confirm)) confirm();
    return true;
  }

  /** Tells a msgpack worker that a function of it, or with null all of it, gets no more calls. */
  tell(worker: Worker, id: string | null, boundMs: number): void {
    if (!worker.connection.isMsgpack) return;
    const prefix = worker.session?.rights.prefix ?? null;
    const own = id === null || prefix === null ? id : id.slice(`${prefix}::`.length);
    this.#send(worker, [Kind.Drain, null, own === null ? null : [own], boundMs]);
  }

  /** How many functions serve no more because of it. */
  #drain(connection: number, handles: readonly number[] | null): number {
    const functions = this.#functions;
    if (handles === null) return functions.drainAll(connection);
    return handles.filter((handle) => functions.drain(connection, functions.slots.indexOf(handle))).length;
  }

  /** The handles of the listed functions that the worker offers. Throws before anything has changed. */
  #offered(worker: Worker, cursor: Cursor): number[] {
    if (!cursor.isArray()) throw new ElementError("ids must be an array or nil");
    cursor.raw();
    const list = this.#list;
    const count = list.open(cursor.bytes, cursor.start);
    const handles: number[] = [];
    for (let position = 0; position < count; position++) {
      list.str(`id ${position}`);
      const { bytes, start, end } = prefixedId(worker.session, list.bytes, list.start, list.end);
      const fn = this.#functions.names.find(worker.namespace, bytes, start, end);
      if (fn !== 0 && this.#functions.lists.of(fn, worker.connection.index) !== 0)
        handles.push(this.#functions.slots.handleOf(fn));
    }
    return handles;
  }

  #send({ connection }: Worker, record: readonly unknown[]): void {
    const bytes = pack(record);
    connection.outbox.append(bytes, 0, bytes.length);
  }
}
