// Rules that say which functions are meant: by a pattern of their ids, or by what their metadata holds. A rule means one namespace.

import { isDeepStrictEqual } from "node:util";
import { DEFAULT_NAMESPACE } from "../registry/names.js";
import { matches } from "../registry/share.js";

/** A function as rules see it. `metadata` is read only when a rule asks for it. */
export interface FunctionFacts {
  namespace: string;
  id: string;
  metadata: () => unknown;
}

export type FunctionRule =
  | { kind: "pattern"; namespace: string; pattern: string }
  | { kind: "metadata"; namespace: string; members: ReadonlyMap<string, unknown> };

/** Every function, in every namespace. */
export const EVERY_FUNCTION: FunctionRule = { kind: "pattern", namespace: "*", pattern: "*" };

/** Does a rule mean this function? Namespaces of rules may hold `*` as well. */
export function ruleMatches(rule: FunctionRule, fn: FunctionFacts): boolean {
  if (rule.namespace !== fn.namespace && !matches(rule.namespace, fn.namespace)) return false;
  return rule.kind === "pattern"
    ? matches(rule.pattern, fn.id)
    : metadataMatches(rule.members, fn.metadata());
}

function metadataMatches(members: ReadonlyMap<string, unknown>, metadata: unknown): boolean {
  if (typeof metadata !== "object" || metadata === null || Array.isArray(metadata)) return false;
  const found: Record<string, unknown> = { ...metadata };
  for (const [key, wanted] of members) {
    if (!Object.hasOwn(found, key) || !memberMatches(wanted, found[key])) return false;
  }
  return true;
}

function memberMatches(wanted: unknown, found: unknown): boolean {
  const pattern = typeof wanted === "string" ? patternOf(wanted) : undefined;
  if (pattern !== undefined) return typeof found === "string" && matches(pattern, found);
  return isDeepStrictEqual(wanted, found);
}

/** The pattern inside `match("…")` or `match('…')`; undefined for any other text. */
export function patternOf(text: string): string | undefined {
  return /^\s*match\(\s*(?:"([^"]*)"|'([^']*)')\s*\)\s*$/
    .exec(text)
    ?.slice(1)
    .find((one) => one !== undefined);
}

/** An entry of `expose_functions`, or a sentence about what is wrong with it. */
export function readRule(entry: unknown): FunctionRule | string {
  if (typeof entry === "string") {
    const pattern = patternOf(entry);
    if (pattern === undefined) return `${JSON.stringify(entry)} is not of the form match("pattern")`;
    return { kind: "pattern", namespace: DEFAULT_NAMESPACE, pattern };
  }
  if (typeof entry !== "object" || entry === null || Array.isArray(entry))
    return 'a rule is match("pattern"), or a mapping with match or metadata';
  return readRuleMap({ ...entry });
}

function readRuleMap(entry: Record<string, unknown>): FunctionRule | string {
  const { match, metadata, namespace, ...rest } = entry;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) return `unknown key ${JSON.stringify(unknown)} in a rule`;
  const home = namespace ?? DEFAULT_NAMESPACE;
  if (typeof home !== "string" || home.trim() === "")
    return "the namespace of a rule is a text that is not blank";
  if ((match === undefined) === (metadata === undefined)) return "a rule has either match or metadata";
  if (metadata === undefined)
    return typeof match === "string"
      ? { kind: "pattern", namespace: home, pattern: match }
      : "match is a text";
  if (typeof metadata !== "object" || metadata === null || Array.isArray(metadata))
    return "metadata is a mapping";
  const members = new Map(Object.entries(metadata));
  return members.size === 0
    ? "metadata must name at least one key"
    : { kind: "metadata", namespace: home, members };
}
