// What one session may do: the answer of an auth function, or what the configuration grants to a token, in one shape.

import { CodedError, ErrorCode } from "../protocol/error.js";
import { EVERY_FUNCTION, type FunctionRule, patternOf } from "./rules.js";
import type { Rate } from "./token-bucket.js";

export interface Rights {
  /** Namespaces the session may declare, with the functions it may call there. Empty: any namespace may be declared. */
  readonly namespaces: ReadonlyMap<string, readonly string[]>;
  /** Exact ids in `default`. */
  readonly allowedFunctions: ReadonlySet<string>;
  /** Exact ids in every namespace; wins over everything. */
  readonly forbiddenFunctions: ReadonlySet<string>;
  /** Further functions that may be called, and some that may not whatever else is granted. */
  readonly calls: readonly FunctionRule[];
  readonly denials: readonly FunctionRule[];
  /** Null: every trigger type. */
  readonly allowedTriggerTypes: ReadonlySet<string> | null;
  readonly mayRegisterTriggerTypes: boolean;
  readonly mayRegisterFunctions: boolean;
  /** Put before the ids of functions it registers, with `::` between. */
  readonly prefix: string | null;
  /** Handed to hooks and middleware. */
  readonly context: unknown;
  /** How many calls it may make; null: what its listener says. */
  readonly rate: Rate | null;
}

const NOTHING: Rights = {
  namespaces: new Map(),
  allowedFunctions: new Set(),
  forbiddenFunctions: new Set(),
  calls: [],
  denials: [],
  allowedTriggerTypes: null,
  mayRegisterTriggerTypes: false,
  mayRegisterFunctions: true,
  prefix: null,
  context: {},
  rate: null,
};

/** Of a listener that asks nobody who comes: no grants of its own, and everything may be registered. */
export const UNASKED: Rights = { ...NOTHING, mayRegisterTriggerTypes: true };

/** What config.yaml grants to a token. Absent keys grant nothing but the functions that every SDK needs. */
export interface GrantedRights {
  /** `"all"`, or rules. */
  call?: "all" | readonly FunctionRule[];
  /** Wins over `call`. */
  deny?: readonly FunctionRule[];
  /** Default false. */
  registerFunctions?: boolean;
  /** Default false. */
  registerTriggerTypes?: boolean;
  /** Trigger types it may bind triggers to; default none. */
  triggerTypes?: "all" | readonly string[];
  /** Namespaces it may declare; default any. */
  namespaces?: readonly string[];
  prefix?: string;
  /** Default {}. */
  context?: unknown;
  /** Default: its listener's. */
  rate?: Rate;
}

export function grantRights(granted: GrantedRights): Rights {
  const { call = [], triggerTypes = [] } = granted;
  return {
    ...NOTHING,
    calls: call === "all" ? [EVERY_FUNCTION] : call,
    denials: granted.deny ?? [],
    mayRegisterFunctions: granted.registerFunctions ?? false,
    mayRegisterTriggerTypes: granted.registerTriggerTypes ?? false,
    allowedTriggerTypes: triggerTypes === "all" ? null : new Set(triggerTypes),
    namespaces: new Map((granted.namespaces ?? []).map((name) => [name, []])),
    prefix: granted.prefix ?? null,
    context: granted.context ?? {},
    rate: granted.rate ?? null,
  };
}

/** The answer of an auth function. Throws CodedError AUTH_ERROR when it has another shape: what cannot be read grants nothing. */
export function readRights(answer: unknown): Rights {
  if (typeof answer !== "object" || answer === null || Array.isArray(answer))
    throw malformed("it is no object");
  const fields: Record<string, unknown> = { ...answer };
  const triggerTypes = fields["allowed_trigger_types"];
  return {
    ...NOTHING,
    namespaces: namespaces(fields["namespaces"]),
    allowedFunctions: new Set(strings("allowed_functions", fields["allowed_functions"])),
    forbiddenFunctions: new Set(strings("forbidden_functions", fields["forbidden_functions"])),
    allowedTriggerTypes:
      triggerTypes === undefined || triggerTypes === null
        ? null
        : new Set(strings("allowed_trigger_types", triggerTypes)),
    mayRegisterTriggerTypes: flag(fields, "allow_trigger_type_registration", false),
    mayRegisterFunctions: flag(fields, "allow_function_registration", true),
    prefix: readPrefix(fields["function_registration_prefix"]),
    context: fields["context"] === undefined ? {} : fields["context"],
  };
}

function malformed(what: string): CodedError {
  return new CodedError(ErrorCode.AuthError, `The auth function's answer cannot be used: ${what}`);
}

function strings(key: string, value: unknown): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.some((one) => typeof one !== "string"))
    throw malformed(`${key} must be an array of strings`);
  return value;
}

function namespaces(value: unknown): Map<string, string[]> {
  if (value === undefined) return new Map();
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw malformed("namespaces must be an object of arrays");
  return new Map(
    Object.entries(value).map(([name, ids]) => [
      name,
      strings(`namespaces.${name}`, ids ?? null).map((id) => patternOf(id) ?? id),
    ]),
  );
}

function flag(fields: Record<string, unknown>, key: string, fallback: boolean): boolean {
  const value = fields[key];
  if (value === undefined) return fallback;
  if (typeof value !== "boolean") throw malformed(`${key} must be a boolean`);
  return value;
}

function readPrefix(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== "string" || !isPrefix(value))
    throw malformed("function_registration_prefix must be printable text without quotes and backslashes");
  return value;
}

/** A prefix stands in ids as it is, in every spelling of JSON: so nothing that would have to be escaped there. */
export function isPrefix(text: string): boolean {
  return text !== "" && !/["\\\u0000-\u001f\u007f\ud800-\udfff]/u.test(text); // with u, a surrogate is a lone one
}
