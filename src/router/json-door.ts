// The JSON wire's door: the protocol of the iii SDKs.
//
// A frame is copied into the arena and scanned; nothing is built from it. Calls and answers between JSON workers are written from spans of the received
// frame into the receiver's outbox. Everything malformed is tolerated as the SDKs expect: logged, counted, dropped; but a call whose id can still be read is answered.

import { isUtf8 } from "node:buffer";
import type { Access } from "../access/access.js";
import type { Logger } from "../log.js";
import { Metric, type Metrics } from "../metrics.js";
import { ErrorCode } from "../protocol/error.js";
import { salvagedString, salvageEnvelope } from "../protocol/json/salvage.js";
import {
  EnvelopeKey,
  type EnvelopeScanner,
  MessageType,
  ScanStatus,
  ValueKind,
} from "../protocol/json/scanner.js";
import { isUuid, readHex32, SUFFIX_LENGTH, UUID_LENGTH } from "../protocol/json/uuid.js";
import { JSON_DEPTH_MAX, JSON_INTEGER_DIGITS_MAX } from "../protocol/limits.js";
import { Kind } from "../protocol/msgpack/records.js";
import type { Functions } from "../registry/functions.js";
import { DEFAULT_KEY, type NamespaceKey } from "../registry/names.js";
import { INDEX_MASK } from "../registry/slots.js";
import { isBlank, type Workers } from "../registry/workers.js";
import type { Telemetry } from "../telemetry/telemetry.js";
import type { Arena } from "../transport/arena.js";
import type { Connection } from "../transport/connection.js";
import type { Door } from "../transport/server.js";
import { type AnswerSink, type Calls, DRAINING, ENGINE, Executor } from "./calls.js";
import { hashKey } from "./context.js";
import type { Crossing } from "./crossing.js";
import type { DroppedFrames } from "./dropped-frames.js";
import type { Enqueue } from "./enqueue.js";
import { type ErrorBody, errorText, milliseconds } from "./error-body.js";
import { CALL_WORDS, CallWord } from "./in-flight.js";
import type { JsonCheckpoint } from "./json-checkpoint.js";
import type { JsonControl } from "./json-control.js";
import { JsonEnvelope } from "./json-envelope.js";
import type { JsonFrames } from "./json-frames.js";
import { RATE_LIMITED } from "./refusal.js";

export interface JsonDoorOptions {
  telemetry: Telemetry;
  access: Access;
  checkpoint: JsonCheckpoint;
  log: Logger;
  metrics: Metrics;
  dropped: DroppedFrames;
  arena: Arena;
  scanner: EnvelopeScanner;
  calls: Calls;
  functions: Functions;
  workers: Workers;
  frames: JsonFrames;
  control: JsonControl;
  crossing: Crossing;
  enqueue: Enqueue;
}

/** How an invoke wants to be carried out. */
const Action = { Call: 0, Void: 1, Enqueue: 2, Malformed: 3 } as const;
type Action = (typeof Action)[keyof typeof Action];

const VOID_TEXT = new TextEncoder().encode('{"type":"void"}');

export class JsonDoor implements Door, AnswerSink {
  readonly #o: JsonDoorOptions;
  readonly #envelope: JsonEnvelope;
  #queue = "";

  constructor(options: JsonDoorOptions) {
    this.#o = options;
    this.#envelope = new JsonEnvelope(options.scanner, options.arena);
  }

  opened(connection: Connection): void {
    this.#o.calls.queues.opened(connection.index);
    this.#o.control.opened(connection);
  }

  drained(connection: Connection): void {
    this.#o.calls.queues.drained(connection.index);
  }

  closed(connection: Connection): void {
    this.#o.control.closed(connection);
  }

