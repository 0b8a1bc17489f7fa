// The msgpack wire beside the forwarded path: records in general form, calls by name, casts, cancels, calls that end here or cross to the JSON wire.

import type { Access } from "../access/access.js";
import { Metric, type Metrics } from "../metrics.js";
import { ErrorCode } from "../protocol/error.js";
import { Cursor, ElementError } from "../protocol/msgpack/cursor.js";
import { pack } from "../protocol/msgpack/general.js";
import {
  ANSWER_OVERHEAD,
  CALL_OVERHEAD,
  CAST_OVERHEAD,
  CastMode,
  Kind,
  MALFORMED,
  writeAnswerHead,
  writeCallHead,
  writeCastHead,
} from "../protocol/msgpack/records.js";
import { skipValue } from "../protocol/msgpack/skip.js";
import type { Functions } from "../registry/functions.js";
import { DEFAULT_KEY, type NamespaceKey } from "../registry/names.js";
import { INDEX_MASK } from "../registry/slots.js";
import type { Workers } from "../registry/workers.js";
import type { Arena } from "../transport/arena.js";
import type { Connection } from "../transport/connection.js";
import type { Server } from "../transport/server.js";
import { type Calls, DRAINING, Executor } from "./calls.js";
import { hashKey, readContext } from "./context.js";
import type { Crossing } from "./crossing.js";
import { type ErrorBody, engineErrorBody, packErrorBody } from "./error-body.js";
import { CALL_WORDS, CallWord } from "./in-flight.js";
import { type MsgpackCheckpoint, staleMessage } from "./msgpack-checkpoint.js";
import type { MsgpackControl } from "./msgpack-control.js";
import type { StreamRecords } from "./stream-records.js";

/** A call, cast or answer as read from a general form: positions in the frame, -1 for nil. */
export interface Parts {
  contextStart: number;
  contextEnd: number;
  payloadStart: number;
  payloadEnd: number;
}

export interface MsgpackGeneralOptions {
  access: Access;
  checkpoint: MsgpackCheckpoint;
  calls: Calls;
  functions: Functions;
  workers: Workers;
  server: Server;
  arena: Arena;
  metrics: Metrics;
  control: MsgpackControl;
  crossing: Crossing;
  streams: StreamRecords;
}

export class MsgpackGeneral {
  readonly #o: MsgpackGeneralOptions;
  readonly #cursor = new Cursor();
  readonly #nested = new Cursor();

  constructor(options: MsgpackGeneralOptions) {
    this.#o = options;
  }

  /** Carries out one record of any kind and encoding. Returns where the next begins, or MALFORMED. */
  record(from: Connection, frame: Uint8Array, at: number, end: number): number {
    const next = skipValue(frame, at, end);
    if (next < 0) return MALFORMED;
    const cursor = this.#cursor;
    if (cursor.open(frame, at) < 1) return MALFORMED;
    const kind = cursor.isUint() ? cursor.uint("kind") : 0;
    if (kind === 0) return MALFORMED;
    let call = UNREAD;
    try {
      if (!this.#o.control.isGreeted(from))
        return this.#o.control.greet(from, kind, cursor) ? next : MALFORMED_QUIET;
      if (kind <= Kind.Cancel) call = cursor.uint("call");
      this.#dispatch(from, kind, call, cursor);
    } catch (cause) {
      if (!(cause instanceof ElementError)) throw cause;
      this.#invalid(from, kind, call, cause.message);
    }
    return next;
  }

  #dispatch(from: Connection, kind: number, call: number, cursor: Cursor): void {
    switch (kind) {
      case Kind.Call:
        return this.#call(from, call, cursor);
      case Kind.Result:
      case Kind.Error:
        return this.#answer(from, kind, call, cursor);
      case Kind.Cancel:
        return this.#cancel(from, call);
      case Kind.Cast:
        return this.#cast(from, cursor);
      default:
        if (!this.#o.streams.record(from, kind, cursor)) this.#o.control.record(from, kind, cursor);
    }
  }

