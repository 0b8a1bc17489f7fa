// Triggers on the JSON wire: reads registertriggertype, registertrigger, unregistertrigger and triggerregistrationresult, and writes the last three.
//
// `config`, `metadata` and formats are handed on as they were spelled. A refusal travels as a triggerregistrationresult, which every SDK reports and
// none dies of.

import type { Logger } from "../log.js";
import { Metric, type Metrics } from "../metrics.js";
import { CodedError } from "../protocol/error.js";
import { EnvelopeKey, MessageType } from "../protocol/json/scanner.js";
import { DEFAULT_NAMESPACE } from "../registry/names.js";
import type { TriggerTypes } from "../registry/trigger-types.js";
import type { TriggerRequest, Triggers } from "../registry/triggers.js";
import type { Worker, Workers } from "../registry/workers.js";
import type { Connection } from "../transport/connection.js";
import type { JsonEnvelope } from "./json-envelope.js";
import type { JsonFrames } from "./json-frames.js";
import type { TriggerRegistrar } from "./trigger-registrar.js";
import type { TriggerReview, TypeRequest } from "./trigger-review.js";
import type { TriggerNews, TriggerWire } from "./trigger-wire.js";

export type EnvelopeReader = Pick<JsonEnvelope, "isAbsent" | "isString" | "string" | "json">;

export interface TriggerJsonOptions {
  triggers: Triggers;
  types: TriggerTypes;
  registrar: TriggerRegistrar;
  review: TriggerReview;
  workers: Workers;
  frames: JsonFrames;
  metrics: Metrics;
  log: Logger;
}

const NOTHING = new Uint8Array(0);

export class TriggerJson implements TriggerWire {
  readonly #o: TriggerJsonOptions;

  constructor(options: TriggerJsonOptions) {
    this.#o = options;
  }

  /** Carries out a frame about triggers. False when a field is missing or of a wrong type: such a frame is dropped. */
  received(from: Worker, type: number, envelope: EnvelopeReader): boolean {
    switch (type) {
      case MessageType.registertriggertype:
        return this.#registerType(from, envelope);
      case MessageType.registertrigger:
        return this.#register(from, envelope);
      case MessageType.unregistertrigger:
        return this.#unregister(from, envelope);
      case MessageType.triggerregistrationresult:
        return this.#answered(from, envelope);
      default:
        return false;
    }
  }

