// Consent of an auth function, kept for as long as the operator allows, for requests that are the same in everything it was shown.
//
// Refusals are not kept: somebody who was let in meanwhile must not wait. Bounded; the oldest goes.

import { createHash } from "node:crypto";
import type { Clock } from "../clock.js";
import type { UpgradeRequest } from "../transport/upgrade-request.js";
import type { Rights } from "./rights.js";

const ENTRIES_MAX = 4_096; // sessions that come back within a few minutes
/** Differ between any two requests of one client. */
const VOLATILE_HEADERS = new Set(["sec-websocket-key"]);

export class AuthCache {
  readonly #clock: Clock;
  readonly #holdsMs: number;
  readonly #entries = new Map<string, { rights: Rights; untilMs: number }>();

  constructor(clock: Clock, holdsMs: number) {
    this.#clock = clock;
    this.#holdsMs = holdsMs;
  }

  get(request: UpgradeRequest): Rights | undefined {
    if (this.#holdsMs === 0) return undefined;
    const key = keyOf(request);
    const entry = this.#entries.get(key);
    if (entry !== undefined && entry.untilMs > this.#clock.monotonicMs()) return entry.rights;
    this.#entries.delete(key);
    return undefined;
  }

  set(request: UpgradeRequest, rights: Rights): void {
    if (this.#holdsMs === 0) return;
    const [oldest] = this.#entries.keys();
    if (this.#entries.size >= ENTRIES_MAX && oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(keyOf(request), { rights, untilMs: this.#clock.monotonicMs() + this.#holdsMs });
  }
}

/** A digest, so that no credential is kept in the clear. */
function keyOf({ headers, queryParams, ipAddress, certificate }: UpgradeRequest): string {
  const lasting = Object.entries(headers)
    .filter(([name]) => !VOLATILE_HEADERS.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([lasting, queryParams, ipAddress, certificate?.fingerprintSha256 ?? null]))
    .digest("base64");
}
