// The JSON wire beside calls: the connection sequence, who a worker says it is, its registrations (held back until its namespace is known),
// reattach, ping.

import type { Access } from "../access/access.js";
import { isSameSecret } from "../access/tokens.js";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import { Metric, type Metrics } from "../metrics.js";
import { ByteSink } from "../protocol/bytes.js";
import { CloseCode, CodedError, ErrorCode } from "../protocol/error.js";
import {
  EnvelopeKey,
  type EnvelopeScanner,
  MessageType,
  ScanStatus,
  ValueKind,
} from "../protocol/json/scanner.js";
import {
  CARD_BYTES_MAX,
  CARD_DEPTH_MAX,
  ID_BYTES_MAX,
  JSON_INTEGER_DIGITS_MAX,
  type Limits,
} from "../protocol/limits.js";
import type { Carry, Functions } from "../registry/functions.js";
import { DEFAULT_KEY, DEFAULT_NAMESPACE } from "../registry/names.js";
import { OfferState } from "../registry/offers.js";
import { Share } from "../registry/share.js";
import { INDEX_MASK } from "../registry/slots.js";
import type { Worker, Workers } from "../registry/workers.js";
import type { Arena } from "../transport/arena.js";
import type { Connection } from "../transport/connection.js";
import type { Server } from "../transport/server.js";
import { type Calls, ENGINE } from "./calls.js";
import { cardsFull, cardTooLarge } from "./card.js";
import type { Concurrencies } from "./concurrencies.js";
import type { Departures } from "./departures.js";
import type { DroppedFrames } from "./dropped-frames.js";
import type { EnginePeer } from "./engine-peer.js";
import { JsonEnvelope } from "./json-envelope.js";
import type { JsonFrames } from "./json-frames.js";
import { isEngineId } from "./msgpack-general.js";
import type { Draft, RegistrationReview, Reviewed } from "./registration-review.js";
import type { EnvelopeReader, TriggerJson } from "./trigger-json.js";

export interface JsonControlOptions {
  access: Access;
  review: RegistrationReview;
  limits: Limits;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  dropped: DroppedFrames;
  arena: Arena;
  scanner: EnvelopeScanner;
  server: Server;
  calls: Calls;
  functions: Functions;
  workers: Workers;
  departures: Departures;
  frames: JsonFrames;
  engine: EnginePeer;
  triggers: TriggerJson;
  concurrencies: Concurrencies;
}

/** Registrations of a connection whose namespace is not known yet, in arrival order. */
interface Held {
  frames: Uint8Array[];
  bytes: number;
  stopGrace: () => void;
}

export class JsonControl {
  readonly #o: JsonControlOptions;
  readonly #held = new Map<number, Held>();
  readonly #envelope: JsonEnvelope;

  constructor(options: JsonControlOptions) {
    this.#o = options;
    this.#envelope = new JsonEnvelope(options.scanner, options.arena);
  }

