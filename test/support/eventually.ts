// Waiting for a value that appears in its time: polled, with a deadline, and a sentence about what was missed.
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
