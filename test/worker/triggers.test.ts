// Trigger types and triggers of the worker SDK against the real engine, among themselves and with the official npm SDK.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { CallError, type ProvidedTrigger, type Worker } from "../../src/worker/index.js";
import { iiiFor } from "../sdk/iii.js";
import { CuttableProxy } from "../support/cuttable-proxy.js";
import { until } from "../support/eventually.js";
import { type RunningEngine, runEngine } from "../support/running-engine.js";
import { eventLog, SOON, workerFor } from "./support.js";

/** A provider of `mail`: keeps what it has, in the order told; refuses the path "taken". */
class Mail {
  readonly has = new Map<string, ProvidedTrigger<{ path: string }>>();
  readonly told: string[] = [];

  register(trigger: ProvidedTrigger<{ path: string }>): void {
    assert.ok(!this.has.has(trigger.id), "never registered twice");
    if (trigger.config.path === "taken") throw new CallError("path_taken", "the path is taken");
    this.told.push(`+${trigger.id}`);
    this.has.set(trigger.id, trigger);
  }

  unregister({ id }: { id: string }): void {
    this.told.push(`-${id}`);
    this.has.delete(id);
  }
}

async function provider(t: TestContext, on: RunningEngine): Promise<{ worker: Worker; mail: Mail }> {
  const worker = await workerFor(t, on, { name: "post" });
  const mail = new Mail();
  await worker
    .registerTriggerType("mail", mail, { description: "new mail", config: { type: "object" } })
    .ready();
  return { worker, mail };
}

test("a provider is given a trigger, fires it by call and by cast, and hears of its end", async (t) => {
  const on = await runEngine(t);
  const { mail } = await provider(t, on);
  const owner = await workerFor(t, on, { namespace: "a" });
  const casts: unknown[] = [];
  owner.register("got", (data, { metadata }) => {
    casts.push(data);
    return { data, metadata };
  });
  const trigger = owner.registerTrigger({
    type: "mail",
    function: "got",
    config: { path: "/in" },
    metadata: { m: 1 },
  });
  assert.equal(await trigger.ready(), "active");
  await until(() => mail.has.size === 1);
  const given = mail.has.get(trigger.id);
  assert.deepEqual([given?.type, given?.functionId, given?.namespace], ["mail", "got", "a"]);
  assert.deepEqual(await given?.call("hello"), { data: "hello", metadata: { m: 1 } });
  given?.cast("later");
  await until(() => casts.length === 2);
  assert.ok(owner.unregisterTrigger(trigger.id));
  assert.ok(!owner.unregisterTrigger(trigger.id));
  await until(() => mail.has.size === 0);
  assert.equal(trigger.state, "unregistered");
});

test("parked, then active, then rejected: a trigger tells what has become of it", async (t) => {
  const on = await runEngine(t);
  const log = eventLog();
  const owner = await workerFor(t, on, log);
  const fine = owner.registerTrigger({ type: "mail", function: "f", config: { path: "/" } });
  const taken = owner.registerTrigger({ type: "mail", function: "f", config: { path: "taken" } });
  assert.deepEqual(
    [await fine.ready(), await taken.ready(), fine.reason],
    ["parked", "parked", "no_provider"],
  );
  const { worker } = await provider(t, on);
  await until(() => fine.state === "active" && taken.state === "rejected");
  assert.equal(taken.error?.code, "path_taken");
  const rejected = log.events.filter((event) => event.type === "trigger_state" && event.state === "rejected");
  assert.equal(rejected.length, 1);
  await worker.close();
  await until(() => fine.state === "parked");
  assert.equal(fine.reason, "provider_left");
});

test("what the engine refuses rejects ready(): blank namespaces, reserved types, configs that cannot be said", async (t) => {
  const on = await runEngine(t);
  const worker = await workerFor(t, on);
  const refused = async (options: object, code: string) =>
    assert.rejects(worker.registerTrigger({ type: "mail", function: "f", ...options }).ready(), { code });
  await refused({ namespace: " " }, "INVALID_NAMESPACE");
  await refused({ triggerNamespace: "" }, "INVALID_NAMESPACE");
  await refused({ config: new Uint8Array(3) }, "payload_untranslatable");
  await refused({ config: { f: () => 1, deep: Symbol("s") } }, "payload_unencodable");
  const type = worker.registerTriggerType("engine::workers-available", new Mail());
  await assert.rejects(type.ready(), { code: "trigger_type_reserved" });
});

test("a lost connection: types and triggers are registered again, and what ended meanwhile is unregistered", async (t) => {
  const on = await runEngine(t);
  const proxy = new CuttableProxy(on.port);
  await proxy.listen();
  t.after(() => proxy.close());
  const worker = await workerFor(t, proxy, { name: "post", reconnect: SOON });
  const mail = new Mail();
  await worker.registerTriggerType("mail", mail).ready();
  const [stays, goes] = [await workerFor(t, on), await workerFor(t, on)];
  const kept = stays.registerTrigger({ id: "kept", type: "mail", function: "f", config: { path: "/" } });
  goes.registerTrigger({ id: "gone", type: "mail", function: "f", config: { path: "/" } });
  const own = worker.registerTrigger({ id: "own", type: "engine::functions-available", function: "f" });
  await until(() => mail.has.size === 2 && own.state === "active");
  proxy.cut();
  await goes.close();
  await until(() => worker.state !== "connected");
  await until(() => own.state === "active" && mail.has.size === 1);
  assert.ok(mail.has.has("kept"));
  await until(() => kept.state === "active");
  assert.equal(mail.told.filter((line) => line === "-gone").length, 1);
});

test("with the official SDK in every mix: it provides and we own, we provide and it owns", async (t) => {
  const on = await runEngine(t);
  const { worker, mail } = await provider(t, on);
  const iii = iiiFor(t, on.url, { workerName: "iii" });
  iii.registerFunction("iii::got", async (data: unknown, metadata: unknown) => ({ data, metadata }));
  iii.registerTrigger({ type: "mail", function_id: "iii::got", config: { path: "/in" }, metadata: { m: 1 } });
  await until(() => mail.has.size === 1);
  const [given] = mail.has.values();
  assert.deepEqual(await given?.call([1]), { data: [1], metadata: { m: 1 } });

  const given2 = new Map<string, { function_id: string; config: unknown }>();
  iii.registerTriggerType(
    { id: "clock", description: "time" },
    {
      registerTrigger: async (binding) => void given2.set(binding.id, binding),
      unregisterTrigger: async ({ id }) => void given2.delete(id),
    },
  );
  await worker.register("ours", (data) => ({ ours: data })).ready();
  const trigger = worker.registerTrigger({ type: "clock", function: "ours", config: { every: 5 } });
  await until(() => given2.size === 1);
  assert.deepEqual(given2.get(trigger.id)?.config, { every: 5 });
  assert.deepEqual(await iii.trigger({ function_id: "ours", payload: 7 }), { ours: 7 });
  await worker.close();
  await until(() => given2.size === 0);
});

test("a type that is provided no more goes back to whoever provided it before", async (t) => {
  const on = await runEngine(t);
  const first = await provider(t, on);
  const second = await workerFor(t, on);
  const mail = new Mail();
  await second.registerTriggerType("mail", mail).ready();
  const owner = await workerFor(t, on);
  await owner.registerTrigger({ type: "mail", function: "f", config: { path: "/" } }).ready();
  await until(() => mail.has.size === 1);
  assert.ok(second.unregisterTriggerType("mail"));
  assert.equal(mail.has.size, 0);
  await until(() => first.mail.has.size === 1);
});
