// The listings of trigger types and triggers, as callers see them: shapes, filters, order, and what the others tell of triggers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { configSummary } from "../../src/registry/config-summary.js";
import { WELL_KNOWN_TYPES } from "../../src/registry/well-known-types.js";
import type { JsonPeer } from "../support/json-peer.js";
import { type TestEngine, testEngine } from "../support/test-engine.js";

type Row = Record<string, unknown>;

async function rows(on: TestEngine, id: string, key: string, input: object = {}): Promise<Row[]> {
  return ((await on.engine.call(id, input)) as Record<string, Row[]>)[key] ?? [];
}

const types = (on: TestEngine, input: object = {}) => rows(on, "engine::triggers::list", "triggers", input);
const triggers = (on: TestEngine, input: object = {}) =>
  rows(on, "engine::registered-triggers::list", "registered_triggers", input);
const ids = (of: Row[]) => of.map((row) => row["id"]);

interface Stage extends TestEngine {
  post: JsonPeer;
  shop: JsonPeer;
}

/** A named provider of two types and an owner of four triggers, one of which waits. */
async function stage(t: Parameters<typeof testEngine>[0]): Promise<Stage> {
  const on = await testEngine(t);
  const [post, shop] = [await on.json({ name: "post" }), await on.json({ name: "shop", namespace: "a" })];
  post.send({
    type: "registertriggertype",
    id: "mail",
    description: "new mail",
    trigger_request_format: { type: "object", maximum: 1e3 },
    call_request_format: { type: "string" },
  });
  post.send({ type: "registertriggertype", id: "engine::mine", description: "" });
  await post.settle();
  const nobody = await on.json();
  nobody.send({ type: "registertriggertype", id: "cron", description: "time" });
  nobody.send({ type: "registertriggertype", id: "pop::up", description: "window" });
  await nobody.settle();
  shop.register("shop::got", { description: "takes it" });
  for (const [id, trigger_type, function_id, rest] of [
    ["t2", "mail", "shop::got", { namespace: "a", metadata: { m: 1.0 } }],
    ["t1", "mail", "elsewhere::f", {}],
    ["t3", "cron", "engine::log::info", {}],
    ["t4", "unknown", "shop::got", { namespace: "a" }],
  ] as const)
    shop.send({ type: "registertrigger", id, trigger_type, function_id, config: { z: 1, a: [id] }, ...rest });
  await shop.settle();
  await post.drain();
  return { ...on, post, shop };
}

test("13. engine::triggers::list shows who provides what, by id, without the engine's own", async (t) => {
  const on = await stage(t);
  assert.deepEqual(await types(on), [
    { id: "cron", namespace: "default", worker_name: "iii-cron", description: "time" },
    { id: "mail", namespace: "default", worker_name: "post", description: "new mail" },
    { id: "pop::up", namespace: "default", worker_name: "pop", description: "window" },
  ]);
  assert.deepEqual(ids(await types(on, { search: "NEW" })), ["mail"]);
  assert.deepEqual(ids(await types(on, { prefix: "p" })), ["pop::up"]);
  assert.deepEqual(ids(await types(on, { worker: "post" })), ["mail"]);
  assert.ok(ids(await types(on, { include_internal: true })).includes("engine::mine"));
});

test("engine::triggers::info tells formats as they were spelled and how many triggers are live", async (t) => {
  const on = await stage(t);
  const answer = await on.post.call("engine::triggers::info", { id: "mail" });
  assert.match(on.post.text, /"configuration_schema":\{"type":"object","maximum":1000\}/);
  assert.deepEqual(answer.result, {
    id: "mail",
    namespace: "default",
    worker_name: "post",
    description: "new mail",
    configuration_schema: { type: "object", maximum: 1000 },
    request_schema: { type: "string" },
    instance_count: 2,
  });
  for (const input of [{ id: "none" }, { id: "mail", namespace: "a" }])
    assert.equal((await on.post.call("engine::triggers::info", input)).error?.code, "NOT_FOUND");
});

