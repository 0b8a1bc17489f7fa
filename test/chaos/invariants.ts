// What must hold under chaos, each as a function from evidence to sentences about what does not; none is a good sign.
import type { EngineStats, Memory } from "../../src/testing/index.js";
import { balance } from "../../src/testing/index.js";
import type { Report } from "./accounts.js";

/** Memory that may be kept beyond the base: pools that grew to the largest burst, compiled code. A leak of a call's slot shows as far more in minutes. */
export const GROWTH_BYTES_MAX = 24 << 20;

/** Each call answered exactly once, with its own value, by the account of its caller. */
export function answers(name: string, { open, faults }: Report): string[] {
  const unanswered = open === 0 ? [] : [`${open} calls have no answer`];
  return [...unanswered, ...faults].map((sentence) => `${name}: ${sentence}`);
}

/** Whoever lives is listed, once; nobody else is. `listed` names carry the count of connections behind a dot. */
export function registry(listed: readonly string[], living: readonly string[]): string[] {
  const found = listed
    .map((name) => name.replace(/\.\d+$/, ""))
    .filter((name) => name !== "iii-engine-functions");
  const missing = living
    .filter((name) => !found.includes(name))
    .map((name) => `${name} lives and is not listed`);
  const extra = found
    .filter((name, at) => !living.includes(name) || found.indexOf(name) !== at)
    .map((name) => `${name} is listed and is not there`);
  return [...missing, ...extra];
}

/** Opened = ended + open, and nothing is open once nobody waits. */
export function calm(stats: EngineStats): string[] {
  return [...balance(stats), ...(stats.callsOpen === 0 ? [] : [`${stats.callsOpen} calls stay open`])];
}

/** Back to the base. */
export function memory(base: Memory, now: Memory): string[] {
  const grownBytes = now.heldBytes - base.heldBytes;
  if (grownBytes <= GROWTH_BYTES_MAX) return [];
  return [`${mib(grownBytes)} MiB more are held than at the base (${mib(GROWTH_BYTES_MAX)} may be)`];
}

export function mib(bytes: number): string {
  return (bytes / (1 << 20)).toFixed(1);
}
