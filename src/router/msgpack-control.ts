// The control records of the msgpack wire: hello, register, unregister, resolve; and what happens to a peer that does not speak it.

import { isUtf8 } from "node:buffer";
import type { Access } from "../access/access.js";
import type { Hooks } from "../access/hooks.js";
import { Verdict } from "../access/session.js";
import { isSameSecret } from "../access/tokens.js";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import { Metric, type Metrics } from "../metrics.js";
import { CloseCode, CodedError, ErrorCode } from "../protocol/error.js";
import { ID_BYTES_MAX, type Limits } from "../protocol/limits.js";
import { Cursor, ElementError } from "../protocol/msgpack/cursor.js";
import { pack } from "../protocol/msgpack/general.js";
import { Kind } from "../protocol/msgpack/records.js";
import type { Functions } from "../registry/functions.js";
import { DEFAULT_NAMESPACE, type NamespaceKey } from "../registry/names.js";
import type { Worker, Workers } from "../registry/workers.js";
import type { Connection } from "../transport/connection.js";
import type { Server } from "../transport/server.js";
import type { Calls } from "./calls.js";
import { cardsFull } from "./card.js";
import type { Concurrencies } from "./concurrencies.js";
import type { Departures } from "./departures.js";
import type { Feeds } from "./feeds.js";
import { readEntry } from "./function-entry.js";
import { readHello } from "./hello.js";
import type { MsgpackDrain } from "./msgpack-drain.js";
import { isEngineId, type MsgpackGeneral } from "./msgpack-general.js";
import { type Entry, prefixedId, reviewEntries } from "./msgpack-review.js";
import { Refusal } from "./refusal.js";
import type { TriggerMsgpack } from "./trigger-msgpack.js";
import { welcome } from "./welcome.js";

const RegisterMode = { Add: 0, Replace: 1 } as const;

export interface MsgpackControlOptions {
  access: Access;
  hooks: Hooks;
  limits: Limits;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  server: Server;
  functions: Functions;
  workers: Workers;
  departures: Departures;
  triggers: TriggerMsgpack;
  feeds: Feeds;
  drain: MsgpackDrain;
  concurrencies: Concurrencies;
  calls: Calls;
}

export class MsgpackControl {
  readonly #o: MsgpackControlOptions;
  readonly #greeted: Uint8Array;
  readonly #stopTimer = new Map<number, () => void>();
  /** Connections that came back and whose old connection waits to be taken over: index -> old worker. */
  readonly #previous = new Map<number, Worker>();
  readonly #list = new Cursor();
  readonly #item = new Cursor();
  #general: MsgpackGeneral | null = null;
  #round = 0;

  constructor(options: MsgpackControlOptions) {
    this.#o = options;
    this.#greeted = new Uint8Array(options.limits.connectionsMax + 1);
  }

  attach(general: MsgpackGeneral): void {
    this.#general = general;
  }

  isGreeted(connection: Connection): boolean {
    return this.#greeted[connection.index] === 1;
  }

  opened(connection: Connection): void {
    const { clock, limits, server } = this.#o;
    const stop = clock.after(limits.handshakeTimeoutMs, () =>
      server.end(connection, CloseCode.HelloTimeout, `no hello within ${limits.handshakeTimeoutMs} ms`),
    );
    this.#stopTimer.set(connection.index, stop);
  }

