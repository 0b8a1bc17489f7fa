// The sessions of an engine: who is let in through which listener, and what each admitted connection may do.
//
// Whoever routes asks one typed array first, by connection: 0 = no session, everything is allowed, nothing else is looked at. Decisions about
// functions are remembered per session by handle; a handle never means another function, and decisions that looked at metadata are
// forgotten when the registry changes.

import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import { Metric, type Metrics } from "../metrics.js";
import { CloseCode, CodedError, ErrorCode } from "../protocol/error.js";
import { ADMISSIONS_MAX, HOOK_TIMEOUT_MS, SESSION_DECISIONS_MAX } from "../protocol/limits.js";
import { metadataOf } from "../registry/card.js";
import type { Functions } from "../registry/functions.js";
import { namespaceKey } from "../registry/names.js";
import type { Connection } from "../transport/connection.js";
import type { Guard, Server } from "../transport/server.js";
import type { UpgradeRequest } from "../transport/upgrade-request.js";
import { type Admitted, Authenticator } from "./authenticator.js";
import type { InsideCaller } from "./inside-caller.js";
import type { AccessOptions } from "./options.js";
import type { FunctionFacts } from "./rules.js";
import { INFRASTRUCTURE, Session, type SessionPolicy, Verdict } from "./session.js";
import { TokenBucket } from "./token-bucket.js";

export interface AccessContext {
  connectionsMax: number;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  server: Server;
  functions: Functions;
  engine: InsideCaller;
  /** Tells a connection in its own wire why it is not let in; the close follows. */
  refuse: (connection: Connection, code: ErrorCode, message: string) => void;
}

interface GuardedListener {
  policy: SessionPolicy;
  authenticator: Authenticator;
}

/** One admitted connection with what was decided about it so far. */
interface Entry {
  session: Session;
  /** Null: it may make any number of calls. */
  bucket: TokenBucket | null;
  verdicts: Map<number, Verdict>;
  /** The registry's revision of those verdicts, where it matters. */
  revision: number;
}

export class Access implements Guard {
  /** By connection: 0 = everything is allowed. Read on the forwarded path. */
  readonly restricted: Uint8Array;
  /** By connection: how many bytes of a function's id the worker does not know of (its prefix and `::`). Read on the forwarded path. */
  readonly prefixBytes: Uint16Array;
  readonly #context: AccessContext;
  readonly #listeners: (GuardedListener | undefined)[] = [];
  readonly #entries = new Map<number, Entry>();
  #deciding = 0;

  constructor(context: AccessContext, restricted: Uint8Array, prefixBytes: Uint16Array) {
    this.#context = context;
    this.restricted = restricted;
    this.prefixBytes = prefixBytes;
  }

