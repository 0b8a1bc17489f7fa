// Waiting for a value or a condition that comes in its time: polled, with a deadline, and a sentence about what was missed. What tests do
// instead of sleeping for luck.
import { setTimeout as sleep } from "node:timers/promises";

/** What `look` gives once that is neither undefined nor false; rejects with `what` after `boundMs`. */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  boundMs = 10_000,
): Promise<T> {
  for (const deadline = Date.now() + boundMs; ; ) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`not within ${boundMs} ms: ${what}`);
    await sleep(5);
  }
}

/** As {@link eventually}, where the condition says itself what is waited for. */
export async function until(condition: () => boolean, boundMs?: number): Promise<void> {
  await eventually(String(condition), condition, boundMs);
}