  #stopHandshakeTimer(index: number): void {
    this.#stopTimer.get(index)?.();
    this.#stopTimer.delete(index);
  }

  closed(connection: Connection): void {
    this.#stopHandshakeTimer(connection.index);
    this.#previous.delete(connection.index);
    const worker = this.#o.workers.of(connection.index);
    if (this.#greeted[connection.index] === 1 && worker !== undefined) this.#o.departures.depart(worker);
    this.#greeted[connection.index] = 0;
    this.#o.feeds.closed(connection);
  }

  /** What stands behind the record that made the connection wait, or end. */
  rest(from: Connection, records: Uint8Array): void {
    if (records.length > 0) this.#o.server.waiting.holdFirst(from, [records.slice()], false);
  }

  /** The bytes are no records: the peer is told, and its connection ends. */
  malformed(from: Connection, what: string): void {
    if (from.isEnding) return;
    this.#o.metrics.add(Metric.frames_malformed);
    this.refuse(from, null, ErrorCode.MalformedRecord, `Cannot read the frame: ${what}`);
    this.#o.server.end(from, CloseCode.Malformed, ErrorCode.MalformedRecord);
  }

  refuse(to: Connection, request: number | null, code: ErrorCode, message: string): void {
    this.#send(to, [Kind.Refused, request, code, message]);
  }

  /** The first record of a connection. False when it was refused and the connection is ending. */
  greet(from: Connection, kind: number, cursor: Cursor): boolean {
    if (kind !== Kind.Hello)
      return this.#endWith(
        from,
        ErrorCode.HelloExpected,
        CloseCode.Malformed,
        `The first record is hello (16), not ${kind}`,
      );
    const hello = readHello(cursor);
    if (hello.version < 1) throw new ElementError("hello.version must be at least 1");
    const { access, workers, clock } = this.#o;
    const worker = workers.add(from, clock.epochMs(), access.sessionOf(from.index));
    this.#stopHandshakeTimer(from.index);
    const previous = hello.previous === null ? undefined : this.#formerSelf(hello.previous);
    Object.assign(worker, {
      description: hello.description,
      version: hello.version_text,
      runtime: hello.runtime ?? "unknown",
      os: hello.os,
      isolation: hello.isolation,
      pid: hello.pid,
      concurrency: hello.concurrency,
    });
    const { session } = worker;
    if (session !== null && !session.mayDeclare(hello.namespace)) {
      workers.remove(worker);
      return this.#endWith(
        from,
        ErrorCode.Forbidden,
        CloseCode.Forbidden,
        session.undeclarable(hello.namespace),
      );
    }
    workers.resolve(worker, hello.namespace);
    const holder = hello.name === null ? undefined : workers.byName(hello.namespace, hello.name);
    if (holder !== undefined && holder !== previous) {
      workers.remove(worker);
      return this.#endWith(
        from,
        ErrorCode.WorkerNameTaken,
        CloseCode.WorkerNameTaken,
        `Another living worker of namespace ${hello.namespace} has the name ${hello.name}`,
      );
    }
    if (previous !== undefined) {
      workers.releaseName(previous); // only now: a newcomer that is refused takes nothing from its former self
      this.#previous.set(from.index, previous);
    }
    if (hello.name !== null) workers.claimName(worker, hello.name, hello.namespace);
    this.#greeted[from.index] = 1;
    this.#send(from, welcome(worker, this.#o.limits));
    this.#o.departures.arrived(worker);
    this.#o.departures.updated(worker); // hello says all of it at once
    return true;
  }

  /** A control record of a greeted connection. */
  record(from: Connection, kind: number, cursor: Cursor): void {
    switch (kind) {
      case Kind.Hello:
        throw new ElementError("hello comes once");
      case Kind.Register:
        return this.#register(from, cursor);
      case Kind.Unregister:
      case Kind.Resolve:
        return this.#numbered(from, kind, cursor);
      default:
        this.#other(from, kind, cursor);
    }
  }

  #other(from: Connection, kind: number, cursor: Cursor): void {
    const worker = this.#o.workers.of(from.index);
    if (worker !== undefined && this.#o.triggers.record(worker, kind, cursor)) return;
    if (worker !== undefined && this.#o.drain.record(worker, kind, cursor)) return;
    if (this.#o.feeds.record(from, kind, cursor)) return;
    this.#o.metrics.add(Metric.records_unknown);
  }

  #endWith(
    from: Connection,
    code: ErrorCode,
    close: (typeof CloseCode)[keyof typeof CloseCode],
    message: string,
  ): false {
    this.#o.metrics.add(Metric.records_refused);
    this.refuse(from, null, code, message);
    this.#o.server.end(from, close, code);
    return false;
  }

  /** The living worker that this connection was before, if it can prove it. */
  #formerSelf(previous: { worker: string; token: string }): Worker | undefined {
    const worker = this.#o.workers.byId(previous.worker);
    return worker !== undefined && isSameSecret(previous.token, worker.token) ? worker : undefined;
  }

  #register(from: Connection, cursor: Cursor): void {
    const request = cursor.uint("request");
    const mode = cursor.uint("mode");
    if (mode !== RegisterMode.Add && mode !== RegisterMode.Replace)
      return this.#refuseRequest(
        from,
        request,
        ErrorCode.InvalidRecord,
        "mode must be 0 (add) or 1 (replace)",
      );
    const worker = this.#o.workers.of(from.index);
    if (worker === undefined) return;
    try {
      if (this.#o.calls.isMemoryNear) throw new CodedError(ErrorCode.Overloaded, Refusal.Memory.message);
      if (worker.session?.rights.mayRegisterFunctions === false)
        throw new CodedError(ErrorCode.Forbidden, "This session may not register functions");
      const entries = this.#entries(cursor);
      const reviewed = reviewEntries(entries, worker, this.#o.hooks);
      if (reviewed instanceof Promise) this.#registerLater(worker, request, mode, reviewed);
      else this.#registerAll(from, worker, request, mode, reviewed);
    } catch (cause) {
      if (cause instanceof CodedError)
        return this.#refuseRequest(from, request, cause.code as ErrorCode, cause.message); // thrown here and in Functions with our codes only
      if (cause instanceof ElementError)
        return this.#refuseRequest(from, request, ErrorCode.InvalidRecord, cause.message);
      throw cause;
    }
  }

  /** Nothing more of the connection is handled until the hook has looked at all of it. */
  #registerLater(worker: Worker, request: number, mode: number, reviewed: Promise<Entry[]>): void {
    const { connection } = worker;
    const { server, workers } = this.#o;
    connection.pause();
    reviewed
      .then((entries) => {
        if (workers.of(connection.index) === worker)
          this.#registerAll(connection, worker, request, mode, entries);
      })
      .catch((cause: unknown) => {
        if (!(cause instanceof CodedError)) throw cause;
        if (connection.isOpen)
          this.#refuseRequest(connection, request, cause.code as ErrorCode, cause.message); // as in #register
      })
      .finally(() => server.waiting.resume(connection));
  }

  #refuseRequest(to: Connection, request: number, code: ErrorCode, message: string): void {
    this.#o.metrics.add(Metric.registrations_refused);
    this.refuse(to, request, code, message);
  }

  /** Reads and checks the whole list before anything is registered. */
  #entries(cursor: Cursor): Entry[] {
    if (!cursor.isArray()) throw new ElementError("functions must be an array");
    cursor.raw();
    const count = this.#list.open(cursor.bytes, cursor.start);
    const { functionsPerConnectionMax } = this.#o.limits;
    if (count > functionsPerConnectionMax) throw tooMany(count, 0, functionsPerConnectionMax);
    const entries = new Array<Entry>(count);
    for (let position = 0; position < count; position++)
      entries[position] = readEntry(this.#list, this.#item, position);
    return entries;
  }

  /** Whether the connection and the tables have room for all of the list. What is offered already needs none; it is counted only when it matters. */
  #checkRoom(worker: Worker, entries: readonly Entry[], mode: number): void {
    const { functions, limits } = this.#o;
    const { index } = worker.connection;
    this.#checkCards(worker, entries, mode);
    const had = functions.countOf(index);
    const ownMax = mode === RegisterMode.Add ? limits.functionsPerConnectionMax - had : entries.length;
    if (entries.length <= ownMax && entries.length <= functions.room) return;
    const isNew = (one: Entry) =>
      !functions.isOffered(index, worker.namespace, one.bytes, one.start, one.end);
    const added = entries.filter(isNew).length;
    if (added > ownMax) throw tooMany(added, had, limits.functionsPerConnectionMax);
    if (added > functions.room)
      throw new CodedError(
        ErrorCode.LimitReached,
        `Cannot register ${added} functions: the engine has room for ${functions.room}`,
      );
  }

  /** As in #checkRoom: what the cards of the list replace is counted only when it matters. */
  #checkCards({ connection, namespace }: Worker, entries: readonly Entry[], mode: number): void {
    const { functions, limits } = this.#o;
    const { index } = connection;
    const most = limits.functionBytesPerConnectionMax;
    let added = 0;
    for (let position = 0; position < entries.length; position++) added += entries[position]!.card.length;
    if (added === 0 || functions.offers.hasCardRoom(index, added, most)) return;
    if (mode === RegisterMode.Replace) added -= functions.offers.cardBytesOf(index);
    else
      for (const { bytes, start, end } of entries)
        added -= functions.cardBytes(index, namespace, bytes, start, end);
    if (!functions.offers.hasCardRoom(index, added, most)) throw cardsFull(most);
  }

  /** Throws before anything of the list is registered. */
  #checkIds(namespace: NamespaceKey, entries: readonly Entry[]): void {
    for (let position = 0; position < entries.length; position++)
      this.#checkId(namespace, entries[position]!, position);
  }

  #checkId(namespace: NamespaceKey, { bytes, start, end }: Entry, position: number): void {
    const { functions } = this.#o;
    if (start === end || end - start > ID_BYTES_MAX)
      throw new CodedError(
        ErrorCode.InvalidRecord,
        `id of function ${position} must have 1 to ${ID_BYTES_MAX} bytes`,
      );
    if (isEngineId(bytes, start, end) && namespace.name !== DEFAULT_NAMESPACE)
      throw new CodedError(
        ErrorCode.FunctionIdReserved,
        `function ${position}: ids that begin with engine:: live in namespace default only`,
      );
    if (!isAscii(bytes, start, end) && !isUtf8(bytes.subarray(start, end)))
      throw new CodedError(ErrorCode.InvalidRecord, `id of function ${position} must be UTF-8`);
    const fn = functions.names.find(namespace, bytes, start, end);
    if (fn !== 0 && functions.isReserved(fn))
      throw new CodedError(
        ErrorCode.FunctionIdReserved,
        `function ${position}: the engine itself serves ${functions.names.id(fn)}`,
      );
  }

  #registerAll(from: Connection, worker: Worker, request: number, mode: number, entries: Entry[]): void {
    const { functions, metrics, concurrencies } = this.#o;
    this.#checkIds(worker.namespace, entries);
    this.#checkRoom(worker, entries, mode);
    if (mode === RegisterMode.Replace) this.#takeOver(from);
    this.#round = (this.#round + 1) | 0;
    const round = this.#round;
    const handles = new Uint8Array(entries.length * 4);
    const states = new Uint8Array(entries.length);
    const view = new DataView(handles.buffer);
    for (let position = 0; position < entries.length; position++) {
      const entry = entries[position]!;
      const { fn, state, offer } = functions.register(
        from.index,
        worker.namespace,
        entry.bytes,
        entry.start,
        entry.end,
        entry.share,
        round,
      );
      functions.offers.setCard(offer, entry.card, 0, entry.card.length);
      concurrencies.offered(from.index, fn, entry.concurrency);
      view.setUint32(position * 4, functions.slots.handleOf(fn) >>> 0);
      states[position] = state;
    }
    if (mode === RegisterMode.Replace) functions.unregisterOthers(from.index, round);
    metrics.add(Metric.registrations, entries.length);
    this.#send(from, [Kind.Registered, request, handles, states]);
  }

  /** What the former connection of this worker still offers changes hands before anything of it is dropped. */
  #takeOver(to: Connection): void {
    const former = this.#previous.get(to.index);
    if (former === undefined) return;
    this.#previous.delete(to.index);
    if (!former.connection.isOpen) return;
    this.#o.functions.handOver(former.connection.index, to.index);
    this.#o.server.end(former.connection, CloseCode.Replaced, "replaced by a newer connection");
  }

  /** What is wrong behind the request's number is refused under that number. */
  #numbered(from: Connection, kind: number, cursor: Cursor): void {
    const request = cursor.uint("request");
    try {
      if (kind === Kind.Unregister) this.#unregister(from, request, cursor);
      else this.#resolve(from, request, cursor);
    } catch (cause) {
      if (!(cause instanceof ElementError)) throw cause;
      this.#o.metrics.add(Metric.records_refused);
      this.refuse(from, request, ErrorCode.InvalidRecord, cause.message);
    }
  }

  #unregister(from: Connection, request: number, cursor: Cursor): void {
    const worker = this.#o.workers.of(from.index);
    if (!cursor.isArray()) throw new ElementError("ids must be an array");
    cursor.raw();
    const list = this.#list;
    const count = list.open(cursor.bytes, cursor.start);
    let removed = 0;
    for (let position = 0; position < count && worker !== undefined; position++) {
      list.str(`id ${position}`);
      const { bytes, start, end } = prefixedId(worker.session, list.bytes, list.start, list.end);
      if (this.#o.functions.unregister(from.index, worker.namespace, bytes, start, end)) removed++;
    }
    this.#send(from, [Kind.Unregistered, request, removed]);
  }

  #resolve(from: Connection, request: number, cursor: Cursor): void {
    if (!cursor.isArray() || this.#general === null) throw new ElementError("names must be an array");
    cursor.raw();
    const list = this.#list;
    const count = list.open(cursor.bytes, cursor.start);
    const handles = new Uint8Array(count * 4);
    const view = new DataView(handles.buffer);
    for (let position = 0; position < count; position++) {
      const [namespace, start, end] = this.#general.name(from, list);
      const fn = this.#o.functions.names.find(namespace, list.bytes, start, end);
      const handle = fn === 0 ? 0 : this.#o.functions.slots.handleOf(fn);
      const isVisible = this.#o.access.verdict(from.index, handle) === Verdict.Allowed;
      view.setUint32(position * 4, isVisible ? handle >>> 0 : 0);
    }
    this.#send(from, [Kind.Resolved, request, handles]);
  }

  #send(to: Connection, record: readonly unknown[]): void {
    const bytes = pack(record);
    to.outbox.append(bytes, 0, bytes.length);
  }
}

function tooMany(count: number, had: number, max: number): CodedError {
  return new CodedError(
    ErrorCode.LimitReached,
    `Cannot register ${count} functions beside ${had}: one connection may have ${max}`,
  );
}

/** Most ids are: looking is a fraction of what a view and a native call cost for each of 100,000. */
function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at]! >= 0x80) return false;
  return true;
}