  opened(connection: Connection): void {
    const { access, workers, clock, limits, frames, departures } = this.#o;
    const session = access.sessionOf(connection.index);
    const worker = workers.add(connection, clock.epochMs(), session);
    const stopGrace = clock.after(limits.registrationNamespaceGraceMs, () => this.#graceOver(worker));
    this.#held.set(connection.index, { frames: [], bytes: 0, stopGrace });
    frames.send(connection, { type: "workerregistered", worker_id: worker.id, reattach_token: worker.token });
    departures.arrived(worker);
  }

  closed(connection: Connection): void {
    this.#dropHeld(connection.index);
    const worker = this.#o.workers.of(connection.index);
    if (worker !== undefined) this.#o.departures.depart(worker);
  }

  /** Any frame but calls and answers. The envelope is read from the scanner. */
  received(from: Connection, envelope: JsonEnvelope, frame: Uint8Array): void {
    const worker = this.#o.workers.of(from.index);
    if (worker === undefined) return;
    const type = this.#o.scanner.type;
    switch (type) {
      case MessageType.registerfunction:
      case MessageType.unregisterfunction:
      case MessageType.registertriggertype:
      case MessageType.registertrigger:
      case MessageType.unregistertrigger:
      case MessageType.registerservice:
        return worker.isResolved ? this.#register(worker, type, envelope) : this.#hold(worker, frame);
      case MessageType.triggerregistrationresult:
        return this.#aboutTrigger(worker, type, envelope);
      case MessageType.reattach:
        return this.#reattach(worker, envelope);
      case MessageType.ping:
        return this.#o.frames.send(from, { type: "pong" });
      case MessageType.pong:
      case MessageType.workerregistered:
      case MessageType.registrationrejected:
      case MessageType.unregistertriggertype:
        return;
      default:
        return this.#dropped(worker, "a message of unknown type");
    }
  }

  /** Runs one of the engine's own functions for a JSON caller. `wantsAnswer` is false for void calls and those without an id. */
  builtin(from: Connection, fn: number, envelope: JsonEnvelope, wantsAnswer: boolean): void {
    const { engine, frames, workers } = this.#o;
    const caller = workers.of(from.index);
    const data = envelope.dataStart < 0 ? "null" : envelope.text(envelope.dataStart, envelope.dataEnd);
    const isTold = caller !== undefined && envelope.isDataObject && engine.isCarried(fn);
    const json = isTold ? withCaller(data, caller.id, envelope.hasMembers) : data;
    const head = frames.head(envelope); // now: what runs may receive other frames into the same place
    try {
      const result = engine.run(fn, json, caller);
      if (result instanceof Promise) return this.#builtinLater(from, fn, envelope, wantsAnswer, result);
      if (wantsAnswer) frames.sendBehind(from, head, result === null ? "" : `,"result":${result}`);
    } catch (cause) {
      const { code, message } = engine.coded(cause);
      if (wantsAnswer) frames.sendBehind(from, head, `,"error":${JSON.stringify({ code, message })}`);
      else this.#o.log.warn({ worker: caller?.id, code, message }, "a call without an answer failed");
    }
  }

  #builtinLater(
    from: Connection,
    fn: number,
    envelope: JsonEnvelope,
    wantsAnswer: boolean,
    result: Promise<string | null>,
  ): void {
    const { calls, engine, frames, functions, limits } = this.#o;
    if (!wantsAnswer) {
      result.catch((cause: unknown) => engine.coded(cause));
      return;
    }
    const ticket = calls.enter(from.index, 0, ENGINE, functions.slots.handleOf(fn), limits.callTimeoutMs, 0);
    if (ticket === 0) return this.#overloaded(from, envelope);
    frames.remember(ticket & INDEX_MASK, envelope);
    engine.settleLater(ticket, result);
  }

