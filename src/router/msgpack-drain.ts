// `drain` on the msgpack wire: a worker says that it takes no more calls, or is told that it gets none.
//
// What it does to routes is the registry's; who waits for the end of calls is drains.ts, or the worker itself.

import { Cursor, ElementError } from "../protocol/msgpack/cursor.js";
import { pack } from "../protocol/msgpack/general.js";
import { Kind } from "../protocol/msgpack/records.js";
import type { Functions } from "../registry/functions.js";
import type { Worker } from "../registry/workers.js";
import { prefixedId } from "./msgpack-review.js";

export class MsgpackDrain {
  readonly #functions: Functions;
  readonly #list = new Cursor();

  constructor(functions: Functions) {
    this.#functions = functions;
  }

  /** Reads a record, its kind taken. False when it is none of this. */
  record(worker: Worker, kind: number, cursor: Cursor): boolean {
    if (kind !== Kind.Drain) return false;
    const request = cursor.uint("request");
    const isAll = cursor.left === 0 || cursor.nil();
    const drained = isAll
      ? this.#functions.drainAll(worker.connection.index)
      : this.#drainListed(worker, cursor);
    this.#send(worker, [Kind.Draining, request, drained]);
    return true;
  }

  /** Tells a msgpack worker that a function of it, or with null all of it, gets no more calls. */
  tell(worker: Worker, id: string | null, boundMs: number): void {
    if (!worker.connection.isMsgpack) return;
    const prefix = worker.session?.rights.prefix ?? null;
    const own = id === null || prefix === null ? id : id.slice(`${prefix}::`.length);
    this.#send(worker, [Kind.Drain, null, own === null ? null : [own], boundMs]);
  }

  #drainListed(worker: Worker, cursor: Cursor): number {
    if (!cursor.isArray()) throw new ElementError("ids must be an array or nil");
    cursor.raw();
    const list = this.#list;
    const count = list.open(cursor.bytes, cursor.start);
    let drained = 0;
    for (let position = 0; position < count; position++) {
      list.str(`id ${position}`);
      const { bytes, start, end } = prefixedId(worker.session, list.bytes, list.start, list.end);
      const fn = this.#functions.names.find(worker.namespace, bytes, start, end);
      if (fn !== 0 && this.#functions.drain(worker.connection.index, fn)) drained++;
    }
    return drained;
  }

  #send({ connection }: Worker, record: readonly unknown[]): void {
    const bytes = pack(record);
    connection.outbox.append(bytes, 0, bytes.length);
  }
}
