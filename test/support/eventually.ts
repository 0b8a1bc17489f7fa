// Waiting for a value or a condition that comes in its time, with a deadline and a sentence about what was missed: what tests do instead of
// sleeping for luck. The one that users of `tercet/testing` have, and a short form of it.

import { eventually } from "../../src/testing/eventually.js";

export { eventually };

/** As {@link eventually}, where the condition says itself what is waited for. */
export async function until(condition: () => boolean, boundMs?: number): Promise<void> {
  await eventually(String(condition), condition, boundMs);
}