  #overloaded(from: Connection, envelope: JsonEnvelope): void {
    const { message, retryAfterMs } = this.#o.calls.refused();
    this.#o.frames.refuse(from, envelope, ErrorCode.Overloaded, message, retryAfterMs);
  }

  /** The worker has said where it lives, or is taken to live in `default`: what was held back is applied, in order. */
  resolve(worker: Worker, namespace: string): void {
    if (worker.isResolved) return;
    this.#o.workers.resolve(worker, namespace);
    const held = this.#held.get(worker.connection.index);
    this.#dropHeld(worker.connection.index);
    const frames = held?.frames ?? [];
    for (let at = 0; at < frames.length; at++) {
      if (!worker.connection.isReading)
        return this.#o.server.waiting.holdFirst(worker.connection, frames.slice(at), true);
      this.#replay(worker, frames[at]!);
    }
  }

  /** A taken name is fatal for the newcomer, whatever its SDK. */
  rejectName(worker: Worker, namespace: string, name: string, holder: Worker): void {
    this.#dropHeld(worker.connection.index);
    this.#o.frames.send(worker.connection, {
      type: "registrationrejected",
      code: "WORKER_NAMESPACE_CONFLICT",
      namespace,
      worker_name: name,
      owner_worker_id: holder.id,
    });
    this.#o.metrics.add(Metric.registrations_refused);
    this.#o.server.end(worker.connection, CloseCode.WorkerNameTaken, "worker name taken");
  }

  #graceOver(worker: Worker): void {
    if (worker.isResolved || !worker.connection.isOpen) return;
    if (worker.session !== null && !worker.session.mayDeclare(DEFAULT_NAMESPACE))
      return this.#o.log.warn(
        { worker: worker.id },
        "worker has not announced itself and may not live in namespace default: its registrations wait",
      );
    this.#o.log.warn(
      { worker: worker.id, graceMs: this.#o.limits.registrationNamespaceGraceMs },
      "worker has not announced itself: its registrations go to namespace default",
    );
    this.resolve(worker, DEFAULT_NAMESPACE);
  }

  #hold(worker: Worker, frame: Uint8Array): void {
    const held = this.#held.get(worker.connection.index);
    if (held === undefined) return;
    held.bytes += frame.length;
    if (held.bytes > this.#o.limits.heldBytesMax) {
      this.#o.server.end(
        worker.connection,
        CloseCode.HeldTooMuch,
        `more than ${this.#o.limits.heldBytesMax} bytes of registrations before engine::workers::register`,
      );
      return this.#dropHeld(worker.connection.index);
    }
    held.frames.push(frame.slice());
  }

  #dropHeld(index: number): void {
    this.#held.get(index)?.stopGrace();
    this.#held.delete(index);
  }

  #replay(worker: Worker, frame: Uint8Array): void {
    const { arena, scanner } = this.#o;
    if (scanner.scan(arena.receive(frame), frame.length) !== ScanStatus.Ok) return;
    this.#register(worker, scanner.type, this.#envelope);
  }

  #register(worker: Worker, type: number, envelope: EnvelopeReader): void {
    const { scanner } = this.#o;
    if (scanner.levels > CARD_DEPTH_MAX + 1 || scanner.digits > JSON_INTEGER_DIGITS_MAX)
      return this.#dropped(worker, "a registration beyond the bounds of depth or digits");
    switch (type) {
      case MessageType.registerfunction:
        return this.#registerFunction(worker, envelope);
      case MessageType.unregisterfunction:
        return this.#unregisterFunction(worker, envelope);
      case MessageType.registerservice:
        return; // accepted: services are visible nowhere
      default:
        return this.#aboutTrigger(worker, type, envelope);
    }
  }

  #aboutTrigger(worker: Worker, type: number, envelope: EnvelopeReader): void {
    if (!this.#o.triggers.received(worker, type, envelope))
      this.#dropped(worker, "a frame about a trigger with a missing field or one of a wrong type");
  }

  #registerFunction(worker: Worker, envelope: EnvelopeReader): void {
    const { scanner, arena } = this.#o;
    const hasDescription =
      envelope.isAbsent(EnvelopeKey.description) || envelope.isString(EnvelopeKey.description);
    if (!envelope.isString(EnvelopeKey.id) || !hasDescription)
      return this.#dropped(worker, "a registerfunction with a missing field or one of a wrong type");
    if (worker.session !== null || !envelope.isAbsent(EnvelopeKey.invocation))
      return this.#review(worker, readDraft(envelope));
    const card = writeCard(envelope, scanner, arena.bytes);
    if (scanner.kind(EnvelopeKey.id) === ValueKind.String)
      return this.#enter(
        worker,
        arena.bytes,
        scanner.start(EnvelopeKey.id),
        scanner.end(EnvelopeKey.id),
        card,
        null,
      );
    const bytes = Buffer.from(envelope.string(EnvelopeKey.id) ?? "", "utf8");
    this.#enter(worker, bytes, 0, bytes.length, card, null);
  }

  /** Nothing more of the connection is handled until somebody has looked at the registration. */
  #review(worker: Worker, draft: Draft): void {
    const { review, server } = this.#o;
    try {
      const reviewed = review.review(worker.session, worker.namespace.name, draft);
      if (!(reviewed instanceof Promise)) return this.#enterReviewed(worker, reviewed);
      worker.connection.pause();
      reviewed
        .then(
          (ready) => this.#enterReviewed(worker, ready),
          (cause: unknown) => this.#refusedReview(worker, draft.id, cause),
        )
        .finally(() => server.waiting.resume(worker.connection));
    } catch (cause) {
      this.#refusedReview(worker, draft.id, cause);
    }
  }

  #enterReviewed(worker: Worker, { id, card, carry }: Reviewed): void {
    if (this.#o.workers.of(worker.connection.index) !== worker) return; // gone meanwhile
    const bytes = Buffer.from(id, "utf8");
    this.#enter(worker, bytes, 0, bytes.length, { bytes: card, length: card.length }, carry);
  }

  #refusedReview(worker: Worker, functionId: string, cause: unknown): void {
    if (!(cause instanceof CodedError)) throw cause;
    if (worker.connection.isOpen) this.#refused(worker, functionId, cause.code, cause.message);
  }

  /** Registers the id `bytes[start, end)` with its card, or says why not. */
  #enter(
    worker: Worker,
    bytes: Uint8Array,
    start: number,
    end: number,
    card: Pick<ByteSink, "bytes" | "length">,
    carry: Carry | null,
  ): void {
    const { functions, metrics, workers, concurrencies } = this.#o;
    try {
      this.#checkRegistration(worker, bytes, start, end);
      this.#checkCard(worker, bytes, start, end, card.length);
      const { fn, state, owner, offer } = functions.register(
        worker.connection.index,
        worker.namespace,
        bytes,
        start,
        end,
        Share.Exclusive,
        0,
        carry,
      );
      functions.offers.setCard(offer, card.bytes, 0, card.length);
      concurrencies.offered(worker.connection.index, fn, null);
      metrics.counts[Metric.registrations]!++;
      if (state === OfferState.Standby)
        this.#conflict(worker, textOf(bytes, start, end), workers.of(owner)?.id ?? "");
    } catch (cause) {
      if (!(cause instanceof CodedError)) throw cause;
      const id = textOf(bytes, start, Math.min(end, start + ID_BYTES_MAX));
      if (cause.code === ErrorCode.FunctionIdReserved) this.#conflict(worker, id, "");
      else this.#refused(worker, id, cause.code, cause.message);
    }
  }

  /** Throws CodedError when the registration breaks a rule of the wire or a bound. */
  #checkRegistration(worker: Worker, bytes: Uint8Array, start: number, end: number): void {
    const { functions, limits } = this.#o;
    if (end - start > ID_BYTES_MAX)
      throw new CodedError(ErrorCode.LimitReached, `A function id has at most ${ID_BYTES_MAX} bytes`);
    if (
      worker.namespace !== DEFAULT_KEY &&
      worker.namespace.name !== DEFAULT_NAMESPACE &&
      isEngineId(bytes, start, end)
    )
      throw new CodedError(
        ErrorCode.FunctionIdReserved,
        "ids that begin with engine:: live in namespace default only",
      );
    const isFull = functions.countOf(worker.connection.index) >= limits.functionsPerConnectionMax;
    if (isFull && !functions.isOffered(worker.connection.index, worker.namespace, bytes, start, end))
      throw new CodedError(
        ErrorCode.LimitReached,
        `One connection has at most ${limits.functionsPerConnectionMax} functions`,
      );
  }

  /** What a card replaces is looked up only when it matters. */
  #checkCard(
    { connection, namespace }: Worker,
    id: Uint8Array,
    start: number,
    end: number,
    bytes: number,
  ): void {
    const { functions, limits } = this.#o;
    if (bytes > CARD_BYTES_MAX) throw cardTooLarge(bytes);
    const most = limits.functionBytesPerConnectionMax;
    if (functions.offers.hasCardRoom(connection.index, bytes, most)) return;
    const added = bytes - functions.cardBytes(connection.index, namespace, id, start, end);
    if (!functions.offers.hasCardRoom(connection.index, added, most)) throw cardsFull(most);
  }

  /** The one registration refusal that no SDK dies of. */
  #conflict(worker: Worker, functionId: string, ownerId: string): void {
    this.#o.metrics.add(Metric.registrations_refused);
    this.#o.frames.send(worker.connection, {
      type: "registrationrejected",
      code: "FUNCTION_NAMESPACE_CONFLICT",
      namespace: worker.namespace.name,
      function_id: functionId,
      owner_worker_id: ownerId,
    });
  }

  /** Any other refusal: a log line, and a frame of a type that SDKs ignore; a `registrationrejected` of any other code would be fatal to them. */
  #refused(worker: Worker, functionId: string, code: string, message: string): void {
    this.#o.metrics.add(Metric.registrations_refused);
    this.#o.log.warn(
      { worker: worker.id, name: worker.name, functionId, code, message },
      "registration refused",
    );
    this.#o.frames.send(worker.connection, {
      type: "registrationrefused",
      function_id: functionId,
      code,
      message,
    });
  }

  #unregisterFunction(worker: Worker, envelope: EnvelopeReader): void {
    const id = envelope.string(EnvelopeKey.id);
    if (id === undefined) return this.#dropped(worker, "an unregisterfunction without id");
    const bytes = Buffer.from(worker.session?.prefixed(id) ?? id, "utf8");
    this.#o.functions.unregister(worker.connection.index, worker.namespace, bytes, 0, bytes.length);
  }

  /** The old connection of the same process is cleaned up before anything else of this one is read. */
  #reattach(worker: Worker, envelope: EnvelopeReader): void {
    const former = this.#o.workers.byId(envelope.string(EnvelopeKey.previous_worker_id) ?? "");
    const token = envelope.string(EnvelopeKey.reattach_token);
    if (
      former === undefined ||
      former === worker ||
      token === undefined ||
      !isSameSecret(token, former.token)
    ) {
      return this.#o.log.debug(
        { worker: worker.id },
        "reattach ignored: no such living worker, or a wrong token",
      );
    }
    this.#dropHeld(former.connection.index);
    this.#o.departures.depart(former);
    this.#o.server.end(former.connection, CloseCode.Replaced, "replaced by a newer connection");
  }

  #dropped(worker: Worker, what: string): void {
    this.#o.dropped.tell(worker.connection, what);
  }
}

