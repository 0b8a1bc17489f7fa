// What SDKs and consoles ask of the engine about logs, baggage, traces and metrics: shapes, refusals, and a worker that serves them instead.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "../../src/log.js";
import { eventually } from "../support/eventually.js";
import { testEngine } from "../support/test-engine.js";

test("engine::log::* writes a line of its level and answers without a value", async (t) => {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => lines.push(JSON.parse(line)) };
  const rig = await testEngine(t, { log: createLogger({ level: "trace", format: "json", destination }) });
  const peer = await rig.json({ name: "writer" });
  for (const level of ["trace", "debug", "info", "warn", "error"]) {
    const answer = await peer.call(`engine::log::${level}`, {
      message: `a ${level} line`,
      trace_id: "t1",
      service_name: "shop",
      span_id: null,
      data: { n: 1 },
    });
    assert.deepEqual([answer.error, "result" in answer], [undefined, false]);
    const line = lines.find(({ msg }) => msg === `a ${level} line`);
    assert.equal(line?.["level"], level);
    assert.deepEqual(
      [line?.["worker"], line?.["trace_id"], line?.["service_name"]],
      ["writer", "t1", "shop"],
    );
    assert.deepEqual(line?.["data"], { n: 1 });
    assert.equal(line !== undefined && "span_id" in line, false);
  }
  for (const input of [{}, { message: 1 }, { message: "x", trace_id: 5 }, null])
    assert.equal((await peer.call("engine::log::info", input)).error?.code, "deserialization_error");
});

test("engine::baggage::* answers as SDKs expect", async (t) => {
  const rig = await testEngine(t);
  const peer = await rig.json();
  assert.deepEqual((await peer.call("engine::baggage::get", { key: "a" })).result, { value: null });
  const { success, note } = (await peer.call("engine::baggage::set", { key: "a", value: "b" })).result as {
    success: boolean;
    note: string;
  };
  assert.deepEqual([success, typeof note], [true, "string"]);
  assert.deepEqual((await peer.call("engine::baggage::get_all", {})).result, { baggage: {} });
  assert.equal((await peer.call("engine::baggage::get", {})).error?.code, "deserialization_error");
  assert.equal((await peer.call("engine::baggage::set", { key: "a" })).error?.code, "deserialization_error");
});

/** Output keys that are always there. */
const KEYS: Record<string, [object, string[]]> = {
  "engine::traces::list": [{ limit: 5 }, ["spans", "total", "offset", "limit", "storage"]],
  "engine::traces::tree": [{ trace_id: "t" }, ["roots", "storage"]],
  "engine::traces::group_by": [{ attribute: "a" }, ["groups", "storage"]],
  "engine::traces::clear": [{}, ["success"]],
  "engine::metrics::list": [{}, ["engine_metrics", "sdk_metrics", "timestamp"]],
  "engine::logs::list": [{}, ["logs", "total", "timestamp"]],
  "engine::logs::clear": [{}, ["success"]],
  "engine::sampling::rules": [{}, ["traces", "logs", "timestamp"]],
  "engine::health::check": [{}, ["status", "components", "timestamp", "version"]],
  "engine::alerts::list": [{}, ["alerts", "firing_count", "timestamp"]],
  "engine::alerts::evaluate": [{}, ["evaluated", "timestamp"]],
  "engine::rollups::list": [{}, ["rollups", "histogram_rollups", "timestamp"]],
};

test("the observability functions answer with their keys, and refuse input of another shape", async (t) => {
  const rig = await testEngine(t);
  const peer = await rig.json();
  for (const [id, [input, keys]] of Object.entries(KEYS)) {
    const { result } = await peer.call(id, input);
    for (const key of keys) assert.ok(Object.hasOwn(result as object, key), `${id} has ${key}`);
    assert.equal((await peer.call(id, null)).error?.code, "deserialization_error", id);
  }
  const { result } = await peer.call("engine::traces::list", { limit: 5, offset: 2 });
  const { limit, offset, spans } = result as { limit: number; offset: number; spans: unknown[] };
  assert.deepEqual([limit, offset, spans], [5, 2, []]);
  assert.equal((await peer.call("engine::traces::tree", {})).error?.code, "deserialization_error");
  assert.equal(
    (await peer.call("engine::traces::list", { limit: "5" })).error?.code,
    "deserialization_error",
  );
});

test("an observability worker serves them instead, on either wire, and the engine does again when it leaves", async (t) => {
  const rig = await testEngine(t);
  const caller = await rig.json();
  const first = await rig.jsonOffering("engine::traces::list");
  const second = await rig.jsonOffering();
  second.register("engine::traces::list");
  assert.equal((await second.next()).type, "registrationrejected", "it stands by behind the first worker");
  caller.invoke("engine::traces::list", {});
  first.answer(await first.next(), "first");
  assert.equal((await caller.next()).result, "first");
  first.socket.close();
  await first.closed;
  await eventually("the second serves", () => rig.engine.stats().workers === 2);
  caller.invoke("engine::traces::list", {});
  second.answer(await second.next(), "second");
  assert.equal((await caller.next()).result, "second");
  second.socket.close();
  await second.closed;
  await eventually("it is gone", () => rig.engine.stats().workers === 1);
  assert.deepEqual(((await caller.call("engine::traces::list", {})).result as { spans: unknown }).spans, []);
  const [msgpack] = await rig.msgpackOffering(["engine::logs::list"]);
  caller.invoke("engine::logs::list", {});
  assert.equal((await msgpack.next())[0], 1);
});

test("ids that the engine keeps for itself are still refused", async (t) => {
  const rig = await testEngine(t);
  const peer = await rig.jsonOffering();
  for (const id of ["engine::log::info", "engine::baggage::get", "engine::functions::list"]) {
    peer.register(id);
    assert.equal((await peer.next())["code"], "FUNCTION_NAMESPACE_CONFLICT", id);
  }
});
