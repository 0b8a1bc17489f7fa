// When an ended process is started again: told the time and the dice, nothing runs.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { restartRules } from "../../src/config/schema.js";
import { describeEnding, RestartPolicy } from "../../src/supervisor/restart-policy.js";

const rules = (about: object = {}) => ({ ...restartRules(undefined), ...about });
const failed = { code: 1, signal: null, uptimeMs: 0 };

test("after() doubles the bound of a random delay up to the cap", () => {
  const policy = new RestartPolicy(rules({ max_restarts: 100, max_delay_ms: 2_000 }), () => 0.999);
  const delays = Array.from({ length: 6 }, (_, index) => {
    const verdict = policy.after(failed, index);
    return verdict.kind === "backoff" ? verdict.delayMs : -1;
  });
  assert.deepEqual(delays, [249, 499, 999, 1_998, 1_998, 1_998]);
});

test("after() spreads delays over the whole range from nothing", () => {
  const dice = [0, 0.5, 0.25];
  const policy = new RestartPolicy(rules({ max_restarts: 100 }), () => dice.shift() ?? 0);
  assert.deepEqual(
    [0, 1, 2].map((now) => policy.after(failed, now)),
    [
      { kind: "backoff", delayMs: 0 },
      { kind: "backoff", delayMs: 250 },
      { kind: "backoff", delayMs: 250 },
    ],
  );
});

test("after() starts at once after a stable run, and the delay starts over", () => {
  const policy = new RestartPolicy(rules({ max_restarts: 100 }), () => 0.999);
  policy.after(failed, 0);
  policy.after(failed, 1);
  assert.deepEqual(policy.after({ ...failed, uptimeMs: 60_000 }, 2), { kind: "backoff", delayMs: 0 });
  assert.deepEqual(policy.after(failed, 3), { kind: "backoff", delayMs: 249 });
});

test("after() finds a crash loop in the window, leaves it after a stable run or an operator's start", () => {
  const policy = new RestartPolicy(rules({ max_restarts: 2, window_ms: 1_000, probe_ms: 70 }), () => 0);
  const kinds = (...times: number[]): string[] => times.map((time) => policy.after(failed, time).kind);
  assert.deepEqual(
    kinds(0, 900, 2_000),
    ["backoff", "backoff", "backoff"],
    "spread out wider than the window",
  );
  assert.deepEqual(kinds(2_100), ["backoff"]);
  assert.deepEqual(policy.after(failed, 2_200), { kind: "crash_loop", delayMs: 70 });
  assert.deepEqual(kinds(60_000), ["crash_loop"], "time alone does not end it");
  assert.equal(policy.after({ ...failed, uptimeMs: 60_000 }, 130_000).kind, "backoff");
  assert.equal(policy.restartsInWindow(130_000), 1);
  kinds(130_001, 130_002);
  assert.equal(policy.isLooping, true);
  policy.reset();
  assert.deepEqual(kinds(130_003), ["backoff"]);
});

test("after() follows the policy and the codes", () => {
  const verdict = (about: object, ending: { code: number | null; signal: NodeJS.Signals | null }): string =>
    new RestartPolicy(rules(about)).after({ ...ending, uptimeMs: 0 }, 0).kind;
  const [ok, three, killed] = [
    { code: 0, signal: null },
    { code: 3, signal: null },
    { code: null, signal: "SIGKILL" as const },
  ];
  assert.deepEqual(
    [ok, three, killed].map((each) => verdict({ policy: "always" }, each)),
    ["backoff", "backoff", "backoff"],
  );
  assert.deepEqual(
    [ok, three, killed].map((each) => verdict({ policy: "on-failure" }, each)),
    ["completed", "backoff", "backoff"],
  );
  assert.deepEqual(
    [ok, three, killed].map((each) => verdict({ policy: "never" }, each)),
    ["completed", "failed", "failed"],
  );
  assert.equal(verdict({ policy: "on-failure", success_codes: [3] }, three), "completed");
  assert.equal(verdict({ policy: "always", fatal_codes: [3] }, three), "failed");
});

test("describeEnding() names code or signal", () => {
  assert.equal(describeEnding({ code: 7, signal: null }), "exit code 7");
  assert.equal(describeEnding({ code: null, signal: "SIGTERM" }), "signal SIGTERM");
});
