// The frames the engine sends to JSON workers, written straight into their outboxes.

import { FrameWriter } from "../protocol/json/frame-writer.js";
import { SUFFIX_LENGTH, UUID_LENGTH, UUID_SPELLING_MAX } from "../protocol/json/uuid.js";
import type { Names } from "../registry/names.js";
import { INDEX_MASK } from "../registry/slots.js";
import type { Arena } from "../transport/arena.js";
import type { Connection } from "../transport/connection.js";
import type { Calls } from "./calls.js";
import { engineErrorBody } from "./error-body.js";
import { CALL_WORDS, CallWord, Flag } from "./in-flight.js";
import type { JsonEnvelope } from "./json-envelope.js";
import { SideTable, TRACEPARENT_BYTES_MAX } from "./side-table.js";

/** The fixed pieces of an envelope and their punctuation, generously. */
const ENVELOPE_BYTES = 320;
const OPEN_BRACE = 0x7b;
const COMMA = 0x2c;
const QUOTE = 0x22;
const CLOSE_BRACE = 0x7d;

/** The fields of a call to a JSON executor; spans of the arena, -1 = absent. */
export interface CallFields {
  functionStart: number;
  functionEnd: number;
  dataStart: number;
  dataEnd: number;
  isDataObject: boolean;
  hasMembers: boolean;
  metadataStart: number;
  metadataEnd: number;
  traceStart: number;
  traceEnd: number;
  baggageStart: number;
  baggageEnd: number;
}

/** The beginning of an answer to a call that is not in the table, as text. */
export interface AnswerHead {
  ids: string;
  trace: string;
}

export class JsonFrames {
  readonly side: SideTable;
  /** The part of the engine's invocation ids behind the ticket; the same for all of them. */
  readonly suffix: Uint8Array;
  readonly #arena: Arena;
  readonly #calls: Calls;
  readonly #names: Names;
  readonly #writer: FrameWriter;
  readonly #prefixBytes: Uint16Array;
  readonly #pieces;

