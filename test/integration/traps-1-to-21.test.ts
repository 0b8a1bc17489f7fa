// The first half of the iii protocol's list of traps ("easy to get wrong"), by their numbers: what this engine does in each, over real sockets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMITS } from "../../src/protocol/limits.js";
import { exposes, guardedEngine, serve } from "../access/support.js";
import { proxyFor } from "../support/cuttable-proxy.js";
import { eventually } from "../support/eventually.js";
import { FakeClock } from "../support/fake-clock.js";
import { type JsonFrame, JsonPeer } from "../support/json-peer.js";
import { errorOf, pack } from "../support/msgpack-peer.js";
import { runTercet } from "../support/tercet.js";
import { testEngine } from "../support/test-engine.js";
import { provide, rowsOf, want } from "./trap-frames.js";

test("1. a missing data or config is null: Node and Python leave the key out", async (t) => {
  const on = await testEngine(t);
  const worker = await on.jsonOffering("f");
  const caller = await on.json();
  caller.send({ type: "invokefunction", invocation_id: crypto.randomUUID(), function_id: "f" });
  const call = await worker.next("the call");
  assert.deepEqual([Object.hasOwn(call, "data"), call.data], [true, null]);
  worker.answer(call, 1);
  assert.equal((await caller.next()).result, 1);
  const msgpack = await on.msgpack();
  msgpack.send([1, 7, "f", 0, 0, null]);
  assert.equal((await worker.next("the call of a msgpack worker")).data, null);
  provide(worker, "mail");
  await worker.settle();
  caller.send({ type: "registertrigger", id: "t", trigger_type: "mail", function_id: "f" });
  const offer = await worker.next("the trigger");
  assert.deepEqual([Object.hasOwn(offer, "config"), offer["config"]], [true, null]);
});

test("2. unregistertriggertype is ignored: no answer, no close, and no malformed frame", async (t) => {
  const on = await testEngine(t);
  const worker = await on.json();
  provide(worker, "mail");
  worker.send({ type: "unregistertriggertype", id: "mail" });
  await worker.settle();
  assert.equal(on.counter("frames_malformed"), 0);
  assert.equal((await rowsOf(on, "engine::triggers::list", "triggers")).length, 1, "it is provided still");
});

test("3. what the engine serves cannot be shadowed; engine::queue::enqueue and others may be provided", async (t) => {
  const on = await testEngine(t);
  const worker = await on.json();
  worker.register("engine::functions::list");
  const refused = await worker.next();
  assert.deepEqual(
    [refused.type, refused["code"], refused["owner_worker_id"]],
    ["registrationrejected", "FUNCTION_NAMESPACE_CONFLICT", ""],
  );
  provide(worker, "engine::workers-available");
  assert.equal((await worker.next())["code"], "trigger_type_reserved");
  worker.register("engine::queue::enqueue");
  await worker.settle();
  const msgpack = await on.msgpack();
  msgpack.send([18, 1, 0, [["engine::functions::list"]]], [26, 2, [["engine::workers-available"]]]);
  assert.deepEqual((await msgpack.next()).slice(0, 3), [25, 1, "function_id_reserved"]);
  assert.deepEqual((await msgpack.next()).slice(0, 3), [25, 2, "trigger_type_reserved"]);
  await worker.close();
  assert.ok(
    (await rowsOf(on, "engine::functions::list", "functions", { include_internal: true })).length > 0,
  );
});

test("4. a function of the engine that a worker has taken over is listed under that worker, and the engine's again after it", async (t) => {
  const on = await testEngine(t);
  const id = "engine::traces::list";
  const owner = async (): Promise<unknown> => {
    const rows = await rowsOf(on, "engine::functions::list", "functions", { include_internal: true });
    return rows.find((row) => row["function_id"] === id)?.["worker_name"];
  };
  assert.equal(await owner(), "iii-engine-functions");
  const worker = await on.json({ name: "observer" });
  worker.register(id);
  await worker.settle();
  assert.equal(await owner(), "observer");
  await worker.close();
  await eventually("it is the engine's again", async () => (await owner()) === "iii-engine-functions");
});

