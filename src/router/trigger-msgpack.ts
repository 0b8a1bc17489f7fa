// Triggers on the msgpack wire: reads and writes the records 26 to 31 of PROTOCOL.md.
//
// Config, metadata and formats are kept as JSON text, whichever wire they came by, and translated at the door; what JSON cannot say is refused. An owner
// is told of every change of a trigger's state, also of those it did not ask for.

import { Metric, type Metrics } from "../metrics.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { Cursor, ElementError } from "../protocol/msgpack/cursor.js";
import { pack } from "../protocol/msgpack/general.js";
import { Kind } from "../protocol/msgpack/records.js";
import type { TriggerTypes } from "../registry/trigger-types.js";
import { REASON_NAMES, type TriggerRequest, TriggerState, type Triggers } from "../registry/triggers.js";
import type { Worker, Workers } from "../registry/workers.js";
import type { Connection } from "../transport/connection.js";
import type { TriggerRegistrar } from "./trigger-registrar.js";
import type { TriggerReview, TypeRequest } from "./trigger-review.js";
import { jsonOf, msgpackBytes } from "./trigger-values.js";
import type { TriggerNews, TriggerWire } from "./trigger-wire.js";

export interface TriggerMsgpackOptions {
  triggers: Triggers;
  types: TriggerTypes;
  registrar: TriggerRegistrar;
  review: TriggerReview;
  workers: Workers;
  metrics: Metrics;
}

/** States as trigger_state says them. */
export const STATE_NUMBER = {
  [TriggerState.Active]: 0,
  [TriggerState.Asked]: 0,
  [TriggerState.Parked]: 1,
  [TriggerState.Rejected]: 2,
  [TriggerState.Removed]: 3,
} as const satisfies Record<TriggerState, number>;

const NOTHING = new Uint8Array(0);
const NIL = Uint8Array.of(0xc0);
const ARRAY_OF_8 = Uint8Array.of(0x98);
const NULL_TEXT = Buffer.from("null", "utf8");

export class TriggerMsgpack implements TriggerWire {
  readonly #o: TriggerMsgpackOptions;
  readonly #list = new Cursor();
  readonly #item = new Cursor();
  /** While a record of an owner is carried out: its answer says the state, so nothing else does. */
  #isAnswering = false;

  constructor(options: TriggerMsgpackOptions) {
    this.#o = options;
  }

  /** Carries out a record about triggers. False when it is of another kind. Throws ElementError. */
  record(from: Worker, kind: number, cursor: Cursor): boolean {
    switch (kind) {
      case Kind.TriggerType:
        this.#registerTypes(from, cursor);
        return true;
      case Kind.TriggerTypeEnd:
        this.#unregisterTypes(from, cursor);
        return true;
      case Kind.Trigger:
        this.#register(from, cursor);
        return true;
      case Kind.TriggerEnd:
        this.#unregister(from, cursor);
        return true;
      case Kind.TriggerAnswer:
        this.#answered(from, cursor);
        return true;
      default:
        return false;
    }
  }

  // From providers

