// What somebody shows to be let in: `Authorization: Bearer …`, or for clients that cannot set headers the query parameter `access_token`.

import type { UpgradeRequest } from "../transport/upgrade-request.js";

const BEARER = /^bearer +(\S+) *$/i;

/** The credential of a request; undefined when it shows none, or something else. */
export function bearerOf({ headers, queryParams }: UpgradeRequest): string | undefined {
  const header = headers["authorization"];
  if (header !== undefined) return BEARER.exec(header)?.[1];
  const [first] = queryParams["access_token"] ?? [];
  return first === undefined || first === "" ? undefined : decoded(first);
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value; // not percent-encoded: it stands for itself, and no token is made of such text
  }
}
