// Triggers between scripted JSON workers: literal frames on real sockets. Names that begin with a number belong to the list of traps of the iii protocol.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMITS } from "../../src/protocol/limits.js";
import { FakeClock } from "../support/fake-clock.js";
import type { JsonFrame, JsonPeer } from "../support/json-peer.js";
import { type TestEngine, testEngine } from "../support/test-engine.js";

function provide(peer: JsonPeer, id: string, rest: object = {}): void {
  peer.send({ type: "registertriggertype", id, description: `type ${id}`, ...rest });
}

function want(peer: JsonPeer, id: string, rest: object = {}): void {
  peer.send({ type: "registertrigger", id, trigger_type: "mail", function_id: "f", config: {}, ...rest });
}

function accept(peer: JsonPeer, offer: JsonFrame): void {
  const { id, trigger_type, function_id } = offer;
  peer.send({ type: "triggerregistrationresult", id, trigger_type, function_id });
}

function refuse(
  peer: JsonPeer,
  offer: JsonFrame,
  error: unknown = { code: "trigger_registration_failed", message: "path taken" },
): void {
  const { id, trigger_type, function_id } = offer;
  peer.send({ type: "triggerregistrationresult", id, trigger_type, function_id, error });
}

/** Triggers as `engine::registered-triggers::list` shows them, with their state. */
async function states(on: TestEngine): Promise<Record<string, string>> {
  const listed = await on.engine.call("engine::registered-triggers::list", { include_parked: true });
  const rows = (listed as { registered_triggers: Record<string, unknown>[] }).registered_triggers;
  return Object.fromEntries(
    rows.map((row) => [row["id"], [row["state"], row["reason"]].filter(Boolean).join(" ")]),
  );
}

function offered(id: string, rest: object = {}): object {
  return { type: "registertrigger", id, trigger_type: "mail", function_id: "f", config: {}, ...rest };
}

function gone(id: string, type = "mail"): object {
  return { type: "unregistertrigger", id, trigger_type: type };
}

test("6. a trigger is handed to its provider as it was spelled, and nobody is told of success", async (t) => {
  const on = await testEngine(t);
  const [provider, owner] = [await on.json({ name: "post" }), await on.json({ namespace: "shop-a" })];
  provide(provider, "mail");
  await provider.settle();
  owner.sendText(
    '{"type":"registertrigger","id":"t1","trigger_type":"mail","function_id":"shop::got","config":{"b":1.0,"a":18446744073709551615},"metadata":[1e2],"namespace":"shop-a","message_type":"registertrigger"}',
  );
  await owner.settle();
  const offer = await provider.next();
  assert.equal(
    provider.text,
    '{"type":"registertrigger","id":"t1","trigger_type":"mail","function_id":"shop::got","config":{"b":1.0,"a":18446744073709551615},"metadata":[1e2],"namespace":"shop-a"}',
  );
  accept(provider, offer);
  await provider.settle();
  await owner.settle();
  assert.deepEqual(await states(on), { t1: "active" });
});

test("27. a trigger of an unknown type is parked without a word and bound when its type appears, once and with the same id", async (t) => {
  const on = await testEngine(t);
  const owner = await on.json();
  want(owner, "t1");
  want(owner, "t2", { trigger_type: "other" });
  await owner.settle();
  assert.deepEqual(await states(on), { t1: "parked no_provider", t2: "parked no_provider" });
  const provider = await on.json();
  provide(provider, "mail");
  assert.deepEqual(await provider.next(), offered("t1"));
  await provider.settle();
  assert.deepEqual(await states(on), { t1: "active", t2: "parked no_provider" });
});

test("the provider of the owner's namespace comes before that of default; a named namespace is strict", async (t) => {
  const on = await testEngine(t);
  const [home, fallback] = [await on.json({ namespace: "a" }), await on.json()];
  provide(home, "mail");
  provide(fallback, "mail");
  await Promise.all([home.settle(), fallback.settle()]);
  const [inA, inB] = [await on.json({ namespace: "a" }), await on.json({ namespace: "b" })];
  want(inA, "a1");
  want(inB, "b1");
  want(inA, "a2", { trigger_namespace: "default" });
  want(inB, "b2", { trigger_namespace: "c" });
  await Promise.all([inA.settle(), inB.settle()]);
  assert.deepEqual(await home.next(), offered("a1", { namespace: "default", trigger_namespace: "a" }));
  const atFallback = [await fallback.next(), await fallback.next()].map((row) => row["id"]).sort();
  assert.deepEqual(atFallback, ["a2", "b1"]);
  assert.deepEqual((await states(on))["b2"], "parked no_provider");
});

