// The engine fires a trigger of one of its own types: calls the target with an event, and does not wait for an answer.
//
// An event is serialised once for all its triggers. Small ones are gathered into each receiver's outbox; a large one is laid out once in the arena
// and each JSON receiver's head is written in front of it, so that a thousand receivers cost a thousand sends and no copies.
//
//   scratch:  [ … head of this receiver ][ payload ][ tail: metadata of this trigger, } ]

import type { Clock } from "../clock.js";
import { Metric, type Metrics } from "../metrics.js";
import { CastMode } from "../protocol/msgpack/records.js";
import type { Functions } from "../registry/functions.js";
import { OfferWord } from "../registry/offers.js";
import type { Triggers } from "../registry/triggers.js";
import type { Workers } from "../registry/workers.js";
import type { Arena } from "../transport/arena.js";
import type { Connection } from "../transport/connection.js";
import { type Calls, Executor } from "./calls.js";
import { packContextAround } from "./context.js";
import type { EnginePeer } from "./engine-peer.js";
import type { JsonFrames } from "./json-frames.js";
import type { MsgpackGeneral } from "./msgpack-general.js";
import { jsonBytes, msgpackBytes } from "./trigger-values.js";

/** An event as its receivers get it. */
export interface FireEvent {
  /** JSON text. */
  json: Uint8Array;
  /** The same, or what of it can be said, in msgpack. */
  msgpack: () => Uint8Array;
}

/** `Late`: the receiver is too far behind now. `Gone`: nobody offers the function. */
export const Fired = { Sent: 0, Late: 1, Gone: 2 } as const;
export type Fired = (typeof Fired)[keyof typeof Fired];

/** From this size on the payload is laid out once instead of being copied for each receiver. */
const SHARED_BYTES_MIN = 16_384;
/** Room in front of a shared payload: an envelope and an id of the greatest length, every byte of it escaped. */
const HEAD_BYTES_MAX = 8_192;
const TAIL_BYTES_MAX = 4_096;
const HEAD_END = jsonBytes('","data":');
const TAIL = jsonBytes("}");
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export interface TriggerFiresOptions {
  triggers: Triggers;
  functions: Functions;
  workers: Workers;
  calls: Calls;
  arena: Arena;
  frames: JsonFrames;
  general: MsgpackGeneral;
  engine: EnginePeer;
  metrics: Metrics;
  clock: Clock;
  /** By connection: how much of the beginning of a function's id it must not see. */
  prefixBytes: Uint16Array;
}

export class TriggerFires {
  readonly #o: TriggerFiresOptions;
  /** What every frame begins with. The invocation id is nobody's: no answer is wanted. */
  readonly #headStart: Uint8Array;
  /** The event whose payload lies in scratch at this moment. */
  #laidOut: FireEvent | null = null;