  /**
   * `suffix`: 28 characters, `-xxxx-4xxx-8xxx-xxxxxxxxxxxx`, drawn at start. `prefixBytes`: by connection, how much of the beginning of a function's id it
   * must not see.
   */
  constructor(arena: Arena, calls: Calls, names: Names, suffix: string, prefixBytes: Uint16Array) {
    this.#prefixBytes = prefixBytes;
    this.#arena = arena;
    this.#calls = calls;
    this.#names = names;
    this.side = new SideTable(arena);
    this.suffix = Buffer.from(suffix, "latin1");
    const writer = new FrameWriter(arena);
    this.#writer = writer;
    this.#pieces = {
      call: writer.piece('{"type":"invokefunction","invocation_id":"'),
      suffixFunction: writer.piece(`${suffix}","function_id":"`),
      data: writer.piece('","data":'),
      nullData: writer.piece('","data":null'),
      caller: writer.piece('"_caller_worker_id":"'),
      traceparent: writer.piece(',"traceparent":"'),
      baggage: writer.piece(',"baggage":"'),
      functionBaggage: writer.piece("iii.function.id="),
      metadata: writer.piece(',"metadata":'),
      answer: writer.piece('{"type":"invocationresult","invocation_id":"'),
      answerFunction: writer.piece('","function_id":"'),
      result: writer.piece('","result":'),
      error: writer.piece('","error":'),
    };
  }

  /** Sends a call; ticket 0 asks for no answer. `callerId`: 36 bytes, or null for a call of the engine's own. */
  sendCall(to: Connection, ticket: number, fields: CallFields, callerId: Uint8Array | null): void {
    const pieces = this.#pieces;
    const functionBytes = fields.functionEnd - fields.functionStart;
    const bytes =
      ENVELOPE_BYTES +
      2 * functionBytes +
      span(fields.dataStart, fields.dataEnd) +
      span(fields.metadataStart, fields.metadataEnd) +
      span(fields.traceStart, fields.traceEnd) +
      span(fields.baggageStart, fields.baggageEnd);
    const outgoing = ticket === 0 ? to.outbox : this.#calls.outgoing(ticket & INDEX_MASK, to);
    const at = outgoing.reserve(bytes);
    const writer = this.#writer;
    writer.at = at;
    writer.fixed(pieces.call);
    writer.hex32(ticket);
    writer.fixed(pieces.suffixFunction);
    writer.span(fields.functionStart + this.#prefixBytes[to.index]!, fields.functionEnd);
    this.#data(fields, callerId);
    if (fields.traceStart >= 0 || fields.baggageStart >= 0) this.#callTrace(fields);
    if (fields.metadataStart >= 0) {
      writer.fixed(pieces.metadata);
      writer.span(fields.metadataStart, fields.metadataEnd);
    }
    writer.byte(CLOSE_BRACE);
    outgoing.commit(at, writer.at);
  }

  #data(fields: CallFields, callerId: Uint8Array | null): void {
    const writer = this.#writer;
    const pieces = this.#pieces;
    if (fields.dataStart < 0) return writer.fixed(pieces.nullData);
    writer.fixed(pieces.data);
    if (!fields.isDataObject || callerId === null) return writer.span(fields.dataStart, fields.dataEnd);
    writer.byte(OPEN_BRACE);
    writer.fixed(pieces.caller);
    writer.bytes(callerId);
    writer.byte(QUOTE);
    if (fields.hasMembers) writer.byte(COMMA);
    writer.span(fields.dataStart + 1, fields.dataEnd);
  }

  /** traceparent as given; baggage with the entry `iii.function.id` of this call in place of any other. */
  #callTrace(fields: CallFields): void {
    const writer = this.#writer;
    const pieces = this.#pieces;
    const isTraceSound =
      fields.traceStart >= 0 && fields.traceEnd - fields.traceStart <= TRACEPARENT_BYTES_MAX;
    if (isTraceSound) {
      writer.fixed(pieces.traceparent);
      writer.span(fields.traceStart, fields.traceEnd);
      writer.byte(QUOTE);
    }
    writer.fixed(pieces.baggage);
    if (fields.baggageStart >= 0) this.#otherBaggage(fields);
    writer.fixed(pieces.functionBaggage);
    writer.span(fields.functionStart, fields.functionEnd);
    writer.byte(QUOTE);
  }

  #otherBaggage(fields: CallFields): void {
    const text = Buffer.from(
      this.#arena.bytes.buffer,
      fields.baggageStart,
      fields.baggageEnd - fields.baggageStart,
    ).toString("utf8");
    const others = text
      .split(",")
      .filter((entry) => entry.trim() !== "" && !/^\s*iii\.function\.id\s*=/.test(entry));
    if (others.length > 0) this.#writer.bytes(Buffer.from(`${others.join(",")},`, "utf8"));
  }

  /** Keeps what the caller of an entered call needs back: its invocation id, and its trace headers. Returns the flags to set. */
  remember(slot: number, envelope: JsonEnvelope): void {
    this.side.setId(slot, envelope.idStart, envelope.idEnd);
    let flags = 0;
    if (envelope.traceStart >= 0 && envelope.traceEnd - envelope.traceStart <= TRACEPARENT_BYTES_MAX) {
      this.side.setTraceparent(slot, envelope.traceStart, envelope.traceEnd);
      flags |= Flag.Trace;
    }
    if (envelope.baggageStart >= 0) {
      this.#calls.baggage.set(slot, this.#arena.bytes.slice(envelope.baggageStart, envelope.baggageEnd));
      flags |= Flag.Baggage;
    }
    this.#calls.inFlight.words[slot * CALL_WORDS + CallWord.flags]! |= flags;
  }

  /** As {@link remember}, for a call to no registered function: its answer names the function as the caller spelled it. */
  rememberSpelled(slot: number, envelope: JsonEnvelope): void {
    this.remember(slot, envelope);
    const id = this.#arena.bytes.slice(envelope.functionStart, envelope.functionEnd);
    this.#calls.spelledIds.set(slot, id);
    this.#calls.inFlight.words[slot * CALL_WORDS + CallWord.flags]! |= Flag.SpelledId;
  }

  /** Sends the answer of an entered call whose result lies in the arena; `start` -1 = no result. `idStart` … : the function id the executor gave. */
  sendResult(to: Connection, slot: number, start: number, end: number, idStart: number, idEnd: number): void {
    const at = to.outbox.reserve(this.#answerBytes(slot, idEnd - idStart) + span(start, end));
    this.#answerHead(at, slot, idStart, idEnd);
    if (start >= 0) {
      this.#writer.fixed(this.#pieces.result);
      this.#writer.span(start, end);
    } else this.#writer.byte(QUOTE);
    this.#answerTail(to, at, slot);
  }

  /** As {@link sendResult}, with a result that lies elsewhere. */
  sendResultBytes(to: Connection, slot: number, result: Uint8Array): void {
    const at = to.outbox.reserve(this.#answerBytes(slot, 0) + result.length);
    this.#answerHead(at, slot, 0, 0);
    this.#writer.fixed(this.#pieces.result);
    this.#writer.bytes(result);
    this.#answerTail(to, at, slot);
  }

  /** Sends the error of an entered call; `error` is its JSON text. */
  sendError(to: Connection, slot: number, error: Uint8Array): void {
    const at = to.outbox.reserve(this.#answerBytes(slot, 0) + error.length);
    this.#answerHead(at, slot, 0, 0);
    this.#writer.fixed(this.#pieces.error);
    this.#writer.bytes(error);
    this.#answerTail(to, at, slot);
  }

  /** Answers a call that was never entered: straight from its envelope. */
  refuse(to: Connection, envelope: JsonEnvelope, code: string, message: string, retryAfterMs?: number): void {
    const error = engineErrorBody(code, message, retryAfterMs);
    this.sendBehind(to, this.head(envelope), `,"error":${JSON.stringify(error)}`);
  }

  /** An answer as far as its envelope says it: the ids and the trace headers, without its closing brace. */
  head(envelope: JsonEnvelope): AnswerHead {
    if (envelope.idStart < 0) return { ids: "", trace: "" };
    const text = (start: number, end: number) => envelope.text(start, end);
    const trace =
      envelope.traceStart < 0 ? "" : `,"traceparent":"${text(envelope.traceStart, envelope.traceEnd)}"`;
    const baggage =
      envelope.baggageStart < 0 ? "" : `,"baggage":"${text(envelope.baggageStart, envelope.baggageEnd)}"`;
    const id = text(envelope.idStart, envelope.idEnd);
    return {
      ids: `{"type":"invocationresult","invocation_id":"${id}","function_id":"${text(envelope.functionStart, envelope.functionEnd)}"`,
      trace: trace + baggage,
    };
  }

  /** Ends an answer begun by {@link head}; `outcome`: `,"result":…`, `,"error":…` or nothing. */
  sendBehind(to: Connection, head: AnswerHead, outcome: string): void {
    this.sendText(to, Buffer.from(`${head.ids}${outcome}${head.trace}}`, "utf8"));
  }

  #echo(traceStart: number, traceEnd: number, baggageStart: number, baggageEnd: number): void {
    const writer = this.#writer;
    if (traceStart >= 0) {
      writer.fixed(this.#pieces.traceparent);
      writer.span(traceStart, traceEnd);
      writer.byte(QUOTE);
    }
    if (baggageStart < 0) return;
    writer.fixed(this.#pieces.baggage);
    writer.span(baggageStart, baggageEnd);
    writer.byte(QUOTE);
  }

  #answerBytes(slot: number, functionBytes: number): number {
    const baggage = this.#calls.baggage.get(slot);
    const fn = this.#functionIndex(slot);
    const idLength = fn === 0 ? (this.#unlistedId(slot)?.length ?? 0) : this.#names.idLength(fn);
    const nameBytes = Math.max(functionBytes, 6 * idLength);
    return ENVELOPE_BYTES + UUID_SPELLING_MAX + nameBytes + TRACEPARENT_BYTES_MAX + (baggage?.length ?? 0);
  }

  #functionIndex(slot: number): number {
    return this.#calls.functionIndex(this.#calls.inFlight.words[slot * CALL_WORDS + CallWord.function]!);
  }

  #answerHead(at: number, slot: number, idStart: number, idEnd: number): void {
    const writer = this.#writer;
    writer.at = at;
    writer.fixed(this.#pieces.answer);
    writer.span(this.side.idStart(slot), this.side.idEnd(slot));
    writer.fixed(this.#pieces.answerFunction);
    this.#functionId(slot, idStart, idEnd);
  }

  /** The id the caller used: as the executor echoed it when that is right, else as it is registered. */
  #functionId(slot: number, idStart: number, idEnd: number): void {
    const fn = this.#functionIndex(slot);
    const isEcho = fn !== 0 && idEnd > idStart && this.#names.isId(fn, this.#arena.bytes, idStart, idEnd);
    if (isEcho) return this.#writer.span(idStart, idEnd);
    this.#writer.bytes(fn === 0 ? (this.#unlistedId(slot) ?? NOTHING) : escapedId(this.#names.id(fn)));
  }

  /** The id of a call whose function is not registered (any more), as it stands between the quotes of a JSON string. */
  #unlistedId(slot: number): Uint8Array | undefined {
    const spelled = this.#calls.spelledIds.get(slot);
    if (spelled !== undefined) return spelled;
    const former = this.#calls.formerId(this.#calls.inFlight.words[slot * CALL_WORDS + CallWord.function]!);
    return former === undefined ? undefined : escapedId(Buffer.from(former).toString("utf8"));
  }

  #answerTail(to: Connection, at: number, slot: number): void {
    const writer = this.#writer;
    const flags = this.#calls.inFlight.words[slot * CALL_WORDS + CallWord.flags]!;
    if ((flags & Flag.Trace) !== 0)
      this.#echo(this.side.traceparentStart(slot), this.side.traceparentEnd(slot), -1, -1);
    const baggage = (flags & Flag.Baggage) === 0 ? undefined : this.#calls.baggage.get(slot);
    if (baggage !== undefined) {
      writer.fixed(this.#pieces.baggage);
      writer.bytes(baggage);
      writer.byte(QUOTE);
    }
    writer.byte(CLOSE_BRACE);
    to.outbox.commit(at, writer.at);
  }

  /** Sends any frame that is not on the forwarded path. */
  send(to: Connection, frame: object): void {
    this.sendText(to, Buffer.from(JSON.stringify(frame), "utf8"));
  }

  sendText(to: Connection, text: Uint8Array): void {
    const at = to.outbox.reserve(text.length);
    this.#arena.bytes.set(text, at);
    to.outbox.commit(at, at + text.length);
  }
}

const NOTHING = new Uint8Array(0);

function escapedId(id: string): Uint8Array {
  return Buffer.from(JSON.stringify(id).slice(1, -1), "utf8");
}

function span(start: number, end: number): number {
  return start < 0 ? 0 : end - start;
}

/** A suffix for {@link JsonFrames}: the hyphenated groups behind the first of a random UUID. */
export function drawSuffix(uuid: string): string {
  if (uuid.length !== UUID_LENGTH) throw new Error("a UUID has 36 characters");
  return uuid.slice(UUID_LENGTH - SUFFIX_LENGTH);
}
