// Waiting for a condition with a deadline: what a test does instead of sleeping for luck.
import { setTimeout as sleep } from "node:timers/promises";

/** What `look` gives once that is neither undefined nor false, looked at every 10 ms; rejects, naming `what`, after `boundMs` (default 10,000). */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  boundMs = 10_000,
): Promise<T> {
  for (const deadline = performance.now() + boundMs; ; ) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`not within ${boundMs} ms: ${what}`);
    await sleep(10);
  }
}
