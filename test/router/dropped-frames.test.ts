// What is said of frames that cannot be read: the first few of a connection, then one line a pause; all are counted.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "../../src/log.js";
import { REFUSAL_LOG_PAUSE_MS } from "../../src/protocol/limits.js";
import { FakeClock } from "../support/fake-clock.js";
import { testEngine } from "../support/test-engine.js";

test("a peer that sends nothing but garbage does not write the log full", async (t) => {
  const clock = new FakeClock();
  const told: { untold?: number; what?: string }[] = [];
  const log = createLogger({ level: "silent" });
  t.mock.method(log, "warn", (fields: object, message: string) => {
    if (message === "frame dropped") told.push(fields);
  });
  const { json, counter } = await testEngine(t, { clock, log });
  const [noisy, quiet] = [await json(), await json()];
  for (let sent = 0; sent < 500; sent++) noisy.sendText("garbage");
  await noisy.settle();
  assert.equal(counter("frames_malformed"), 500);
  assert.equal(told.length, 10);
  quiet.sendText("[]");
  await quiet.settle();
  assert.equal(told.at(-1)?.what, "JSON, but no object", "another connection is heard");
  clock.advance(REFUSAL_LOG_PAUSE_MS);
  noisy.sendText("garbage");
  await noisy.settle();
  assert.deepEqual([told.length, told.at(-1)?.untold], [12, 490]);
});