  received(from: Connection, frame: Uint8Array, isText: boolean): void {
    if (!isText && !this.#isJsonBytes(frame)) return;
    const { arena, scanner } = this.#o;
    const at = arena.receive(frame);
    const status = scanner.scan(at, frame.length);
    if (status !== ScanStatus.Ok) return this.#broken(from, frame, status);
    switch (scanner.type) {
      case MessageType.invokefunction:
        return this.#invoke(from);
      case MessageType.invocationresult:
        return this.#answer(from);
      default:
        return this.#o.control.received(from, this.#envelope, frame);
    }
  }

  /** Binary frames are telemetry by their first four letters, or JSON; the socket has not checked that they are UTF-8. */
  #isJsonBytes(frame: Uint8Array): boolean {
    const { metrics, telemetry } = this.#o;
    if (telemetry.take(frame)) return false;
    if (isUtf8(frame)) return true;
    metrics.add(Metric.frames_malformed);
    return false;
  }

  #isWithinBounds(): boolean {
    const { scanner } = this.#o;
    return scanner.levels <= JSON_DEPTH_MAX && scanner.digits <= JSON_INTEGER_DIGITS_MAX;
  }

  #dropped(from: Connection, what: string): void {
    this.#o.dropped.tell(from, what);
  }

  // Calls

  #invoke(from: Connection): void {
    const envelope = this.#envelope;
    const isWithinBounds = this.#isWithinBounds();
    if (!envelope.readCall())
      return this.#dropped(from, "an invokefunction with a missing field or one of a wrong type");
    const action = this.#action();
    const namespace = this.#namespace(from);
    if (action === Action.Malformed || namespace === null)
      return this.#dropped(from, "an invokefunction whose action or namespace has a wrong type");
    if (isBlank(namespace.name))
      return this.#refuse(from, action, ErrorCode.InvalidNamespace, "The namespace must not be blank");
    if (!isWithinBounds)
      return this.#refuse(
        from,
        action,
        ErrorCode.PayloadOutOfBounds,
        `A frame has at most ${JSON_DEPTH_MAX} levels and integers of ${JSON_INTEGER_DIGITS_MAX} digits`,
      );
    if (this.#o.access.restricted[from.index] !== 0 && this.#isStopped(from, namespace, action)) return;
    if (action === Action.Enqueue) return this.#o.enqueue.enqueue(from, envelope, namespace, this.#queue);
    this.#route(from, namespace, action);
  }

  /** What the session's rules say: true when the call ends here, refused or handed to the listener's middleware. */
  #isStopped(from: Connection, namespace: NamespaceKey, action: Action): boolean {
    const { functions, arena, access, checkpoint, log, metrics } = this.#o;
    const { functionStart, functionEnd, functionEscaped, idStart } = this.#envelope;
    const index = functionEscaped
      ? this.#findEscaped(namespace)
      : functions.names.find(namespace, arena.bytes, functionStart, functionEnd);
    const waitMs = access.takeToken(from.index, index);
    if (waitMs > 0) {
      this.#refuse(from, action, ErrorCode.RateLimited, RATE_LIMITED, waitMs);
      return true;
    }
    const call = { envelope: this.#envelope, namespace: namespace.name, index };
    const refusal = checkpoint.refusal(from, call);
    if (refusal !== null) {
      metrics.add(Metric.calls_forbidden);
      if (action === Action.Void || idStart < 0)
        log.warn({ worker: this.#o.workers.of(from.index)?.id, message: refusal }, "call refused");
      this.#refuse(from, action, ErrorCode.Forbidden, refusal);
      return true;
    }
    if (!checkpoint.isIntercepted(from, call)) return false;
    if (!checkpoint.intercept(from, call, action !== Action.Void)) this.#overloaded(from, action);
    return true;
  }

  #route(from: Connection, namespace: NamespaceKey, action: Action): void {
    const { calls, functions } = this.#o;
    const envelope = this.#envelope;
    const index = envelope.functionEscaped
      ? this.#findEscaped(namespace)
      : functions.names.find(namespace, this.#o.arena.bytes, envelope.functionStart, envelope.functionEnd);
    if (index === 0) return this.#notFound(from, namespace, action);
    const fn = functions.slots.handleOf(index);
    let executor = calls.executorOf(fn);
    if (executor === Executor.ByKey) executor = calls.executorByKey(fn, this.#keyHash());
    if (executor === Executor.Overloaded) return this.#overloaded(from, action);
    if (executor === Executor.NotFound) return this.#draining(from, action);
    if (executor === Executor.Builtin)
      return this.#o.control.builtin(from, index, envelope, action === Action.Call && envelope.idStart >= 0);
    if (action === Action.Void || envelope.idStart < 0) return this.#cast(from, executor, fn);
    this.#call(from, executor, fn);
  }

  #notFound(from: Connection, namespace: NamespaceKey, action: Action): void {
    const { access, calls, metrics } = this.#o;
    const id = Buffer.from(this.#envelope.string(EnvelopeKey.function_id) ?? "", "utf8");
    metrics.add(Metric.calls_not_found);
    const mayCall = (fn: number): boolean => access.mayCall(from.index, fn);
    const message = calls.notFoundMessage(namespace, id, 0, id.length, mayCall);
    this.#refuse(from, action, ErrorCode.FunctionNotFound, message);
  }

  #call(from: Connection, executor: number, fn: number): void {
    const { calls, frames } = this.#o;
    const envelope = this.#envelope;
    const ticket = calls.admit(from.index, 0, executor, fn, calls.timeoutMs(fn, 0));
    if (ticket === 0) return this.#overloaded(from, Action.Call);
    const slot = ticket & INDEX_MASK;
    frames.remember(slot, envelope);
    const to = calls.connections[executor]!;
    const worker = this.#o.workers.of(from.index);
    if (to.isMsgpack) this.#o.crossing.callToMsgpack(slot, to, worker, envelope);
    else {
      if (envelope.functionEscaped) envelope.respellFunction();
      frames.sendCall(to, ticket, envelope, worker?.idBytes ?? null);
    }
  }

  /** A call without an answer: nothing is entered, and what a JSON executor answers to ticket 0 is swallowed. */
  #cast(from: Connection, executor: number, fn: number): void {
    const to = this.#o.calls.connections[executor]!;
    const worker = this.#o.workers.of(from.index);
    this.#o.metrics.counts[Metric.casts]!++;
    if (this.#o.calls.isMemoryNear) return this.#o.metrics.add(Metric.casts_dropped);
    if (to.isMsgpack) this.#o.crossing.castToMsgpack(to, fn, worker, this.#envelope);
    else {
      if (this.#envelope.functionEscaped) this.#envelope.respellFunction();
      this.#o.frames.sendCall(to, 0, this.#envelope, worker?.idBytes ?? null);
    }
  }

  #overloaded(from: Connection, action: Action): void {
    const { message, retryAfterMs } = this.#o.calls.refused();
    this.#refuse(from, action, ErrorCode.Overloaded, message, retryAfterMs);
  }

  #draining(from: Connection, action: Action): void {
    this.#o.metrics.add(Metric.calls_draining);
    this.#refuse(from, action, ErrorCode.Draining, DRAINING);
  }

  /** Tells the caller, if it gave an id and wants an answer. */
  #refuse(from: Connection, action: Action, code: ErrorCode, message: string, retryAfterMs?: number): void {
    if (action === Action.Void || this.#envelope.idStart < 0) {
      this.#o.log.debug({ code, message }, "call without an answer refused");
      return this.#o.metrics.add(Metric.casts_dropped);
    }
    this.#o.metrics.add(Metric.calls_refused);
    this.#o.frames.refuse(from, this.#envelope, code, message, retryAfterMs);
  }

  #action(): Action {
    const envelope = this.#envelope;
    if (envelope.isAbsent(EnvelopeKey.action)) return Action.Call;
    if (this.#isVoidText()) return Action.Void;
    const action: unknown = JSON.parse(envelope.json(EnvelopeKey.action) ?? "null");
    if (typeof action !== "object" || action === null || !("type" in action)) return Action.Malformed;
    if (action.type === "void") return Action.Void;
    if (action.type !== "enqueue" || !("queue" in action) || typeof action.queue !== "string")
      return Action.Malformed;
    this.#queue = action.queue;
    return Action.Enqueue;
  }

  /** The action as every SDK but Python's spells it, told without making a string. */
  #isVoidText(): boolean {
    const { scanner, arena } = this.#o;
    const start = scanner.start(EnvelopeKey.action);
    if (scanner.end(EnvelopeKey.action) - start !== VOID_TEXT.length) return false;
    for (let at = 0; at < VOID_TEXT.length; at++) if (arena.bytes[start + at] !== VOID_TEXT[at]) return false;
    return true;
  }

  /** The namespace the call names, `default` when none; null when it is no string. */
  #namespace(from: Connection): NamespaceKey | null {
    const { scanner, arena, workers } = this.#o;
    if (this.#envelope.isAbsent(EnvelopeKey.namespace)) return DEFAULT_KEY;
    const own = workers.of(from.index)?.namespace ?? DEFAULT_KEY;
    if (scanner.kind(EnvelopeKey.namespace) === ValueKind.String) {
      const start = scanner.start(EnvelopeKey.namespace);
      const end = scanner.end(EnvelopeKey.namespace);
      if (isNamespace(own, arena.bytes, start, end)) return own;
      if (isNamespace(DEFAULT_KEY, arena.bytes, start, end)) return DEFAULT_KEY;
    }
    const name = this.#envelope.string(EnvelopeKey.namespace);
    return name === undefined ? null : workers.namespace(name);
  }

  #findEscaped(namespace: NamespaceKey): number {
    const id = Buffer.from(this.#envelope.string(EnvelopeKey.function_id) ?? "", "utf8");
    return this.#o.functions.names.find(namespace, id, 0, id.length);
  }

  /** The key of a call to a function shared by hash: `metadata.key`. */
  #keyHash(): number {
    const envelope = this.#envelope;
    if (envelope.metadataStart < 0) return 0;
    const metadata: unknown = JSON.parse(envelope.text(envelope.metadataStart, envelope.metadataEnd));
    if (typeof metadata !== "object" || metadata === null || !("key" in metadata)) return 0;
    return typeof metadata.key === "string" || typeof metadata.key === "number" ? hashKey(metadata.key) : 0;
  }

  // Answers

  #answer(from: Connection): void {
    const { scanner, calls, metrics, arena } = this.#o;
    const envelope = this.#envelope;
    if (scanner.kind(EnvelopeKey.invocation_id) !== ValueKind.String)
      return this.#dropped(from, "an invocationresult without invocation_id");
    const ticket = this.#ticket(
      arena.bytes,
      scanner.start(EnvelopeKey.invocation_id),
      scanner.end(EnvelopeKey.invocation_id),
    );
    if (ticket === 0) return metrics.add(Metric.answers_swallowed);
    const slot = calls.inFlight.slotOf(ticket, from.index);
    if (slot === 0) return metrics.add(Metric.answers_unmatched);
    if (!this.#isWithinBounds())
      return this.#endInvalid(
        slot,
        `it has more than ${JSON_DEPTH_MAX} levels or an integer of more than ${JSON_INTEGER_DIGITS_MAX} digits`,
      );
    if (!envelope.isString(EnvelopeKey.function_id)) return this.#endInvalid(slot, "it has no function_id");
    if (!envelope.isAbsent(EnvelopeKey.error))
      return this.#errorAnswer(slot, envelope.json(EnvelopeKey.error) ?? "");
    this.#result(slot);
  }

  #result(slot: number): void {
    const { scanner, calls, frames } = this.#o;
    const kind = scanner.kind(EnvelopeKey.result);
    const quote = kind === ValueKind.String || kind === ValueKind.EscapedString ? 1 : 0;
    const start =
      kind === ValueKind.Absent || kind === ValueKind.Null ? -1 : scanner.start(EnvelopeKey.result) - quote;
    const end = scanner.end(EnvelopeKey.result) + quote;
    const caller = calls.inFlight.words[slot * CALL_WORDS + CallWord.caller]!;
    const to = calls.connections[caller];
    if (caller === ENGINE || to === undefined || to.isMsgpack)
      return this.#o.crossing.answer(slot, Kind.Result, this.#o.arena.bytes, start, end, true);
    const echoed = scanner.kind(EnvelopeKey.function_id) === ValueKind.String;
    frames.sendResult(
      to,
      slot,
      start,
      end,
      echoed ? scanner.start(EnvelopeKey.function_id) : 0,
      echoed ? scanner.end(EnvelopeKey.function_id) : 0,
    );
    calls.leave(slot);
  }

  #errorAnswer(slot: number, text: string): void {
    const error: unknown = JSON.parse(text);
    if (typeof error !== "object" || error === null || !("code" in error) || !("message" in error))
      return this.#endInvalid(slot, "its error is no object with code and message");
    if (typeof error.code !== "string" || typeof error.message !== "string")
      return this.#endInvalid(slot, "the code and the message of its error must be strings");
    const stacktrace = "stacktrace" in error ? (error.stacktrace ?? undefined) : undefined;
    if (stacktrace !== undefined && typeof stacktrace !== "string")
      return this.#endInvalid(slot, "the stacktrace of its error must be a string");
    const retryAfterMs = "retry_after_ms" in error ? milliseconds(error.retry_after_ms) : undefined;
    const body = { code: error.code, message: error.message, stacktrace, retry_after_ms: retryAfterMs };
    this.#o.crossing.errorAnswer(slot, body, Buffer.from(text, "utf8"));
  }

  #endInvalid(slot: number, why: string): void {
    this.#o.metrics.add(Metric.answers_invalid);
    this.#o.calls.fail(slot, ErrorCode.AnswerInvalid, `The executor's answer cannot be relayed: ${why}`);
  }

  /** The ticket inside one of the engine's own invocation ids; NO_TICKET for any other text. */
  #ticket(bytes: Uint8Array, start: number, end: number): number {
    if (end - start !== UUID_LENGTH) return NO_TICKET;
    const { suffix } = this.#o.frames;
    const from = start + UUID_LENGTH - SUFFIX_LENGTH;
    for (let at = 0; at < SUFFIX_LENGTH; at++) if (bytes[from + at] !== suffix[at]) return NO_TICKET;
    return readHex32(bytes, start);
  }

  // Frames that are not JSON

  #broken(from: Connection, frame: Uint8Array, status: number): void {
    const text = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString("utf8");
    if (text.trim() === "") return;
    if (status === ScanStatus.NotObject) return this.#dropped(from, "JSON, but no object");
    const found = salvageEnvelope(text);
    const id = Buffer.from(salvagedString(found, "invocation_id") ?? "", "latin1");
    const type = salvagedString(found, "type");
    if (type === "invocationresult") return this.#brokenAnswer(from, id);
    this.#dropped(from, "not JSON");
    const wantsAnswer =
      type === "invokefunction" &&
      isUuid(id, 0, id.length) &&
      !(found.get("action") ?? "").includes('"void"');
    if (wantsAnswer)
      this.#o.frames.send(
        from,
        brokenCallAnswer(id.toString("latin1"), salvagedString(found, "function_id") ?? "", status),
      );
  }

  #brokenAnswer(from: Connection, id: Uint8Array): void {
    const ticket = this.#ticket(id, 0, id.length);
    const slot = this.#o.calls.inFlight.slotOf(ticket, from.index);
    this.#dropped(from, "an invocationresult that is not JSON");
    if (slot !== 0) this.#endInvalid(slot, "it is not JSON");
  }

  engineError(slot: number, error: ErrorBody): void {
    const to = this.#o.calls.connections[this.#o.calls.inFlight.words[slot * CALL_WORDS + CallWord.caller]!];
    if (to !== undefined) this.#o.frames.sendError(to, slot, errorText(error));
  }
}

/** What stands for a ticket where there is none: generation 0 never was. */
const NO_TICKET = 1;

function isNamespace(key: NamespaceKey, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== key.bytes.length - 1) return false;
  for (let at = start; at < end; at++) if (bytes[at] !== key.bytes[at - start]) return false;
  return true;
}

function brokenCallAnswer(invocationId: string, functionId: string, status: number): object {
  const isTooDeep = status === ScanStatus.TooDeep;
  return {
    type: "invocationresult",
    invocation_id: invocationId,
    function_id: functionId,
    error: {
      code: isTooDeep ? ErrorCode.PayloadOutOfBounds : ErrorCode.PayloadInvalid,
      message: isTooDeep ? `A frame has at most ${JSON_DEPTH_MAX} levels` : "The frame is not JSON",
    },
  };
}
