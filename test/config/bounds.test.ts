// The maxima of config.yaml are those of the engine: every bound that can be written is one that it can hold.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { engineOptions } from "../../src/cli/engine-options.js";
import { parseConfig } from "../../src/config/load.js";
import { configJsonSchema } from "../../src/config/schema.js";
import { createLogger } from "../../src/log.js";
import {
  CHANNEL_LIMIT_MAXIMA,
  CHANNEL_LIMITS,
  checkChannelLimits,
  checkLimits,
  LIMIT_MAXIMA,
  LIMITS,
} from "../../src/protocol/limits.js";

const MAXIMA: Record<string, number> = { ...LIMIT_MAXIMA, ...CHANNEL_LIMIT_MAXIMA };
const KEYS = Object.keys(configJsonSchema().properties?.["limits"]?.properties ?? {});

function boundsOf(text: string): Record<string, number> {
  const log = createLogger({ level: "silent" });
  const { limits, channelLimits } = engineOptions(parseConfig(text), log, {});
  return { ...LIMITS, ...CHANNEL_LIMITS, ...limits, ...channelLimits };
}

/** What else has to be written so that nothing but the key itself is judged. */
const BESIDE: Record<string, string> = {
  calls_in_flight: "",
  outbox_soft_bytes: `outbox_hard_bytes: ${LIMIT_MAXIMA.outboxHardBytes}, `,
  outbox_hard_bytes: "",
};

test("limits.*: the maximum is accepted and is the engine's own, one more is not", () => {
  const defaults = boundsOf("{}");
  assert.ok(KEYS.length >= 16, "the schema names the bounds");
  const seen = new Set<string>();
  for (const key of KEYS) {
    const maximum = configJsonSchema().properties?.["limits"]?.properties?.[key]?.maximum ?? Number.NaN;
    if (key === "outbox_soft_bytes") continue; // bounded by the hard one below it
    const set = boundsOf(`limits: { ${BESIDE[key] ?? ""}${key}: ${maximum} }`);
    const changed = Object.keys(MAXIMA).filter((name) => set[name] !== defaults[name]);
    const own = changed[0] ?? Object.keys(MAXIMA).find((name) => set[name] === maximum && !seen.has(name));
    assert.equal(set[own ?? ""], MAXIMA[own ?? ""], `${key} sets ${own}`);
    seen.add(own ?? "");
    assert.throws(() => parseConfig(`limits: { ${key}: ${maximum + 1} }`), new RegExp(key), key);
  }
});

test("the defaults of config.yaml are the engine's", () => {
  const set = boundsOf("{}");
  assert.deepEqual(set, { ...LIMITS, ...CHANNEL_LIMITS });
  checkLimits({ ...LIMITS, ...set });
  checkChannelLimits({ ...CHANNEL_LIMITS, ...set });
});

test("server.max_message_bytes goes up to what the engine can hold", () => {
  const largest = `server: { max_message_bytes: ${LIMIT_MAXIMA.frameBytesMax} }, limits: { outbox_hard_bytes: ${LIMIT_MAXIMA.outboxHardBytes} }`;
  assert.equal(boundsOf(`{ ${largest} }`)["frameBytesMax"], LIMIT_MAXIMA.frameBytesMax);
  assert.throws(
    () => parseConfig(`server: { max_message_bytes: ${LIMIT_MAXIMA.frameBytesMax + 1} }`),
    /max_message_bytes/,
  );
});
