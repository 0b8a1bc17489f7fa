// What sessions may do with triggers and trigger types, and what they are told of the registry.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AccessOptions } from "../../src/access/options.js";
import type { JsonPeer } from "../support/json-peer.js";
import { exposes, type GuardedEngine, guardedEngine, serve } from "./support.js";

const HOOKED: AccessOptions = {
  rbac: {
    authFunctionId: "auth",
    exposeFunctions: exposes("open::*"),
    onTriggerRegistrationFunctionId: "hook",
    onTriggerTypeRegistrationFunctionId: "type-hook",
  },
};

const PLAIN: AccessOptions = { rbac: { authFunctionId: "auth", exposeFunctions: exposes("open::*") } };

function bind(peer: JsonPeer, id: string, type: string, functionId: string, rest: object = {}): void {
  peer.send({
    type: "registertrigger",
    id,
    trigger_type: type,
    function_id: functionId,
    config: { a: 1 },
    ...rest,
  });
}

async function provider(rig: GuardedEngine, type: string): Promise<JsonPeer> {
  const peer = await rig.jsonOffering();
  peer.send({ type: "registertriggertype", id: type, description: "" });
  await peer.settle();
  return peer;
}

test("a target that is not allowed, and a type that is not in the list, are FORBIDDEN", async (t) => {
  const rig = await guardedEngine(t, PLAIN);
  await serve(rig, "auth", () => ({ allowed_trigger_types: ["mail"] }));
  const mail = await provider(rig, "mail");
  const peer = await rig.entered();
  bind(peer, "t1", "mail", "closed::f");
  const first = await peer.next();
  assert.deepEqual([first.type, first.error?.code], ["triggerregistrationresult", "FORBIDDEN"]);
  assert.equal(first.error?.message, "function 'closed::f' not allowed in namespace 'default'");
  bind(peer, "t2", "cron", "open::f");
  assert.equal((await peer.next()).error?.code, "FORBIDDEN");
  bind(peer, "t3", "mail", "open::f");
  assert.equal((await mail.next())["id"], "t3");
  await mail.settle();
});

test("a session registers trigger types only where it is allowed to, on both wires", async (t) => {
  const rig = await guardedEngine(t, PLAIN);
  let allow = false;
  await serve(rig, "auth", () => ({ allow_trigger_type_registration: allow }));
  const peer = await rig.entered();
  peer.send({ type: "registertriggertype", id: "mail", description: "" });
  const frame = await peer.next();
  assert.deepEqual(
    [frame.type, frame["code"], frame["trigger_type"]],
    ["registrationrefused", "FORBIDDEN", "mail"],
  );
  const msgpack = await rig.enteredMsgpack();
  msgpack.send([26, 1, [["mail"]]]);
  assert.deepEqual((await msgpack.next()).slice(0, 3), [25, 1, "FORBIDDEN"]);
  allow = true;
  const other = await rig.entered();
  other.send({ type: "registertriggertype", id: "mail", description: "" });
  const owner = await rig.jsonOffering();
  await other.settle();
  bind(owner, "t", "mail", "f");
  assert.equal((await other.next())["id"], "t");
});

test("the hook may change id, type, function and config; what it leaves keeps its spelling", async (t) => {
  const rig = await guardedEngine(t, HOOKED);
  await serve(rig, "auth", () => ({ context: { c: 1 }, namespaces: { default: [] } }));
  const seen: unknown[] = [];
  const answers = [{ trigger_id: "t9", function_id: "open::g", config: { b: 2 } }, {}];
  await serve(rig, "hook", (data) => {
    seen.push(data);
    return answers.shift();
  });
  const mail = await provider(rig, "mail");
  const peer = await rig.entered();
  bind(peer, "t1", "mail", "open::f", { metadata: { m: 1 } });
  const offered = await mail.next();
  assert.deepEqual(
    [offered["id"], offered.function_id, offered["config"], offered["metadata"]],
    ["t9", "open::g", { b: 2 }, { m: 1 }],
  );
  assert.deepEqual(seen, [
    {
      trigger_id: "t1",
      trigger_type: "mail",
      function_id: "open::f",
      config: { a: 1 },
      metadata: { m: 1 },
      namespace: "default",
      context: { c: 1 },
    },
  ]);
  peer.sendText(
    '{"type":"registertrigger","id":"t2","trigger_type":"mail","function_id":"open::f","config":{"n":1.00}}',
  );
  await mail.next();
  assert.match(mail.text, /"config":\{"n":1\.00\}/);
});

