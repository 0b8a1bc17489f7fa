// The owner's half: one trigger that this worker wants, and what has become of it.

import { WorkerError } from "./errors.js";
import { randomUuid } from "./uuid.js";

/** `pending` until the engine has answered, and again after a lost connection. */
export type TriggerState = "pending" | "active" | "parked" | "rejected" | "refused" | "unregistered";

/** As the wire numbers them. */
const STATES: readonly TriggerState[] = ["active", "parked", "rejected", "unregistered"];

export interface TriggerOptions {
  /** What happens: the id of a trigger type. */
  type: string;
  /** The function to call then. */
  function: string;
  /** Where the function lives; default: the worker's own namespace (engine:: functions live in "default"). */
  namespace?: string;
  /** What the type's provider wants to know. */
  config?: unknown;
  /** Handed to the function with every call. */
  metadata?: unknown;
  /** Where the provider is looked up, and nowhere else; default: the worker's own namespace, then "default". */
  triggerNamespace?: string;
  /** Unique in the engine; default: a random UUID. */
  id?: string;
}

/** A trigger that was registered; what `worker.registerTrigger` returns. */
export class Trigger {
  readonly id: string;
  readonly options: TriggerOptions;
  state: TriggerState = "pending";
  /** Why it is parked: `no_provider`, `provider_left`, `provider_unreachable`. */
  reason: string | undefined;
  /** Why it was rejected (by its provider) or refused (by the engine). */
  error: WorkerError | undefined;
  #waiting: { resolve: (state: TriggerState) => void; reject: (error: WorkerError) => void }[] = [];

  constructor(options: TriggerOptions) {
    this.id = options.id ?? randomUuid();
    this.options = options;
  }

  /** Resolves with "active" or "parked" once the engine has answered; rejects with the code it was rejected or refused with. A provider may still object later: see `state`. */
  ready(): Promise<TriggerState> {
    if (this.state === "pending")
      return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    return this.error === undefined ? Promise.resolve(this.state) : Promise.reject(this.error);
  }

  /** Elements of its record behind the request. */
  get elements(): readonly unknown[] {
    const { type, namespace, config, metadata, triggerNamespace } = this.options;
    const target = namespace === undefined ? this.options.function : [namespace, this.options.function];
    return [this.id, type, target, config, metadata, triggerNamespace];
  }

  /** What the engine says: `[state, reason, code, message]`. */
  told([state, reason, code, message]: readonly unknown[]): void {
    const name = STATES[Number(state)] ?? "pending";
    const error = typeof code === "string" ? new WorkerError(code, String(message ?? "")) : undefined;
    this.settle(name, error, typeof reason === "string" ? reason : undefined);
  }

  settle(state: TriggerState, error?: WorkerError, reason?: string): void {
    this.state = state;
    this.reason = reason;
    this.error = error;
    if (state === "pending") return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve, reject } of waiting) error === undefined ? resolve(state) : reject(error);
  }
}