  constructor(options: TriggerFiresOptions) {
    this.#o = options;
    const suffix = Buffer.from(options.frames.suffix).toString("latin1");
    this.#headStart = jsonBytes(
      `{"type":"invokefunction","invocation_id":"00000000${suffix}","function_id":"`,
    );
  }

  /** Fires many triggers with one event. Gives those whose receivers are too far behind; with `isUrgent` none is. */
  fireAll(triggers: Iterable<number>, event: FireEvent, isUrgent: boolean): number[] {
    const late: number[] = [];
    for (const trigger of triggers)
      if (this.fire(trigger, event, isUrgent) === Fired.Late) late.push(trigger);
    this.#laidOut = null; // whoever writes next may use the scratch
    return late;
  }

  /** Fires one trigger. `isUrgent`: also at a receiver above the soft bound; it is cut above the hard one, as always. */
  fire(trigger: number, event: FireEvent, isUrgent: boolean): Fired {
    const { triggers, metrics, clock, calls } = this.#o;
    const fn = this.#target(trigger);
    const executor = fn === 0 ? Executor.NotFound : this.#executor(fn, isUrgent);
    if (executor === Executor.Overloaded) return Fired.Late;
    const to = calls.connections[executor];
    if (executor !== Executor.Builtin && to === undefined) {
      metrics.add(Metric.trigger_fires_dropped);
      return Fired.Gone;
    }
    triggers.lastFiredAtMs[trigger] = clock.epochMs();
    metrics.add(Metric.trigger_fires);
    if (to === undefined) this.#o.engine.runForNobody(fn, Buffer.from(event.json).toString("utf8"));
    else if (to.isMsgpack) this.#fireMsgpack(to, fn, trigger, event);
    else this.#fireJson(to, trigger, event);
    return Fired.Sent;
  }

  #target(trigger: number): number {
    const { triggers, functions, workers } = this.#o;
    const id = triggers.functionIdBytes(trigger);
    return functions.names.find(workers.namespace(triggers.namespace(trigger)), id, 0, id.length);
  }

  #executor(fn: number, isUrgent: boolean): number {
    const { calls, functions } = this.#o;
    const handle = functions.slots.handleOf(fn);
    const executor = calls.executorOf(handle);
    if (executor === Executor.ByKey) return calls.executorByKey(handle, 0);
    if (executor !== Executor.Overloaded || !isUrgent) return executor;
    return functions.offers.get(functions.servingOffer(fn), OfferWord.connection);
  }

  #fireMsgpack(to: Connection, fn: number, trigger: number, event: FireEvent): void {
    const { triggers, functions, general } = this.#o;
    this.#laidOut = null; // a large record goes through the scratch
    const metadata =
      triggers.metadata.length(trigger) === 0 ? null : msgpackBytes(triggers.metadata.bytes(trigger));
    const context = metadata instanceof Uint8Array ? packContextAround({}, metadata) : null;
    general.sendCast(to, functions.slots.handleOf(fn), CastMode.One, 0, context, event.msgpack());
  }

  #fireJson(to: Connection, trigger: number, event: FireEvent): void {
    const id = this.#idFor(to, trigger);
    const tail = this.#tail(trigger);
    const headBytes = this.#headStart.length + id.length + HEAD_END.length;
    const isShared =
      event.json.length >= SHARED_BYTES_MIN && headBytes <= HEAD_BYTES_MAX && tail.length <= TAIL_BYTES_MAX;
    if (isShared) return this.#sendShared(to, id, headBytes, event, tail);
    if (event.json.length >= SHARED_BYTES_MIN) this.#laidOut = null;
    const at = to.outbox.reserve(headBytes + event.json.length + tail.length);
    const { bytes } = this.#o.arena; // only now: reserving may have moved them
    const payloadAt = this.#writeHead(at, id);
    bytes.set(event.json, payloadAt);
    bytes.set(tail, payloadAt + event.json.length);
    to.outbox.commit(at, payloadAt + event.json.length + tail.length);
  }

  #sendShared(to: Connection, id: Uint8Array, headBytes: number, event: FireEvent, tail: Uint8Array): void {
    const { arena } = this.#o;
    const payloadAt = arena.scratch(HEAD_BYTES_MAX + event.json.length + TAIL_BYTES_MAX) + HEAD_BYTES_MAX;
    if (this.#laidOut !== event) arena.bytes.set(event.json, payloadAt);
    this.#laidOut = event;
    this.#writeHead(payloadAt - headBytes, id);
    arena.bytes.set(tail, payloadAt + event.json.length);
    to.outbox.sendFrom(payloadAt - headBytes, payloadAt + event.json.length + tail.length);
  }

  /** Writes what stands before the payload; returns where that begins. */
  #writeHead(at: number, id: Uint8Array): number {
    const { bytes } = this.#o.arena;
    bytes.set(this.#headStart, at);
    bytes.set(id, at + this.#headStart.length);
    bytes.set(HEAD_END, at + this.#headStart.length + id.length);
    return at + this.#headStart.length + id.length + HEAD_END.length;
  }

  /** The function's id as it stands in a JSON string, without the prefix that the worker does not know of. */
  #idFor(to: Connection, trigger: number): Uint8Array {
    const { triggers, prefixBytes } = this.#o;
    const whole = triggers.functionIdBytes(trigger);
    const hidden = prefixBytes[to.index]!;
    return inJsonString(hidden === 0 ? whole : whole.subarray(hidden));
  }

  #tail(trigger: number): Uint8Array {
    const metadata = this.#o.triggers.metadata.text(trigger);
    return metadata === undefined ? TAIL : jsonBytes(`,"metadata":${metadata}}`);
  }
}

/** UTF-8 as it stands between the quotes of a JSON string: itself, where nothing has to be escaped. */
function inJsonString(bytes: Uint8Array): Uint8Array {
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte < SPACE || byte === QUOTE || byte === BACKSLASH)
      return jsonBytes(JSON.stringify(Buffer.from(bytes).toString("utf8")).slice(1, -1));
  }
  return bytes;
}