test("5. _caller_worker_id stands in the data of calls, cannot be forged, and not in what the engine fires or enqueues", async (t) => {
  const on = await testEngine(t);
  const worker = await on.jsonOffering("f", "engine::queue::enqueue");
  const caller = await on.json();
  caller.invoke("f", { n: 1, _caller_worker_id: "somebody else" });
  assert.deepEqual((await worker.next()).data, { n: 1, _caller_worker_id: caller.workerId });
  caller.invoke("f", [1]);
  assert.deepEqual((await worker.next()).data, [1], "only objects have room for it");
  caller.invoke("f", { n: 1 }, { action: { type: "enqueue", queue: "q" } });
  const enqueued = (await worker.next()).data as { data: unknown };
  assert.deepEqual([enqueued.data, Object.hasOwn(enqueued, "_caller_worker_id")], [{ n: 1 }, false]);
  want(worker, "t", { trigger_type: "engine::workers-available" });
  await worker.settle();
  const newcomer = await on.json();
  assert.deepEqual((await worker.next()).data, {
    event: "worker_connected",
    worker_id: newcomer.workerId,
  });
});

test("6. numbers arrive as they were spelled: 64-bit integers, 1.0 beside 1, more digits than a double has", async (t) => {
  const on = await testEngine(t);
  const worker = await on.jsonOffering("f");
  const caller = await on.json();
  const data = "[18446744073709551615,-9223372036854775808,1.0,1,1e2,0.10000000000000000055511151231257827]";
  const id = crypto.randomUUID();
  caller.sendText(`{"type":"invokefunction","invocation_id":"${id}","function_id":"f","data":${data}}`);
  const call = await worker.next();
  assert.ok(worker.text.includes(`"data":${data}`), worker.text);
  worker.sendText(
    `{"type":"invocationresult","invocation_id":"${call.invocation_id}","function_id":"f","result":${data}}`,
  );
  await caller.next();
  assert.ok(caller.text.includes(`"result":${data}`), caller.text);
  const [msgpack] = await on.msgpackOffering(["g"]);
  caller.sendText(
    `{"type":"invokefunction","invocation_id":"${id}","function_id":"g","data":[18446744073709551615,1.0]}`,
  );
  const record = await msgpack.next();
  assert.equal(
    Buffer.from(record[6] as Uint8Array).toString("hex"),
    "92cfffffffffffffffffcb3ff0000000000000",
  );
});

test("7. keys keep their order; only config_summary sorts them", async (t) => {
  const on = await testEngine(t);
  const worker = await on.jsonOffering("f");
  provide(worker, "mail");
  await worker.settle();
  const caller = await on.json();
  const id = crypto.randomUUID();
  caller.sendText(
    `{"type":"invokefunction","invocation_id":"${id}","function_id":"f","data":{"z":1,"a":{"y":1,"b":2}}}`,
  );
  await worker.next();
  assert.match(worker.text, /"z":1,"a":\{"y":1,"b":2\}/);
  caller.sendText(
    '{"type":"registertrigger","id":"t","trigger_type":"mail","function_id":"f","config":{"z":1,"a":2}}',
  );
  await worker.next();
  assert.match(worker.text, /"config":\{"z":1,"a":2\}/);
  const [row] = await rowsOf(on, "engine::registered-triggers::list", "registered_triggers");
  assert.equal(row?.["config_summary"], '{"a":2,"z":1}');
});

