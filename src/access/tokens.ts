// Static tokens: who shows one has its rights. Compared by digest and in constant time, all of them each time, so that the time an answer
// takes says nothing about any of them.

import { createHash, timingSafeEqual } from "node:crypto";
import type { StaticToken } from "./options.js";

export function digestOf(token: string): Uint8Array {
  return createHash("sha256").update(token, "utf8").digest();
}

/** The token that was shown, or undefined. */
export function findToken(tokens: readonly StaticToken[], shown: string): StaticToken | undefined {
  const digest = digestOf(shown);
  let found: StaticToken | undefined;
  for (const token of tokens) if (timingSafeEqual(digest, token.sha256)) found = token;
  return found;
}

/** Whether two secrets are the same, in a time that does not say how far they agree. */
export function isSameSecret(shown: string, known: string): boolean {
  return timingSafeEqual(digestOf(shown), digestOf(known));
}
