// `tercet top` as a process against an engine under load: rates, times, workers and functions, as text and as JSON.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Child, startChild } from "../support/child.js";
import { runEngine } from "../support/running-engine.js";
import { workerFor } from "../worker/support.js";

const MAIN = fileURLToPath(new URL("../../src/main.js", import.meta.url));

test("shows calls a second, the busy worker and its function, and what was refused", async (t) => {
  const on = await runEngine(t);
  const worker = await workerFor(t, on, { name: "math" });
  await worker.register("math::add", () => 3).ready();
  const caller = await workerFor(t, on, { name: "front" });
  await assert.rejects(caller.call("math::missing", {}));
  let isOver = false;
  const load = (async () => {
    while (!isOver) await caller.call("math::add", {});
  })();
  const top = new Child([process.execPath, MAIN, "top", "--once", "--interval", "300", "--url", on.url], {});
  assert.equal((await top.ended).code, 0, top.output);
  const json = startChild(t, [process.execPath, MAIN, "top", "--json", "--interval", "100", "--url", on.url]);
  const line = await json.line(/^\{/);
  isOver = true;
  await load;
  assert.match(top.output, /^calls {5}[\d,.]+\/s ended, p50 [\d.]+ .s, p99 [\d.]+ .s; \d+ open$/m);
  assert.match(top.output, /^refusals {2}calls_not_found 1$/m);
  assert.match(top.output, /^math +default +[\d,.]+\/s +[01] +0 +0 +0 KiB$/m);
  assert.match(top.output, /^math::add +default +[\d,.]+\/s +[\d.]+ .s +[\d.]+ .s$/m);
  const answer = JSON.parse(line) as { counters: Record<string, number>; functions: { id: string }[] };
  assert.equal(answer.counters["calls_not_found"], 1);
  assert.ok(answer.functions.some(({ id }) => id === "math::add"));
});
