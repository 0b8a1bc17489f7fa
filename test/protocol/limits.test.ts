// The bounds: the defaults hold together, and each relation that does not is told by its sentence.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CALLS_OPEN_MAX,
  CHANNEL_LIMIT_MAXIMA,
  CHANNEL_LIMITS,
  CONNECTIONS_MAX,
  checkChannelLimits,
  checkLimits,
  FUNCTIONS_MAX,
  JSON_DEPTH_MAX,
  LIMIT_MAXIMA,
  LIMITS,
  type Limits,
  PAYLOAD_DEPTH_MAX,
  TRIGGER_TYPES_MAX,
  TRIGGERS_MAX,
} from "../../src/protocol/limits.js";
import { INDEX_MASK } from "../../src/registry/slots.js";
import { Arena } from "../../src/transport/arena.js";
import { testEngine } from "../support/test-engine.js";

/** Room for what stands around a payload. */
const ENVELOPE_BYTES = 8_192;

test("the defaults hold, and fit the tables they bound", () => {
  checkLimits(LIMITS);
  assert.equal(CALLS_OPEN_MAX, INDEX_MASK);
  assert.equal(FUNCTIONS_MAX, INDEX_MASK);
  assert.ok(CONNECTIONS_MAX <= INDEX_MASK);
  assert.equal(PAYLOAD_DEPTH_MAX, JSON_DEPTH_MAX - 1);
  for (const [name, value] of Object.entries(LIMITS))
    assert.ok(Number.isInteger(value) && (value > 0 || name === "memoryBytesMax"), name); // 0: as the machine has
});

test("checkLimits() throws the sentence of what does not hold", () => {
  const rows: [Partial<Limits>, RegExp][] = [
    [{ memoryBytesMax: 1 << 20 }, /memoryBytesMax is 0 or at least/],
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

test("the defaults are within what the engine can hold, and so is every maximum within the tables", () => {
  checkChannelLimits(CHANNEL_LIMITS);
  for (const [key, maximum] of Object.entries(LIMIT_MAXIMA)) {
    const limits = { ...LIMITS, outboxSoftBytes: 1, outboxHardBytes: LIMIT_MAXIMA.outboxHardBytes };
    checkLimits({ ...limits, [key]: maximum });
    assert.throws(
      () => checkLimits({ ...limits, [key]: maximum + 1 }),
      { name: "AssertionError", message: new RegExp(`^${key} is`) },
      key,
    );
  }
  for (const [key, maximum] of Object.entries(CHANNEL_LIMIT_MAXIMA)) {
    checkChannelLimits({ ...CHANNEL_LIMITS, [key]: maximum });
    assert.throws(() => checkChannelLimits({ ...CHANNEL_LIMITS, [key]: maximum + 1 }), {
      message: `${key} is at most ${maximum}`,
    });
  }
  const { callsOpenMax, functionsPerConnectionMax, triggersPerConnectionMax } = LIMIT_MAXIMA;
  const { triggerTypesPerConnectionMax, connectionsMax } = LIMIT_MAXIMA;
  assert.deepEqual(
    [callsOpenMax, functionsPerConnectionMax, triggersPerConnectionMax],
    [CALLS_OPEN_MAX, FUNCTIONS_MAX, TRIGGERS_MAX],
  );
  assert.deepEqual([triggerTypesPerConnectionMax, connectionsMax], [TRIGGER_TYPES_MAX, CONNECTIONS_MAX]);
});

test("an engine with every bound at its maximum starts, and carries out a call", async (t) => {
  const { json, jsonOffering } = await testEngine(t, {
    limits: LIMIT_MAXIMA,
    channelLimits: CHANNEL_LIMIT_MAXIMA,
  });
  const worker = await jsonOffering("f");
  const caller = await json();
  caller.invoke("f", { n: 1 });
  worker.answer(await worker.next("the call"), 2);
  assert.equal((await caller.next("the answer")).result, 2);
});

test("the arena holds the largest frame, received and answered, after smaller ones and with as much gathered as it ever is", () => {
  const arena = new Arena(LIMIT_MAXIMA.callsOpenMax);
  for (let bytes = 1 << 20; bytes < LIMIT_MAXIMA.frameBytesMax; bytes = 2 * bytes + 1) {
    arena.input(bytes);
    arena.scratch(bytes);
  }
  arena.input(LIMIT_MAXIMA.frameBytesMax);
  arena.scratch(LIMIT_MAXIMA.frameBytesMax + ENVELOPE_BYTES);
  let chunks = 0;
  while (!arena.isScarce) {
    arena.takeLarge();
    chunks++;
  }
  assert.ok(chunks > 0);
  assert.ok(arena.bytes.length < 2 ** 31);
});
