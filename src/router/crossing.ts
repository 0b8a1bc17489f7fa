// Calls and answers between the two wires, and between a wire and the engine itself: the payload is translated, once.

import { Metric, type Metrics } from "../metrics.js";
import { ByteSink } from "../protocol/bytes.js";
import { CodedError, ErrorCode } from "../protocol/error.js";

import { CastMode, Kind } from "../protocol/msgpack/records.js";
import { jsonToMsgpack } from "../protocol/translate/json-to-msgpack.js";
import { msgpackToJson } from "../protocol/translate/msgpack-to-json.js";
import { REFUSED_CODE, refusalMessage, TranslateStatus } from "../protocol/translate/status.js";
import type { Names } from "../registry/names.js";
import { INDEX_MASK } from "../registry/slots.js";
import type { Worker } from "../registry/workers.js";
import type { Arena } from "../transport/arena.js";
import type { Connection } from "../transport/connection.js";
import { type Calls, ENGINE } from "./calls.js";
import { type Context, packContextAround, readContext } from "./context.js";
import type { EnginePeer } from "./engine-peer.js";
import { type ErrorBody, errorText, readErrorBody } from "./error-body.js";
import { CALL_WORDS, CallWord } from "./in-flight.js";
import type { JsonEnvelope } from "./json-envelope.js";
import type { CallFields, JsonFrames } from "./json-frames.js";
import type { MsgpackGeneral } from "./msgpack-general.js";

export interface CrossingOptions {
  calls: Calls;
  names: Names;
  arena: Arena;
  metrics: Metrics;
  frames: JsonFrames;
  engine: EnginePeer;
  /** Bytes of the largest frame: a translation longer than this is refused. */
  frameBytesMax: number;
}

export class Crossing {
  readonly #o: CrossingOptions;
  readonly #sink: ByteSink;
  #general: MsgpackGeneral | null = null;

  constructor(options: CrossingOptions) {
    this.#o = options;
    this.#sink = new ByteSink(options.frameBytesMax);
  }

  attach(general: MsgpackGeneral): void {
    this.#general = general;
  }

  // From a msgpack caller

  /** Sends an entered call of a msgpack caller to a JSON executor. `start` -1 = no payload. */
  callToJson(
    slot: number,
    to: Connection,
    caller: Worker | undefined,
    context: Uint8Array | null,
    frame: Uint8Array,
    start: number,
    end: number,
  ): void {
    const words = this.#o.calls.inFlight.words;
    const fn = words[slot * CALL_WORDS + CallWord.function]!;
    const ticket = this.#o.calls.inFlight.ticketOf(slot);
    const problem = this.#sendJson(to, ticket, fn, caller, context, frame, start, end);
    if (problem !== null) this.#o.calls.fail(slot, problem.code, problem.message);
  }

  castToJson(
    to: Connection,
    fn: number,
    caller: Worker | undefined,
    context: Uint8Array | null,
    frame: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (this.#sendJson(to, 0, fn, caller, context, frame, start, end) !== null)
      this.#o.metrics.add(Metric.casts_dropped);
  }

  #sendJson(
    to: Connection,
    ticket: number,
    fn: number,
    caller: Worker | undefined,
    context: Uint8Array | null,
    frame: Uint8Array,
    start: number,
    end: number,
  ): Problem | null {
    const known = context === null ? {} : readContext(context);
    if (known === undefined)
      return { code: ErrorCode.InvalidRecord, message: "context must hold a msgpack map" };
    const metadata = this.#metadataText(known);
    const problem =
      metadata instanceof Uint8Array ? this.#toJson(frame, start, end, caller?.idBytes) : metadata;
    if (problem !== null || !(metadata instanceof Uint8Array)) return problem;
    this.#sendJsonParts(to, ticket, fn, known, metadata, this.#sink.written());
    return null;
  }

