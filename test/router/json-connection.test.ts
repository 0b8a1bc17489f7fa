// The JSON wire beside calls, frame by frame: connecting, announcing, held registrations, names, conflicts, coming back, ping, telemetry, HTTP.
import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { eventually } from "../support/eventually.js";
import { FakeClock } from "../support/fake-clock.js";
import { JsonPeer } from "../support/json-peer.js";
import { testEngine } from "../support/test-engine.js";

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("the first frame is workerregistered with two independent UUIDs, as text", async (t) => {
  const { port, keep } = await testEngine(t);
  const peer = keep(new JsonPeer(`ws://127.0.0.1:${port}/`));
  const first = await peer.next();
  assert.deepEqual(Object.keys(first), ["type", "worker_id", "reattach_token"]);
  assert.equal(first.type, "workerregistered");
  assert.match(String(first["worker_id"]), UUID_V4);
  assert.match(String(first["reattach_token"]), UUID_V4);
  assert.notEqual(first["worker_id"], first["reattach_token"]);
});

test("no sub-protocol and no extension is negotiated for JSON", async (t) => {
  const { port, keep } = await testEngine(t);
  const peer = keep(new JsonPeer(`ws://127.0.0.1:${port}/?token=abc`, ["something.else"]));
  const refusedByClient = await peer.closed; // ws ends a connection whose offered sub-protocols were all ignored
  assert.equal(refusedByClient.code, 1006);
  const plain = keep(await JsonPeer.connect(port));
  assert.equal(plain.socket.protocol, "");
  assert.equal(plain.socket.extensions, "");
});

test("registrations sent before the announce are held and applied in order, before its answer", async (t) => {
  const { engine, port, keep, json } = await testEngine(t);
  const owner = await json({ namespace: "shop-a" });
  owner.register("pay::taken");
  await owner.settle();
  const before = engine.stats().functions;
  const peer = keep(await JsonPeer.connect(port));
  peer.register("pay::one");
  peer.register("pay::gone");
  peer.register("pay::taken");
  peer.send({ type: "unregisterfunction", id: "pay::gone" });
  await peer.settle();
  assert.equal(engine.stats().functions, before, "nothing is applied yet");
  const id = "7b0c6a52-3a5e-4a39-9a0c-6d0e6a9a5d11";
  peer.send({
    type: "invokefunction",
    invocation_id: id,
    function_id: "engine::workers::register",
    data: { namespace: "shop-a" },
  });
  assert.deepEqual(await peer.next(), {
    type: "registrationrejected",
    code: "FUNCTION_NAMESPACE_CONFLICT",
    namespace: "shop-a",
    function_id: "pay::taken",
    owner_worker_id: owner.workerId,
  });
  assert.deepEqual(await peer.next(), {
    type: "invocationresult",
    invocation_id: id,
    function_id: "engine::workers::register",
    result: { success: true },
  });
  const call = owner.call("pay::one", 1, { namespace: "shop-a" });
  peer.answer(await peer.next(), "done");
  assert.equal((await call).result, "done");
  assert.equal((await owner.call("pay::gone", 1, { namespace: "shop-a" })).error?.code, "function_not_found");
});