test("a provider in a namespace of its own takes the triggers home that had fallen back to default", async (t) => {
  const on = await testEngine(t);
  const [fallback, owner] = [await on.json(), await on.json({ namespace: "a" })];
  provide(fallback, "mail");
  await fallback.settle();
  want(owner, "t1");
  want(owner, "t2", { trigger_namespace: "default" });
  await owner.settle();
  await fallback.drain();
  const home = await on.json({ namespace: "a" });
  provide(home, "mail");
  assert.equal((await home.next())["id"], "t1");
  assert.deepEqual(await fallback.next(), gone("t1"));
  await fallback.settle();
  await home.close();
  assert.deepEqual(
    await fallback.next("t1 comes back"),
    offered("t1"),
    "the namespace it names, default, is left out",
  );
});

test("26. a refused trigger is parked, its owner told; it is tried again whenever the type is registered", async (t) => {
  const on = await testEngine(t);
  const [provider, owner] = [await on.json(), await on.json()];
  provide(provider, "mail");
  await provider.settle();
  want(owner, "t1");
  refuse(provider, await provider.next());
  const told = {
    type: "triggerregistrationresult",
    id: "t1",
    trigger_type: "mail",
    function_id: "f",
    error: { code: "trigger_registration_failed", message: "path taken" },
  };
  assert.deepEqual(await owner.next(), told);
  assert.deepEqual(await states(on), { t1: "rejected refused" });
  provide(provider, "mail");
  refuse(provider, await provider.next("the second try"));
  assert.deepEqual(await owner.next(), told);
  provide(provider, "mail");
  accept(provider, await provider.next("the third try"));
  await provider.settle();
  assert.deepEqual(await states(on), { t1: "active" });
});

test("an answer counts only from the provider of now, with a sound error body", async (t) => {
  const on = await testEngine(t);
  const [provider, owner, stranger] = [await on.json(), await on.json(), await on.json()];
  provide(provider, "mail");
  await provider.settle();
  want(owner, "t1");
  const offer = await provider.next();
  refuse(stranger, offer);
  await stranger.settle();
  assert.equal(on.counter("trigger_answers_unmatched"), 1);
  for (const error of [{}, { code: 1, message: "m" }, "no", { code: "c" }]) refuse(provider, offer, error);
  await provider.settle();
  await owner.settle();
  assert.deepEqual(await states(on), { t1: "active" });
  const other = await on.json();
  provide(other, "mail");
  await other.next();
  assert.deepEqual(await provider.next(), gone("t1"));
  refuse(provider, offer);
  await provider.settle();
  assert.deepEqual(await states(on), { t1: "active" }, "the former provider is not asked any more");
  assert.equal(on.counter("trigger_answers_unmatched"), 2);
});

test("two workers claim a type: the latest serves, and when it leaves the earlier one serves again", async (t) => {
  const on = await testEngine(t);
  const [first, second, owner] = [await on.json(), await on.json(), await on.json()];
  provide(first, "mail");
  await first.settle();
  want(owner, "t1");
  await first.next();
  provide(second, "mail");
  assert.deepEqual(await second.next(), offered("t1"));
  assert.deepEqual(await first.next(), gone("t1"), "so that it is not fired twice");
  want(owner, "t2");
  assert.deepEqual(await second.next(), offered("t2"));
  await second.close();
  assert.deepEqual([await first.next(), await first.next()], [offered("t1"), offered("t2")]);
  await first.close();
  await owner.settle();
  assert.deepEqual(await states(on), { t1: "parked provider_left", t2: "parked provider_left" });
});

