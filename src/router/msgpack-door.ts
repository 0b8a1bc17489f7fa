// The msgpack wire's door: reads records, routes calls, casts and answers, and hands everything else to MsgpackControl.
//
// The forwarded path makes nothing: a record in canonical form is patched in place (ticket or caller's number, caller, timeout) inside the received frame,
// and runs of neighbouring records that go to the same peer are copied into its outbox at once. The one object of a frame is the view that the
// transport made of it.

import type { Access } from "../access/access.js";
import { Metric, type Metrics } from "../metrics.js";
import {
  ANSWER_HEAD,
  ANSWER_OVERHEAD,
  AnswerOffset,
  BIN32,
  CALL_HEAD,
  CANCEL_BYTES,
  CallOffset,
  CHUNK_HEAD,
  CHUNK_OVERHEAD,
  ChunkOffset,
  canonicalCallEnd,
  Kind,
  MALFORMED,
  readU32,
  UINT32,
  writeCancel,
  writeU32,
} from "../protocol/msgpack/records.js";
import type { Arena } from "../transport/arena.js";
import type { Connection } from "../transport/connection.js";
import type { Door } from "../transport/server.js";
import type { AnswerSink, Calls, CancelSink } from "./calls.js";
import type { Crossing } from "./crossing.js";
import type { ErrorBody } from "./error-body.js";
import { CALL_WORDS, CallWord, type Ticket } from "./in-flight.js";
import type { MsgpackControl } from "./msgpack-control.js";
import type { MsgpackGeneral } from "./msgpack-general.js";
import type { StreamRecords } from "./stream-records.js";

export class MsgpackDoor implements Door, AnswerSink, CancelSink {
  readonly #calls: Calls;
  readonly #arena: Arena;
  readonly #metrics: Metrics;
  readonly #control: MsgpackControl;
  readonly #general: MsgpackGeneral;
  readonly #crossing: Crossing;
  readonly #streams: StreamRecords;
  readonly #access: Access;
  /** The run of records being gathered: whole records of the current frame, from `#runStart` on, all for `#runTo`. */
  #runTo: Connection | null = null;
  #runStart = 0;

  constructor(
    calls: Calls,
    arena: Arena,
    metrics: Metrics,
    control: MsgpackControl,
    general: MsgpackGeneral,
    crossing: Crossing,
    streams: StreamRecords,
    access: Access,
  ) {
    this.#calls = calls;
    this.#arena = arena;
    this.#metrics = metrics;
    this.#control = control;
    this.#general = general;
    this.#crossing = crossing;
    this.#streams = streams;
    this.#access = access;
  }

  opened(connection: Connection): void {
    this.#calls.queues.opened(connection.index);
    this.#control.opened(connection);
  }

  drained(connection: Connection): void {
    this.#calls.queues.drained(connection.index);
    this.#streams.drained(connection);
  }

  closed(connection: Connection): void {
    this.#control.closed(connection);
    this.#streams.closed(connection);
  }

  received(from: Connection, frame: Uint8Array, isText: boolean): void {
    if (isText) return this.#control.malformed(from, "a text message, where records are binary");
    const end = frame.length;
    let at = 0;
    while (at < end) {
      const next = this.#record(from, frame, at, end);
      if (next === MALFORMED || !from.isReading) {
        this.#endRun(frame, at);
        if (next === MALFORMED)
          this.#control.malformed(from, `not a record at byte ${at} of a frame of ${end}`);
        else this.#control.rest(from, frame.subarray(next));
        return;
      }
      at = next;
    }
    this.#endRun(frame, end);
  }

