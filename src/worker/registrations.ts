// The functions this worker offers, and what the engine has said about each.
//
// Registrations made in one turn go in one record; a new connection registers the whole set in one record that
// replaces what the engine may still hold from the old one. The engine takes a record whole or not at all, so
// when a record of several is refused each is asked for alone: one wrong entry does not keep out the others.

import { PayloadError, type WorkerError } from "./errors.js";
import { Kind } from "./kind.js";
import type { Concurrency, Handler, Share } from "./options.js";
import type { RecordWriter } from "./record-writer.js";
import type { Check } from "./schema.js";

/** `pending` until the engine has answered, and again after a lost connection. */
export type RegistrationState = "pending" | "serving" | "standby" | "draining" | "refused" | "unregistered";

/** As `registered` numbers them. */
const STATES = ["serving", "standby", "draining"] as const;

/** What is known of one function of this worker. */
export interface FunctionEntry {
  readonly id: string;
  readonly handler: Handler<never, unknown>;
  readonly description: string | undefined;
  readonly requestFormat: unknown;
  readonly responseFormat: unknown;
  readonly metadata: unknown;
  readonly share: Share | undefined;
  readonly concurrency: Concurrency;
  readonly checkRequest: Check | undefined;
  readonly checkResponse: Check | undefined;
}

/** A function that was registered; what `worker.register` returns. */
export class Registration {
  readonly entry: FunctionEntry;
  state: RegistrationState = "pending";
  /** Handlers of it that have not settled. */
  running = 0;
  #refusal: WorkerError | undefined;
  #waiting: { resolve: (state: RegistrationState) => void; reject: (error: WorkerError) => void }[] = [];

  constructor(entry: FunctionEntry) {
    this.entry = entry;
  }

  get id(): string {
    return this.entry.id;
  }

  /**
   * Resolves with "serving" or "standby" (or "draining", of a worker that takes no more calls) once the engine has answered; rejects with the code it refused with.
   * Nobody is told when a standby takes over: calls begin to come.
   */
  ready(): Promise<RegistrationState> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    if (this.state !== "pending") return Promise.resolve(this.state);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** The engine, or the end of the worker, has decided. */
  settle(state: Exclude<RegistrationState, "pending">, refusal?: WorkerError): void {
    this.state = state;
    this.#refusal = refusal;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { resolve, reject } of waiting) refusal === undefined ? resolve(state) : reject(refusal);
  }
}

const MODE_ADD = 0;
const MODE_REPLACE = 1;

export class Registrations {
  readonly #all = new Map<string, Registration>();
  readonly #byHandle = new Map<number, Registration>();
  readonly #asked = new Map<number, readonly Registration[]>();
  readonly #leaving = new Map<number, readonly string[]>();
  readonly #refused: (error: WorkerError, ids: readonly string[]) => void;
  #added: Registration[] = [];
  #removed: string[] = [];
  #request = 0;

  /** `refused` is told of what will not be registered, and why. */
  constructor(refused: (error: WorkerError, ids: readonly string[]) => void) {
    this.#refused = refused;
  }

  /** Something waits to be written; it must stand before any call in the same frame. */
  get unsent(): boolean {
    return this.#added.length > 0 || this.#removed.length > 0;
  }

  /** The one to serve a call with that handle. */
  serving(handle: number): Registration | undefined {
    return this.#byHandle.get(handle);
  }