test("an owner leaves: its triggers go, its provider is told, the parked ones are dropped", async (t) => {
  const on = await testEngine(t);
  const [provider, owner, other] = [await on.json(), await on.json(), await on.json()];
  provide(provider, "mail");
  await provider.settle();
  want(owner, "t1");
  want(owner, "t2", { trigger_type: "unknown" });
  want(other, "t3");
  await Promise.all([owner.settle(), other.settle()]);
  await provider.drain();
  await owner.close();
  assert.deepEqual(await provider.next(), gone("t1"));
  assert.deepEqual(await states(on), { t3: "active" });
  assert.equal(on.engine.triggers.triggers.count, 1);
});

test("owner and provider leave in the same turn", async (t) => {
  const on = await testEngine(t);
  const [provider, owner, both] = [await on.json(), await on.json(), await on.json()];
  provide(provider, "mail");
  provide(both, "own");
  await Promise.all([provider.settle(), both.settle()]);
  want(owner, "t1");
  want(both, "t2", { trigger_type: "own" });
  await Promise.all([owner.settle(), both.drain()]);
  provider.socket.terminate();
  owner.socket.terminate();
  both.socket.terminate();
  const watcher = await on.json();
  for (let left = 3; left > 0; ) {
    await watcher.settle();
    left = on.engine.stats().connections - 1;
  }
  assert.equal(on.engine.triggers.triggers.count, 0);
  assert.equal(on.engine.triggers.types.count, on.engine.triggers.engineTypes);
});

test("11. a trigger is unregistered by its owner only; the provider hears its id and type", async (t) => {
  const on = await testEngine(t);
  const [provider, owner, stranger] = [await on.json(), await on.json(), await on.json()];
  provide(provider, "mail");
  await provider.settle();
  want(owner, "t1");
  await provider.next();
  stranger.send({ type: "unregistertrigger", id: "t1", trigger_type: "mail" });
  await stranger.settle();
  assert.deepEqual(await states(on), { t1: "active" });
  owner.send({ type: "unregistertrigger", id: "t1" });
  assert.deepEqual(await provider.next(), gone("t1"));
  owner.send({ type: "unregistertrigger", id: "never-was" });
  await owner.settle();
  assert.deepEqual(await states(on), {});
});

test("40. an id registered by another worker changes hands: its former owner's leaving does not remove it", async (t) => {
  const on = await testEngine(t);
  const [provider, old, fresh] = [await on.json(), await on.json(), await on.json()];
  provide(provider, "mail");
  await provider.settle();
  want(old, "t1");
  await provider.next();
  want(fresh, "t1", { config: { v: 2 } });
  assert.deepEqual(await provider.next(), offered("t1", { config: { v: 2 } }));
  await old.close();
  await provider.settle();
  assert.deepEqual(await states(on), { t1: "active" });
});

test("an id registered again with another type is taken from the provider of the former one", async (t) => {
  const on = await testEngine(t);
  const [mail, post, owner] = [await on.json(), await on.json(), await on.json()];
  provide(mail, "mail");
  provide(post, "post");
  await Promise.all([mail.settle(), post.settle()]);
  want(owner, "t1");
  await mail.next();
  want(owner, "t1", { trigger_type: "post" });
  assert.deepEqual(await mail.next(), gone("t1"));
  assert.deepEqual(await post.next(), offered("t1", { trigger_type: "post" }));
});

test("1. a trigger without config has the config null", async (t) => {
  const on = await testEngine(t);
  const [provider, owner] = [await on.json(), await on.json()];
  provide(provider, "mail");
  await provider.settle();
  want(owner, "t1", { config: undefined });
  assert.deepEqual(await provider.next(), offered("t1", { config: null }));
});

test("2. unregistertriggertype is ignored: not answered, not fatal", async (t) => {
  const on = await testEngine(t);
  const provider = await on.json();
  provide(provider, "mail");
  provider.send({ type: "unregistertriggertype", id: "mail" });
  await provider.settle();
  assert.equal(on.engine.triggers.types.count, 1 + on.engine.triggers.engineTypes);
});