  #registerTypes(from: Worker, cursor: Cursor): void {
    const request = cursor.uint("request");
    this.#carryOut(from, request, Metric.registrations_refused, () => {
      const count = this.#openList(cursor, "types");
      const asked = Array.from({ length: count }, (_, position) => this.#readType(position));
      const reviewed = this.#o.review.types(from, asked);
      if (reviewed instanceof Promise)
        this.#later(from, request, Metric.registrations_refused, reviewed, (types) =>
          this.#enterTypes(from, request, types),
        );
      else this.#enterTypes(from, request, reviewed);
    });
  }

  #enterTypes(from: Worker, request: number, types: readonly TypeRequest[]): void {
    for (let position = 0; position < types.length; position++)
      this.#enterType(from, types[position]!, position);
    send(from.connection, [Kind.TriggerType, request, types.length]);
  }

  #enterType(from: Worker, { id, namespace, card }: TypeRequest, position: number): void {
    try {
      this.#o.registrar.registerType(from, namespace, id, card);
    } catch (cause) {
      throw cause instanceof CodedError
        ? new CodedError(cause.code, `type ${position}, ${id}: ${cause.message}`)
        : cause;
    }
  }

  /** Enters what somebody has looked at; nothing more of the connection is handled until then. */
  #later<Asked>(
    from: Worker,
    request: number,
    refusals: number,
    asked: Promise<Asked>,
    enter: (asked: Asked) => void,
  ): void {
    const { workers, review } = this.#o;
    const { connection } = from;
    const isHere = (): boolean => workers.of(connection.index) === from;
    const entered = asked.then(
      (ready) => (isHere() ? this.#carryOut(from, request, refusals, () => enter(ready)) : undefined),
      (cause: unknown) => {
        const fail = (): never => {
          throw cause;
        };
        if (isHere()) this.#carryOut(from, request, refusals, fail);
      },
    );
    review.wait(from, entered);
  }

  #readType(position: number): TypeRequest {
    const item = this.#item;
    this.#list.raw();
    const what = (name: string): string => `${name} of type ${position}`;
    if (item.open(this.#list.bytes, this.#list.start) < 1)
      throw new ElementError(`type ${position} must be an array that begins with an id`);
    const id = text(item, what("id"));
    const card = readCard(item, what);
    return { id, namespace: optionalText(item, what("namespace")), card };
  }

  #unregisterTypes(from: Worker, cursor: Cursor): void {
    const request = cursor.uint("request");
    this.#carryOut(from, request, Metric.registrations_refused, () => {
      const list = this.#list;
      const count = this.#openList(cursor, "ids");
      let removed = 0;
      for (let position = 0; position < count; position++) {
        const [namespace, id] = this.#name(list, `id ${position}`);
        if (this.#o.registrar.unregisterType(from, namespace, id)) removed++;
      }
      send(from.connection, [Kind.TriggerTypeEnd, request, removed]);
    });
  }

  #answered(from: Worker, cursor: Cursor): void {
    const id = text(cursor, "id");
    const code = optionalText(cursor, "code");
    const message = optionalText(cursor, "message") ?? "";
    this.#o.registrar.answered(from, id, code === undefined ? null : new CodedError(code, message));
  }

  // From owners

  #register(from: Worker, cursor: Cursor): void {
    const request = cursor.uint("request");
    this.#carryOut(from, request, Metric.triggers_refused, () => {
      const reviewed = this.#o.review.trigger(from, this.#readTrigger(from, cursor));
      if (reviewed instanceof Promise)
        this.#later(from, request, Metric.triggers_refused, reviewed, (asked) =>
          this.#enterTrigger(from, request, asked),
        );
      else this.#enterTrigger(from, request, reviewed);
    });
  }

  #enterTrigger(from: Worker, request: number, asked: TriggerRequest): void {
    this.#isAnswering = true;
    this.#o.registrar.register(asked, from);
    this.#tellState(from.connection, request, asked.id);
  }

  #unregister(from: Worker, cursor: Cursor): void {
    const request = cursor.uint("request");
    this.#carryOut(from, request, Metric.triggers_refused, () => {
      const id = text(cursor, "id");
      if (this.#o.triggers.find(id) === 0)
        throw new CodedError(ErrorCode.NotFound, `Trigger ${id} is not registered`);
      this.#isAnswering = true;
      if (!this.#o.registrar.unregister(id, from))
        throw new CodedError(ErrorCode.Forbidden, `Trigger ${id} belongs to somebody else`);
      this.#tellState(from.connection, request, id);
    });
  }

  #readTrigger(from: Worker, cursor: Cursor): TriggerRequest {
    const id = text(cursor, "id");
    const type = text(cursor, "type");
    const [namespace, functionId] = this.#name(cursor, "function");
    const config = value(cursor);
    const metadata = value(cursor);
    return {
      id,
      type,
      functionId,
      namespace: namespace ?? (functionId.startsWith("engine::") ? "default" : from.namespace.name),
      triggerNamespace: optionalText(cursor, "trigger_namespace"),
      home: from.namespace.name,
      config: config ?? NULL_TEXT,
      metadata: metadata ?? NOTHING,
    };
  }

  /** Runs what a record asks for; what the engine refuses is answered under the record's number, and counted in `refusals`. */
  #carryOut(from: Worker, request: number, refusals: number, run: () => void): void {
    try {
      run();
    } catch (cause) {
      if (!(cause instanceof CodedError)) throw cause;
      this.#o.metrics.add(refusals);
      send(from.connection, [Kind.Refused, request, cause.code, cause.message]);
    } finally {
      this.#isAnswering = false;
    }
  }

  #openList(cursor: Cursor, what: string): number {
    if (!cursor.isArray()) throw new ElementError(`${what} must be an array`);
    cursor.raw();
    return this.#list.open(cursor.bytes, cursor.start);
  }

  /** An id, or [namespace, id]. */
  #name(cursor: Cursor, what: string): [string | undefined, string] {
    if (!cursor.isArray()) return [undefined, text(cursor, what)];
    const item = this.#item;
    cursor.raw();
    if (item.open(cursor.bytes, cursor.start) < 2)
      throw new ElementError(`${what} must be an id or [namespace, id]`);
    const namespace = text(item, `namespace of ${what}`);
    return [namespace, text(item, what)];
  }

  // To providers and owners

  offer(to: Connection, trigger: number): CodedError | null {
    const { triggers, types } = this.#o;
    const config = msgpackBytes(triggers.config.bytes(trigger));
    if (config instanceof CodedError) return config;
    const metadata =
      triggers.metadata.length(trigger) === 0 ? NIL : msgpackBytes(triggers.metadata.bytes(trigger));
    if (metadata instanceof CodedError) return metadata;
    sendBytes(
      to,
      Buffer.concat([
        ARRAY_OF_8,
        ...[Kind.Trigger, null, triggers.id(trigger), triggers.typeName(trigger)].map(pack),
        pack([triggers.namespace(trigger), triggers.functionId(trigger)]),
        config,
        metadata,
        pack(types.names.namespace(triggers.type(trigger))),
      ]),
    );
    return null;
  }

  withdraw(to: Connection, id: string, type: string): void {
    send(to, [Kind.TriggerEnd, null, id, type]);
  }

  tell(to: Connection, news: TriggerNews): void {
    if (this.#isAnswering) return;
    const { id, state, reason, error } = news;
    send(to, [
      Kind.TriggerState,
      null,
      id,
      STATE_NUMBER[state],
      REASON_NAMES[reason],
      error?.code ?? null,
      error?.message ?? null,
    ]);
  }

  /** The state of a trigger that was just asked about. */
  #tellState(to: Connection, request: number, id: string): void {
    const { triggers } = this.#o;
    const trigger = triggers.find(id);
    if (trigger === 0)
      return send(to, [Kind.TriggerState, request, id, STATE_NUMBER[TriggerState.Removed], null, null, null]);
    const isRejected = triggers.state(trigger) === TriggerState.Rejected;
    const error: unknown = JSON.parse((isRejected ? triggers.error.text(trigger) : undefined) ?? "{}");
    const { code, message } = error as { code?: string; message?: string }; // written by the binder
    const reason = REASON_NAMES[triggers.reason(trigger)];
    send(to, [Kind.TriggerState, request, id, STATE_NUMBER[triggers.state(trigger)], reason, code, message]);
  }
}