  /** Sets the rules of a listener, by its position; before it is bound. */
  protect(listener: number, options: AccessOptions): void {
    const { engine, clock } = this.#context;
    this.#listeners[listener] = {
      policy: policyOf(options),
      authenticator: new Authenticator(options, engine, clock),
    };
  }

  /** Null: it may do everything. */
  sessionOf(connection: number): Session | null {
    return this.#entries.get(connection)?.session ?? null;
  }

  // The guard of the transport

  guards(listener: number): boolean {
    return this.#listeners[listener] !== undefined;
  }

  admit(connection: Connection, request: UpgradeRequest): void {
    this.#decide(connection.listener, request).then(
      (session) => this.#letIn(connection, session),
      (cause: unknown) => this.#refuse(connection, cause),
    );
  }

  async admitTelemetry(listener: number, request: UpgradeRequest): Promise<void> {
    await this.#decide(listener, request);
  }

  gone(connection: Connection): void {
    this.#entries.delete(connection.index);
    this.restricted[connection.index] = 0;
    this.prefixBytes[connection.index] = 0;
  }

  async #decide(listener: number, request: UpgradeRequest): Promise<Session> {
    const guarded = this.#listeners[listener];
    if (guarded === undefined) throw new Error(`listener ${listener} has no rules`);
    if (this.#deciding >= ADMISSIONS_MAX)
      throw new CodedError(ErrorCode.AuthError, `${ADMISSIONS_MAX} connections wait for a decision already`);
    this.#deciding++;
    try {
      return sessionFor(await guarded.authenticator.authenticate(request), guarded.policy);
    } finally {
      this.#deciding--;
    }
  }

  #letIn(connection: Connection, session: Session): void {
    if (!connection.isOpen || connection.isEnding) return;
    const rate = session.rights.rate ?? session.policy.rate;
    const bucket = rate === null ? null : new TokenBucket(rate, this.#context.clock.monotonicMs());
    this.#entries.set(connection.index, { session, bucket, verdicts: new Map(), revision: 0 });
    this.restricted[connection.index] = 1;
    const { prefix } = session.rights;
    this.prefixBytes[connection.index] = prefix === null ? 0 : Buffer.byteLength(`${prefix}::`);
    this.#context.metrics.add(Metric.sessions_admitted);
    this.#context.server.letIn(connection);
  }

  #refuse(connection: Connection, cause: unknown): void {
    const { metrics, log, server, refuse } = this.#context;
    metrics.add(Metric.sessions_refused);
    const message = cause instanceof CodedError ? cause.message : "Access cannot be decided";
    log.warn({ address: connection.address, message }, "connection refused");
    if (connection.isOpen) {
      refuse(connection, ErrorCode.AuthError, message);
      server.end(connection, CloseCode.Unauthorized, ErrorCode.AuthError);
    }
    if (!(cause instanceof CodedError)) throw cause; // our own mistake: refused, and told loudly
  }

  // Decisions

  /** Whether a call of a handle may take the short way: allowed, and nothing stands between. */
  passes(connection: number, fn: number): boolean {
    const entry = this.#entries.get(connection);
    if (entry === undefined) return true;
    if (entry.bucket !== null) return false;
    return entry.session.policy.middlewareId === null && this.#verdict(entry, fn) === Verdict.Allowed;
  }

  /**
   * Counts a call of a function (by index, 0 = of none that there is) that a session makes: 0, or the milliseconds after which it may make one. What every
   * SDK calls by itself is free.
   */
  takeToken(connection: number, index: number): number {
    const bucket = this.#entries.get(connection)?.bucket ?? null;
    if (bucket === null) return 0;
    if (index !== 0 && INFRASTRUCTURE.has(this.#context.functions.names.id(index))) return 0;
    const waitMs = bucket.take(this.#context.clock.monotonicMs());
    if (waitMs > 0) this.#context.metrics.add(Metric.calls_rate_limited);
    return waitMs;
  }

  /** What is decided about a function that is registered. */
  verdict(connection: number, fn: number): Verdict {
    const entry = this.#entries.get(connection);
    return entry === undefined ? Verdict.Allowed : this.#verdict(entry, fn);
  }

  /** Whether a connection may call a function that is registered. */
  mayCall(connection: number, fn: number): boolean {
    return this.verdict(connection, fn) === Verdict.Allowed;
  }

  /** What is decided about a name that nobody has registered. */
  verdictOfMissing(connection: number, namespace: string, id: string): Verdict {
    const session = this.sessionOf(connection);
    return session === null ? Verdict.Allowed : session.decide({ namespace, id, metadata: () => undefined });
  }

  /** What is decided about a name, registered or not. */
  verdictOfName(connection: number, namespace: string, id: string): Verdict {
    const { names, slots } = this.#context.functions;
    const bytes = Buffer.from(id, "utf8");
    const index = names.find(namespaceKey(namespace), bytes, 0, bytes.length);
    return index === 0
      ? this.verdictOfMissing(connection, namespace, id)
      : this.verdict(connection, slots.handleOf(index));
  }

  /** A registered function in the eyes of rules, by index. */
  facts(index: number): FunctionFacts {
    const { names, offers } = this.#context.functions;
    return {
      namespace: names.namespace(index),
      id: names.id(index),
      metadata: () => metadataOf(offers.card(this.#context.functions.servingOffer(index))),
    };
  }

  #verdict(entry: Entry, fn: number): Verdict {
    const { functions } = this.#context;
    if (entry.session.looksAtMetadata && entry.revision !== functions.revision) {
      entry.verdicts.clear();
      entry.revision = functions.revision;
    }
    const known = entry.verdicts.get(fn);
    if (known !== undefined) return known;
    const index = functions.slots.indexOf(fn);
    if (index === 0) return Verdict.Allowed; // a stale handle: there is nothing to call, and that is the answer
    const verdict = entry.session.decide(this.facts(index));
    if (entry.verdicts.size >= SESSION_DECISIONS_MAX) entry.verdicts.clear();
    entry.verdicts.set(fn, verdict);
    return verdict;
  }
}

function sessionFor({ rights, subject }: Admitted, policy: SessionPolicy): Session {
  return new Session(rights, policy, subject);
}

/** With tokens, certificates or an `rbac` block nothing is exposed to everybody but what it says; with a middleware alone, everything. */
function policyOf(options: AccessOptions): SessionPolicy {
  const { rbac, tokens, jwt, certificates } = options;
  const asksWho = tokens !== undefined || jwt !== undefined || certificates !== undefined;
  return {
    exposed: rbac?.exposeFunctions ?? (asksWho ? [] : null),
    middlewareId: options.middlewareFunctionId ?? null,
    functionHook: rbac?.onFunctionRegistrationFunctionId ?? null,
    triggerHook: rbac?.onTriggerRegistrationFunctionId ?? null,
    triggerTypeHook: rbac?.onTriggerTypeRegistrationFunctionId ?? null,
    hookTimeoutMs: options.hookTimeoutMs ?? HOOK_TIMEOUT_MS,
    rate: options.rate ?? null,
  };
}