  /** How many handlers of these functions have not settled. */
  runningOf(ids: readonly string[]): number {
    return ids.reduce((sum, id) => sum + (this.#all.get(id)?.running ?? 0), 0);
  }

  add(entry: FunctionEntry): Registration {
    const registration = new Registration(entry);
    this.#all.get(entry.id)?.settle("unregistered");
    this.#all.set(entry.id, registration);
    this.#added = this.#added.filter(({ id }) => id !== entry.id);
    this.#added.push(registration);
    this.#removed = this.#removed.filter((id) => id !== entry.id);
    return registration;
  }

  /** False when it is not registered. */
  remove(id: string): boolean {
    const registration = this.#all.get(id);
    if (registration === undefined) return false;
    this.#all.delete(id);
    registration.settle("unregistered");
    this.#added = this.#added.filter((added) => added !== registration);
    this.#removed.push(id);
    return true;
  }

  /** Writes what was added and removed since the last time. */
  write(writer: RecordWriter): void {
    const added = this.#added;
    const removed = this.#removed;
    this.#added = [];
    this.#removed = [];
    if (removed.length > 0) this.#writeUnregister(writer, removed);
    if (added.length > 0) this.#writeRegister(writer, MODE_ADD, added);
  }

  /** Writes the whole set, for a new connection. */
  writeAll(writer: RecordWriter): void {
    this.#added = [];
    this.#removed = [];
    this.#writeRegister(writer, MODE_REPLACE, [...this.#all.values()]);
  }

  /** Offers nothing any more; calls that are on their way still find their handlers. Returns the request's number. */
  writeNone(writer: RecordWriter): number {
    this.#added = [];
    this.#removed = [];
    writer.control([Kind.Register, ++this.#request, MODE_REPLACE, []]);
    return this.#request;
  }

  /** The connection is gone: handles mean nothing, and every function awaits the engine's word again. */
  disconnect(): void {
    this.#byHandle.clear();
    this.#asked.clear();
    this.#leaving.clear();
    for (const registration of this.#all.values()) registration.state = "pending";
  }

  /** No connection will come any more. */
  end(error: WorkerError): void {
    for (const registration of this.#all.values()) {
      if (registration.state === "pending") registration.settle("refused", error);
      else registration.settle("unregistered");
    }
    this.#all.clear();
  }

  onRegistered(request: number, handles: Uint8Array, states: Uint8Array): void {
    const registrations = this.#asked.get(request) ?? [];
    this.#asked.delete(request);
    const view = new DataView(handles.buffer, handles.byteOffset, handles.byteLength);
    for (const [index, registration] of registrations.entries()) {
      if (index * 4 + 4 > handles.length) break;
      this.#byHandle.set(view.getUint32(index * 4), registration);
      if (registration.state === "pending") registration.settle(STATES[states[index] ?? 0] ?? "serving");
    }
  }

  onUnregistered(request: number): void {
    for (const id of this.#leaving.get(request) ?? []) {
      if (this.#all.has(id)) continue; // registered again since
      for (const [handle, { id: served }] of this.#byHandle) if (served === id) this.#byHandle.delete(handle);
    }
    this.#leaving.delete(request);
  }

  /** False when the request was no registration. One of several functions is asked for again, each alone. */
  onRefused(request: number, error: WorkerError, writer: RecordWriter): boolean {
    const registrations = this.#asked.get(request);
    if (registrations === undefined) return false;
    this.#asked.delete(request);
    if (registrations.length === 1) this.#refuse(registrations, error);
    else for (const registration of registrations) this.#writeRegister(writer, MODE_ADD, [registration]);
    return true;
  }

  #refuse(registrations: readonly Registration[], error: WorkerError): void {
    for (const registration of registrations) {
      registration.settle("refused", error);
      if (this.#all.get(registration.id) === registration) this.#all.delete(registration.id);
    }
    const ids = registrations.map(({ id }) => id);
    this.#refused(error, ids);
  }

  #writeRegister(writer: RecordWriter, mode: number, registrations: readonly Registration[]): void {
    const request = ++this.#request;
    try {
      writer.control([Kind.Register, request, mode, registrations.map(({ entry }) => elementsOf(entry))]);
      this.#asked.set(request, registrations);
    } catch (error) {
      if (!(error instanceof PayloadError)) throw error;
      this.#writeInParts(writer, mode, registrations, error);
    }
  }

  /** The record was larger than a frame may be, or one entry's metadata cannot be sent: by halves, until it is alone. */
  #writeInParts(
    writer: RecordWriter,
    mode: number,
    registrations: readonly Registration[],
    error: PayloadError,
  ): void {
    if (registrations.length < 2) {
      if (mode === MODE_REPLACE) this.#writeRegister(writer, mode, []);
      return this.#refuse(registrations, error);
    }
    const half = registrations.length >> 1;
    this.#writeRegister(writer, mode, registrations.slice(0, half));
    this.#writeRegister(writer, MODE_ADD, registrations.slice(half));
  }

  #writeUnregister(writer: RecordWriter, ids: readonly string[]): void {
    const request = ++this.#request;
    this.#leaving.set(request, ids);
    writer.control([Kind.Unregister, request, ids]);
  }
}

function elementsOf(entry: FunctionEntry): readonly unknown[] {
  const { id, description, requestFormat, responseFormat, metadata, share } = entry;
  const { concurrency, queueCalls, queueMs } = entry.concurrency;
  const elements = [id, description, requestFormat, responseFormat, metadata, share];
  return concurrency === undefined ? elements : [...elements, concurrency, queueCalls, queueMs];
}
