// What a session may call, in the order of decisions of the iii protocol, on both wires; and that listings show no more than that.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AccessOptions } from "../../src/access/options.js";
import { errorOf, pack, value } from "../support/msgpack-peer.js";
import { canonicalCall } from "../support/wire.js";
import { exposes, guardedEngine, serve } from "./support.js";

const EXPOSING: AccessOptions = { rbac: { exposeFunctions: exposes("open::*", "engine::functions::*") } };

function authed(exposed: string[] = []): AccessOptions {
  return { rbac: { authFunctionId: "auth", exposeFunctions: exposes(...exposed) } };
}

test("without an auth function calls are limited to what is exposed and to infrastructure", async (t) => {
  const rig = await guardedEngine(t, EXPOSING);
  await serve(rig, "open::f", () => 1);
  await serve(rig, "closed::f", () => 2);
  const peer = await rig.entered();
  assert.equal((await peer.call("open::f", {})).result, 1);
  assert.deepEqual((await peer.call("closed::f", {})).error, {
    code: "FORBIDDEN",
    message: "function 'closed::f' not allowed (add to rbac.expose_functions)",
  });
  assert.equal((await peer.call("closed::missing", {})).error?.code, "FORBIDDEN", "missing, but not exposed");
  assert.equal((await peer.call("open::missing", {})).error?.code, "function_not_found");
  assert.equal((await peer.call("engine::workers::list", {})).error?.code, "FORBIDDEN");
  assert.equal(rig.counter("calls_forbidden"), 3);
});

test("the same for a msgpack worker: by name, by handle, by resolve, by cast", async (t) => {
  const rig = await guardedEngine(t, EXPOSING);
  const [worker, [open = 0, closed = 0]] = await rig.msgpackOffering(["open::f", "closed::f"]);
  const peer = await rig.enteredMsgpack();
  assert.deepEqual(await peer.resolve("open::f", "closed::f"), [open, 0]);
  peer.sendBytes(Buffer.concat([canonicalCall(1, closed, pack(0)), canonicalCall(2, open, pack(5))]));
  const record = await peer.next("the refusal");
  assert.equal(record[1], 1);
  assert.deepEqual(errorOf(record), {
    code: "function_not_found",
    message: `The function handle 0x${closed.toString(16)} is stale or never was; resolve the name again`,
  });
  const call = await worker.next("the allowed call");
  worker.send([2, call[1], pack("yes")]);
  const result = await peer.next("the result");
  assert.deepEqual([result[1], value(result[2])], [2, "yes"]);
  peer.send([1, 3, "closed::f", 0, 0, null, pack(0)]);
  assert.equal(errorOf(await peer.next()).code, "FORBIDDEN");
  peer.send([1, 4, "closed::missing", 0, 0, null, pack(0)]);
  assert.equal(errorOf(await peer.next()).code, "FORBIDDEN");
  peer.send([5, closed, 0, 0, null, pack(0)], [5, open, 0, 0, null, pack(9)]);
  const cast = await worker.next("the allowed cast");
  assert.deepEqual([cast[0], cast[1]], [5, open]);
});

test("forbidden_functions wins over every grant, infrastructure included", async (t) => {
  const rig = await guardedEngine(t, authed(["*"]));
  await serve(rig, "auth", () => ({
    forbidden_functions: ["a", "engine::log::info"],
    allowed_functions: ["a"],
    namespaces: { default: ["*"] },
  }));
  await serve(rig, "a", () => 1);
  const peer = await rig.entered();
  assert.match((await peer.call("a", {})).error?.message ?? "", /remove from rbac.forbidden_functions/);
  assert.equal((await peer.call("engine::log::info", { message: "x" })).error?.code, "FORBIDDEN");
});

test("namespaces grants by exact id, bare wildcard and match(…), in that namespace only", async (t) => {
  const rig = await guardedEngine(t, authed());
  await serve(rig, "auth", () => ({
    namespaces: { shop: ["exact", "cart::*", 'match("pay::*::in")'], default: [] },
  }));
  const peer = await rig.entered();
  const ask = async (id: string, namespace: string) =>
    (await peer.call(id, {}, { namespace })).error?.code ?? "";
  for (const id of ["exact", "cart::", "cart::a::b", "pay::x::in"])
    assert.equal(await ask(id, "shop"), "function_not_found", id);
  for (const id of ["exacts", "cart", "pay::x::out"]) assert.equal(await ask(id, "shop"), "FORBIDDEN", id);
  assert.equal(await ask("exact", "default"), "FORBIDDEN");
});

test("allowed_functions is exact and means default", async (t) => {
  const rig = await guardedEngine(t, authed());
  await serve(rig, "auth", () => ({ allowed_functions: ["f", "g::*"] }));
  const peer = await rig.entered();
  const code = async (id: string, namespace?: string) => (await peer.call(id, {}, { namespace })).error?.code;
  assert.equal(await code("f"), "function_not_found");
  assert.equal(await code("f", "other"), "FORBIDDEN");
  assert.equal(await code("g::h"), "FORBIDDEN", "no wildcard here");
});

test("a metadata rule follows the metadata as it is registered now", async (t) => {
  const members = new Map<string, unknown>([
    ["public", true],
    ["tier", 'match("go*")'],
  ]);
  const rig = await guardedEngine(t, {
    rbac: { exposeFunctions: [{ kind: "metadata", namespace: "default", members }] },
  });
  const owner = await rig.jsonOffering();
  owner.register("f", { metadata: { public: true, tier: "gold" } });
  await owner.settle();
  const peer = await rig.entered();
  const id = peer.invoke("f", {});
  owner.answer(await owner.next("the call"), 1);
  assert.equal((await peer.next()).invocation_id, id);
  owner.register("f", { metadata: { public: true, tier: "silver" } });
  await owner.settle();
  assert.equal((await peer.call("f", {})).error?.code, "FORBIDDEN");
  owner.register("f", { metadata: { public: "true", tier: "gold" } });
  await owner.settle();
  assert.equal((await peer.call("f", {})).error?.code, "FORBIDDEN", "JSON-equal, not alike");
});

