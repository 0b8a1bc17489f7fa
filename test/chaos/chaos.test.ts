// A slice of chaos, and of corrupted bytes: every call of every living caller ends exactly once, and nothing is left behind.
import assert from "node:assert/strict";
import { test } from "node:test";
import { chaos } from "./chaos.js";
import { corruption } from "./corruption.js";

const SEED = 20260823;

test("under chaos nothing is violated", { timeout: 120_000 }, async () => {
  const { violations, ends, faults, opened, ended, memory, answeredOnce } = await chaos({
    seed: SEED,
    forMs: 6_000,
    roundMs: 3_000,
    faultEveryMs: 60,
  });
  assert.deepEqual(violations, [], `seed ${SEED}`);
  assert.equal(opened, ended);
  assert.ok(answeredOnce > 500, `${answeredOnce} answered`);
  for (const code of ["result", "function_not_found", "deadline_exceeded", "invocation_failed"])
    assert.ok((ends[code] ?? 0) > 0, `some ended with ${code}: ${JSON.stringify(ends)}`);
  for (const [kind, count] of Object.entries(faults))
    if (kind !== "log on a full disk") assert.ok(count > 0, `there were ${kind}: ${JSON.stringify(faults)}`);
  assert.ok(memory.length >= 3, "memory is looked at");
});

test("corrupted bytes are survived", { timeout: 60_000 }, async () => {
  const { violations, corrupted, healthyCalls } = await corruption({ seed: SEED, forMs: 2_000 });
  assert.deepEqual(violations, [], `seed ${SEED}`);
  assert.ok(corrupted > 20 && healthyCalls > 50, `${corrupted} corrupted, ${healthyCalls} healthy`);
});