test("calls are not held: they work before the announce", async (t) => {
  const { port, keep, jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("echo");
  const peer = keep(await JsonPeer.connect(port));
  const call = peer.call("echo", [1]);
  worker.answer(await worker.next(), "yes");
  assert.equal((await call).result, "yes");
});

test("after the grace a silent connection lives in default; a later announce cannot move it", async (t) => {
  const clock = new FakeClock();
  const { port, keep } = await testEngine(t, { clock });
  const peer = keep(await JsonPeer.connect(port));
  peer.register("late");
  await peer.settle();
  clock.advance(4_999);
  assert.equal((await peer.call("late", 1)).error?.code, "function_not_found");
  clock.advance(1);
  const [answer] = [await callSelf(peer, "late")];
  assert.equal(answer, "self");
  peer.announce({ namespace: "elsewhere", name: "n", pid: 1 });
  await peer.settle();
  assert.equal(await callSelf(peer, "late"), "self");
  const info = await peer.call("engine::workers::info", { name: "n" });
  assert.equal((info.result as { worker: { namespace: string } }).worker.namespace, "default");
});

async function callSelf(peer: JsonPeer, id: string): Promise<unknown> {
  peer.invoke(id, null);
  peer.answer(await peer.next(), "self");
  return (await peer.next()).result;
}

test("a taken name: registrationrejected, close 4409, and the holder does not notice", async (t) => {
  const { port, keep, json, jsonOffering } = await testEngine(t);
  const holder = await json({ name: "billing" });
  const peer = keep(await JsonPeer.connect(port));
  peer.register("never");
  peer.announce({ name: "bil\u0007ling " });
  assert.deepEqual(await peer.next(), {
    type: "registrationrejected",
    code: "WORKER_NAMESPACE_CONFLICT",
    namespace: "default",
    worker_name: "billing",
    owner_worker_id: holder.workerId,
  });
  assert.equal((await peer.closed).code, 4409);
  await holder.settle();
  const other = await jsonOffering();
  assert.equal((await other.call("never", 1)).error?.code, "function_not_found");
});

test("the same name in another namespace is fine, and so is one whose holder left, and claiming one's own again", async (t) => {
  const { json } = await testEngine(t);
  const first = await json({ name: "billing" });
  const second = await json({ name: "billing", namespace: "b" });
  await second.settle();
  first.announce({ name: "billing" });
  await first.settle();
  await first.close();
  const third = await json({ name: "billing" });
  await third.settle();
});

test("a worker that renames itself frees its old name", async (t) => {
  const { json } = await testEngine(t);
  const first = await json({ name: "a" });
  first.announce({ name: "b" });
  await first.settle();
  const second = await json({ name: "a" });
  await second.settle();
});

test("a second owner stands by, is told so, and is promoted when the first leaves", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const first = await jsonOffering("f");
  const second = await jsonOffering();
  second.register("f", { description: "second's" });
  assert.deepEqual(await second.next(), {
    type: "registrationrejected",
    code: "FUNCTION_NAMESPACE_CONFLICT",
    namespace: "default",
    function_id: "f",
    owner_worker_id: first.workerId,
  });
  const caller = await jsonOffering();
  const before = caller.call("f", 1);
  first.answer(await first.next(), "first");
  assert.equal((await before).result, "first");
  await first.close();
  const after = eventually("second is promoted", async () => {
    const waiting = caller.call("f", 2);
    second.answer(await second.next(), "second");
    return (await waiting).result === "second";
  });
  assert.equal(await after, true);
});

test("an unregistered function is given to the standby at once", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const first = await jsonOffering("f");
  const second = await jsonOffering();
  second.register("f");
  await second.drain();
  first.send({ type: "unregisterfunction", id: "f" });
  await first.settle();
  const waiting = first.call("f", 1);
  second.answer(await second.next(), "second");
  assert.equal((await waiting).result, "second");
});

test("unregisterfunction of what another worker owns, and of nothing, is ignored", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const owner = await jsonOffering("f");
  const other = await jsonOffering();
  other.send({ type: "unregisterfunction", id: "f" });
  other.send({ type: "unregisterfunction", id: "nothing" });
  await other.settle();
  const waiting = other.call("f", 1);
  owner.answer(await owner.next(), 1);
  assert.equal((await waiting).result, 1);
});

test("an unregistered function still delivers the answers of calls in flight, under the id that was called", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const owner = await jsonOffering("f", "g");
  const caller = await jsonOffering();
  const withResult = caller.invoke("f", 1);
  const toF = await owner.next();
  const withError = caller.invoke("g", 1);
  const toG = await owner.next();
  owner.send({ type: "unregisterfunction", id: "f" });
  owner.send({ type: "unregisterfunction", id: "g" });
  owner.answer(toF, 5);
  owner.send({
    type: "invocationresult",
    invocation_id: toG.invocation_id,
    function_id: "g",
    error: { code: "c", message: "m" },
  });
  assert.deepEqual(await caller.next(), {
    type: "invocationresult",
    invocation_id: withResult,
    function_id: "f",
    result: 5,
  });
  assert.deepEqual(await caller.next(), {
    type: "invocationresult",
    invocation_id: withError,
    function_id: "g",
    error: { code: "c", message: "m" },
  });
});

test("ids of the engine: refused outside default with an empty owner, refused when the engine serves them, free otherwise", async (t) => {
  const { json } = await testEngine(t);
  const elsewhere = await json({ namespace: "shop-a" });
  elsewhere.register("engine::queue::enqueue");
  assert.deepEqual(await elsewhere.next(), {
    type: "registrationrejected",
    code: "FUNCTION_NAMESPACE_CONFLICT",
    namespace: "shop-a",
    function_id: "engine::queue::enqueue",
    owner_worker_id: "",
  });
  const home = await json();
  home.register("engine::functions::list");
  assert.deepEqual(await home.next(), {
    type: "registrationrejected",
    code: "FUNCTION_NAMESPACE_CONFLICT",
    namespace: "default",
    function_id: "engine::functions::list",
    owner_worker_id: "",
  });
  home.register("engine::queue::enqueue");
  await home.settle();
  assert.ok((await home.call("engine::functions::list", {})).result, "the engine's own function lives on");
});

test("other refusals come as a type that SDKs ignore, never as registrationrejected", async (t) => {
  const { json } = await testEngine(t, { limits: { functionsPerConnectionMax: 1 } });
  const peer = await json();
  peer.register("x".repeat(1_025));
  peer.register("http", { invocation: { url: "https://example.org" } });
  peer.register("one");
  peer.register("two");
  const frames = await peer.drain();
  assert.deepEqual(
    frames.map((frame) => [frame.type, frame["code"]]),
    [
      ["registrationrefused", "limit_reached"],
      ["registrationrefused", "http_functions_unavailable"],
      ["registrationrefused", "limit_reached"],
    ],
  );
});

