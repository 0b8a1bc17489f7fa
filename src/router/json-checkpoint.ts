// Where calls of JSON connections with a session are held against its rules, and where its listener's middleware takes them over.

import type { Access } from "../access/access.js";
import { forbiddenMessage, Verdict } from "../access/session.js";
import type { Logger } from "../log.js";
import { EnvelopeKey } from "../protocol/json/scanner.js";
import type { Functions } from "../registry/functions.js";
import type { Connection } from "../transport/connection.js";
import type { JsonEnvelope } from "./json-envelope.js";
import type { JsonFrames } from "./json-frames.js";
import type { Middleware } from "./middleware.js";

/** A call as read from its envelope. */
export interface AskedCall {
  envelope: JsonEnvelope;
  namespace: string;
  /** Of the function, 0 when nobody has registered it. */
  index: number;
}

export interface JsonCheckpointOptions {
  access: Access;
  middleware: Middleware;
  functions: Functions;
  frames: JsonFrames;
  log: Logger;
}

export class JsonCheckpoint {
  readonly #o: JsonCheckpointOptions;

  constructor(options: JsonCheckpointOptions) {
    this.#o = options;
  }

  /** The sentence with which a call is forbidden; null when it is allowed. */
  refusal(from: Connection, { envelope, namespace, index }: AskedCall): string | null {
    const { access, functions } = this.#o;
    const verdict =
      index === 0
        ? access.verdictOfMissing(from.index, namespace, idOf(envelope))
        : access.verdict(from.index, functions.slots.handleOf(index));
    return verdict === Verdict.Allowed ? null : forbiddenMessage(idOf(envelope), verdict);
  }

  /** Whether the listener's middleware takes the call: every call but those of the engine's own functions. */
  isIntercepted(from: Connection, { envelope, index }: AskedCall): boolean {
    const session = this.#o.access.sessionOf(from.index);
    if (session === null || session.policy.middlewareId === null) return false;
    const isEngines = index === 0 || this.#o.functions.isBuiltin(index);
    return !(isEngines && idOf(envelope).startsWith("engine::"));
  }

  /** Hands the call to the middleware, whatever its action. False when the caller has too many calls open. */
  intercept(from: Connection, { envelope, namespace, index }: AskedCall, wantsAnswer: boolean): boolean {
    const { access, middleware, functions, frames, log } = this.#o;
    const session = access.sessionOf(from.index);
    if (session === null) return true;
    const { dataStart, dataEnd, metadataStart, metadataEnd } = envelope;
    const wanted = {
      functionId: idOf(envelope),
      namespace,
      fn: index === 0 ? 0 : functions.slots.handleOf(index),
      payloadJson: dataStart < 0 ? "null" : envelope.text(dataStart, dataEnd),
      actionJson: envelope.json(EnvelopeKey.action) ?? "null",
      metadataJson: metadataStart < 0 ? undefined : envelope.text(metadataStart, metadataEnd),
    };
    if (wantsAnswer && envelope.idStart >= 0) {
      const slot = middleware.call(from, 0, session, wanted, 0);
      if (slot !== 0) frames.remember(slot, envelope);
      return slot !== 0;
    }
    middleware.cast(session, wanted, (code, message) =>
      log.warn({ functionId: wanted.functionId, code, message }, "a call without an answer failed"),
    );
    return true;
  }
}

function idOf(envelope: JsonEnvelope): string {
  return envelope.string(EnvelopeKey.function_id) ?? "";
}
