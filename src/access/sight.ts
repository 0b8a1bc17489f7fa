// What one worker may know of the registry: everything without a session; with one, the functions it may call, and what has to do with them.
//
// Listings, information and feeds all ask here, so that none of them tells what another keeps back.

import type { Functions } from "../registry/functions.js";
import { OfferState, OfferWord } from "../registry/offers.js";
import type { Triggers } from "../registry/triggers.js";
import type { Worker } from "../registry/workers.js";
import type { Access } from "./access.js";
import { Verdict } from "./session.js";

export class Sight {
  readonly #access: Access;
  readonly #functions: Functions;
  readonly #triggers: Triggers;

  constructor(access: Access, functions: Functions, triggers: Triggers) {
    this.#access = access;
    this.#functions = functions;
    this.#triggers = triggers;
  }

  /** By index: it may call it. */
  function(viewer: Worker, fn: number): boolean {
    return (
      viewer.session === null ||
      this.#access.mayCall(viewer.connection.index, this.#functions.slots.handleOf(fn))
    );
  }

  /** It may call the trigger's function, whether that is registered or not. */
  trigger(viewer: Worker, trigger: number): boolean {
    if (viewer.session === null) return true;
    const namespace = this.#triggers.namespace(trigger);
    const id = this.#triggers.functionId(trigger);
    return this.#access.verdictOfName(viewer.connection.index, namespace, id) === Verdict.Allowed;
  }

  /** It may bind triggers to the type. */
  type(viewer: Worker, id: string): boolean {
    return viewer.session === null || viewer.session.mayUseTriggerType(id);
  }

  /** It is that worker itself, or may call one of the functions that worker serves. */
  worker(viewer: Worker, worker: Worker): boolean {
    if (viewer.session === null || viewer === worker) return true;
    let isSeen = false;
    this.#functions.eachOf(worker.connection.index, (fn, offer) => {
      if (isSeen || this.#functions.offers.get(offer, OfferWord.state) !== OfferState.Serving) return;
      isSeen = this.function(viewer, fn);
    });
    return isSeen;
  }
}
