// One admitted connection in the eyes of access: what it may call, see, register and declare.
//
// A connection without a session may do everything: that is every connection of a listener without rules. The order of decisions is that
// of the iii protocol; see `decide`.

import { matches } from "../registry/share.js";
import type { Rights } from "./rights.js";
import { type FunctionFacts, type FunctionRule, ruleMatches } from "./rules.js";
import type { Rate } from "./token-bucket.js";

export const Verdict = { Allowed: 1, ListedAsForbidden: 2, NotExposed: 3 } as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** What every SDK calls by itself, whoever it works for. */
export const INFRASTRUCTURE: ReadonlySet<string> = new Set([
  "engine::channels::create",
  "engine::workers::register",
  ...["info", "warn", "error", "debug", "trace"].map((level) => `engine::log::${level}`),
  ...["get", "set", "get_all"].map((name) => `engine::baggage::${name}`),
]);

/** What a listener's rules say to every session. */
export interface SessionPolicy {
  /** Functions that everybody may call; null: no rules, everything. */
  readonly exposed: readonly FunctionRule[] | null;
  /** Takes the place of every call's target; null: none. */
  readonly middlewareId: string | null;
  readonly functionHook: string | null;
  readonly triggerHook: string | null;
  readonly triggerTypeHook: string | null;
  /** Bound on one hook, in milliseconds. */
  readonly hookTimeoutMs: number;
  /** How many calls a session may make whose rights do not say; null: any number. */
  readonly rate: Rate | null;
}

export class Session {
  readonly rights: Rights;
  readonly policy: SessionPolicy;
  /** Who it is, for the log: the name of a token, the subject of a JWT. */
  readonly subject: string | null;
  /** Its decisions look at metadata, which a registration can change. */
  readonly looksAtMetadata: boolean;

  constructor(rights: Rights, policy: SessionPolicy, subject: string | null) {
    this.rights = rights;
    this.policy = policy;
    this.subject = subject;
    this.looksAtMetadata = [...(policy.exposed ?? []), ...rights.calls, ...rights.denials].some(
      (rule) => rule.kind === "metadata",
    );
  }

  /** 1 forbidden; 2 granted in its namespace; 3 allowed in `default`; 4 infrastructure; 5 exposed to everybody. */
  decide(fn: FunctionFacts): Verdict {
    const { rights, policy } = this;
    if (rights.forbiddenFunctions.has(fn.id) || rights.denials.some((rule) => ruleMatches(rule, fn)))
      return Verdict.ListedAsForbidden;
    const granted = rights.namespaces.get(fn.namespace)?.some((pattern) => matches(pattern, fn.id));
    if (granted === true || rights.calls.some((rule) => ruleMatches(rule, fn))) return Verdict.Allowed;
    if (fn.namespace === "default" && rights.allowedFunctions.has(fn.id)) return Verdict.Allowed;
    if (INFRASTRUCTURE.has(fn.id) || policy.exposed === null) return Verdict.Allowed;
    return policy.exposed.some((rule) => ruleMatches(rule, fn)) ? Verdict.Allowed : Verdict.NotExposed;
  }

  /** Whether a listing may show the function: it may be called. */
  maySee(fn: FunctionFacts): boolean {
    return this.decide(fn) === Verdict.Allowed;
  }

  /** Whether the worker may say that it lives in a namespace. */
  mayDeclare(namespace: string): boolean {
    return this.rights.namespaces.size === 0 || this.rights.namespaces.has(namespace);
  }

  /** The sentence for a namespace it may not declare. */
  undeclarable(namespace: string): string {
    const permitted = [...this.rights.namespaces.keys()].sort().join(", ");
    return `namespace '${namespace}' not allowed for this session (permitted: ${permitted})`;
  }

  mayUseTriggerType(type: string): boolean {
    return this.rights.allowedTriggerTypes === null || this.rights.allowedTriggerTypes.has(type);
  }

  /** The id under which a function of this session is registered. */
  prefixed(id: string): string {
    return this.rights.prefix === null ? id : `${this.rights.prefix}::${id}`;
  }
}

/** The sentence for a call that is not allowed. */
export function forbiddenMessage(id: string, verdict: Verdict): string {
  const hint =
    verdict === Verdict.ListedAsForbidden
      ? "remove from rbac.forbidden_functions"
      : "add to rbac.expose_functions";
  return `function '${id}' not allowed (${hint})`;
}
