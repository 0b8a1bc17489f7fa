// What this worker watches of the registry: all there is once, then every change; after a reconnect what changed meanwhile.

import type { Connection } from "./connection.js";
import { type ControlPart, FirstRequest } from "./control-part.js";
import type { WorkerError } from "./errors.js";
import { Kind } from "./kind.js";
import type { WorkerEvent } from "./options.js";

export interface WatchFilter {
  /** Only what lives there; default: everywhere. */
  namespace?: string;
  /** Only functions and trigger types whose id begins so, triggers of such functions, workers of such a name. */
  prefix?: string;
}

/** A thing of the registry as it is now; without `row` it is gone. */
export type RegistryChange =
  | {
      what: "function";
      namespace: string;
      id: string;
      row?: { workerName: string; description: string | undefined };
    }
  | {
      what: "worker";
      id: string;
      row?: { namespace: string; name: string | undefined; runtime: string | undefined };
    }
  | {
      what: "trigger_type";
      namespace: string;
      id: string;
      row?: { workerName: string; description: string | undefined };
    }
  | {
      what: "trigger";
      id: string;
      row?: {
        namespace: string;
        functionId: string;
        type: string;
        state: "active" | "parked" | "rejected";
        reason: string | undefined;
      };
    };

export interface RegistryUpdate {
  /** The engine's number for this state of the registry. */
  readonly revision: number;
  /** `changes` is all there is: what was known before and is not among it is gone. */
  readonly isWhole: boolean;
  readonly changes: readonly RegistryChange[];
}

/** One watch; what `worker.watch` returns. */
export class Watch {
  readonly filter: WatchFilter;
  /** Told of every update, in order. */
  readonly listener: (update: RegistryUpdate) => void;
  feed = -1;
  epoch: string | undefined;
  revision: number | undefined;
  readonly #end: (watch: Watch) => void;

  constructor(filter: WatchFilter, listener: (update: RegistryUpdate) => void, end: (watch: Watch) => void) {
    this.filter = filter;
    this.listener = listener;
    this.#end = end;
  }

  /** Watches no more. */
  close(): void {
    this.#end(this);
  }
}

export class Watches implements ControlPart {
  readonly #all = new Set<Watch>();
  readonly #asked = new Map<number, Watch>();
  #waiting: Watch[] = [];
  #left: number[] = [];
  #request: number = FirstRequest.watches;
  readonly #onEvent: (event: WorkerEvent) => void;
  readonly #touch: () => void;

  /** `touch`: something waits to be written. */
  constructor(onEvent: (event: WorkerEvent) => void, touch: () => void) {
    this.#onEvent = onEvent;
    this.#touch = touch;
  }

  get unsent(): boolean {
    return this.#waiting.length > 0 || this.#left.length > 0;
  }

  add(filter: WatchFilter, listener: (update: RegistryUpdate) => void): Watch {
    const watch = new Watch(filter, listener, (ended) => this.#remove(ended));
    this.#all.add(watch);
    this.#ask(watch);
    return watch;
  }

  write(connection: Connection): void {
    const waiting = this.#waiting;
    const left = this.#left;
    this.#waiting = [];
    this.#left = [];
    for (const feed of left) connection.writer.control([Kind.Unwatch, this.#request++, feed]);
    for (const watch of waiting) this.#write(connection, watch);
  }

  writeAll(connection: Connection): void {
    this.#waiting = [];
    this.#left = [];
    for (const watch of this.#all) this.#write(connection, watch);
  }

  onRecord([kind, ...elements]: readonly unknown[]): boolean {
    if (kind === Kind.Watching) this.#watching(elements);
    else if (kind === Kind.Changes) this.#changes(elements);
    else return false;
    return true;
  }

  onRefused(request: number, error: WorkerError): boolean {
    const watch = this.#asked.get(request);
    if (watch === undefined) return false;
    this.#asked.delete(request);
    this.#all.delete(watch);
    const { code, message } = error;
    this.#onEvent({ type: "refused", code, message, functions: [] });
    return true;
  }

  disconnect(): void {
    this.#asked.clear();
    for (const watch of this.#all) watch.feed = -1;
  }

  end(): void {
    this.#all.clear();
  }

  #ask(watch: Watch): void {
    if (!this.#waiting.includes(watch)) this.#waiting.push(watch);
    this.#touch();
  }

  #write(connection: Connection, watch: Watch): void {
    const request = this.#request++;
    this.#asked.set(request, watch);
    const { filter, epoch, revision } = watch;
    connection.writer.control([Kind.Watch, request, { ...filter, epoch, revision }]);
  }

  /** Several watches may share a feed; the engine hears of the end of the last one. */
  #remove(watch: Watch): void {
    if (!this.#all.delete(watch)) return;
    this.#waiting = this.#waiting.filter((one) => one !== watch);
    const isShared = [...this.#all].some(({ feed }) => feed === watch.feed);
    if (watch.feed < 0 || isShared) return;
    this.#left.push(watch.feed);
    this.#touch();
  }

  #watching([request, feed, epoch, revision, isWhole, changes]: readonly unknown[]): void {
    const watch = this.#asked.get(Number(request)); // stays: the answer may come in several records
    if (watch === undefined || !this.#all.has(watch)) return;
    watch.feed = Number(feed);
    watch.epoch = String(epoch);
    watch.revision = Number(revision);
    tell(watch, isWhole === true, changes);
  }

  #changes([feed, from, revision, changes]: readonly unknown[]): void {
    for (const watch of this.#all) {
      if (watch.feed !== feed || watch.revision === undefined) continue;
      if (Number(from) > watch.revision)
        this.#ask(watch); // a record was missed
      else if (Number(revision) > watch.revision) {
        watch.revision = Number(revision);
        tell(watch, false, changes);
      }
    }
  }
}

function tell(watch: Watch, isWhole: boolean, changes: unknown): void {
  const list = Array.isArray(changes) ? changes : [];
  if (!isWhole && list.length === 0) return;
  watch.listener({ revision: watch.revision ?? 0, isWhole, changes: list.flatMap(changeOf) });
}

const STATES = ["active", "parked", "rejected"] as const;

/** A change as the wire has it, `[what, key, row]`; nothing for a thing that this version does not know. */
function changeOf(element: unknown): RegistryChange[] {
  const [what, key, row] = Array.isArray(element) ? (element as unknown[]) : []; // its elements are looked at below
  const [namespace, id] = Array.isArray(key) ? key.map(String) : ["", String(key)];
  const values = Array.isArray(row) ? (row as unknown[]) : undefined; // as above
  const text = (at: number): string => String(values?.[at] ?? "");
  const optional = (at: number): string | undefined => (values?.[at] === null ? undefined : text(at));
  switch (what) {
    case "function":
    case "trigger_type": {
      const change = { what, namespace: namespace ?? "", id: id ?? "" } as const;
      return [
        values === undefined ? change : { ...change, row: { workerName: text(0), description: optional(1) } },
      ];
    }
    case "worker":
      return [
        values === undefined
          ? { what, id: id ?? "" }
          : { what, id: id ?? "", row: { namespace: text(0), name: optional(1), runtime: optional(2) } },
      ];
    case "trigger": {
      if (values === undefined) return [{ what, id: id ?? "" }];
      const state = STATES[Number(values[3])] ?? "parked";
      const [at, functionId, type] = [text(0), text(1), text(2)];
      return [{ what, id: id ?? "", row: { namespace: at, functionId, type, state, reason: optional(4) } }];
    }
    default:
      return [];
  }
}