  #registerType(from: Worker, envelope: EnvelopeReader): boolean {
    const id = envelope.string(EnvelopeKey.id);
    const keys = [EnvelopeKey.description, EnvelopeKey.namespace];
    if (id === undefined || !keys.every((key) => envelope.isAbsent(key) || envelope.isString(key)))
      return false;
    const namespace = envelope.string(EnvelopeKey.namespace);
    const enter = ([type]: TypeRequest[]): void => {
      if (type !== undefined) this.#o.registrar.registerType(from, type.namespace, type.id, type.card);
    };
    const refused = (cause: unknown): void => this.#typeRefused(from, id, cause);
    this.#reviewed(
      from,
      () => this.#o.review.types(from, [{ id, namespace, card: readCard(envelope) }]),
      enter,
      refused,
    );
    return true;
  }

  /** Has somebody look at what is asked for, where somebody has to, and then enters it. */
  #reviewed<Asked>(
    from: Worker,
    review: () => Asked | Promise<Asked>,
    enter: (asked: Asked) => void,
    refused: (cause: unknown) => void,
  ): void {
    try {
      const asked = review();
      if (!(asked instanceof Promise)) return enter(asked);
      const isHere = (): boolean => this.#o.workers.of(from.connection.index) === from;
      const entered = asked.then((ready) => (isHere() ? enter(ready) : undefined));
      this.#o.review.wait(
        from,
        entered.catch((cause: unknown) => refused(cause)),
      );
    } catch (cause) {
      refused(cause);
    }
  }

  /** There is no answer for a type in the protocol: a log line, and a frame of a type that SDKs ignore. */
  #typeRefused(from: Worker, id: string, cause: unknown): void {
    if (!(cause instanceof CodedError)) throw cause;
    if (!from.connection.isOpen) return;
    const { frames, log, metrics } = this.#o;
    const { code, message } = cause;
    metrics.add(Metric.registrations_refused);
    log.error({ worker: from.id, name: from.name, triggerType: id, code, message }, "trigger type refused");
    frames.send(from.connection, { type: "registrationrefused", trigger_type: id, code, message });
  }

  #register(from: Worker, envelope: EnvelopeReader): boolean {
    const request = readTrigger(from, envelope);
    if (request === undefined) return false;
    this.#reviewed(
      from,
      () => this.#o.review.trigger(from, request),
      (asked) => this.#o.registrar.register(asked, from),
      (cause) => this.#refused(from, request, cause),
    );
    return true;
  }

  #refused(from: Worker, request: TriggerRequest, cause: unknown): void {
    if (!(cause instanceof CodedError)) throw cause;
    if (!from.connection.isOpen) return;
    this.#o.metrics.add(Metric.triggers_refused);
    const { id, type, functionId } = request;
    this.#o.log.debug(
      { worker: from.id, trigger: id, code: cause.code, message: cause.message },
      "trigger refused",
    );
    this.#result(from.connection, id, type, functionId, cause);
  }

  #unregister(from: Worker, envelope: EnvelopeReader): boolean {
    const id = envelope.string(EnvelopeKey.id);
    if (id === undefined) return false;
    this.#o.registrar.unregister(id, from);
    return true;
  }

  #answered(from: Worker, envelope: EnvelopeReader): boolean {
    const id = envelope.string(EnvelopeKey.id);
    const keys = [EnvelopeKey.trigger_type, EnvelopeKey.function_id];
    if (id === undefined || !keys.every((key) => envelope.isString(key))) return false;
    const error = readError(envelope.json(EnvelopeKey.error));
    if (error === undefined) return false;
    this.#o.registrar.answered(from, id, error);
    return true;
  }

  // To providers and owners

  offer(to: Connection, trigger: number): null {
    const { frames } = this.#o;
    frames.sendText(to, Buffer.from(this.#offerText(to, trigger), "utf8"));
    return null;
  }

  /**
   * `default` is left out, as SDKs expect; but a provider that lives elsewhere would fire an absent namespace into its own, so it is told.
   */
  #offerText(to: Connection, trigger: number): string {
    const { triggers, types, workers } = this.#o;
    const metadata = triggers.metadata.text(trigger);
    const namespace = triggers.namespace(trigger);
    const isAtHome = workers.of(to.index)?.namespace.name === DEFAULT_NAMESPACE;
    const found = types.names.namespace(triggers.type(trigger));
    return (
      `{"type":"registertrigger","id":${JSON.stringify(triggers.id(trigger))},"trigger_type":${JSON.stringify(triggers.typeName(trigger))}` +
      `,"function_id":${JSON.stringify(triggers.functionId(trigger))},"config":${triggers.config.text(trigger) ?? "null"}` +
      (metadata === undefined ? "" : `,"metadata":${metadata}`) +
      (namespace === DEFAULT_NAMESPACE && isAtHome ? "" : `,"namespace":${JSON.stringify(namespace)}`) +
      (found === DEFAULT_NAMESPACE ? "" : `,"trigger_namespace":${JSON.stringify(found)}`) +
      "}"
    );
  }

  withdraw(to: Connection, id: string, type: string): void {
    this.#o.frames.send(to, { type: "unregistertrigger", id, trigger_type: type });
  }

  /** The protocol has words for a refusal only. */
  tell(to: Connection, news: TriggerNews): void {
    if (news.error !== null) this.#result(to, news.id, news.type, news.functionId, news.error);
  }

  #result(to: Connection, id: string, type: string, functionId: string, error: CodedError): void {
    this.#o.frames.send(to, {
      type: "triggerregistrationresult",
      id,
      trigger_type: type,
      function_id: functionId,
      error: { code: error.code, message: error.message },
    });
  }
}

function readTrigger(from: Worker, envelope: EnvelopeReader): TriggerRequest | undefined {
  const id = envelope.string(EnvelopeKey.id);
  const type = envelope.string(EnvelopeKey.trigger_type);
  const functionId = envelope.string(EnvelopeKey.function_id);
  const keys = [EnvelopeKey.namespace, EnvelopeKey.trigger_namespace];
  const areStrings = keys.every((key) => envelope.isAbsent(key) || envelope.isString(key));
  if (id === undefined || type === undefined || functionId === undefined || !areStrings) return undefined;
  const metadata = envelope.json(EnvelopeKey.metadata);
  return {
    id,
    type,
    functionId,
    namespace: envelope.string(EnvelopeKey.namespace) ?? DEFAULT_NAMESPACE,
    triggerNamespace: envelope.string(EnvelopeKey.trigger_namespace),
    home: from.namespace.name,
    config: Buffer.from(envelope.json(EnvelopeKey.config) ?? "null", "utf8"),
    metadata: metadata === undefined ? NOTHING : Buffer.from(metadata, "utf8"),
  };
}

/** A provider's error; null when it has none, undefined when it is no error body. */
function readError(text: string | undefined): CodedError | null | undefined {
  if (text === undefined) return null;
  const error: unknown = JSON.parse(text);
  if (typeof error !== "object" || error === null || !("code" in error) || !("message" in error))
    return undefined;
  if (typeof error.code !== "string" || typeof error.message !== "string") return undefined;
  return new CodedError(error.code, error.message);
}

const CARD_KEYS = ["description", "trigger_request_format", "call_request_format"] as const;

/** The card of a trigger type, from the values as they were spelled. */
function readCard(envelope: EnvelopeReader): Uint8Array {
  const members = CARD_KEYS.flatMap((key) => {
    const text = envelope.json(EnvelopeKey[key]);
    return text === undefined ? [] : [`"${key}":${text}`];
  });
  return members.length === 0 ? NOTHING : Buffer.from(`{${members.join(",")}}`, "utf8");
}
