// Where calls and casts of msgpack connections with a session are held against its rules, and where its listener's middleware takes them over.

import type { Access } from "../access/access.js";
import { forbiddenMessage, type Session, Verdict } from "../access/session.js";
import type { Logger } from "../log.js";
import { Metric, type Metrics } from "../metrics.js";
import { ErrorCode } from "../protocol/error.js";
import type { Functions } from "../registry/functions.js";
import { INDEX_MASK } from "../registry/slots.js";
import type { Connection } from "../transport/connection.js";
import { readContext } from "./context.js";
import type { Crossing } from "./crossing.js";
import type { Middleware } from "./middleware.js";
import type { MsgpackGeneral, Parts } from "./msgpack-general.js";
import { RATE_LIMITED } from "./refusal.js";

/** A call or cast as read from its record. */
export interface AskedRecord extends Parts {
  /** Handle, 0 when the name is not registered. */
  fn: number;
  /** That name. */
  missing: { namespace: string; id: string };
  /** The record named it by its handle. */
  isByHandle: boolean;
  frame: Uint8Array;
  askedMs: number;
}

export interface MsgpackCheckpointOptions {
  access: Access;
  middleware: Middleware;
  functions: Functions;
  crossing: Crossing;
  metrics: Metrics;
  log: Logger;
}

export class MsgpackCheckpoint {
  readonly #o: MsgpackCheckpointOptions;
  #general: MsgpackGeneral | null = null;

  constructor(options: MsgpackCheckpointOptions) {
    this.#o = options;
  }

  attach(general: MsgpackGeneral): void {
    this.#general = general;
  }

  /** True when the call ends here: forbidden, or taken by the middleware. */
  stopsCall(from: Connection, call: number, asked: AskedRecord): boolean {
    const waitMs = this.#waitMs(from, asked);
    if (waitMs > 0) {
      this.#general?.sendError(from, call, ErrorCode.RateLimited, RATE_LIMITED, waitMs);
      return true;
    }
    const refusal = this.#refusal(from, asked);
    if (refusal !== null) {
      this.#o.metrics.add(Metric.calls_forbidden);
      this.#general?.sendError(from, call, refusal.code, refusal.message);
      return true;
    }
    const session = this.#interceptor(from, asked);
    if (session === null) return false;
    const wanted = this.#wanted(asked, "null");
    if ("code" in wanted) this.#general?.sendError(from, call, wanted.code, wanted.message);
    else if (this.#o.middleware.call(from, call, session, wanted, asked.askedMs) === 0)
      this.#general?.overloaded(from, call);
    return true;
  }

  #waitMs(from: Connection, { fn }: AskedRecord): number {
    return this.#o.access.takeToken(from.index, this.#o.functions.slots.indexOf(fn));
  }

  /** As stopsCall, for somebody who does not wait for an answer. */
  stopsCast(from: Connection, asked: AskedRecord): boolean {
    if (this.#waitMs(from, asked) > 0) {
      this.#o.metrics.add(Metric.casts_dropped);
      return true;
    }
    const { log, metrics, middleware } = this.#o;
    const refusal = this.#refusal(from, asked);
    const session = refusal === null ? this.#interceptor(from, asked) : null;
    if (refusal === null && session === null) return false;
    const wanted = refusal === null ? this.#wanted(asked, '{"type":"void"}') : null;
    const failed = (code: string, message: string): void => {
      metrics.add(Metric.casts_dropped);
      log.warn({ code, message }, "a cast failed");
    };
    if (wanted === null) {
      metrics.add(Metric.calls_forbidden);
      failed(refusal?.code ?? "", refusal?.message ?? "");
      if (asked.isByHandle) this.#general?.tellStale(from, asked.fn);
    } else if ("code" in wanted) failed(wanted.code, wanted.message);
    else if (session !== null) middleware.cast(session, wanted, failed);
    return true;
  }

  /** A handle that was guessed finds nothing, as one that is stale: neither the function nor its name is given away. */
  #refusal(
    from: Connection,
    { fn, missing, isByHandle }: AskedRecord,
  ): { code: string; message: string } | null {
    const { access, functions } = this.#o;
    const verdict =
      fn === 0
        ? access.verdictOfMissing(from.index, missing.namespace, missing.id)
        : access.verdict(from.index, fn);
    if (verdict === Verdict.Allowed) return null;
    if (isByHandle) return { code: ErrorCode.FunctionNotFound, message: staleMessage(fn) };
    const id = fn === 0 ? missing.id : functions.names.id(fn & INDEX_MASK);
    return { code: ErrorCode.Forbidden, message: forbiddenMessage(id, verdict) };
  }

  /** The session whose middleware takes the call; null: none does. A stale handle is nobody's. */
  #interceptor(from: Connection, { fn, missing }: AskedRecord): Session | null {
    const { access, functions } = this.#o;
    const session = access.sessionOf(from.index);
    if (session === null || session.policy.middlewareId === null) return null;
    const index = fn === 0 ? 0 : functions.slots.indexOf(fn);
    if (fn !== 0 && index === 0) return null;
    const id = index === 0 ? missing.id : functions.names.id(index);
    const isEngines = id.startsWith("engine::") && (index === 0 || functions.isBuiltin(index));
    return isEngines ? null : session;
  }

  #wanted(asked: AskedRecord, actionJson: string) {
    const { crossing, functions } = this.#o;
    const { fn, missing, frame, contextStart, contextEnd, payloadStart, payloadEnd } = asked;
    const payloadJson = crossing.payloadJson(frame, payloadStart, payloadEnd);
    if (typeof payloadJson !== "string") return payloadJson;
    const context = contextStart < 0 ? {} : readContext(frame.subarray(contextStart, contextEnd));
    if (context === undefined)
      return { code: ErrorCode.InvalidRecord, message: "context must hold a msgpack map" };
    const { metadata } = context;
    const metadataJson =
      metadata === undefined ? undefined : crossing.payloadJson(metadata, 0, metadata.length);
    if (typeof metadataJson === "object") return metadataJson;
    const { names } = functions;
    return {
      functionId: fn === 0 ? missing.id : names.id(fn & INDEX_MASK),
      namespace: fn === 0 ? missing.namespace : names.namespace(fn & INDEX_MASK),
      fn,
      payloadJson,
      actionJson,
      metadataJson,
    };
  }
}

/** The sentence for a handle that nobody serves, as far as whoever asks may know. */
export function staleMessage(fn: number): string {
  return `The function handle 0x${(fn >>> 0).toString(16)} is stale or never was; resolve the name again`;
}