test("8. strictness: 127 levels pass and 128 are a coded error; of duplicate keys the last counts; a lone surrogate is text", async (t) => {
  const on = await testEngine(t);
  const worker = await on.jsonOffering("f");
  const caller = await on.json();
  const nested = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`;
  const send = (rest: string): void =>
    caller.sendText(`{"type":"invokefunction","invocation_id":"${crypto.randomUUID()}",${rest}}`);
  send(`"function_id":"f","data":${nested(126)}`);
  await worker.next("126 levels inside the envelope");
  send(`"function_id":"f","data":${nested(127)}`);
  assert.equal((await caller.next()).error?.code, "payload_out_of_bounds");
  send('"function_id":"none","function_id":"f","data":1,"data":2');
  assert.equal((await worker.next()).data, 2);
  send('"function_id":"f","data":"\\ud800"');
  assert.equal((await worker.next()).data, "\ud800");
  await on.msgpackOffering(["g"]);
  send('"function_id":"g","data":"\\ud800"');
  assert.equal((await caller.next()).error?.code, "payload_untranslatable", "msgpack text is UTF-8");
});

test("9. an invocation id comes back as its caller spelled it, whatever the executor sees", async (t) => {
  const on = await testEngine(t);
  const worker = await on.jsonOffering("f");
  const caller = await on.json();
  const plain = crypto.randomUUID();
  const spellings = [plain.toUpperCase(), plain.replaceAll("-", ""), `{${plain}}`, `urn:uuid:${plain}`];
  for (const invocation_id of spellings) {
    caller.send({ type: "invokefunction", invocation_id, function_id: "f", data: 1 });
    const call = await worker.next();
    assert.match(
      call.invocation_id ?? "",
      /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
      "as Go and Rust want it",
    );
    worker.answer(call, 1);
    assert.equal((await caller.next()).invocation_id, invocation_id);
  }
});

test("10. a worker without a pid is in no list, but in info, in the rows of its functions and in events", async (t) => {
  const on = await testEngine(t);
  const watcher = await on.jsonOffering("seen");
  want(watcher, "t", { trigger_type: "engine::workers-available", function_id: "seen" });
  await watcher.settle();
  const browser = await on.json({ name: "browser:1" });
  browser.register("b::f");
  await browser.settle();
  assert.equal(((await watcher.next()).data as { worker_id: string }).worker_id, browser.workerId);
  const listed = await rowsOf(on, "engine::workers::list", "workers");
  assert.deepEqual(
    listed.map((row) => row["name"]),
    ["iii-engine-functions"],
  );
  const info = (await on.engine.call("engine::workers::info", { name: "browser:1" })) as {
    worker: { pid?: number };
  };
  assert.equal(info.worker.pid, undefined);
  const [row] = await rowsOf(on, "engine::functions::list", "functions", { prefix: "b::" });
  assert.equal(row?.["worker_name"], "browser:1");
});

test("11. an answer counts from the executor only, a trigger is removed by its owner only; channels are opened by id and key", async (t) => {
  const on = await testEngine(t);
  const worker = await on.jsonOffering("f");
  const [caller, forger] = [await on.json(), await on.json()];
  caller.invoke("f", 1);
  const call = await worker.next();
  forger.answer(call, "forged");
  await forger.settle();
  worker.answer(call, "true");
  assert.equal((await caller.next()).result, "true");
  assert.equal(on.counter("answers_unmatched"), 1);
  provide(worker, "mail");
  await worker.settle();
  want(caller, "t");
  await worker.next("the trigger");
  forger.send({ type: "unregistertrigger", id: "t" });
  await forger.settle();
  await worker.settle();
  assert.equal(on.engine.triggers.triggers.count, 1);
  const refs = (await on.engine.call("engine::channels::create", {})) as { reader: Record<string, string> };
  const { channel_id, access_key } = refs.reader;
  const stranger = new JsonPeer(
    `ws://127.0.0.1:${on.port}/ws/channels/${channel_id}?key=${channel_id}&dir=read`,
  );
  assert.equal((await stranger.closed).code, 1006, "404 instead of an upgrade");
  assert.notEqual(channel_id, access_key);
});

test("12. who declares a namespace after the grace stays in default; a session that may not live in default waits instead", async (t) => {
  const clock = new FakeClock();
  const access = { rbac: { authFunctionId: "auth", exposeFunctions: exposes("*") } };
  const rig = await guardedEngine(t, access, { clock });
  await serve(rig, "auth", () => ({ namespaces: { shop: ["*"] } }));
  const trusted = await rig.json();
  const namespaceOf = async (function_id: string): Promise<unknown> => {
    const { result } = await trusted.call("engine::functions::info", { function_id });
    return (result as Record<string, unknown> | undefined)?.["namespace"];
  };
  const late = rig.keep(await JsonPeer.connect(rig.port));
  late.register("late::f");
  const silent = rig.enter();
  await silent.greeted();
  silent.register("mine");
  silent.announce({ namespace: "bank" });
  await Promise.all([late.settle(), silent.settle()]);
  clock.advance(LIMITS.registrationNamespaceGraceMs);
  late.announce({ namespace: "shop" });
  await Promise.all([late.settle(), silent.settle()]);
  assert.deepEqual([await namespaceOf("late::f"), await namespaceOf("mine")], ["default", undefined]);
  silent.announce({ namespace: "shop" });
  await silent.settle();
  assert.equal(await namespaceOf("mine"), "shop", "it went where the session may live");
});

