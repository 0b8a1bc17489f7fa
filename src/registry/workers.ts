// Who is here: one record per worker connection, the name leases, and the namespaces that are in use.

import { createHmac, randomBytes, randomUUID } from "node:crypto";
import type { Session } from "../access/session.js";
import { WORKER_TEXT_CHARS_MAX } from "../protocol/limits.js";
import type { Connection } from "../transport/connection.js";
import type { Concurrency } from "./concurrency.js";
import { DEFAULT_KEY, type NamespaceKey, namespaceKey } from "./names.js";

/** What a worker says of itself; every key null until said. */
export interface WorkerMetadata {
  name: string | null;
  description: string | null;
  version: string | null;
  runtime: string | null;
  os: string | null;
  isolation: string | null;
  pid: number | null;
}

/** Tokens are derived from ids with this, so that an idle worker keeps none. */
const TOKEN_KEY = randomBytes(32);

/** One worker connection. Most are idle most of the time: what can be made when it is asked for is not kept. */
export class Worker implements WorkerMetadata {
  readonly connection: Connection;
  /** The id that others see, a UUID v4. */
  readonly id: string = randomUUID();
  readonly connectedAtMs: number;
  /** What it may do; null: everything. */
  readonly session: Session | null;
  /** Where its functions live; `default` until it has said so. */
  namespace: NamespaceKey = DEFAULT_KEY;
  /** Its namespace is fixed: registrations are no longer held back. */
  isResolved = false;
  name: string | null = null;
  description: string | null = null;
  version: string | null = null;
  runtime: string | null = null;
  os: string | null = null;
  isolation: string | null = null;
  pid: number | null = null;
  /** How many calls it takes at once, where it said so itself. */
  concurrency: Concurrency | null = null;
  #idBytes: Uint8Array | null = null;

  constructor(connection: Connection, connectedAtMs: number, session: Session | null) {
    this.connection = connection;
    this.connectedAtMs = connectedAtMs;
    this.session = session;
  }

  /** The id as 36 ASCII bytes, for writing it into payloads: kept from the first call on. */
  get idBytes(): Uint8Array {
    this.#idBytes ??= Buffer.from(this.id, "latin1");
    return this.#idBytes;
  }

  /** Secret for coming back, in the shape of a UUID as SDKs expect it: 128 bits of an HMAC of the id under a key of this process. */
  get token(): string {
    const hex = createHmac("sha256", TOKEN_KEY).update(this.id).digest("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  }
}

/** Key of a lease: names are unique within a namespace. */
function leaseKey(namespace: string, name: string): string {
  return `${namespace}\0${name}`;
}

export class Workers {
  readonly #byConnection: (Worker | undefined)[] = [];
  readonly #byId = new Map<string, Worker>();
  readonly #leases = new Map<string, Worker>();
  readonly #namespaces = new Map<string, { key: NamespaceKey; workers: number }>();

  /** Enters a connection as a worker that has said nothing of itself yet. `session`: what it may do; null: everything. */
  add(connection: Connection, connectedAtMs: number, session: Session | null = null): Worker {
    const worker = new Worker(connection, connectedAtMs, session);
    this.#byConnection[connection.index] = worker;
    this.#byId.set(worker.id, worker);
    return worker;
  }

  remove(worker: Worker): void {
    this.#byConnection[worker.connection.index] = undefined;
    this.#byId.delete(worker.id);
    this.releaseName(worker);
    if (worker.isResolved) this.#leaveNamespace(worker.namespace);
  }

  get count(): number {
    return this.#byId.size;
  }

  of(connection: number): Worker | undefined {
    return this.#byConnection[connection];
  }

  byId(id: string): Worker | undefined {
    return this.#byId.get(id);
  }

  all(): IterableIterator<Worker> {
    return this.#byId.values();
  }

  /** The worker that holds a name, if any. */
  byName(namespace: string, name: string): Worker | undefined {
    return this.#leases.get(leaseKey(namespace, name));
  }

  /** Fixes the namespace of a worker, once. */
  resolve(worker: Worker, namespace: string): void {
    if (worker.isResolved) return;
    worker.namespace = this.#enterNamespace(namespace);
    worker.isResolved = true;
  }

  /** Takes the lease of a name in the worker's namespace, releasing one it had. Returns the holder when that is another living worker. */
  claimName(worker: Worker, name: string, namespace: string): Worker | undefined {
    const key = leaseKey(namespace, name);
    const holder = this.#leases.get(key);
    if (holder !== undefined && holder !== worker) return holder;
    this.releaseName(worker);
    worker.name = name;
    this.#leases.set(key, worker);
    return undefined;
  }

  releaseName(worker: Worker): void {
    if (worker.name === null) return;
    const key = leaseKey(worker.namespace.name, worker.name);
    if (this.#leases.get(key) === worker) this.#leases.delete(key);
  }

  /** The key of a namespace, as fast as possible for one that is in use. */
  namespace(name: string): NamespaceKey {
    return name === DEFAULT_KEY.name ? DEFAULT_KEY : (this.#namespaces.get(name)?.key ?? namespaceKey(name));
  }

  /** Names of all namespaces with a worker in them, `default` included. */
  namespaceNames(): string[] {
    return [DEFAULT_KEY.name, ...[...this.#namespaces.keys()].filter((name) => name !== DEFAULT_KEY.name)];
  }

  #enterNamespace(name: string): NamespaceKey {
    const entry = this.#namespaces.get(name) ?? { key: this.namespace(name), workers: 0 };
    entry.workers++;
    this.#namespaces.set(name, entry);
    return entry.key;
  }

  #leaveNamespace(key: NamespaceKey): void {
    const entry = this.#namespaces.get(key.name);
    if (entry !== undefined && --entry.workers === 0) this.#namespaces.delete(key.name);
  }
}

/** Control characters (C0, C1, DEL), bidirectional overrides and isolates, line and paragraph separators. */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u2028\u2029]/g;

/** A name or description as it is kept: without control characters, cut, trimmed; null when nothing is left. */
export function cleanText(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  const cut = Array.from(text.replace(UNPRINTABLE, "")).slice(0, WORKER_TEXT_CHARS_MAX).join("").trim();
  return cut === "" ? null : cut;
}

/** A namespace that is empty or blank is refused everywhere. */
export function isBlank(namespace: string): boolean {
  return namespace.trim() === "";
}
