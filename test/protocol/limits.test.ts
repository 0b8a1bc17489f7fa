// The bounds: the defaults hold together, and each relation that does not is told by its sentence.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CALLS_OPEN_MAX,
  CONNECTIONS_MAX,
  checkLimits,
  FUNCTIONS_MAX,
  JSON_DEPTH_MAX,
  LIMITS,
  type Limits,
  PAYLOAD_DEPTH_MAX,
} from "../../src/protocol/limits.js";
import { INDEX_MASK } from "../../src/registry/slots.js";

test("the defaults hold, and fit the tables they bound", () => {
  checkLimits(LIMITS);
  assert.equal(CALLS_OPEN_MAX, INDEX_MASK);
  assert.equal(FUNCTIONS_MAX, INDEX_MASK);
  assert.ok(CONNECTIONS_MAX <= INDEX_MASK);
  assert.equal(PAYLOAD_DEPTH_MAX, JSON_DEPTH_MAX - 1);
  for (const [name, value] of Object.entries(LIMITS)) assert.ok(Number.isInteger(value) && value > 0, name);
});

test("checkLimits() throws the sentence of what does not hold", () => {
  const rows: [Partial<Limits>, RegExp][] = [
    [{ outboxHardBytes: LIMITS.outboxSoftBytes + LIMITS.frameBytesMax - 1 }, /outboxHardBytes/],
    [{ callsOpenMax: CALLS_OPEN_MAX + 1 }, /callsOpenMax/],
    [{ connectionsMax: CONNECTIONS_MAX + 1 }, /connectionsMax/],
    [{ callTimeoutMs: 0 }, /callTimeoutMs/],
    [{ callTimeoutMs: 86_400_001 }, /callTimeoutMs/],
    [{ idleTimeoutS: 7 }, /idleTimeoutS/],
    [{ idleTimeoutS: 961 }, /idleTimeoutS/],
  ];
  for (const [change, sentence] of rows)
    assert.throws(() => checkLimits({ ...LIMITS, ...change }), { name: "AssertionError", message: sentence });
  for (const change of [
    { idleTimeoutS: 0 },
    { idleTimeoutS: 8 },
    { idleTimeoutS: 960 },
    { callTimeoutMs: 1 },
  ])
    checkLimits({ ...LIMITS, ...change });
});
