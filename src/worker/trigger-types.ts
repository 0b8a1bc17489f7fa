// The provider's half: trigger types this worker provides, and the triggers it was given for them.
//
// A handler never sees an id registered twice: what is given anew is unregistered first. What is not given again after a reconnect has ended
// meanwhile and is unregistered then.

import type { Connection } from "./connection.js";
import { CallError, type WorkerError } from "./errors.js";
import { Kind } from "./kind.js";
import type { Calling, CallOptions, CastOptions } from "./options.js";
import type { JsonSchema, StandardSchema } from "./schema.js";

/** A trigger as its provider gets it. */
export interface ProvidedTrigger<Config = unknown> {
  readonly id: string;
  readonly type: string;
  readonly functionId: string;
  /** Where the function lives. */
  readonly namespace: string;
  /** What the provider's type wants to know; not checked here. */
  readonly config: Config;
  readonly metadata: unknown;
  /** Fires it: calls its function, with its metadata. */
  call<Result = unknown>(data?: unknown, options?: CallOptions): Promise<Result>;
  /** Fires it without waiting for an answer. */
  cast(data?: unknown, options?: CastOptions): boolean;
}

export interface TriggerTypeHandler<Config = unknown> {
  /** A trigger is wanted. A handler that throws (or rejects) refuses it: with the code of a CallError, else `trigger_registration_failed`. */
  register(trigger: ProvidedTrigger<Config>): void | Promise<void>;
  /** It is wanted no more, or is about to be registered anew. */
  unregister(trigger: ProvidedTrigger<Config>): void | Promise<void>;
}

export interface TriggerTypeOptions {
  description?: string;
  /** What the config of its triggers looks like; shown, not checked. */
  config?: StandardSchema<unknown, unknown> | JsonSchema;
  /** What its triggers' functions are called with; shown, not checked. */
  payload?: StandardSchema<unknown, unknown> | JsonSchema;
  /** Where it is provided; default: the worker's own namespace. */
  namespace?: string;
}

/** One type and what it has been given. */
export class ProvidedType {
  readonly id: string;
  /** Elements of its record: id, description, formats, namespace. */
  readonly elements: readonly unknown[];
  readonly #handler: TriggerTypeHandler<never>;
  readonly #calling: Calling;
  readonly #failed: (trigger: string, error: unknown) => void;
  readonly #given = new Map<string, ProvidedTrigger>();
  #before = new Set<string>();
  #settle: { resolve: () => void; reject: (error: WorkerError) => void } | undefined;
  readonly #ready: Promise<void>;

  constructor(
    elements: readonly unknown[],
    handler: TriggerTypeHandler<never>,
    calling: Calling,
    failed: (trigger: string, error: unknown) => void,
  ) {
    this.id = String(elements[0]);
    this.elements = elements;
    this.#handler = handler;
    this.#calling = calling;
    this.#failed = failed;
    this.#ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#ready.catch(() => undefined); // told through ready() to whoever asks, and by an event
  }

  /** Resolves once the engine knows the type; rejects with the code it refused with. */
  ready(): Promise<void> {
    return this.#ready;
  }

  /** The triggers it provides for now. */
  get triggers(): readonly ProvidedTrigger[] {
    return [...this.#given.values()];
  }

  /** It is being registered on a new connection: what the engine does not give again is over. */
  renew(): void {
    this.#before = new Set(this.#given.keys());
  }

  confirmed(): void {
    this.#settle?.resolve();
    for (const id of this.#before) this.end(id);
    this.#before.clear();
  }

  refused(error: WorkerError): void {
    this.#settle?.reject(error);
  }

  /** The engine gives a trigger: `[id, type, [namespace, function], config, metadata]`. */
  async give(elements: readonly unknown[], connection: Connection): Promise<void> {
    const trigger = this.#read(elements);
    this.#before.delete(trigger.id);
    this.end(trigger.id);
    this.#given.set(trigger.id, trigger);
    try {
      await (this.#handler as TriggerTypeHandler).register(trigger); // its config is what the type's author says it is
      answer(connection, [Kind.TriggerAnswer, trigger.id]);
    } catch (error) {
      if (this.#given.get(trigger.id) === trigger) this.#given.delete(trigger.id);
      answer(connection, [Kind.TriggerAnswer, trigger.id, codeOf(error), messageOf(error)]);
    }
  }

  /** A trigger is over. Its handler's failure is told by an event: there is nobody to answer to. */
  end(id: string): void {
    const trigger = this.#given.get(id);
    if (trigger === undefined) return;
    this.#given.delete(id);
    const unregister = async (): Promise<void> => (this.#handler as TriggerTypeHandler).unregister(trigger); // as above
    unregister().catch((error: unknown) => this.#failed(id, error));
  }

  endAll(): void {
    for (const id of [...this.#given.keys()]) this.end(id);
  }

  #read([id, type, target, config, metadata]: readonly unknown[]): ProvidedTrigger {
    const [namespace, functionId] = (Array.isArray(target) ? target : []).map(String);
    const calling = this.#calling;
    const options = { namespace: namespace ?? "default", ...(metadata === null ? {} : { metadata }) };
    return {
      id: String(id),
      type: String(type),
      functionId: functionId ?? "",
      namespace: options.namespace,
      config,
      metadata: metadata ?? undefined,
      call: (data, more) => calling.call(functionId ?? "", data, { ...options, ...more }),
      cast: (data, more) => calling.cast(functionId ?? "", data, { ...options, ...more }),
    };
  }
}

/** Answers a trigger that no type of this worker is for. */
export function answerUnknown(id: unknown, type: unknown, connection: Connection): void {
  answer(connection, [
    Kind.TriggerAnswer,
    id,
    "trigger_type_not_found",
    `This worker does not provide ${String(type)}`,
  ]);
}

function answer(connection: Connection, record: readonly unknown[]): void {
  if (!connection.isOpen) return; // the next connection gives the trigger again
  connection.writer.control(record);
  connection.written();
}

function codeOf(error: unknown): string {
  return error instanceof CallError ? error.code : "trigger_registration_failed";
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 1_000);
}