test("16. what a provider outside default is told: the target's namespace, default too", async (t) => {
  const on = await testEngine(t);
  const [provider, owner] = [await on.json({ namespace: "a" }), await on.json()];
  provide(provider, "mail");
  await provider.settle();
  want(owner, "t1", { trigger_namespace: "a" });
  assert.deepEqual(await provider.next(), offered("t1", { namespace: "default", trigger_namespace: "a" }));
});

test("blank namespaces are refused by name, the target's first; on a type with a log line alone", async (t) => {
  const on = await testEngine(t);
  const worker = await on.json();
  want(worker, "t1", { namespace: " ", trigger_namespace: "" });
  want(worker, "t2", { trigger_namespace: "" });
  for (const [id, message] of [
    ["t1", "namespace must not be blank"],
    ["t2", "trigger_namespace must not be blank"],
  ]) {
    assert.deepEqual(await worker.next(), {
      type: "triggerregistrationresult",
      id,
      trigger_type: "mail",
      function_id: "f",
      error: { code: "INVALID_NAMESPACE", message },
    });
  }
  provide(worker, "mail", { namespace: " " });
  assert.equal((await worker.next()).type, "registrationrefused", "a type that SDKs ignore");
  assert.deepEqual(await states(on), {});
});

test("frames with a missing field or one of a wrong type are dropped, and nothing else happens", async (t) => {
  const on = await testEngine(t);
  const worker = await on.json();
  await worker.settle();
  const before = on.counter("frames_malformed");
  const frames = [
    { type: "registertriggertype" },
    { type: "registertriggertype", id: "mail", description: 1 },
    { type: "registertriggertype", id: "mail", namespace: 1 },
    { type: "registertrigger", trigger_type: "mail", function_id: "f", config: {} },
    { type: "registertrigger", id: "t", function_id: "f", config: {} },
    { type: "registertrigger", id: "t", trigger_type: "mail", config: {} },
    { type: "registertrigger", id: "t", trigger_type: "mail", function_id: "f", config: {}, namespace: 7 },
    {
      type: "registertrigger",
      id: "t",
      trigger_type: "mail",
      function_id: "f",
      config: {},
      trigger_namespace: [],
    },
    { type: "unregistertrigger", trigger_type: "mail" },
    { type: "triggerregistrationresult", trigger_type: "mail", function_id: "f" },
    { type: "triggerregistrationresult", id: "t", function_id: "f" },
  ];
  for (const frame of frames) worker.send(frame);
  await worker.settle();
  assert.equal(on.counter("frames_malformed") - before, frames.length);
  assert.equal(on.engine.triggers.triggers.count, 0);
});

test("triggers of one connection are bounded in number and in bytes, and each refusal is told", async (t) => {
  const on = await testEngine(t, {
    limits: { triggersPerConnectionMax: 100, triggerBytesPerConnectionMax: 4_096 },
  });
  const [owner, other] = [await on.json(), await on.json()];
  for (let at = 0; at < 1_000; at++) want(owner, `t${at}`, { trigger_type: `unknown${at}` });
  const told = await owner.drain();
  assert.equal(told.length, 900);
  assert.ok(told.every(({ error }) => error?.code === "limit_reached"));
  assert.equal(on.engine.triggers.triggers.count, 100);
  want(owner, "t7", { config: { again: true } });
  want(other, "o1", { config: { text: "x".repeat(5_000) } });
  assert.equal((await other.next()).error?.code, "limit_reached");
  await owner.settle();
  await owner.close();
  await other.settle();
  assert.equal(on.engine.triggers.triggers.count, 0);
});

test("28. engine::register_trigger waits ten seconds for a provider that never answers, and takes that as yes", async (t) => {
  const clock = new FakeClock();
  const on = await testEngine(t, { clock });
  const [provider, caller] = [await on.json(), await on.json()];
  provide(provider, "mail");
  await provider.settle();
  const call = caller.invoke("engine::register_trigger", {
    trigger_type: "mail",
    function_id: "f",
    config: { big: 1 },
    metadata: { m: 1 },
  });
  const offer = await provider.next();
  assert.deepEqual({ ...offer, id: "" }, { ...offered("", { config: { big: 1 }, metadata: { m: 1 } }) });
  assert.deepEqual(await states(on), {}, "nobody hears of it before");
  clock.advance(9_999);
  await caller.settle();
  clock.advance(1);
  const answer = await caller.next();
  assert.equal(answer.invocation_id, call);
  assert.deepEqual(answer.result, { id: offer["id"] });
  assert.deepEqual(await states(on), { [String(offer["id"])]: "active" });
  await caller.close();
  await provider.settle();
  assert.deepEqual(await states(on), { [String(offer["id"])]: "active" }, "it belongs to nobody and stays");
  assert.equal(
    await on.engine.call("engine::unregister_trigger", { id: offer["id"] }).then(JSON.stringify),
    '{"removed":true}',
  );
  assert.deepEqual(await provider.next(), gone(String(offer["id"])));
});