test("registering an own function again at the limit replaces it", async (t) => {
  const { json } = await testEngine(t, { limits: { functionsPerConnectionMax: 1 } });
  const peer = await json();
  peer.register("one", { description: "old" });
  peer.register("one", { description: "new" });
  await peer.settle();
  const info = await peer.call("engine::functions::info", { function_id: "one" });
  assert.equal((info.result as { description: string }).description, "new");
});

test("engine::workers::register refuses a blank namespace and wrong types, and changes nothing", async (t) => {
  const { port, keep } = await testEngine(t);
  const peer = keep(await JsonPeer.connect(port));
  const blank = await peer.call("engine::workers::register", { namespace: " \t", name: "n" });
  assert.equal(blank.error?.code, "INVALID_NAMESPACE");
  for (const data of [
    { name: 1 },
    { pid: -1 },
    { pid: 4294967296 },
    { pid: 1.5 },
    { namespace: [] },
    { telemetry: "x" },
    { runtime: {} },
    [],
    null,
    "x",
  ]) {
    const refused = await peer.call("engine::workers::register", data);
    assert.equal(refused.error?.code, "deserialization_error", JSON.stringify(data));
  }
  const sound = await peer.call("engine::workers::register", {
    namespace: null,
    name: null,
    pid: null,
    isolation: null,
    telemetry: null,
    amplitude: 1,
  });
  assert.deepEqual(sound.result, { success: true });
});

test("reattach: the old connection is gone before the next frame, its name and functions free", async (t) => {
  const { engine, port, keep, json, jsonOffering } = await testEngine(t);
  const old = await json({ name: "billing" });
  old.register("pay");
  await old.settle();
  const caller = await jsonOffering();
  const executing = caller.invoke("pay", 1);
  await old.next();
  const next = keep(await JsonPeer.connect(port));
  next.send({ type: "reattach", previous_worker_id: old.workerId, reattach_token: old.token });
  next.announce({ name: "billing" });
  next.register("pay");
  assert.deepEqual(await next.drain(), [], "no conflict with its own former self");
  assert.equal((await old.closed).code, 4410);
  assert.deepEqual(await caller.next(), {
    type: "invocationresult",
    invocation_id: executing,
    function_id: "pay",
    error: { code: "invocation_stopped", message: "Invocation stopped" },
  });
  const waiting = caller.call("pay", 2);
  next.answer(await next.next(), "new");
  assert.equal((await waiting).result, "new");
  assert.equal(engine.stats().workers, 2);
});

test("reattach with a wrong token, an unknown or malformed id, or one's own id is ignored", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const old = await jsonOffering("f");
  const peer = await jsonOffering();
  peer.send({ type: "reattach", previous_worker_id: old.workerId, reattach_token: peer.token });
  peer.send({ type: "reattach", previous_worker_id: old.workerId });
  peer.send({
    type: "reattach",
    previous_worker_id: "7b0c6a52-3a5e-4a39-9a0c-6d0e6a9a5d11",
    reattach_token: old.token,
  });
  peer.send({ type: "reattach", previous_worker_id: "no uuid", reattach_token: old.token });
  peer.send({ type: "reattach", previous_worker_id: peer.workerId, reattach_token: peer.token });
  peer.send({ type: "reattach" });
  await peer.settle();
  const waiting = peer.call("f", 1);
  old.answer(await old.next(), 1);
  assert.equal((await waiting).result, 1);
});

test("plain HTTP: /healthz tells how it is, / wants an upgrade, anything else is not there", async (t) => {
  const { port, engine } = await testEngine(t);
  const health = await get(port, "/healthz");
  assert.equal(health.status, 200);
  assert.deepEqual(JSON.parse(health.body), {
    status: "ok",
    version: JSON.parse(health.body).version,
    workers: 0,
    functions: engine.stats().functions,
    calls_open: 0,
  });
  assert.equal((await get(port, "/")).status, 426);
  assert.equal((await get(port, "/nowhere")).status, 404);
  const lost = new JsonPeer(`ws://127.0.0.1:${port}/nowhere`);
  assert.equal((await lost.closed).code, 1006);
});

function get(port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, agent: false }, (response) => {
      let body = "";
      response.on("data", (part) => (body += part));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    })
      .on("error", reject)
      .end();
  });
}

test("when the engine goes down JSON workers get a close code from which every SDK comes back", async (t) => {
  const { engine, jsonOffering } = await testEngine(t);
  const peer = await jsonOffering("f");
  await engine.close();
  assert.equal((await peer.closed).code, 1012);
});
