// The functions this worker has called, by namespace and id, with the handle the engine gave for each.
//
// A call to a function without a handle goes out under its name, with a request to resolve the name
// beside it in the same frame, so the first call is no slower than it must be. Handles belong to one
// connection: an engine that was restarted gives the same numbers to other functions.

import type { FunctionRef } from "./record-writer.js";

export class RemoteFunction {
  readonly id: string;
  /** Undefined: the worker's own namespace. */
  readonly namespace: string | undefined;
  /** 0: not known. */
  handle = 0;
  /** A request for the handle is under way. */
  resolving = false;

  constructor(namespace: string | undefined, id: string) {
    this.namespace = namespace;
    this.id = id;
  }

  get name(): FunctionRef {
    return this.namespace === undefined ? this.id : [this.namespace, this.id];
  }
}

export class RemoteFunctions {
  readonly #own = new Map<string, RemoteFunction>();
  readonly #foreign = new Map<string, Map<string, RemoteFunction>>();

  get(namespace: string | undefined, id: string): RemoteFunction {
    const byId = namespace === undefined ? this.#own : this.#namespace(namespace);
    const known = byId.get(id);
    if (known !== undefined) return known;
    const added = new RemoteFunction(namespace, id);
    byId.set(id, added);
    return added;
  }

  /** Forgets a handle that serves nobody any more. */
  forget(handle: number): void {
    for (const byId of [this.#own, ...this.#foreign.values()])
      for (const target of byId.values()) if (target.handle === handle) target.handle = 0;
  }

  /** Forgets every handle, and which were asked for. */
  disconnect(): void {
    for (const byId of [this.#own, ...this.#foreign.values()]) {
      for (const target of byId.values()) {
        target.handle = 0;
        target.resolving = false;
      }
    }
  }

  #namespace(namespace: string): Map<string, RemoteFunction> {
    const known = this.#foreign.get(namespace);
    if (known !== undefined) return known;
    const added = new Map<string, RemoteFunction>();
    this.#foreign.set(namespace, added);
    return added;
  }
}