test("engine::register_trigger: accepted, refused, parked, and its provider lost while asked", async (t) => {
  const on = await testEngine(t);
  const [provider, caller] = [await on.json(), await on.json()];
  const input = { trigger_type: "mail", function_id: "f" };
  const parked = await caller.call("engine::register_trigger", input);
  const parkedId = (parked.result as { id: string }).id;
  assert.deepEqual(await states(on), { [parkedId]: "parked no_provider" });
  provide(provider, "mail");
  await provider.next();
  caller.invoke("engine::register_trigger", input);
  accept(provider, await provider.next());
  assert.ok((await caller.next()).result);
  caller.invoke("engine::register_trigger", input);
  refuse(provider, await provider.next(), { code: "c", message: "m" });
  assert.deepEqual((await caller.next()).error, { code: "trigger_registration_failed", message: "c: m" });
  assert.equal(on.engine.triggers.triggers.count, 2);
  caller.invoke("engine::register_trigger", input);
  await provider.next();
  await provider.close();
  assert.ok((await caller.next()).result, "parked is registered");
  assert.equal(on.engine.triggers.triggers.count, 3);
  assert.deepEqual(
    await caller.call("engine::unregister_trigger", { id: parkedId }).then(({ result }) => result),
    { removed: true },
  );
  assert.deepEqual(
    await caller.call("engine::unregister_trigger", { id: parkedId }).then(({ result }) => result),
    { removed: false },
  );
  for (const [data, code] of [
    [{}, "deserialization_error"],
    [{ trigger_type: "mail" }, "deserialization_error"],
    [{ ...input, trigger_namespace: " " }, "INVALID_NAMESPACE"],
  ] as const)
    assert.equal((await caller.call("engine::register_trigger", data)).error?.code, code);
});

test("100,000 triggers of an unknown type from one worker: bounded, each refusal told, all gone with it", async (t) => {
  const on = await testEngine(t);
  const owner = await on.json();
  for (let at = 0; at < 100_000; at++) want(owner, `t${at}`, { trigger_type: "unknown" });
  const told = await owner.drain();
  assert.equal(told.length, 100_000 - LIMITS.triggersPerConnectionMax);
  assert.equal(on.engine.triggers.triggers.countWaiting("unknown"), LIMITS.triggersPerConnectionMax);
  const other = await on.json();
  want(other, "mine", { trigger_type: "unknown" });
  await other.settle();
  await owner.close();
  await other.settle();
  assert.equal(on.engine.triggers.triggers.countWaiting("unknown"), 1);
});

test("at its bounds a connection may still register again what it has; a claim that is refused takes nothing from anybody", async (t) => {
  const on = await testEngine(t, {
    limits: {
      triggersPerConnectionMax: 1,
      triggerBytesPerConnectionMax: 1_000,
      triggerTypesPerConnectionMax: 1,
    },
  });
  const [provider, owner, rival] = [await on.json(), await on.json(), await on.json()];
  provide(provider, "mail");
  await provider.settle();
  provide(provider, "mail");
  await provider.settle();
  const config = { text: "x".repeat(700) };
  for (let round = 0; round < 3; round++) {
    want(owner, "t", { config });
    assert.equal((await provider.next())["id"], "t");
    await owner.settle();
  }
  provide(rival, "own");
  provide(rival, "mail");
  const refused = await rival.next();
  assert.deepEqual([refused.type, refused["code"]], ["registrationrefused", "limit_reached"]);
  await provider.settle();
  assert.deepEqual(await states(on), { t: "active" });
});
