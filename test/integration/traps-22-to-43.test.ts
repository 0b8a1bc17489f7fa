// The second half of the iii protocol's list of traps ("easy to get wrong"), by their numbers: what this engine does in each, over real sockets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bearer, exposes, guardedEngine, refusalOf, serve } from "../access/support.js";
import { ChannelPeer, type ChannelRefs, upgradeStatus } from "../support/channel-peer.js";
import { eventually } from "../support/eventually.js";
import { FakeClock } from "../support/fake-clock.js";
import { JsonPeer } from "../support/json-peer.js";
import { errorOf, MsgpackPeer, pack } from "../support/msgpack-peer.js";
import { runEngine } from "../support/running-engine.js";
import { testEngine } from "../support/test-engine.js";
import { provide, rowsOf, want } from "./trap-frames.js";

const MIB = 1 << 20;

function refuse(provider: JsonPeer, offer: object): void {
  const error = { code: "no", message: "not this one" };
  provider.send({ ...offer, type: "triggerregistrationresult", error });
}

test("22. a worker's telemetry socket is asked for its credentials, too, and its refusal disturbs nothing else", async (t) => {
  const rig = await guardedEngine(t, { rbac: { authFunctionId: "auth", exposeFunctions: exposes("*") } });
  let asked = 0;
  await serve(rig, "auth", ({ headers }: { headers: Record<string, string> }) => {
    asked++;
    if (headers["authorization"] !== "Bearer good") throw "no token";
    return {};
  });
  const peer = await rig.entered("/", bearer("good"));
  const telemetry = rig.keep(new JsonPeer(`ws://127.0.0.1:${rig.guardedPort}/otel`));
  assert.deepEqual((await refusalOf(telemetry)).code, "AUTH_ERROR");
  assert.equal(asked, 2);
  await peer.settle();
});

test("23. query values reach the auth function undecoded", async (t) => {
  const rig = await guardedEngine(t, { rbac: { authFunctionId: "auth", exposeFunctions: exposes("*") } });
  const seen: unknown[] = [];
  await serve(rig, "auth", ({ query_params }: { query_params: unknown }) => {
    seen.push(query_params);
    return {};
  });
  await rig.entered("/?token=a%20b%2Fc&token=2&flag");
  assert.deepEqual(seen, [{ token: ["a%20b%2Fc", "2"], flag: [""] }]);
});

test("24. an engine function in another namespace is function_not_found, on both wires", async (t) => {
  const on = await testEngine(t);
  const peer = await on.json({ namespace: "shop" });
  const answer = await peer.call("engine::functions::list", {}, { namespace: "shop" });
  assert.equal(answer.error?.code, "function_not_found");
  assert.ok((await peer.call("engine::functions::list", {})).result);
  const msgpack = await on.msgpack({ namespace: "shop" });
  msgpack.send([1, 1, ["shop", "engine::functions::list"], 0, 0, null, pack({})]);
  assert.equal(errorOf(await msgpack.next()).code, "function_not_found");
  msgpack.send([1, 2, "engine::functions::list", 0, 0, null, pack({})]);
  assert.equal((await msgpack.next())[0], 2, "a bare id of the engine's is looked up in default");
});

test("25. an enqueue is receipted whatever its provider answered; target and metadata are not looked at", async (t) => {
  const on = await testEngine(t);
  const queue = await on.jsonOffering("engine::queue::enqueue");
  const caller = await on.json();
  const action = { type: "enqueue", queue: "payments" };
  const id = caller.invoke("nobody::has", { n: 1 }, { action, metadata: { lost: true } });
  const asked = await queue.next();
  assert.deepEqual(
    [asked["metadata"], (asked.data as { function_id: string }).function_id],
    [undefined, "nobody::has"],
  );
  queue.answer(asked, { whatever: 1 });
  const receipt = await caller.next();
  const { messageReceiptId } = asked.data as { messageReceiptId: string };
  assert.deepEqual([receipt.invocation_id, receipt.result], [id, { messageReceiptId }]);
});

test("26. a rejected trigger is tried again whenever the type is registered, and its owner is told each time", async (t) => {
  const on = await testEngine(t);
  const [provider, owner] = [await on.json(), await on.json()];
  provide(provider, "mail");
  await provider.settle();
  want(owner, "t");
  for (let round = 0; round < 3; round++) {
    const offer = await provider.next(`offer ${round}`);
    refuse(provider, offer);
    assert.deepEqual((await owner.next()).error, { code: "no", message: "not this one" });
    const [row] = await rowsOf(on, "engine::registered-triggers::list", "registered_triggers", {
      include_parked: true,
    });
    assert.equal(row?.["state"], "rejected");
    provide(provider, "mail");
  }
});