test("a hook that forbids, or is not there, keeps a trigger and a type out; frames behind it wait", async (t) => {
  const rig = await guardedEngine(t, HOOKED);
  await serve(rig, "auth", () => ({ allow_trigger_type_registration: true }));
  const hook = await rig.jsonOffering("hook");
  const mail = await provider(rig, "mail");
  const peer = await rig.entered();
  bind(peer, "t1", "mail", "open::f");
  peer.send({ type: "ping" });
  const question = await hook.next();
  assert.equal(peer.inbox.length, 0);
  hook.answer(question, null);
  assert.equal((await peer.next()).error?.code, "FORBIDDEN");
  assert.equal((await peer.next()).type, "pong");
  await mail.settle();
  peer.send({ type: "registertriggertype", id: "mine", description: "d" });
  assert.equal((await peer.next())["code"], "FORBIDDEN", "type-hook is not there");
});

test("the trigger type hook may rename, for msgpack workers too", async (t) => {
  const rig = await guardedEngine(t, HOOKED);
  await serve(rig, "auth", () => ({ allow_trigger_type_registration: true }));
  await serve(rig, "hook", () => ({}));
  await serve(rig, "type-hook", (data: { trigger_type_id: string; description: string }) => ({
    trigger_type_id: `ours::${data.trigger_type_id}`,
    description: `${data.description}!`,
  }));
  const msgpack = await rig.enteredMsgpack();
  msgpack.send([26, 1, [["mail", "mine"]]], [22, 2, []]);
  assert.deepEqual(await msgpack.next(), [26, 1, 1]);
  assert.equal((await msgpack.next())[1], 2);
  const trusted = await rig.json();
  const info = await trusted.call("engine::triggers::info", { id: "ours::mail" });
  assert.equal((info.result as { description: string }).description, "mine!");
  msgpack.send([28, 3, "t1", "cron", "open::f", { x: 1 }]);
  assert.deepEqual((await msgpack.next()).slice(0, 3), [31, 3, "t1"]);
});

test("the prefix stands before a trigger's function, and the worker does not see it when the engine fires", async (t) => {
  const rig = await guardedEngine(t, PLAIN);
  await serve(rig, "auth", () => ({ function_registration_prefix: "team", allowed_functions: ["team::on"] }));
  const peer = await rig.entered();
  peer.register("on");
  bind(peer, "t", "engine::workers-available", "on");
  await peer.settle();
  await rig.json();
  const fired = await peer.next("the event");
  assert.deepEqual([fired.type, fired.function_id], ["invokefunction", "on"]);
});

test("functions-available tells a session what it may see and no more", async (t) => {
  const rig = await guardedEngine(t, PLAIN);
  await serve(rig, "auth", () => ({ allowed_functions: ["mine"] }));
  await rig.jsonOffering("open::f", "closed::f");
  const peer = await rig.entered();
  peer.register("mine");
  bind(peer, "t", "engine::functions-available", "mine");
  const event = await peer.next("the snapshot");
  const ids = (event.data as { functions: { function_id: string }[] }).functions.map(
    (row) => row.function_id,
  );
  assert.ok(ids.includes("open::f") && ids.includes("mine"));
  assert.ok(!ids.includes("closed::f") && !ids.includes("auth") && !ids.includes("engine::functions::list"));
});