  #invalid(from: Connection, kind: number, call: number, message: string): void {
    this.#o.metrics.add(Metric.records_refused);
    if (call === UNREAD) return this.#o.control.refuse(from, null, ErrorCode.InvalidRecord, message);
    if (kind === Kind.Call) this.sendError(from, call, ErrorCode.InvalidRecord, message);
    else if (kind === Kind.Result || kind === Kind.Error) this.#endUnreadable(from, call, message);
  }

  /** An answer whose ticket can be read but whose rest cannot ends its call. */
  #endUnreadable(from: Connection, ticket: number, message: string): void {
    const slot = this.#o.calls.inFlight.slotOf(ticket, from.index);
    if (slot === 0) return this.#o.metrics.add(Metric.answers_unmatched);
    this.#o.metrics.add(Metric.answers_invalid);
    this.#o.calls.fail(slot, ErrorCode.AnswerInvalid, `The executor's answer cannot be read: ${message}`);
  }

  #call(from: Connection, call: number, cursor: Cursor): void {
    const { calls } = this.#o;
    const fn = this.#function(from, cursor);
    const askedMs = cursor.uint("timeout_ms");
    const parts = this.#parts(cursor);
    if (this.#o.access.restricted[from.index] !== 0) {
      const asked = {
        fn,
        missing: this.#missingName,
        isByHandle: this.#isByHandle,
        frame: cursor.bytes,
        ...parts,
        askedMs,
      };
      if (this.#o.checkpoint.stopsCall(from, call, asked)) return;
    }
    if (fn === 0) return this.#notFound(from, call, 0);
    let executor = calls.executorOf(fn);
    if (executor === Executor.ByKey) executor = calls.executorByKey(fn, this.#keyOf(cursor.bytes, parts));
    if (executor === Executor.NotFound) return this.#notFound(from, call, fn);
    if (executor === Executor.Overloaded) return this.overloaded(from, call);
    const ticket = calls.admit(from.index, call, Math.max(executor, 0), fn, calls.timeoutMs(fn, askedMs));
    if (ticket === 0) return this.overloaded(from, call);
    const slot = ticket & INDEX_MASK;
    if (executor === Executor.Builtin)
      return this.#o.crossing.callBuiltin(
        slot,
        this.#o.workers.of(from.index),
        cursor.bytes,
        parts.payloadStart,
        parts.payloadEnd,
      );
    this.#deliver(from, executor, slot, cursor.bytes, parts);
  }

  #deliver(from: Connection, executor: number, slot: number, frame: Uint8Array, parts: Parts): void {
    const to = this.#o.calls.connections[executor];
    if (to === undefined) return;
    const { contextStart, contextEnd, payloadStart, payloadEnd } = parts;
    const context = contextStart < 0 ? null : frame.subarray(contextStart, contextEnd);
    if (to.isMsgpack)
      this.sendCall(
        to,
        slot,
        from.handle,
        context,
        payloadStart < 0 ? EMPTY_NIL : frame.subarray(payloadStart, payloadEnd),
      );
    else
      this.#o.crossing.callToJson(
        slot,
        to,
        this.#o.workers.of(from.index),
        context,
        frame,
        payloadStart,
        payloadEnd,
      );
  }

  /** Sends a call that stands in the table. */
  sendCall(
    to: Connection,
    slot: number,
    caller: number,
    context: Uint8Array | null,
    payload: Uint8Array,
  ): void {
    const { arena, calls } = this.#o;
    const words = calls.inFlight.words;
    const at = slot * CALL_WORDS;
    const outgoing = calls.outgoing(slot, to);
    const out = outgoing.reserve(CALL_OVERHEAD + (context?.length ?? 0) + payload.length);
    const remainingMs = calls.deadlines.remainingMs(words[at + CallWord.deadline]!);
    const behind = writeCallHead(
      arena.bytes,
      out,
      calls.inFlight.ticketOf(slot),
      words[at + CallWord.function]!,
      remainingMs,
      caller,
      context,
      payload.length,
    );
    arena.bytes.set(payload, behind);
    outgoing.commit(out, behind + payload.length);
  }

  #answer(from: Connection, kind: number, ticket: number, cursor: Cursor): void {
    const hasPayload = cursor.blob(kind === Kind.Result ? "payload" : "body");
    const slot = this.#o.calls.inFlight.slotOf(ticket, from.index);
    if (slot === 0) return this.#o.metrics.add(Metric.answers_unmatched);
    this.#o.crossing.answer(slot, kind, cursor.bytes, hasPayload ? cursor.start : -1, cursor.end);
  }

  /** Sends a result or an error to a msgpack caller. `bytes[start, end)` is its payload or body; `start` -1 = nil. */
  sendAnswer(
    to: Connection,
    call: number,
    kind: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const payload = start < 0 ? EMPTY_NIL : bytes.subarray(start, end);
    const at = to.outbox.reserve(ANSWER_OVERHEAD + payload.length);
    const behind = writeAnswerHead(this.#o.arena.bytes, at, kind, call, payload.length);
    this.#o.arena.bytes.set(payload, behind);
    to.outbox.commit(at, behind + payload.length);
  }

  sendError(to: Connection, call: number, code: string, message: string, retryAfterMs?: number): void {
    this.sendErrorBody(to, call, engineErrorBody(code, message, retryAfterMs));
  }

  sendErrorBody(to: Connection, call: number, error: ErrorBody): void {
    const body = packErrorBody(error);
    this.sendAnswer(to, call, Kind.Error, body, 0, body.length);
  }

  overloaded(from: Connection, call: number): void {
    const { message, retryAfterMs } = this.#o.calls.refused();
    this.sendError(from, call, ErrorCode.Overloaded, message, retryAfterMs);
  }

  #draining(from: Connection, call: number): void {
    this.#o.metrics.add(Metric.calls_draining);
    this.sendError(from, call, ErrorCode.Draining, DRAINING);
  }

  #notFound(from: Connection, call: number, fn: number): void {
    if (this.#o.calls.functionIndex(fn) !== 0) return this.#draining(from, call);
    this.#o.metrics.add(Metric.calls_not_found);
    const what = fn === 0 ? this.#missing : staleMessage(fn);
    this.sendError(from, call, ErrorCode.FunctionNotFound, what);
  }

  /** The sentence for the name that {@link #function} did not find. */
  #missing = "";
  #missingName = { namespace: "", id: "" };
  /** {@link #function} read a handle. */
  #isByHandle = false;

  /** The function of a call or cast: a handle, or a name that is looked up. 0 = not found. */
  #function(from: Connection, cursor: Cursor): number {
    this.#isByHandle = !cursor.isStr() && !cursor.isArray();
    if (this.#isByHandle) return cursor.uint("function") | 0;
    const [namespace, start, end] = this.name(from, cursor);
    const fn = this.#o.functions.names.find(namespace, cursor.bytes, start, end);
    if (fn === 0) {
      const mayCall = (handle: number): boolean => this.#o.access.mayCall(from.index, handle);
      this.#missing = this.#o.calls.notFoundMessage(namespace, cursor.bytes, start, end, mayCall);
      const id = Buffer.from(cursor.bytes.subarray(start, end)).toString("utf8");
      this.#missingName = { namespace: namespace.name, id };
    }
    return fn === 0 ? 0 : this.#o.functions.slots.handleOf(fn);
  }

  /** A name at the cursor, a str or [namespace, id]: its namespace and where the id lies. */
  name(from: Connection, cursor: Cursor): [NamespaceKey, number, number] {
    if (cursor.isArray()) return this.#qualifiedName(cursor);
    cursor.str("function");
    const namespace = isEngineId(cursor.bytes, cursor.start, cursor.end)
      ? DEFAULT_KEY
      : (this.#o.workers.of(from.index)?.namespace ?? DEFAULT_KEY);
    return [namespace, cursor.start, cursor.end];
  }

  #qualifiedName(cursor: Cursor): [NamespaceKey, number, number] {
    const nested = this.#nested;
    cursor.raw();
    if (nested.open(cursor.bytes, cursor.start) < 2)
      throw new ElementError("function must be a handle, an id or [namespace, id]");
    nested.str("namespace");
    const namespace = this.#o.workers.namespace(
      Buffer.from(nested.bytes.subarray(nested.start, nested.end)).toString("utf8"),
    );
    nested.str("function id");
    return [namespace, nested.start, nested.end];
  }

  /** Caller, context and payload: the last elements of a call or cast. */
  #parts(cursor: Cursor): Parts {
    cursor.uint("caller");
    const hasContext = cursor.blob("context");
    const contextStart = hasContext ? cursor.start : -1;
    const contextEnd = cursor.end;
    const hasPayload = cursor.blob("payload");
    return { contextStart, contextEnd, payloadStart: hasPayload ? cursor.start : -1, payloadEnd: cursor.end };
  }

  #keyOf(frame: Uint8Array, parts: Parts): number {
    if (parts.contextStart < 0) return 0;
    const key = readContext(frame.subarray(parts.contextStart, parts.contextEnd))?.key;
    return key === undefined ? 0 : hashKey(key);
  }

  #cancel(from: Connection, call: number): void {
    const slot = this.#o.calls.madeAs(from.index, call | 0);
    if (slot !== 0) this.#o.calls.cancel(slot);
  }

  #cast(from: Connection, cursor: Cursor): void {
    const { calls, functions, metrics } = this.#o;
    const fn = this.#function(from, cursor);
    const mode = cursor.uint("mode");
    if (mode !== CastMode.One && mode !== CastMode.All)
      throw new ElementError("mode must be 0 (one owner) or 1 (all owners)");
    const parts = this.#parts(cursor);
    if (this.#o.access.restricted[from.index] !== 0) {
      const asked = {
        fn,
        missing: this.#missingName,
        isByHandle: this.#isByHandle,
        frame: cursor.bytes,
        ...parts,
        askedMs: 0,
      };
      if (this.#o.checkpoint.stopsCast(from, asked)) return;
    }
    metrics.counts[Metric.casts]!++;
    if (functions.slots.indexOf(fn) === 0) return this.#castNowhere(from, fn);
    if (calls.isMemoryNear) return metrics.add(Metric.casts_dropped);
    if (mode === CastMode.All && functions.isShared(fn & INDEX_MASK))
      return this.#castAll(from, fn, cursor.bytes, parts);
    let executor = calls.executorOf(fn);
    if (executor === Executor.ByKey) executor = calls.executorByKey(fn, this.#keyOf(cursor.bytes, parts));
    if (executor === Executor.Builtin) return this.#castBuiltin(from, fn, cursor.bytes, parts);
    if (executor <= 0) return metrics.add(Metric.casts_dropped);
    const to = calls.connections[executor];
    if (to !== undefined) this.#castTo(from, to, fn, cursor.bytes, parts);
  }

  /** Nobody registers it: dropped, and of a handle its user is told, who could not know otherwise. */
  #castNowhere(from: Connection, fn: number): void {
    this.#o.metrics.add(Metric.casts_dropped);
    if (this.#isByHandle) this.tellStale(from, fn);
  }

  tellStale(to: Connection, fn: number): void {
    const record = pack([Kind.Stale, fn >>> 0]);
    to.outbox.append(record, 0, record.length);
  }

  #castBuiltin(from: Connection, fn: number, frame: Uint8Array, parts: Parts): void {
    const { crossing, workers } = this.#o;
    const { payloadStart, payloadEnd } = parts;
    crossing.castBuiltin(fn & INDEX_MASK, workers.of(from.index), frame, payloadStart, payloadEnd);
  }

  #castTo(from: Connection, to: Connection, fn: number, frame: Uint8Array, parts: Parts): void {
    const context = parts.contextStart < 0 ? null : frame.subarray(parts.contextStart, parts.contextEnd);
    if (!to.isMsgpack)
      return this.#o.crossing.castToJson(
        to,
        fn,
        this.#o.workers.of(from.index),
        context,
        frame,
        parts.payloadStart,
        parts.payloadEnd,
      );
    const payload = parts.payloadStart < 0 ? EMPTY_NIL : frame.subarray(parts.payloadStart, parts.payloadEnd);
    this.sendCast(to, fn, CastMode.One, from.handle, context, payload);
  }

  sendCast(
    to: Connection,
    fn: number,
    mode: number,
    caller: number,
    context: Uint8Array | null,
    payload: Uint8Array,
  ): void {
    const { arena } = this.#o;
    const out = to.outbox.reserve(CAST_OVERHEAD + (context?.length ?? 0) + payload.length);
    const behind = writeCastHead(arena.bytes, out, fn, mode, caller, context, payload.length);
    arena.bytes.set(payload, behind);
    to.outbox.commit(out, behind + payload.length);
  }

  /** Encoded once for all msgpack owners and handed to uWebSockets' publish; JSON owners get a frame each. What was gathered before goes first, so order holds. */
  #castAll(from: Connection, fn: number, frame: Uint8Array, parts: Parts): void {
    const { calls, functions, server, arena, metrics } = this.#o;
    const context = parts.contextStart < 0 ? null : frame.subarray(parts.contextStart, parts.contextEnd);
    const payload = parts.payloadStart < 0 ? EMPTY_NIL : frame.subarray(parts.payloadStart, parts.payloadEnd);
    const topic = topicOf(fn);
    const behind = new Set<Connection>();
    let msgpackOwners = 0;
    for (const owner of functions.sharedOwners(fn & INDEX_MASK)?.owners ?? []) {
      const to = calls.connections[owner];
      if (to === undefined) continue;
      to.outbox.refresh();
      if (!calls.canTake(owner)) {
        metrics.add(Metric.casts_dropped);
        if (to.isMsgpack) behind.add(to);
      } else if (to.isMsgpack) msgpackOwners++;
      else this.#castTo(from, to, fn, frame, parts);
    }
    if (msgpackOwners === 0) return;
    server.outboxes.flush();
    const at = arena.scratch(CAST_OVERHEAD + (context?.length ?? 0) + payload.length);
    const payloadAt = writeCastHead(arena.bytes, at, fn, CastMode.All, from.handle, context, payload.length);
    arena.bytes.set(payload, payloadAt);
    for (const to of behind) to.unsubscribe(topic); // passed over, this once
    server.publish(topic, arena.bytes.subarray(at, payloadAt + payload.length), msgpackOwners);
    for (const to of behind) to.subscribe(topic);
  }
}

/** The number of a record that has none, or whose number is none. */
const UNREAD = -1;

/** A record was refused and its connection is ending: nothing more of the frame is read, nothing more is said. */
const MALFORMED_QUIET = MALFORMED;

/** msgpack's nil: what a missing payload is for a reader. */
const EMPTY_NIL = Uint8Array.of(0xc0);

const ENGINE_PREFIX = new TextEncoder().encode("engine::");

/** `engine::…` ids live in `default` whoever asks. */
export function isEngineId(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < ENGINE_PREFIX.length) return false;
  for (let at = 0; at < ENGINE_PREFIX.length; at++) if (bytes[start + at] !== ENGINE_PREFIX[at]) return false;
  return true;
}

/** The topic to which the msgpack owners of a shared function are subscribed. */
export function topicOf(fn: number): string {
  return `function/${fn & INDEX_MASK}`;
}