test("27. a trigger of an unknown type is no error, by message, by function and on msgpack; only listings tell", async (t) => {
  const on = await testEngine(t);
  const owner = await on.json();
  want(owner, "t1", { trigger_type: "nobody" });
  await owner.settle();
  const made = await owner.call("engine::register_trigger", { trigger_type: "nobody", function_id: "f" });
  assert.equal(typeof (made.result as { id: string }).id, "string");
  const msgpack = await on.msgpack();
  msgpack.send([28, 1, "t2", "nobody", "f", null]);
  assert.deepEqual((await msgpack.next()).slice(0, 5), [31, 1, "t2", 1, "no_provider"]);
  const all = { include_parked: true };
  const list = "engine::registered-triggers::list";
  assert.equal((await rowsOf(on, list, "registered_triggers")).length, 0);
  const states = (await rowsOf(on, list, "registered_triggers", all)).map(({ state, reason }) => [
    state,
    reason,
  ]);
  assert.deepEqual(states, Array(3).fill(["parked", "no_provider"]));
  await owner.call("engine::unregister_trigger", { id: (made.result as { id: string }).id });
});

test("28. engine::register_trigger waits ten seconds for a provider that says nothing, and then has its trigger", async (t) => {
  const clock = new FakeClock();
  const on = await testEngine(t, { clock });
  const provider = await on.json();
  provide(provider, "mail");
  await provider.settle();
  const caller = await on.json();
  caller.invoke("engine::register_trigger", { trigger_type: "mail", function_id: "f" });
  const offer = await provider.next();
  clock.advance(9_999);
  await caller.settle();
  clock.advance(1);
  assert.deepEqual((await caller.next()).result, { id: offer["id"] });
});

test("29. instance_count counts all namespaces; rows of triggers have none, unless include_parked asks for more than the protocol has", async (t) => {
  const on = await testEngine(t);
  for (const namespace of ["default", "shop"]) {
    const worker = await on.json({ namespace });
    provide(worker, "mail");
    await worker.settle();
    want(worker, `t-${namespace}`);
    await worker.next("its own trigger");
  }
  const info = (await on.engine.call("engine::triggers::info", { id: "mail" })) as { instance_count: number };
  assert.equal(info.instance_count, 2);
  const list = "engine::registered-triggers::list";
  const [row] = await rowsOf(on, list, "registered_triggers");
  assert.equal(Object.hasOwn(row ?? {}, "namespace"), false);
  const [more] = await rowsOf(on, list, "registered_triggers", { include_parked: true });
  assert.equal(more?.["namespace"], "default");
});

test("30. there is no latest_metrics, and so no runtime in it that is always node: the engine keeps no telemetry", async (t) => {
  const on = await testEngine(t);
  const worker = await on.json({ name: "w", pid: 1 });
  const gauge = { name: "iii.worker.memory.rss", gauge: { dataPoints: [{ asInt: "1" }] } };
  const metrics = { resourceMetrics: [{ scopeMetrics: [{ metrics: [gauge] }] }] };
  worker.socket.send(Buffer.from(`MTRC${JSON.stringify(metrics)}`));
  await worker.settle();
  const info = (await on.engine.call("engine::workers::info", { name: "w" })) as { worker: object };
  assert.equal(Object.hasOwn(info.worker, "latest_metrics"), false);
  assert.equal(on.counter("telemetry_frames"), 1);
});

test("31. calls that end badly are counted by how they ended, those of workers too", async (t) => {
  const on = await testEngine(t);
  const worker = await on.jsonOffering("f");
  const caller = await on.json();
  caller.invoke("f", 1);
  const call = await worker.next();
  worker.send({ ...call, type: "invocationresult", error: { code: 7 } });
  assert.equal((await caller.next()).error?.code, "answer_invalid");
  caller.invoke("f", 1);
  await worker.next();
  await worker.close();
  assert.equal((await caller.next()).error?.code, "invocation_stopped");
  await eventually("it is gone", () => on.engine.stats().workers === 1);
  await caller.call("f", 1);
  const counted = ["answers_invalid", "calls_stopped", "calls_not_found"].map(on.counter);
  assert.deepEqual(counted, [1, 1, 1]);
});