test("listings of triggers leave out those whose function a session may not call", async (t) => {
  const rig = await guardedEngine(t, {
    rbac: { exposeFunctions: exposes("open::*", "engine::registered-triggers::*") },
  });
  await provider(rig, "mail");
  const owner = await rig.jsonOffering();
  bind(owner, "seen", "mail", "open::f");
  bind(owner, "hidden", "mail", "closed::f");
  await owner.settle();
  const peer = await rig.entered();
  const { result } = await peer.call("engine::registered-triggers::list", {});
  const rows = (result as { registered_triggers: { id: string }[] }).registered_triggers;
  assert.deepEqual(
    rows.map(({ id }) => id),
    ["seen"],
  );
  assert.equal(
    (await peer.call("engine::registered-triggers::info", { id: "hidden" })).error?.code,
    "NOT_FOUND",
  );
  assert.ok((await peer.call("engine::registered-triggers::info", { id: "seen" })).result);
});

test("engine::register_trigger holds a session to its types and its prefix", async (t) => {
  const rig = await guardedEngine(t, {
    rbac: { authFunctionId: "auth", exposeFunctions: exposes("engine::register_trigger") },
  });
  await serve(rig, "auth", () => ({
    allowed_trigger_types: ["mail"],
    allowed_functions: ["team::f"],
    function_registration_prefix: "team",
  }));
  const peer = await rig.entered();
  const refused = await peer.call("engine::register_trigger", { trigger_type: "cron", function_id: "f" });
  assert.equal(refused.error?.code, "FORBIDDEN");
  const beyond = await peer.call("engine::register_trigger", { trigger_type: "mail", function_id: "g" });
  assert.equal(beyond.error?.code, "FORBIDDEN", "it may not call team::g");
  const mail = await provider(rig, "mail");
  const id = peer.invoke("engine::register_trigger", { trigger_type: "mail", function_id: "f" });
  const offered = await mail.next();
  assert.equal(offered.function_id, "team::f");
  mail.send({ ...offered, type: "triggerregistrationresult" });
  assert.equal((await peer.next()).invocation_id, id);
});

test("a trigger that a session makes through engine::register_trigger tells what that session may see, also when it has gone", async (t) => {
  const rig = await guardedEngine(t, {
    rbac: { exposeFunctions: exposes("open::*", "engine::register_trigger") },
  });
  const sink = await rig.jsonOffering("open::sink", "closed::f");
  const peer = await rig.entered();
  const asked = { trigger_type: "engine::functions-available", function_id: "open::sink" };
  const { result } = await peer.call("engine::register_trigger", asked);
  assert.ok(result);
  const idsOf = (data: unknown): string[] =>
    (data as { functions: { function_id: string }[] }).functions.map((row) => row.function_id);
  const first = idsOf((await sink.next("the snapshot")).data);
  assert.ok(first.includes("open::sink") && !first.includes("closed::f"), String(first));
  await peer.close();
  sink.register("open::g");
  sink.register("closed::g");
  const ids = idsOf((await sink.next("the next snapshot")).data);
  assert.ok(ids.includes("open::g") && !ids.includes("closed::g") && !ids.includes("closed::f"), String(ids));
});

test("engine::register_trigger asks the listener's hook, and engine::unregister_trigger removes only what is seen", async (t) => {
  const rig = await guardedEngine(t, {
    rbac: {
      exposeFunctions: exposes("open::*", "engine::*register_trigger"),
      onTriggerRegistrationFunctionId: "hook",
    },
  });
  const answers: unknown[] = [null, { function_id: "open::g" }];
  await serve(rig, "hook", () => answers.shift());
  const mail = await provider(rig, "mail");
  const peer = await rig.entered();
  const ask = { trigger_type: "mail", function_id: "open::f" };
  assert.equal((await peer.call("engine::register_trigger", ask)).error?.code, "FORBIDDEN");
  peer.invoke("engine::register_trigger", ask);
  const offered = await mail.next();
  assert.equal(offered.function_id, "open::g");
  mail.send({ ...offered, type: "triggerregistrationresult" });
  const made = (await peer.next()).result as { id: string };
  bind(mail, "hidden", "nobody", "closed::f");
  await mail.settle();
  const remove = async (id: string): Promise<unknown> =>
    (await peer.call("engine::unregister_trigger", { id })).result;
  assert.deepEqual([await remove("hidden"), await remove(made.id)], [{ removed: false }, { removed: true }]);
});
