// The registry's feed of one session: what the filter lets through and the session may see.
//
// Nobody shares it, so it keeps what it has shown: a thing that is gone, or hidden from here on, is told as gone to whoever was shown it, and to nobody
// else. Its revisions are its own, and cannot be resumed from by another connection: that one is shown everything anew.

import { randomUUID } from "node:crypto";
import type { Change } from "../registry/change-log.js";
import type { Worker } from "../registry/workers.js";
import type { Present, RegistryView } from "./registry-view.js";

/** `[what, key, row]` of PROTOCOL.md; row nil = it is gone. */
export type Element = readonly unknown[];

export interface Filter {
  namespace: string | null;
  prefix: string | null;
}

export class SessionFeed {
  readonly number: number;
  readonly filter: Filter;
  readonly epoch = randomUUID();
  revision = 0;
  readonly #viewer: Worker;
  readonly #view: RegistryView;
  /** What was shown; of a function, the worker that served it then. */
  readonly #shown = new Map<string, string | undefined>();

  constructor(number: number, filter: Filter, viewer: Worker, view: RegistryView) {
    this.number = number;
    this.filter = filter;
    this.#viewer = viewer;
    this.#view = view;
  }

  /** All there is for it, from here on known as shown. */
  whole(): Element[] {
    this.#shown.clear();
    this.revision++;
    return this.#view
      .all()
      .filter((one) => this.#isSeen(one))
      .map((one) => this.#show(one));
  }

  /** What changes bring into its sight, change there, or take out of it. */
  changes(changes: Iterable<Change>): Element[] {
    const told: Element[] = [];
    const workers = new Set<string>();
    const tell = (change: Change): void => {
      const element = this.#told(change);
      if (element !== undefined) told.push(element);
    };
    for (const change of changes) {
      const key = keyOf(change);
      const wasShown = this.#shown.has(key);
      const servedBefore = this.#shown.get(key);
      tell(change);
      if (change.what !== "function") continue;
      // a function that comes into sight, or leaves it, takes its triggers along, and perhaps its worker
      for (const id of [servedBefore, this.#shown.get(key)]) if (id !== undefined) workers.add(id);
      if (this.#viewer.session?.looksAtMetadata === true && wasShown !== this.#shown.has(key))
        this.#view.triggersOf(change).forEach(tell);
    }
    for (const id of workers) tell({ what: "worker", keyNamespace: "", id, namespace: "", text: "" });
    if (told.length > 0) this.revision++;
    return told;
  }

  #told(change: Change): Element | undefined {
    const now = this.#view.now(change);
    if (now !== undefined && this.#isSeen(now)) return this.#show(now);
    return this.#shown.delete(keyOf(change)) ? elementOf(change, undefined) : undefined;
  }

  #show(one: Present): Element {
    this.#shown.set(keyOf(one), one.what === "function" ? this.#view.serverOf(one) : undefined);
    return elementOf(one, one);
  }

  #isSeen(one: Present): boolean {
    return passes(one, this.filter) && this.#view.isSeen(this.#viewer, one);
  }
}

export function passes({ namespace, text }: Change, filter: Filter): boolean {
  return (
    (filter.namespace === null || namespace === filter.namespace) &&
    (filter.prefix === null || text.startsWith(filter.prefix))
  );
}

/** `[what, key, row]`; row nil = it is gone, or passes the filter no more. */
export function elementOf({ what, keyNamespace, id }: Change, now: Present | undefined): Element {
  const hasNamespace = what === "function" || what === "trigger_type";
  return [what, hasNamespace ? [keyNamespace, id] : id, now?.row ?? null];
}

function keyOf({ what, keyNamespace, id }: Change): string {
  return `${what}\0${keyNamespace}\0${id}`;
}