test("32. functions-available comes at the first change and not five seconds later; workers-available carries ids only", async (t) => {
  const on = await testEngine(t);
  const watcher = await on.jsonOffering("seen");
  want(watcher, "t", { trigger_type: "engine::functions-available", function_id: "seen" });
  await watcher.next("the present state");
  const startedAtMs = performance.now();
  const other = await on.json();
  other.register("new::f");
  const ids = ((await watcher.next("the change", 4_000)).data as { functions: { function_id: string }[] })
    .functions;
  assert.ok(performance.now() - startedAtMs < 4_000);
  assert.ok(ids.some((row) => row.function_id === "new::f"));
  assert.ok(
    ids.some((row) => row.function_id.startsWith("engine::")),
    "internal ones too, as SDKs know it",
  );
  want(watcher, "w", { trigger_type: "engine::workers-available", function_id: "seen" });
  await watcher.settle();
  await other.close();
  const left = { event: "worker_disconnected", worker_id: other.workerId };
  await eventually("the departure is told", async () => {
    const { data } = await watcher.next();
    return (
      (data as { event: string }).event === "worker_disconnected" &&
      assert.deepEqual(data, left) === undefined
    );
  });
});

test("33. a reading channel socket answers pings, and a reader that is gone is noticed at once", async (t) => {
  const on = await testEngine(t);
  const refs = (await on.engine.call("engine::channels::create", {})) as ChannelRefs;
  const url = `ws://127.0.0.1:${on.port}`;
  const [writer, reader] = [
    await ChannelPeer.open(url, refs.writer),
    await ChannelPeer.open(url, refs.reader),
  ];
  const pong = new Promise<string>((resolve) => reader.socket.once("pong", (data) => resolve(String(data))));
  reader.socket.ping("here?");
  assert.equal(await pong, "here?");
  reader.socket.terminate();
  await writer.end;
});

test("34. each end is taken once, dir is lower-case, and a channel that is over is forgotten", async (t) => {
  const on = await testEngine(t);
  const refs = (await on.engine.call("engine::channels::create", {})) as ChannelRefs;
  const { channel_id: id, access_key: key } = refs.reader;
  assert.equal((await upgradeStatus(on.port, `/ws/channels/${id}?key=${key}&dir=READ`)).status, 400);
  const url = `ws://127.0.0.1:${on.port}`;
  const [writer, reader] = [
    await ChannelPeer.open(url, refs.writer),
    await ChannelPeer.open(url, refs.reader),
  ];
  assert.equal((await (await ChannelPeer.open(url, refs.reader)).end).code, 1005);
  writer.socket.close();
  await reader.end;
  await eventually("it is forgotten", () => on.engine.stats().channelsOpen === 0);
  assert.equal((await upgradeStatus(on.port, `/ws/channels/${id}?key=${key}&dir=read`)).status, 404);
});

test("35. a close that the engine makes carries a code and a reason, and none that an SDK takes as final", async (t) => {
  const on = await testEngine(t);
  const old = await on.json();
  const again = await JsonPeer.connect(on.port);
  again.send({ type: "reattach", previous_worker_id: old.workerId, reattach_token: old.token });
  assert.deepEqual(await old.closed, { code: 4410, reason: "replaced by a newer connection" });
  const msgpack = await on.msgpack();
  await on.engine.close();
  assert.deepEqual((await again.closed).code, 1012);
  const { code, reason } = await msgpack.closed;
  assert.equal(code, 1012);
  assert.match(reason, /^the engine is going down/);
});

test("36. what the engine sends by itself stays below the mebibyte at which Python's connections end", async (t) => {
  const on = await testEngine(t);
  const watcher = await on.jsonOffering("seen");
  const [many] = await on.msgpackOffering([]);
  many.send([18, 1, 0, Array.from({ length: 12_000 }, (_, n) => [`many::${n}`, "x".repeat(100)])]);
  await many.next("registered");
  want(watcher, "t", { trigger_type: "engine::functions-available", function_id: "seen" });
  const snapshot = await watcher.next("the snapshot");
  assert.ok(watcher.text.length < MIB, `${watcher.text.length} bytes`);
  assert.equal((snapshot.data as { abridged: boolean }).abridged, true);
});

test("37. a provider that does not read holds nobody up: who registers with it, and who calls, go on", async (t) => {
  const on = await testEngine(t);
  const provider = await on.json();
  provide(provider, "mail");
  await provider.settle();
  provider.socket.pause();
  const owner = await on.jsonOffering("f");
  const config = { text: "x".repeat(10_000) };
  for (let n = 0; n < 1_000; n++) want(owner, `t${n}`, { config });
  await owner.settle();
  assert.equal(on.engine.triggers.triggers.count, 1_000);
  const caller = await on.json();
  caller.invoke("f", 1);
  owner.answer(await owner.next(), 2);
  assert.equal((await caller.next()).result, 2);
  provider.socket.resume();
  for (let n = 0; n < 1_000; n++) assert.equal((await provider.next())["id"], `t${n}`, "in order");
});

