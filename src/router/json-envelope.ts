// The fields of one received JSON frame, read out of the scanner's table before anything is written: writing may grow the arena, and the
// scanner's table with it.

import {
  EnvelopeKey,
  type EnvelopeKeyNumber,
  type EnvelopeScanner,
  ValueKind,
} from "../protocol/json/scanner.js";
import { isUuid } from "../protocol/json/uuid.js";
import type { Arena } from "../transport/arena.js";

export class JsonEnvelope {
  readonly #scanner: EnvelopeScanner;
  readonly #arena: Arena;
  /** Positions in the arena; a start of -1 = absent (or null, for optional fields). Strings without their quotes. */
  idStart = -1;
  idEnd = -1;
  functionStart = -1;
  functionEnd = -1;
  functionEscaped = false;
  dataStart = -1;
  dataEnd = -1;
  isDataObject = false;
  /** `data` has members besides `_caller_worker_id`. */
  hasMembers = false;
  metadataStart = -1;
  metadataEnd = -1;
  traceStart = -1;
  traceEnd = -1;
  baggageStart = -1;
  baggageEnd = -1;

  constructor(scanner: EnvelopeScanner, arena: Arena) {
    this.#scanner = scanner;
    this.#arena = arena;
  }

  /** Reads an `invokefunction`. False when a field is missing or of the wrong type: such a frame is dropped. */
  readCall(): boolean {
    return this.#readFunction() && this.#readId() && this.#readTrace() && this.#readPayload();
  }

  /**
   * Puts the shortest spelling of an escaped function id in its place, so that a prefix of it has as many bytes as it has anywhere. The id
   * cannot be read by its key afterwards.
   */
  respellFunction(): void {
    const id = this.string(EnvelopeKey.function_id) ?? "";
    const spelling = Buffer.from(JSON.stringify(id).slice(1, -1), "utf8");
    this.functionStart = this.functionEnd - spelling.length; // never longer than any other spelling
    this.#arena.bytes.set(spelling, this.functionStart);
  }

  isAbsent(key: EnvelopeKeyNumber): boolean {
    const kind = this.#scanner.kind(key);
    return kind === ValueKind.Absent || kind === ValueKind.Null;
  }

  isString(key: EnvelopeKeyNumber): boolean {
    const kind = this.#scanner.kind(key);
    return kind === ValueKind.String || kind === ValueKind.EscapedString;
  }

  /** The value of a string field; undefined when it is absent, null or no string. */
  string(key: EnvelopeKeyNumber): string | undefined {
    const kind = this.#scanner.kind(key);
    if (kind !== ValueKind.String && kind !== ValueKind.EscapedString) return undefined;
    const raw = this.text(this.#scanner.start(key), this.#scanner.end(key));
    if (kind === ValueKind.String) return raw;
    const value: unknown = JSON.parse(`"${raw}"`);
    return typeof value === "string" ? value : undefined;
  }

  /** The JSON text of a field; undefined when it is absent or null. */
  json(key: EnvelopeKeyNumber): string | undefined {
    if (this.isAbsent(key)) return undefined;
    const text = this.text(this.#scanner.start(key), this.#scanner.end(key));
    return this.isString(key) ? `"${text}"` : text;
  }

  /** Bytes of the arena as text. */
  text(start: number, end: number): string {
    return Buffer.from(this.#arena.bytes.buffer, start, end - start).toString("utf8");
  }

  #readFunction(): boolean {
    const scanner = this.#scanner;
    if (!this.isString(EnvelopeKey.function_id)) return false;
    this.functionStart = scanner.start(EnvelopeKey.function_id);
    this.functionEnd = scanner.end(EnvelopeKey.function_id);
    this.functionEscaped = scanner.kind(EnvelopeKey.function_id) === ValueKind.EscapedString;
    return true;
  }

  #readId(): boolean {
    this.idStart = -1;
    if (this.isAbsent(EnvelopeKey.invocation_id)) return true;
    if (this.#scanner.kind(EnvelopeKey.invocation_id) !== ValueKind.String) return false;
    this.idStart = this.#scanner.start(EnvelopeKey.invocation_id);
    this.idEnd = this.#scanner.end(EnvelopeKey.invocation_id);
    return isUuid(this.#arena.bytes, this.idStart, this.idEnd);
  }

  #readTrace(): boolean {
    this.traceStart = this.#optionalString(EnvelopeKey.traceparent);
    this.traceEnd = this.#scanner.end(EnvelopeKey.traceparent);
    this.baggageStart = this.#optionalString(EnvelopeKey.baggage);
    this.baggageEnd = this.#scanner.end(EnvelopeKey.baggage);
    return this.traceStart !== WRONG && this.baggageStart !== WRONG;
  }

  #readPayload(): boolean {
    const scanner = this.#scanner;
    const hasMetadata = !this.isAbsent(EnvelopeKey.metadata);
    const metadataQuote = this.isString(EnvelopeKey.metadata) ? 1 : 0;
    this.metadataStart = hasMetadata ? scanner.start(EnvelopeKey.metadata) - metadataQuote : -1;
    this.metadataEnd = scanner.end(EnvelopeKey.metadata) + metadataQuote;
    const kind = scanner.kind(EnvelopeKey.data);
    const quote = kind === ValueKind.String || kind === ValueKind.EscapedString ? 1 : 0;
    this.dataStart = kind === ValueKind.Absent ? -1 : scanner.start(EnvelopeKey.data) - quote;
    this.dataEnd = scanner.end(EnvelopeKey.data) + quote;
    this.isDataObject = kind === ValueKind.Object;
    if (!this.isDataObject) return true;
    this.hasMembers = scanner.hasOtherMembers;
    if (scanner.callerKeys > 0) this.dataEnd = scanner.cutCallerKeys(this.dataStart, this.dataEnd);
    return true;
  }

  #optionalString(key: EnvelopeKeyNumber): number {
    if (this.isAbsent(key)) return -1;
    return this.isString(key) ? this.#scanner.start(key) : WRONG;
  }
}

const WRONG = -2;
