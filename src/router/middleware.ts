// A listener's middleware: one function that takes the place of whatever its sessions call. It gets what was asked for, and its answer, or its
// error, is the answer of the call. The target itself is not called by the engine.

import type { Session } from "../access/session.js";
import { INDEX_MASK } from "../registry/slots.js";
import type { Connection } from "../transport/connection.js";
import { type Calls, ENGINE } from "./calls.js";
import type { EnginePeer } from "./engine-peer.js";
import { Refusal } from "./refusal.js";

/** A call as middleware sees it. JSON texts are relayed as they were spelled. */
export interface Intercepted {
  functionId: string;
  /** Where the target was to be looked up; the middleware is looked up there too. */
  namespace: string;
  /** Handle of the target, 0 when nobody has registered it. */
  fn: number;
  payloadJson: string;
  /** The invoke's action as JSON text; "null" for a plain call. */
  actionJson: string;
  /** Undefined: none. */
  metadataJson: string | undefined;
}

export class Middleware {
  readonly #calls: Calls;
  readonly #engine: EnginePeer;

  constructor(calls: Calls, engine: EnginePeer) {
    this.#calls = calls;
    this.#engine = engine;
  }

  /** Calls it for somebody who waits under `call`. Returns the slot for what the answer needs to remember; 0 = the caller has too many open. */
  call(from: Connection, call: number, session: Session, wanted: Intercepted, askedMs: number): number {
    const timeoutMs = this.#calls.timeoutMs(wanted.fn, askedMs);
    if (this.#calls.isMemoryNear) return this.#calls.refuse(Refusal.Memory);
    const ticket = this.#calls.enter(from.index, call, ENGINE, wanted.fn, timeoutMs, 0);
    if (ticket !== 0) this.#engine.settleLater(ticket, this.#ask(session, wanted, timeoutMs));
    return ticket & INDEX_MASK;
  }

  /** Calls it for somebody who does not wait. `failed` hears of a failure. */
  cast(session: Session, wanted: Intercepted, failed: (code: string, message: string) => void): void {
    this.#ask(session, wanted, this.#calls.timeoutMs(wanted.fn, 0)).catch((cause: unknown) => {
      const { code, message } = this.#engine.coded(cause);
      failed(code, message);
    });
  }

  async #ask(session: Session, wanted: Intercepted, timeoutMs: number): Promise<string | null> {
    const { middlewareId } = session.policy;
    if (middlewareId === null) throw new Error("a session without middleware");
    const input =
      `{"function_id":${JSON.stringify(wanted.functionId)},"payload":${wanted.payloadJson},"action":${wanted.actionJson},` +
      `"context":${JSON.stringify(session.rights.context)},"namespace":${JSON.stringify(wanted.namespace)}}`;
    return await this.#engine.call(wanted.namespace, middlewareId, input, timeoutMs, wanted.metadataJson);
  }
}