function readDraft(envelope: EnvelopeReader): Draft {
  return {
    id: envelope.string(EnvelopeKey.id) ?? "",
    description: envelope.string(EnvelopeKey.description),
    requestFormatJson: envelope.json(EnvelopeKey.request_format),
    responseFormatJson: envelope.json(EnvelopeKey.response_format),
    metadataJson: envelope.json(EnvelopeKey.metadata),
    invocationJson: envelope.json(EnvelopeKey.invocation),
  };
}

const CARD_KEYS = ["description", "request_format", "response_format", "metadata"] as const;
const CARD_HEADS = CARD_KEYS.map((key) => Buffer.from(`"${key}":`, "latin1"));
const OPEN_BRACE = 0x7b;
const COMMA = 0x2c;
const CLOSE_BRACE = 0x7d;
const cardSink = new ByteSink(1 << 30); // a card is part of a frame, whose size is bounded

/** The card of a function, from the values as they were spelled; empty when it has none. Valid until the next one. */
function writeCard(envelope: EnvelopeReader, scanner: EnvelopeScanner, bytes: Uint8Array): ByteSink {
  cardSink.clear();
  for (let at = 0; at < CARD_KEYS.length; at++) {
    const key = EnvelopeKey[CARD_KEYS[at]!];
    if (!isPresent(scanner.kind(key))) continue;
    const quote = envelope.isString(key) ? 1 : 0;
    writeMember(CARD_HEADS[at]!, bytes.subarray(scanner.start(key) - quote, scanner.end(key) + quote));
  }
  if (cardSink.length > 0) cardSink.bytes[cardSink.length++] = CLOSE_BRACE;
  return cardSink;
}

function writeMember(head: Uint8Array, value: Uint8Array): void {
  cardSink.reserve(head.length + value.length + 2); // a byte before, and one for the closing brace
  const isFirst = cardSink.length === 0;
  cardSink.bytes[cardSink.length++] = isFirst ? OPEN_BRACE : COMMA;
  cardSink.bytes.set(head, cardSink.length);
  cardSink.bytes.set(value, cardSink.length + head.length);
  cardSink.length += head.length + value.length;
}

/** An object's text with the member that tells who calls. */
function withCaller(json: string, callerId: string, hasMembers: boolean): string {
  return `{"_caller_worker_id":"${callerId}"${hasMembers ? "," : ""}${json.slice(1)}`;
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.subarray(start, end)).toString("utf8");
}

function isPresent(kind: number): boolean {
  return kind !== ValueKind.Absent && kind !== ValueKind.Null;
}
