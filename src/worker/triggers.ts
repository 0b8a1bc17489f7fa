// Trigger types and triggers of this worker, and what the engine says of them. Everything is registered anew on every connection.

import type { Connection } from "./connection.js";
import { type ControlPart, FirstRequest } from "./control-part.js";
import { PayloadError, type WorkerError } from "./errors.js";
import { Kind } from "./kind.js";
import type { WorkerEvent } from "./options.js";
import { Trigger, type TriggerOptions } from "./trigger.js";
import { answerUnknown, type ProvidedType } from "./trigger-types.js";

export class Triggers implements ControlPart {
  readonly #types = new Map<string, ProvidedType>();
  readonly #wanted = new Map<string, Trigger>();
  /** Requests that await their answer. */
  readonly #asked = new Map<number, ProvidedType | Trigger>();
  /** Records that wait to be written, and for whom. */
  #waiting: { elements: readonly unknown[]; about: ProvidedType | Trigger | undefined; kind: number }[] = [];
  #request: number = FirstRequest.triggers;
  readonly #onEvent: (event: WorkerEvent) => void;

  constructor(onEvent: (event: WorkerEvent) => void) {
    this.#onEvent = onEvent;
  }

  get unsent(): boolean {
    return this.#waiting.length > 0;
  }

  provide(type: ProvidedType): void {
    this.#types.get(type.id)?.endAll();
    this.#types.set(type.id, type);
    this.#waiting.push({ kind: Kind.TriggerType, elements: [[type.elements]], about: type });
  }

  /** False when it was not provided. */
  withdraw(id: string): boolean {
    const type = this.#types.get(id);
    if (type === undefined) return false;
    this.#types.delete(id);
    type.endAll();
    const [, , , , namespace] = type.elements;
    const name = typeof namespace === "string" ? [namespace, id] : id;
    this.#waiting.push({ kind: Kind.TriggerTypeEnd, elements: [[name]], about: undefined });
    return true;
  }

  want(options: TriggerOptions): Trigger {
    const trigger = new Trigger(options);
    this.#wanted.get(trigger.id)?.settle("unregistered");
    this.#wanted.set(trigger.id, trigger);
    this.#waiting.push({ kind: Kind.Trigger, elements: trigger.elements, about: trigger });
    return trigger;
  }

  /** False when it is not registered. */
  unwant(id: string): boolean {
    const trigger = this.#wanted.get(id);
    if (trigger === undefined) return false;
    this.#wanted.delete(id);
    trigger.settle("unregistered");
    this.#waiting.push({ kind: Kind.TriggerEnd, elements: [id], about: undefined });
    return true;
  }

  write(connection: Connection): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { kind, elements, about } of waiting) this.#write(connection, kind, elements, about);
  }

  writeAll(connection: Connection): void {
    this.#waiting = [];
    for (const type of this.#types.values()) {
      type.renew();
      this.#write(connection, Kind.TriggerType, [[type.elements]], type);
    }
    for (const trigger of this.#wanted.values())
      this.#write(connection, Kind.Trigger, trigger.elements, trigger);
  }

  onRecord([kind, ...elements]: readonly unknown[], connection: Connection): boolean {
    switch (kind) {
      case Kind.TriggerType:
        this.#confirmed(Number(elements[0]));
        return true;
      case Kind.TriggerTypeEnd:
        return true;
      case Kind.Trigger:
        this.#given(elements.slice(1), connection);
        return true;
      case Kind.TriggerEnd:
        this.#types.get(String(elements[2]))?.end(String(elements[1]));
        return true;
      case Kind.TriggerState:
        this.#told(elements);
        return true;
      default:
        return false;
    }
  }

  onRefused(request: number, error: WorkerError): boolean {
    const about = this.#asked.get(request);
    if (request < FirstRequest.triggers || request >= FirstRequest.watches) return false;
    this.#asked.delete(request);
    if (about instanceof Trigger) {
      if (this.#wanted.get(about.id) === about) this.#wanted.delete(about.id);
      about.settle("refused", error);
    } else if (about !== undefined) {
      if (this.#types.get(about.id) === about) this.#types.delete(about.id);
      about.refused(error);
    }
    const { code, message } = error;
    if (about !== undefined) this.#onEvent({ type: "refused", code, message, functions: [] });
    return true;
  }

  disconnect(): void {
    this.#asked.clear();
    for (const trigger of this.#wanted.values()) trigger.settle("pending");
  }

  end(error: WorkerError): void {
    for (const trigger of this.#wanted.values())
      trigger.state === "pending" ? trigger.settle("refused", error) : trigger.settle("unregistered");
    for (const type of this.#types.values()) {
      type.refused(error); // a type that was confirmed stays so
      type.endAll();
    }
    this.#wanted.clear();
    this.#types.clear();
  }

  #write(
    connection: Connection,
    kind: number,
    elements: readonly unknown[],
    about: ProvidedType | Trigger | undefined,
  ): void {
    const request = this.#request++;
    if (this.#request === FirstRequest.watches) this.#request = FirstRequest.triggers;
    if (about !== undefined) this.#asked.set(request, about);
    try {
      connection.writer.control([kind, request, ...elements]);
    } catch (error) {
      if (!(error instanceof PayloadError)) throw error;
      this.onRefused(request, error); // a config that cannot be sent
    }
  }

  #confirmed(request: number): void {
    const type = this.#asked.get(request);
    this.#asked.delete(request);
    if (type !== undefined && !(type instanceof Trigger)) type.confirmed();
  }

  #given(elements: readonly unknown[], connection: Connection): void {
    const type = this.#types.get(String(elements[1]));
    if (type === undefined) answerUnknown(elements[0], elements[1], connection);
    else void type.give(elements, connection); // it answers whatever happens
  }

  #told([request, id, ...news]: readonly unknown[]): void {
    if (typeof request === "number") this.#asked.delete(request);
    const trigger = this.#wanted.get(String(id));
    if (trigger === undefined) return;
    trigger.told(news);
    const { state, reason, error } = trigger;
    if (request === null || state === "rejected")
      this.#onEvent({ type: "trigger_state", trigger: trigger.id, state, reason, error });
  }
}
