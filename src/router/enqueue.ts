// `action: enqueue` of the JSON wire: handed to the function `engine::queue::enqueue` in `default`, which a queue worker provides.

import { randomUUID } from "node:crypto";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { DEFAULT_NAMESPACE, type NamespaceKey } from "../registry/names.js";
import { INDEX_MASK } from "../registry/slots.js";
import type { Connection } from "../transport/connection.js";
import { type Calls, ENGINE } from "./calls.js";
import type { EnginePeer } from "./engine-peer.js";
import type { JsonEnvelope } from "./json-envelope.js";
import type { JsonFrames } from "./json-frames.js";

const PROVIDER_ID = "engine::queue::enqueue";

export class Enqueue {
  readonly #calls: Calls;
  readonly #frames: JsonFrames;
  readonly #engine: EnginePeer;
  readonly #timeoutMs: number;

  constructor(calls: Calls, frames: JsonFrames, engine: EnginePeer, timeoutMs: number) {
    this.#calls = calls;
    this.#frames = frames;
    this.#engine = engine;
    this.#timeoutMs = timeoutMs;
  }

  /** The target is not looked up: the provider decides what becomes of it. With an invocation id the caller gets a receipt, or `enqueue_error`. */
  enqueue(from: Connection, envelope: JsonEnvelope, namespace: NamespaceKey, queue: string): void {
    const receipt = randomUUID();
    const input = readInput(envelope, namespace, queue, receipt);
    const ticket = envelope.idStart < 0 ? 0 : this.#calls.enter(from.index, 0, ENGINE, 0, this.#timeoutMs, 0);
    if (ticket === 0 && envelope.idStart >= 0) return this.#overloaded(from, envelope);
    if (ticket !== 0) this.#frames.rememberSpelled(ticket & INDEX_MASK, envelope);
    const provided = this.#engine.call(DEFAULT_NAMESPACE, PROVIDER_ID, input, this.#timeoutMs);
    const receipted = provided.then(
      () => JSON.stringify({ messageReceiptId: receipt }),
      (cause: unknown) => {
        throw enqueueError(this.#engine.coded(cause));
      },
    );
    if (ticket !== 0) this.#engine.settleLater(ticket, receipted);
    else receipted.catch(() => undefined); // nobody asked for an answer; the provider's failure was counted where it ended
  }

  #overloaded(from: Connection, envelope: JsonEnvelope): void {
    const { message, retryAfterMs } = this.#calls.refused();
    this.#frames.refuse(from, envelope, ErrorCode.Overloaded, message, retryAfterMs);
  }
}

/** The provider's input; `data` stays as it was spelled. */
function readInput(envelope: JsonEnvelope, namespace: NamespaceKey, queue: string, receipt: string): string {
  const functionText = envelope.text(envelope.functionStart, envelope.functionEnd);
  const data = envelope.dataStart < 0 ? "null" : envelope.text(envelope.dataStart, envelope.dataEnd);
  const trace =
    envelope.traceStart < 0 ? "null" : `"${envelope.text(envelope.traceStart, envelope.traceEnd)}"`;
  const given = envelope.baggageStart < 0 ? "" : envelope.text(envelope.baggageStart, envelope.baggageEnd);
  const others = given
    .split(",")
    .filter((entry) => entry.trim() !== "" && !/^\s*iii\.function\.id\s*=/.test(entry));
  const baggage = [...others, `iii.function.id=${functionText}`].join(",");
  const where = namespace.name === DEFAULT_NAMESPACE ? "" : `,"namespace":${JSON.stringify(namespace.name)}`;
  return (
    `{"queue":${JSON.stringify(queue)},"function_id":"${functionText}","data":${data},"messageReceiptId":"${receipt}",` +
    `"traceparent":${trace},"baggage":"${baggage}"${where}}`
  );
}

function enqueueError(error: CodedError): CodedError {
  if (error.code !== ErrorCode.FunctionNotFound)
    return new CodedError(ErrorCode.EnqueueError, `${error.code}: ${error.message}`);
  return new CodedError(
    ErrorCode.EnqueueError,
    `No queue provider is installed. Connect a worker that registers ${PROVIDER_ID} (with iii: \`iii worker add queue\`). (underlying: ${error.message})`,
  );
}