test("engine::registered-triggers::list shows live triggers by id; with include_parked all, each with its state", async (t) => {
  const on = await stage(t);
  assert.deepEqual(await triggers(on), [
    {
      id: "t1",
      trigger_type: "mail",
      function_id: "elsewhere::f",
      worker_name: "elsewhere",
      config: { z: 1, a: ["t1"] },
      config_summary: '{"a":["t1"],"z":1}',
    },
    {
      id: "t2",
      trigger_type: "mail",
      function_id: "shop::got",
      worker_name: "shop",
      config: { z: 1, a: ["t2"] },
      config_summary: '{"a":["t2"],"z":1}',
    },
  ]);
  assert.deepEqual(ids(await triggers(on, { include_internal: true })), ["t1", "t2", "t3"]);
  assert.deepEqual(ids(await triggers(on, { function_id: "shop::got" })), ["t2"]);
  assert.deepEqual(ids(await triggers(on, { trigger_type: "cron", include_internal: true })), ["t3"]);
  assert.deepEqual(ids(await triggers(on, { worker: "shop" })), ["t2"]);
  assert.deepEqual(ids(await triggers(on, { search: "SHOP" })), ["t2"]);
  const all = await triggers(on, { include_parked: true });
  const states = all.map((row) => [row["id"], row["namespace"], row["state"], row["reason"]]);
  assert.deepEqual(states, [
    ["t1", "default", "active", undefined],
    ["t2", "a", "active", undefined],
    ["t4", "a", "parked", "no_provider"],
  ]);
});

test("engine::registered-triggers::info: type and function, null where there are none; parked ones only when asked for", async (t) => {
  const on = await stage(t);
  const info = async (input: object) =>
    (await on.engine.call("engine::registered-triggers::info", input)) as Row;
  const t2 = await info({ id: "t2" });
  assert.deepEqual(t2["metadata"], { m: 1 });
  assert.equal((t2["trigger"] as Row)["id"], "mail");
  const target = t2["function"] as Row;
  assert.equal(target["function_id"], "shop::got");
  assert.deepEqual(target["registered_triggers"], [
    { id: "t2", trigger_type: "mail", config: { z: 1, a: ["t2"] } },
  ]);
  assert.equal((await info({ id: "t1" }))["function"], null);
  const t4 = await info({ id: "t4", include_parked: true });
  assert.deepEqual([t4["trigger"], t4["state"], t4["reason"]], [null, "parked", "no_provider"]);
  await assert.rejects(info({ id: "t4" }), { code: "NOT_FOUND" });
  await assert.rejects(info({ id: "none", include_parked: true }), { code: "NOT_FOUND" });
});

test("a refused trigger shows its last error, also after it was accepted at last", async (t) => {
  const on = await stage(t);
  const say = (error?: object) =>
    on.post.send({
      type: "triggerregistrationresult",
      id: "t2",
      trigger_type: "mail",
      function_id: "shop::got",
      error,
    });
  say({ code: "taken", message: "path taken", stacktrace: "somewhere" });
  await on.shop.next("triggerregistrationresult");
  const shown = async () =>
    (await triggers(on, { include_parked: true })).find(({ id }) => id === "t2") ?? {};
  const error = { code: "taken", message: "path taken" };
  const refused = await shown();
  assert.deepEqual(
    [refused["state"], refused["reason"], refused["last_error"]],
    ["rejected", "refused", error],
  );
  on.post.send({ type: "registertriggertype", id: "mail", description: "" });
  await on.post.drain();
  const accepted = await shown();
  assert.deepEqual([accepted["state"], accepted["last_error"]], ["active", error]);
});

test("functions::info and workers::info tell the triggers that call a function, and the types a worker provides", async (t) => {
  const on = await stage(t);
  const shop = (await on.engine.call("engine::workers::info", { name: "shop" })) as Record<string, Row[]>;
  assert.deepEqual(ids(shop["registered_triggers"] ?? []), ["t2"]);
  assert.deepEqual(shop["trigger_types"], []);
  const post = (await on.engine.call("engine::workers::info", { name: "post" })) as Record<string, Row[]>;
  assert.deepEqual(ids(post["trigger_types"] ?? []), ["engine::mine", "mail"]);
  const fn = (await on.engine.call("engine::functions::info", { function_id: "shop::got" })) as Row;
  assert.deepEqual(ids(fn["registered_triggers"] as Row[]), ["t2"]);
});