  /** Carries out the record at `at`; returns where the next one begins, or MALFORMED. */
  #record(from: Connection, frame: Uint8Array, at: number, end: number): number {
    if (at + ANSWER_OVERHEAD <= end && this.#control.isGreeted(from)) {
      const head = frame[at]!;
      const kind = frame[at + 1]!;
      if (head === CALL_HEAD && kind === Kind.Call) return this.#call(from, frame, at, end);
      if (head === ANSWER_HEAD && (kind === Kind.Result || kind === Kind.Error))
        return this.#answer(from, frame, at, end);
      if (head === CHUNK_HEAD && kind === Kind.Chunk) return this.#chunk(from, frame, at, end);
    }
    return this.#other(from, frame, at, end);
  }

  #call(from: Connection, frame: Uint8Array, at: number, end: number): number {
    const next = canonicalCallEnd(frame, at, end);
    if (next <= 0) return next === 0 ? this.#other(from, frame, at, end) : MALFORMED;
    const fn = readU32(frame, at + CallOffset.function);
    const executor = this.#calls.executorOf(fn);
    if (executor > 0 && (this.#access.restricted[from.index] === 0 || this.#access.passes(from.index, fn))) {
      const to = this.#calls.connections[executor]!;
      if (to.isMsgpack && !this.#calls.inFlight.isFull(executor))
        return this.#forwardCall(from, to, frame, at, next, fn);
    }
    this.#endRun(frame, at);
    return this.#general.record(from, frame, at, end);
  }

  #forwardCall(
    from: Connection,
    to: Connection,
    frame: Uint8Array,
    at: number,
    next: number,
    fn: number,
  ): number {
    const timeoutMs = this.#calls.timeoutMs(fn, readU32(frame, at + CallOffset.timeoutMs));
    const ticket = this.#calls.enter(
      from.index,
      readU32(frame, at + CallOffset.call),
      to.index,
      fn,
      timeoutMs,
      0,
    );
    if (ticket === 0) {
      this.#endRun(frame, at);
      this.#general.overloaded(from, readU32(frame, at + CallOffset.call));
      return next;
    }
    writeU32(frame, at + CallOffset.call, ticket);
    writeU32(frame, at + CallOffset.timeoutMs, timeoutMs);
    writeU32(frame, at + CallOffset.caller, from.handle);
    this.#run(to, frame, at);
    return next;
  }

  #answer(from: Connection, frame: Uint8Array, at: number, end: number): number {
    if (frame[at + 2] !== UINT32 || frame[at + 7] !== BIN32) return this.#other(from, frame, at, end);
    const length = readU32(frame, at + AnswerOffset.length);
    const next = at + ANSWER_OVERHEAD + length;
    if (length < 0 || next > end) return MALFORMED;
    const { inFlight } = this.#calls;
    const slot = inFlight.slotOf(readU32(frame, at + AnswerOffset.call), from.index);
    if (slot === 0) {
      this.#endRun(frame, at);
      this.#metrics.counts[Metric.answers_unmatched]!++;
      return next;
    }
    const word = slot * CALL_WORDS;
    const to = this.#calls.connections[inFlight.words[word + CallWord.caller]!];
    if (to === undefined || !to.isMsgpack) {
      this.#endRun(frame, at);
      this.#crossing.answer(slot, frame[at + 1]!, frame, at + ANSWER_OVERHEAD, next);
      return next;
    }
    writeU32(frame, at + AnswerOffset.call, inFlight.words[word + CallWord.call]!);
    this.#calls.leave(slot);
    this.#run(to, frame, at);
    return next;
  }

  #chunk(from: Connection, frame: Uint8Array, at: number, end: number): number {
    this.#endRun(frame, at);
    const isCanonical =
      at + CHUNK_OVERHEAD <= end &&
      frame[at + ChunkOffset.stream - 1] === UINT32 &&
      frame[at + ChunkOffset.flags - 1] === UINT32 &&
      frame[at + ChunkOffset.length - 1] === BIN32;
    if (isCanonical) return this.#streams.canonicalChunk(from, frame, at, end);
    return this.#general.record(from, frame, at, end);
  }

  #other(from: Connection, frame: Uint8Array, at: number, end: number): number {
    this.#endRun(frame, at);
    return this.#general.record(from, frame, at, end);
  }

  /** Adds the record at `at` to the run for `to`. */
  #run(to: Connection, frame: Uint8Array, at: number): void {
    if (this.#runTo === to) return;
    this.#endRun(frame, at);
    this.#runTo = to;
    this.#runStart = at;
  }

  #endRun(frame: Uint8Array, at: number): void {
    if (this.#runTo === null) return;
    this.#runTo.outbox.append(frame, this.#runStart, at);
    this.#runTo = null;
  }

  engineError(slot: number, error: ErrorBody): void {
    const words = this.#calls.inFlight.words;
    const at = slot * CALL_WORDS;
    const caller = this.#calls.connections[words[at + CallWord.caller]!];
    if (caller !== undefined) this.#general.sendErrorBody(caller, words[at + CallWord.call]!, error);
  }

  cancel(executor: Connection, ticket: Ticket): void {
    const at = executor.outbox.reserve(CANCEL_BYTES);
    executor.outbox.commit(at, writeCancel(this.#arena.bytes, at, ticket));
  }
}
