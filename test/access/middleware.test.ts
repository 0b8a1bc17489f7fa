// A listener's middleware takes the place of what its sessions call, on both wires and whatever the action.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AccessOptions } from "../../src/access/options.js";
import { errorOf, pack, value } from "../support/msgpack-peer.js";
import { exposes, guardedEngine, serve } from "./support.js";

const MIDDLEWARE: AccessOptions = {
  middlewareFunctionId: "mw",
  rbac: { authFunctionId: "auth", exposeFunctions: exposes("open::*", "engine::*") },
};

test("it gets what was asked for, and its answer is the answer; the target is not called", async (t) => {
  const rig = await guardedEngine(t, MIDDLEWARE);
  await serve(rig, "auth", () => ({ context: { who: 7 } }));
  const target = await rig.jsonOffering("open::f");
  const mw = await rig.jsonOffering("mw");
  const peer = await rig.entered();
  const id = peer.invoke(
    "open::f",
    { a: 1.0, _caller_worker_id: "forged" },
    { metadata: { m: 1 }, traceparent: "t" },
  );
  const asked = await mw.next();
  assert.equal(asked.function_id, "mw");
  assert.deepEqual(asked.data, {
    function_id: "open::f",
    payload: { a: 1 },
    action: null,
    context: { who: 7 },
    namespace: "default",
  });
  assert.deepEqual(asked["metadata"], { m: 1 });
  mw.answer(asked, { changed: true });
  const answer = await peer.next();
  assert.deepEqual(
    [answer.invocation_id, answer.result, answer["traceparent"]],
    [id, { changed: true }, "t"],
  );
  await target.settle();
});

test("its error is the error of the call; it is looked up in the call's namespace and nowhere else", async (t) => {
  const rig = await guardedEngine(t, MIDDLEWARE);
  await serve(rig, "auth", () => ({ namespaces: { shop: ["*"], default: [] } }));
  await serve(rig, "mw", () => {
    throw "denied";
  });
  const peer = await rig.entered("/", {}, { namespace: "shop" });
  assert.deepEqual((await peer.call("open::f", {})).error, { code: "invocation_failed", message: "denied" });
  assert.equal((await peer.call("f", {}, { namespace: "shop" })).error?.code, "function_not_found");
});

test("void and enqueue calls go to it as well, with their action", async (t) => {
  const rig = await guardedEngine(t, MIDDLEWARE);
  await serve(rig, "auth", () => ({}));
  const mw = await rig.jsonOffering("mw");
  const peer = await rig.entered();
  peer.send({ type: "invokefunction", function_id: "open::f", data: 1, action: { type: "void" } });
  const cast = await mw.next();
  assert.deepEqual((cast.data as { action: unknown }).action, { type: "void" });
  mw.answer(cast, 1);
  const id = peer.invoke("open::f", {}, { action: { type: "enqueue", queue: "q" } });
  const enqueued = await mw.next();
  assert.deepEqual((enqueued.data as { action: unknown }).action, { type: "enqueue", queue: "q" });
  mw.answer(enqueued, "mine");
  const answer = await peer.next();
  assert.deepEqual([answer.invocation_id, answer.result], [id, "mine"]);
});

test("the engine's own functions are not taken, nor is what is forbidden", async (t) => {
  const rig = await guardedEngine(t, MIDDLEWARE);
  await serve(rig, "auth", () => ({}));
  const mw = await rig.jsonOffering("mw");
  const peer = await rig.entered();
  assert.ok((await peer.call("engine::functions::list", {})).result);
  assert.equal((await peer.call("closed::f", {})).error?.code, "FORBIDDEN");
  await mw.settle();
});

test("calls and casts of msgpack workers go to it too", async (t) => {
  const rig = await guardedEngine(t, MIDDLEWARE);
  await serve(rig, "auth", () => ({}));
  const [target, [handle = 0]] = await rig.msgpackOffering(["open::f"]);
  const mw = await rig.jsonOffering("mw");
  const peer = await rig.enteredMsgpack();
  const context = pack({ metadata: { m: 2 } });
  peer.send([1, 5, handle, 0, 0, context, pack({ a: 2 })], [5, handle, 0, 0, null, pack("cast")]);
  const call = await mw.next();
  assert.deepEqual(call.data, {
    function_id: "open::f",
    payload: { a: 2 },
    action: null,
    context: {},
    namespace: "default",
  });
  assert.deepEqual(call["metadata"], { m: 2 });
  mw.answer(call, [1, 2]);
  const cast = await mw.next();
  assert.deepEqual((cast.data as { action: unknown; payload: unknown }).payload, "cast");
  const result = await peer.next();
  assert.deepEqual([result[0], result[1], value(result[2])], [2, 5, [1, 2]]);
  peer.send([1, 6, "open::missing", 0, 0, null, null]);
  const missing = await mw.next();
  assert.equal((missing.data as { function_id: string }).function_id, "open::missing");
  mw.socket.terminate();
  assert.equal(errorOf(await peer.next()).code, "invocation_stopped");
  await target.settle();
});
