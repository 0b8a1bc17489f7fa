// A slice of chaos: every call ends exactly once, and nothing is left behind.
import assert from "node:assert/strict";
import { test } from "node:test";
import { chaos } from "./chaos.js";

test("under chaos every call of every living caller ends exactly once, and nothing is left", {
  timeout: 60_000,
}, async () => {
  const seed = 20260823;
  const { deaths, reports, stats } = await chaos({ seed, forMs: 7_000 });
  assert.ok(deaths > 10, `${deaths} were killed`);
  const ends: Record<string, number> = {};
  for (const report of reports) {
    assert.deepEqual(report.faults, [], `seed ${seed}`);
    assert.equal(report.open, 0, `seed ${seed}: zero unanswered`);
    for (const [code, count] of Object.entries(report.ends)) ends[code] = (ends[code] ?? 0) + count;
  }
  assert.equal(
    Object.values(ends).reduce((sum, count) => sum + count, 0),
    reports.reduce((sum, report) => sum + report.sent, 0),
  );
  for (const code of [
    "result",
    "function_not_found",
    "invocation_stopped",
    "deadline_exceeded",
    "answer_invalid",
    "invocation_failed",
  ])
    assert.ok((ends[code] ?? 0) > 0, `some ended with ${code}: ${JSON.stringify(ends)}`);
  assert.ok((ends["result"] ?? 0) > 500);
  assert.equal(stats.callsOpened, stats.callsEnded);
});
