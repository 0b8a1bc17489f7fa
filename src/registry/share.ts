// How several living workers serve one function: not at all (one owner, the others stand by), or shared, by a rule.

import type { Concurrency } from "./concurrency.js";

export const Share = { Exclusive: 0, LeastOutstanding: 1, RoundRobin: 2, Hash: 3 } as const;
export type Share = (typeof Share)[keyof typeof Share];

/** The words for it on the wire and in config.yaml. */
export const SHARE_NAMES = {
  least_outstanding: Share.LeastOutstanding,
  round_robin: Share.RoundRobin,
  hash: Share.Hash,
} as const;
export type ShareName = keyof typeof SHARE_NAMES;

export function isShareName(name: unknown): name is ShareName {
  return typeof name === "string" && Object.hasOwn(SHARE_NAMES, name);
}

/** A rule of config.yaml: functions whose id matches are shared, and may have a time of their own. */
export interface FunctionRule extends Partial<Concurrency> {
  /** Matches whole ids; `*` stands for any run of characters. */
  match: string;
  share?: ShareName;
  /** Time of a call whose caller names none, in milliseconds. */
  timeoutMs?: number;
}

/** The bytes with which every id begins that `pattern` matches. */
export function headOf(pattern: string): Uint8Array {
  return new TextEncoder().encode(pattern.split("*", 1)[0]);
}

/** Does a pattern whose only wildcard is `*` match the whole of `text`? */
export function matches(pattern: string, text: string): boolean {
  const pieces = pattern.split("*");
  const first = pieces[0] ?? "";
  const last = pieces[pieces.length - 1] ?? "";
  if (pieces.length === 1) return pattern === text;
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last))
    return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, at);
    if (found === -1 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