test("29. instance_count counts the triggers of all namespaces", async (t) => {
  const on = await stage(t);
  const home = await on.json({ namespace: "a" });
  home.send({ type: "registertriggertype", id: "mail", description: "at home" });
  await home.drain();
  const info = (await on.engine.call("engine::triggers::info", { id: "mail", namespace: "a" })) as Row;
  assert.deepEqual([info["description"], info["instance_count"]], ["at home", 2]);
});

test("engine::register_trigger keeps config as it was spelled", async (t) => {
  const on = await stage(t);
  const id = '"invocation_id":"9d6a2b0c-5d3e-4a4e-8f1c-2b7c1b1f0a01"';
  on.shop.sendText(
    `{"type":"invokefunction",${id},"function_id":"engine::register_trigger","data":{"trigger_type":"unknown","config":{"n":1.0,"big":123456789012345678901234567890},"function_id":"x"}}`,
  );
  await on.shop.next();
  await on.shop.call("engine::registered-triggers::list", { include_parked: true, function_id: "x" });
  assert.match(on.shop.text, /"config":\{"n":1\.0,"big":123456789012345678901234567890\}/);
});

test("7. configSummary() sorts keys by bytes, keeps numbers, and cuts after 80 characters", () => {
  assert.equal(
    configSummary(' { "b" : [ 1.0 , {"z":null,"y":"a\\"b"} ] , "a":-0 }'),
    '{"a":-0,"b":[1.0,{"y":"a\\"b","z":null}]}',
  );
  assert.equal(configSummary("[]"), "[]");
  assert.equal(configSummary("{}"), "{}");
  assert.equal(configSummary('"é"'), '"é"');
  const long = configSummary(JSON.stringify({ text: "🙂".repeat(100) }));
  assert.equal(Array.from(long).length, 81);
  assert.ok(long.endsWith("🙂…"));
});

test("a well-known type has schemas of its own where its provider says nothing; what the provider says wins", async (t) => {
  const on = await testEngine(t);
  const provider = await on.json();
  const provide = (id: string, rest: object = {}): void =>
    provider.send({ type: "registertriggertype", id, description: "", ...rest });
  for (const id of WELL_KNOWN_TYPES.keys()) provide(id);
  provide("cron", { trigger_request_format: { mine: 1 } });
  provide("mail");
  await provider.settle();
  const info = async (id: string) =>
    (await provider.call("engine::triggers::info", { id })).result as Record<string, unknown>;
  for (const [id, known] of WELL_KNOWN_TYPES) {
    const detail = await info(id);
    assert.deepEqual(detail["configuration_schema"], id === "cron" ? { mine: 1 } : known.configuration, id);
    assert.deepEqual(detail["request_schema"], known.request, id);
    assert.deepEqual(Object.hasOwn(detail, "response_schema"), id === "http");
    assert.equal(detail["worker_name"], known.owner);
  }
  const plain = Object.keys(await info("mail")).sort();
  assert.deepEqual(plain, ["description", "id", "instance_count", "namespace", "worker_name"]);
});

test("the schemas of the well-known types fit what the reference's modules send", () => {
  const schemaOf = (id: string) =>
    WELL_KNOWN_TYPES.get(id)?.request as { required: string[]; properties: object };
  const captured: [string, object][] = [
    ["cron", { actual_time: "t", job_id: "j", scheduled_time: "t", trigger: "cron" }],
    [
      "state",
      { event_type: "state:created", key: "k", new_value: 1, old_value: null, scope: "s", type: "state" },
    ],
    [
      "stream",
      {
        event: { data: { z: 1 }, type: "create" },
        groupId: "g",
        id: "i",
        streamName: "s",
        timestamp: 1,
        type: "stream",
      },
    ],
    [
      "http",
      {
        body: null,
        headers: {},
        method: "GET",
        path: "/p",
        path_params: {},
        query_params: {},
        request_body: {},
        response: {},
        trigger: {},
      },
    ],
  ];
  for (const [id, sent] of captured) {
    const { required, properties } = schemaOf(id);
    for (const key of required) assert.ok(Object.hasOwn(sent, key), `${id} always sends ${key}`);
    for (const key of Object.keys(sent)) assert.ok(Object.hasOwn(properties, key), `${id} may send ${key}`);
  }
});