function send(to: Connection, record: readonly unknown[]): void {
  sendBytes(to, pack(record));
}

function sendBytes(to: Connection, bytes: Uint8Array): void {
  to.outbox.append(bytes, 0, bytes.length);
}

function text(cursor: Cursor, what: string): string {
  cursor.str(what);
  return Buffer.from(cursor.bytes.subarray(cursor.start, cursor.end)).toString("utf8");
}

function optionalText(cursor: Cursor, what: string): string | undefined {
  return cursor.nil() ? undefined : text(cursor, what);
}

/** Any value as JSON text; undefined for nil. Throws CodedError for what JSON cannot say. */
function value(cursor: Cursor): Uint8Array | undefined {
  if (cursor.nil()) return undefined;
  cursor.raw();
  return jsonOf(cursor.bytes, cursor.start, cursor.end);
}

/** Description and formats as the JSON text of an object. */
function readCard(item: Cursor, what: (name: string) => string): Uint8Array {
  const members: Uint8Array[] = [];
  const add = (key: string, json: Uint8Array): void => {
    members.push(Buffer.from(`${members.length === 0 ? "{" : ","}"${key}":`, "utf8"), json);
  };
  const description = optionalText(item, what("description"));
  if (description !== undefined) add("description", Buffer.from(JSON.stringify(description), "utf8"));
  for (const key of ["trigger_request_format", "call_request_format"]) {
    const format = value(item);
    if (format !== undefined) add(key, format);
  }
  return members.length === 0 ? NOTHING : Buffer.concat([...members, Buffer.from("}", "utf8")]);
}