test("13. a refused registration heals: the standby serves when the owner leaves", async (t) => {
  const on = await testEngine(t);
  const owner = await on.jsonOffering("f");
  const standby = await on.json();
  standby.register("f");
  const rejected = await standby.next();
  assert.deepEqual(
    [rejected["code"], rejected["owner_worker_id"]],
    ["FUNCTION_NAMESPACE_CONFLICT", owner.workerId],
  );
  const [msgpack] = await on.msgpackOffering(["f"]);
  await owner.close();
  const caller = await on.json();
  const serving = await eventually("the standby serves", async () => {
    caller.invoke("f", 1);
    return standby.inbox.length > 0 ? standby.next() : undefined;
  });
  assert.equal(serving.function_id, "f");
  await standby.close();
  await eventually("the next standby serves", async () => {
    caller.invoke("f", 1);
    return msgpack.inbox.length > 0;
  });
});

test("14. a worker that vanished without a word gives its name back: the engine pings", {
  timeout: 60_000,
}, async (t) => {
  const on = await testEngine(t, { limits: { idleTimeoutS: 8 } });
  const proxy = await proxyFor(t, on.port);
  const half = new JsonPeer(`${proxy.url}/`);
  await half.greeted();
  half.announce({ name: "billing" });
  await half.settle();
  proxy.loseClients();
  const again = async (): Promise<string> => {
    const peer = await JsonPeer.announced(on.port, { name: "billing" });
    peer.send({ type: "ping" });
    const { type } = await peer.next();
    await peer.close();
    return type;
  };
  assert.equal(await again(), "registrationrejected", "it is believed in until it does not answer");
  await eventually("the name is free", async () => (await again()) === "pong", 30_000);
  proxy.close();
});

test("15. two commands at once do not collide on a name", async (t) => {
  const on = await testEngine(t);
  const run = () =>
    runTercet(["call", "engine::baggage::get_all", "{}", "--json", "--url", `ws://127.0.0.1:${on.port}`]);
  const ended = await Promise.all([run(), run()]);
  assert.deepEqual(
    ended.map(({ code }) => code),
    [0, 0],
    JSON.stringify(ended),
  );
});

test("16. a provider outside default is told the target's namespace also when it is default; one in default is not", async (t) => {
  const on = await testEngine(t);
  const home = await on.json();
  const away = await on.json({ namespace: "shop" });
  provide(home, "mail");
  provide(away, "post");
  await Promise.all([home.settle(), away.settle()]);
  const owner = await on.json();
  want(owner, "t1");
  want(owner, "t2", { trigger_type: "post", trigger_namespace: "shop" });
  assert.equal(Object.hasOwn(await home.next(), "namespace"), false);
  assert.equal((await away.next())["namespace"], "default");
});

test("17. a middleware is looked up in the call's namespace, auth functions and hooks in default", async (t) => {
  const rig = await guardedEngine(t, {
    middlewareFunctionId: "mw",
    rbac: { authFunctionId: "auth", exposeFunctions: exposes("*"), onFunctionRegistrationFunctionId: "hook" },
  });
  await serve(rig, "auth", () => ({ namespaces: { shop: ["*"] } }));
  await serve(rig, "hook", () => ({}));
  await serve(rig, "mw", () => "from default");
  const peer = await rig.entered("/", {}, { namespace: "shop" });
  peer.register("f");
  await peer.settle();
  const missing = await peer.call("f", {}, { namespace: "shop" });
  assert.equal(missing.error?.code, "function_not_found", "mw of default does not answer for shop");
  assert.match(missing.error?.message ?? "", /mw/);
  assert.equal((await peer.call("any", {})).result, "from default");
});