test("listings show what the session may call, info of anything else is FORBIDDEN", async (t) => {
  const rig = await guardedEngine(t, EXPOSING);
  await rig.jsonOffering("open::f", "closed::f");
  const peer = await rig.entered();
  const { result } = await peer.call("engine::functions::list", { include_internal: true });
  const ids = (result as { functions: { function_id: string }[] }).functions.map((row) => row.function_id);
  assert.ok(ids.includes("open::f") && !ids.includes("closed::f") && !ids.includes("engine::workers::list"));
  assert.equal(
    (await peer.call("engine::functions::info", { function_id: "closed::f" })).error?.code,
    "FORBIDDEN",
  );
  const batch = await peer.call("engine::functions::info", {
    function_ids: ["open::f", "closed::f", "closed::none", "open::none"],
  });
  const rows = (batch.result as { functions: { error?: string }[] }).functions;
  assert.deepEqual(
    rows.map((row) => row.error),
    [undefined, "forbidden", "forbidden", "not_found"],
  );
});

test("a void call that is forbidden reaches nobody", async (t) => {
  const rig = await guardedEngine(t, EXPOSING);
  const worker = await rig.jsonOffering("closed::f");
  const peer = await rig.entered();
  peer.send({ type: "invokefunction", function_id: "closed::f", data: {}, action: { type: "void" } });
  peer.send({ type: "invokefunction", function_id: "closed::f", data: {} });
  await peer.settle();
  await worker.settle();
  assert.equal(rig.counter("calls_forbidden"), 2);
});

test("an enqueue to a function that is not allowed is FORBIDDEN before the queue hears of it", async (t) => {
  const rig = await guardedEngine(t, EXPOSING);
  const queue = await rig.jsonOffering("engine::queue::enqueue");
  const peer = await rig.entered();
  const answer = await peer.call("closed::f", {}, { action: { type: "enqueue", queue: "q" } });
  assert.equal(answer.error?.code, "FORBIDDEN");
  await queue.settle();
});

test("a slot that is used again by a trusted connection carries nothing of the session before", async (t) => {
  const rig = await guardedEngine(t, EXPOSING);
  await serve(rig, "closed::f", () => 2);
  const peer = await rig.entered();
  const { index } = [...rig.engine.workers.all()].find((worker) => worker.id === peer.workerId)!.connection;
  assert.equal(rig.engine.access.restricted[index], 1);
  peer.socket.close();
  await peer.closed;
  for (let count = 0; count < 50; count++) {
    const trusted = await rig.json();
    assert.equal((await trusted.call("closed::f", {})).result, 2);
  }
  assert.equal(rig.engine.access.restricted.indexOf(1), -1);
});

test("function_not_found names other namespaces only where the session may call the function there", async (t) => {
  const rig = await guardedEngine(t, {
    rbac: { authFunctionId: "auth", exposeFunctions: [...exposes("*"), ...exposes("engine::functions::*")] },
  });
  await serve(rig, "auth", () => ({ namespaces: { default: [], shop: ["open"] } }));
  for (const namespace of ["shop", "bank"]) {
    const worker = await rig.json({ namespace });
    for (const id of ["open", "closed"]) worker.register(id);
    await worker.settle();
  }
  const peer = await rig.entered();
  assert.deepEqual((await peer.call("open", {})).error, {
    code: "function_not_found",
    message: "Function open not found in namespace default. It is registered in namespace(s): shop.",
  });
  const hidden = { code: "function_not_found", message: "Function closed not found in namespace default." };
  assert.deepEqual((await peer.call("closed", {})).error, hidden);
  const msgpack = await rig.enteredMsgpack();
  msgpack.send([1, 9, "closed", 0, 0, null, pack(0)]);
  assert.deepEqual(errorOf(await msgpack.next()), hidden);
  const info = async (input: object) => (await peer.call("engine::functions::info", input)).error;
  assert.equal((await info({ function_id: "closed" }))?.message, "Function closed is not registered");
  assert.deepEqual(
    [await info({ function_id: "closed", namespace: "bank" })].map((error) => error?.code),
    [(await info({ function_id: "none", namespace: "bank" }))?.code],
    "what is hidden looks like what is not there",
  );
  const trusted = await rig.json();
  assert.match((await trusted.call("closed", {})).error?.message ?? "", /: bank, shop\.$/);
});

test("workers that serve nothing the session may call are not listed, nor told of by name", async (t) => {
  const rig = await guardedEngine(t, { rbac: { exposeFunctions: exposes("open::*", "engine::workers::*") } });
  for (const [name, id] of [
    ["seen", "open::f"],
    ["hidden", "closed::f"],
  ] as const) {
    const worker = await rig.json({ name, pid: 1 });
    worker.register(id);
    await worker.settle();
  }
  const peer = await rig.entered("/", {}, { name: "me", pid: 2 });
  const { result } = await peer.call("engine::workers::list", {});
  const names = (result as { workers: { name: string }[] }).workers.map(({ name }) => name);
  assert.deepEqual(names, ["iii-engine-functions", "me", "seen"]);
  assert.equal((await peer.call("engine::workers::info", { name: "hidden" })).error?.code, "NOT_FOUND");
  assert.ok((await peer.call("engine::workers::info", { name: "seen" })).result);
});