  /** The metadata of a context as JSON text of its own; empty when there is none. */
  #metadataText(context: Context): Uint8Array | Problem {
    if (context.metadata === undefined) return NOTHING;
    const problem = this.#toJson(context.metadata, 0, context.metadata.length, undefined);
    return problem ?? this.#sink.written().slice();
  }

  /** Lays the parts out where received frames lie and has the frame made from there. The payload has its `_caller_worker_id` already. */
  #sendJsonParts(
    to: Connection,
    ticket: number,
    fn: number,
    context: Context,
    metadataText: Uint8Array,
    payload: Uint8Array,
  ): void {
    const { arena, frames, names } = this.#o;
    const id = Buffer.from(JSON.stringify(names.id(fn & INDEX_MASK)).slice(1, -1), "utf8");
    const parts = [id, payload, metadataText, stringBytes(context.traceparent), stringBytes(context.baggage)];
    let at = arena.input(parts.reduce((sum, part) => sum + part.length, 0));
    const spans = parts.map((part) => {
      arena.bytes.set(part, at);
      at += part.length;
      return part.length === 0 ? [-1, -1] : [at - part.length, at];
    });
    const [fnSpan, data, metadata, trace, baggage] = spans as [number, number][]; // five parts, five spans
    const fields: CallFields = {
      functionStart: fnSpan![0],
      functionEnd: fnSpan![1],
      dataStart: data![0],
      dataEnd: data![1],
      isDataObject: false, // the translator has put the member in
      hasMembers: false,
      metadataStart: metadata![0],
      metadataEnd: metadata![1],
      traceStart: trace![0],
      traceEnd: trace![1],
      baggageStart: baggage![0],
      baggageEnd: baggage![1],
    };
    frames.sendCall(to, ticket, fields, null);
  }

  /** An entered call of a msgpack caller to one of the engine's own functions. */
  callBuiltin(slot: number, from: Worker | undefined, frame: Uint8Array, start: number, end: number): void {
    const fn = this.#o.calls.inFlight.words[slot * CALL_WORDS + CallWord.function]! & INDEX_MASK;
    const problem = this.#toJson(frame, start, end, from?.idBytes);
    if (problem !== null) return this.#o.calls.fail(slot, problem.code, problem.message);
    this.#o.engine.execute(slot, fn, Buffer.from(this.#sink.written()).toString("utf8"), from);
  }

  /** A cast of a msgpack caller to a function that the engine carries out. Nobody hears of its failure but the counter and the log. */
  castBuiltin(fn: number, from: Worker | undefined, frame: Uint8Array, start: number, end: number): void {
    if (this.#toJson(frame, start, end, from?.idBytes) !== null)
      return this.#o.metrics.add(Metric.casts_dropped);
    this.#o.engine.cast(fn, Buffer.from(this.#sink.written()).toString("utf8"), from, () =>
      this.#o.metrics.add(Metric.casts_dropped),
    );
  }

  /** A msgpack payload as JSON text, for whoever in the engine reads it; `start` -1 = none. */
  payloadJson(frame: Uint8Array, start: number, end: number): string | Problem {
    const problem = this.#toJson(frame, start, end, undefined);
    return problem ?? Buffer.from(this.#sink.written()).toString("utf8");
  }

  // From a JSON caller

  callToMsgpack(slot: number, to: Connection, caller: Worker | undefined, envelope: JsonEnvelope): void {
    const context = this.#contextOf(envelope);
    const problem = isProblem(context) ? context : this.#payloadOf(envelope, caller);
    if (problem !== null || isProblem(context)) return this.#fail(slot, problem);
    this.#general?.sendCall(to, slot, caller?.connection.handle ?? 0, context, this.#sink.written());
  }

  castToMsgpack(to: Connection, fn: number, caller: Worker | undefined, envelope: JsonEnvelope): void {
    const context = this.#contextOf(envelope);
    const problem = isProblem(context) ? context : this.#payloadOf(envelope, caller);
    if (problem !== null || isProblem(context)) return this.#o.metrics.add(Metric.casts_dropped);
    this.#general?.sendCast(
      to,
      fn,
      CastMode.One,
      caller?.connection.handle ?? 0,
      context,
      this.#sink.written(),
    );
  }

  #payloadOf(envelope: JsonEnvelope, caller: Worker | undefined): Problem | null {
    return this.#toMsgpack(
      this.#o.arena.bytes,
      envelope.dataStart,
      envelope.dataEnd,
      envelope.isDataObject ? caller?.idBytes : undefined,
    );
  }

  #fail(slot: number, problem: Problem | null): void {
    if (problem !== null) this.#o.calls.fail(slot, problem.code, problem.message);
  }

  /** The context for a call whose envelope has trace headers or metadata; null when it has none. The sink is used. */
  #contextOf(envelope: JsonEnvelope): Uint8Array | Problem | null {
    const { traceStart, traceEnd, baggageStart, baggageEnd, metadataStart, metadataEnd } = envelope;
    if (traceStart < 0 && baggageStart < 0 && metadataStart < 0) return null;
    const problem =
      metadataStart < 0 ? null : this.#toMsgpack(this.#o.arena.bytes, metadataStart, metadataEnd, undefined);
    if (problem !== null) return problem;
    return packContextAround(
      {
        ...(traceStart < 0 ? {} : { traceparent: unescaped(envelope.text(traceStart, traceEnd)) }),
        ...(baggageStart < 0 ? {} : { baggage: unescaped(envelope.text(baggageStart, baggageEnd)) }),
      },
      metadataStart < 0 ? NOTHING : this.#sink.written(),
    );
  }

  // Answers

  /**
   * Relays an executor's answer to a caller of another kind, or one in general form, and ends the call. `start` -1 = nothing. `isJson`: the bytes are
   * JSON, from a JSON executor; else msgpack.
   */
  answer(slot: number, kind: number, bytes: Uint8Array, start: number, end: number, isJson = false): void {
    const { calls } = this.#o;
    const caller = calls.inFlight.words[slot * CALL_WORDS + CallWord.caller]!;
    const to = calls.connections[caller];
    if (kind === Kind.Error)
      return this.#relayErrorBody(slot, bytes.subarray(Math.max(start, 0), start < 0 ? 0 : end));
    if (caller !== ENGINE && to === undefined) return calls.leave(slot);
    if (isJson) return this.#jsonResult(slot, to, bytes, start, end);
    if (to?.isMsgpack === true) {
      this.#general?.sendAnswer(to, this.#callOf(slot), kind, bytes, start, end);
      return calls.leave(slot);
    }
    const problem = this.#toJson(bytes, start, end, undefined);
    if (problem !== null) return this.#failAnswer(slot, problem);
    const json = this.#sink.written();
    const isNull = json.length === 4 && json[0] === 0x6e; // null: an absent result
    if (to === undefined) this.#o.engine.resolved(slot, isNull ? null : Buffer.from(json).toString("utf8"));
    else if (isNull) this.#o.frames.sendResult(to, slot, -1, -1, 0, 0);
    else this.#o.frames.sendResultBytes(to, slot, json);
    calls.leave(slot);
  }

  #jsonResult(slot: number, to: Connection | undefined, bytes: Uint8Array, start: number, end: number): void {
    if (to === undefined) {
      this.#o.engine.resolved(
        slot,
        start < 0 ? null : Buffer.from(bytes.subarray(start, end)).toString("utf8"),
      );
      return this.#o.calls.leave(slot);
    }
    const problem = this.#toMsgpack(bytes, start, end, undefined);
    if (problem !== null) return this.#failAnswer(slot, problem);
    const payload = this.#sink.written();
    this.#general?.sendAnswer(to, this.#callOf(slot), Kind.Result, payload, 0, payload.length);
    this.#o.calls.leave(slot);
  }

  /** An answer that cannot be said in the caller's encoding: the call was executed, and ends with the translator's code. */
  #failAnswer(slot: number, problem: Problem): void {
    this.#o.metrics.add(Metric.answers_invalid);
    this.#o.calls.fail(slot, problem.code, problem.message);
  }

  #relayErrorBody(slot: number, bytes: Uint8Array): void {
    const to = this.#o.calls.connections[this.#o.calls.inFlight.words[slot * CALL_WORDS + CallWord.caller]!];
    if (to?.isMsgpack === true) {
      this.#general?.sendAnswer(to, this.#callOf(slot), Kind.Error, bytes, 0, bytes.length);
      return this.#o.calls.leave(slot);
    }
    const body = readErrorBody(bytes);
    if (body === undefined)
      return this.#failAnswer(slot, {
        code: ErrorCode.AnswerInvalid,
        message: "The executor's error has no code and message",
      });
    this.errorAnswer(slot, body);
  }

  /** Relays an executor's error and ends the call. `text`: it as JSON, where it came so. */
  errorAnswer(slot: number, body: ErrorBody, text: Uint8Array = errorText(body)): void {
    const { calls } = this.#o;
    const caller = calls.inFlight.words[slot * CALL_WORDS + CallWord.caller]!;
    const to = calls.connections[caller];
    if (caller === ENGINE)
      this.#o.engine.rejected(slot, new CodedError(body.code, body.message, body.retry_after_ms));
    else if (to?.isMsgpack === true) this.#general?.sendErrorBody(to, this.#callOf(slot), body);
    else if (to !== undefined) this.#o.frames.sendError(to, slot, text);
    calls.leave(slot);
  }

  // The engine itself

  /** Sends an entered call of the engine's own to its executor. */
  callFromEngine(slot: number, json: string, metadataJson: string | undefined): void {
    const { calls } = this.#o;
    const words = calls.inFlight.words;
    const to = calls.connections[calls.queues.executorOf(slot)];
    if (to === undefined) return calls.fail(slot, ErrorCode.InvocationStopped, "Invocation stopped");
    const bytes = Buffer.from(json, "utf8");
    if (!to.isMsgpack)
      return this.#sendJsonParts(
        to,
        calls.inFlight.ticketOf(slot),
        words[slot * CALL_WORDS + CallWord.function]!,
        {},
        metadataJson === undefined ? NOTHING : Buffer.from(metadataJson, "utf8"),
        bytes,
      );
    const metadata = Buffer.from(metadataJson ?? "null", "utf8");
    const isUnsayable = this.#toMsgpack(metadata, 0, metadata.length, undefined);
    const context = metadataJson === undefined ? null : packContextAround({}, this.#sink.written());
    const problem = isUnsayable ?? this.#toMsgpack(bytes, 0, bytes.length, undefined);
    if (problem !== null) return calls.fail(slot, problem.code, problem.message);
    this.#general?.sendCall(to, slot, 0, context, this.#sink.written());
  }

  /** The engine answers an entered call with JSON text, or without a result. */
  engineResult(slot: number, json: string | null): void {
    const { calls, frames } = this.#o;
    const to = calls.connections[calls.inFlight.words[slot * CALL_WORDS + CallWord.caller]!];
    const bytes = json === null ? null : Buffer.from(json, "utf8");
    if (to?.isMsgpack === true)
      return this.#jsonResult(
        slot,
        to,
        bytes ?? new Uint8Array(0),
        bytes === null ? -1 : 0,
        bytes?.length ?? 0,
      );
    if (to !== undefined && bytes === null) frames.sendResult(to, slot, -1, -1, 0, 0);
    else if (to !== undefined && bytes !== null) frames.sendResultBytes(to, slot, bytes);
    calls.leave(slot);
  }

  engineFailure(slot: number, error: CodedError): void {
    const { code, message, retryAfterMs } = error;
    this.errorAnswer(slot, { code, message, retry_after_ms: retryAfterMs });
  }

  #callOf(slot: number): number {
    return this.#o.calls.inFlight.words[slot * CALL_WORDS + CallWord.call]!;
  }

  // Translation into the sink; null when it went well

  #toJson(
    bytes: Uint8Array,
    start: number,
    end: number,
    callerWorkerId: Uint8Array | undefined,
  ): Problem | null {
    const sink = this.#sink;
    sink.clear();
    this.#o.metrics.counts[Metric.translations]!++;
    if (start < 0) return jsonNull(sink);
    return problemOf(msgpackToJson(bytes, start, end, sink, callerWorkerId));
  }

  #toMsgpack(
    bytes: Uint8Array,
    start: number,
    end: number,
    callerWorkerId: Uint8Array | undefined,
  ): Problem | null {
    const sink = this.#sink;
    sink.clear();
    this.#o.metrics.counts[Metric.translations]!++;
    if (start < 0) return msgpackNil(sink);
    return problemOf(jsonToMsgpack(bytes, start, end, sink, callerWorkerId));
  }
}

/** Why something cannot be said in the other encoding. */
export interface Problem {
  code: ErrorCode;
  message: string;
}

function isProblem(value: Uint8Array | Problem | null): value is Problem {
  return value !== null && !(value instanceof Uint8Array);
}

function problemOf(status: TranslateStatus): Problem | null {
  return status === TranslateStatus.Done ? null : { code: REFUSED_CODE[status], message: refusalMessage() };
}

function jsonNull(sink: ByteSink): null {
  sink.reserve(4);
  sink.bytes.set(NULL_TEXT, 0);
  sink.length = 4;
  return null;
}

function msgpackNil(sink: ByteSink): null {
  sink.reserve(1);
  sink.bytes[0] = 0xc0;
  sink.length = 1;
  return null;
}

const NULL_TEXT = new TextEncoder().encode("null");
const NOTHING = new Uint8Array(0);

function stringBytes(text: string | undefined): Uint8Array {
  return text === undefined ? NOTHING : Buffer.from(JSON.stringify(text).slice(1, -1), "utf8");
}

/** The value of a JSON string given without its quotes. */
function unescaped(raw: string): string {
  const value: unknown = JSON.parse(`"${raw}"`);
  return typeof value === "string" ? value : raw;
}