test("18. a function that a hook renamed is called under its new name, and unregistered under that", async (t) => {
  const rig = await guardedEngine(t, {
    rbac: { authFunctionId: "auth", exposeFunctions: exposes("*"), onFunctionRegistrationFunctionId: "hook" },
  });
  await serve(rig, "auth", () => ({}));
  await serve(rig, "hook", () => ({ function_id: "renamed" }));
  const peer = await rig.entered();
  peer.register("mine");
  await peer.settle();
  const caller = await rig.json();
  caller.invoke("renamed", 1);
  assert.equal((await peer.next()).function_id, "renamed");
  peer.send({ type: "unregisterfunction", id: "mine" });
  await peer.settle();
  caller.invoke("renamed", 1);
  assert.equal((await peer.next()).function_id, "renamed", "it is registered still");
  peer.send({ type: "unregisterfunction", id: "renamed" });
  await peer.settle();
  await caller.drain();
  assert.equal((await caller.call("renamed", 1)).error?.code, "function_not_found");
});

test("19. metadata and config of a hook's answer overwrite also with null; other nulls change nothing", async (t) => {
  const rig = await guardedEngine(t, {
    rbac: {
      authFunctionId: "auth",
      exposeFunctions: exposes("*"),
      onFunctionRegistrationFunctionId: "hook",
      onTriggerRegistrationFunctionId: "trigger-hook",
    },
  });
  await serve(rig, "auth", () => ({}));
  await serve(rig, "hook", () => ({ function_id: null, description: null, metadata: null }));
  await serve(rig, "trigger-hook", () => ({ trigger_id: null, function_id: null, config: null }));
  const provider = await rig.json();
  provide(provider, "mail");
  await provider.settle();
  const peer = await rig.entered();
  peer.register("f", { description: "mine", metadata: { a: 1 } });
  await peer.settle();
  const trusted = await rig.json();
  const { result } = await trusted.call("engine::functions::info", { function_id: "f" });
  const detail = result as Record<string, unknown>;
  assert.deepEqual([detail["description"], detail["metadata"]], ["mine", undefined]);
  want(peer, "t", { config: { a: 1 } });
  const offer = await provider.next();
  assert.deepEqual([offer["id"], offer.function_id, offer["config"]], ["t", "f", null]);
});

test("20. what the reference refuses in silence is told here, in frames that no SDK dies of", async (t) => {
  const rig = await guardedEngine(t, { rbac: { authFunctionId: "auth", exposeFunctions: exposes("f") } });
  await serve(rig, "auth", () => ({ allow_function_registration: false, allowed_trigger_types: ["cron"] }));
  const peer = await rig.entered();
  const told = async (frame: object): Promise<unknown[]> => {
    peer.send(frame);
    const [answer, ...more] = await peer.drain();
    assert.deepEqual(more, []);
    return [answer?.type, answer?.["code"] ?? answer?.error?.code];
  };
  const refused = ["registrationrefused", "FORBIDDEN"];
  assert.deepEqual(await told({ type: "registerfunction", id: "f" }), refused);
  assert.deepEqual(await told({ type: "registertriggertype", id: "x", description: "" }), refused);
  const trigger = { type: "registertrigger", id: "t", trigger_type: "mail", function_id: "f", config: {} };
  assert.deepEqual(await told(trigger), ["triggerregistrationresult", "FORBIDDEN"]);
  const trusted = await rig.json();
  trusted.send({ type: "registertriggertype", id: "x", description: "", namespace: " " });
  assert.equal((await trusted.next())["code"], "INVALID_NAMESPACE");
  trusted.register("h", { invocation: { url: "https://example.com" } });
  assert.equal((await trusted.next())["code"], "http_functions_unavailable");
  trusted.send({ type: "reattach", previous_worker_id: peer.workerId, reattach_token: "wrong" });
  trusted.send({ type: "unregisterfunction", id: "nobody's" });
  await trusted.settle();
});

test("21. a refused call without an id is answered to nobody, on both wires: there is no id to answer under", async (t) => {
  const rig = await guardedEngine(t, { rbac: { exposeFunctions: exposes("open") } });
  const peer = await rig.entered();
  const before = rig.counter("calls_forbidden");
  peer.send({ type: "invokefunction", function_id: "closed", data: {} });
  assert.deepEqual(await peer.drain(), [] as JsonFrame[]);
  const msgpack = await rig.enteredMsgpack();
  msgpack.send([5, "closed", 0, 0, null, pack(1)]);
  await msgpack.settle();
  assert.equal(rig.counter("calls_forbidden") - before, 2);
  msgpack.send([1, 3, "closed", 0, 0, null, pack(1)]);
  assert.equal(errorOf(await msgpack.next()).code, "FORBIDDEN");
});