test("38. a ping is answered once", async (t) => {
  const on = await testEngine(t);
  const { socket } = await on.json();
  const pongs: string[] = [];
  socket.on("pong", (data) => pongs.push(String(data)));
  for (const data of ["1", "2"]) socket.ping(data);
  await eventually("both are answered", () => pongs.includes("2"));
  assert.deepEqual(pongs, ["1", "2"]);
});

test("39. the same worker may register an id again: the latest description and kind count, without a word", async (t) => {
  const on = await testEngine(t);
  const worker = await on.json();
  for (const description of ["first", "second"]) worker.register("f", { description });
  await worker.settle();
  const rows = await rowsOf(on, "engine::functions::list", "functions", { prefix: "f" });
  assert.deepEqual(
    rows.map((row) => row["description"]),
    ["second"],
  );
  const [msgpack] = await on.msgpackOffering(["g"]);
  msgpack.send([18, 1, 0, [["g", "again"]]]);
  assert.equal((await msgpack.next())[0], 19);
  const [row] = await rowsOf(on, "engine::functions::list", "functions", { prefix: "g" });
  assert.equal(row?.["description"], "again");
});

test("40. a trigger id registered by another worker changes hands: the former owner's leaving does not end it", async (t) => {
  const on = await testEngine(t);
  const provider = await on.json();
  provide(provider, "mail");
  await provider.settle();
  const [first, second] = [await on.json(), await on.json()];
  want(first, "t");
  await provider.next();
  want(second, "t", { config: { mine: 1 } });
  assert.deepEqual((await provider.next())["config"], { mine: 1 });
  await first.close();
  await eventually("it is gone", () => on.engine.stats().workers === 2);
  await provider.settle();
  assert.equal(on.engine.triggers.triggers.count, 1);
  await second.close();
  assert.equal((await provider.next()).type, "unregistertrigger");
});

test("41. names are compared as they are shown; workers without one never collide, and are told by their ids", async (t) => {
  const on = await testEngine(t);
  await on.json({ name: "bill\u0000ing " });
  const other = await JsonPeer.connect(on.port);
  other.announce({ name: "billing" });
  const rejected = await other.next();
  assert.deepEqual([rejected["code"], rejected["worker_name"]], ["WORKER_NAMESPACE_CONFLICT", "billing"]);
  await other.closed;
  const nameless = [await on.json({ name: null }), await on.json({ name: "\u202e" })];
  nameless[0]?.register("tools::f");
  for (const peer of nameless) await peer.settle();
  const [row] = await rowsOf(on, "engine::functions::list", "functions", { prefix: "tools" });
  assert.equal(row?.["worker_name"], "tools");
});

test("42. a connected worker is `connected`, the engine itself `available`, and nobody anything else", async (t) => {
  const on = await testEngine(t);
  const worker = await on.jsonOffering("f");
  worker.announce({ pid: 1, name: "w" });
  await worker.settle();
  (await on.json()).invoke("f", 1);
  await worker.next("it is busy now");
  const rows = await rowsOf(on, "engine::workers::list", "workers");
  assert.deepEqual(
    rows.map(({ name, status }) => [name, status]),
    [
      ["iii-engine-functions", "available"],
      ["w", "connected"],
    ],
  );
});

test("43. a fault of the engine's own in a call is an error of that call; its connection goes on and is cleaned up as any", async (t) => {
  const { engine, port } = await runEngine(t);
  engine.serve({
    id: "engine::faulty",
    description: "Fails.",
    handle: () => {
      throw new TypeError("our own mistake");
    },
  });
  const [peer, msgpack] = [await JsonPeer.offering(port, "f"), await MsgpackPeer.connect(port)];
  assert.deepEqual((await peer.call("engine::faulty", {})).error, {
    code: "invocation_failed",
    message: "our own mistake",
  });
  msgpack.send([1, 1, "engine::faulty", 0, 0, null, pack({})]);
  assert.equal(errorOf(await msgpack.next()).code, "invocation_failed");
  await peer.settle();
  await peer.close();
  await eventually("it is cleaned up", () => engine.stats().workers === 1);
  msgpack.send([1, 2, "f", 0, 0, null, pack({})]);
  assert.equal(errorOf(await msgpack.next()).code, "function_not_found");
  await msgpack.close();
  assert.equal(engine.stats().callsOpen, 0);
});
