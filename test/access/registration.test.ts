// What sessions may register and under which id: hooks, prefix, namespaces; refusals that no SDK dies of.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AccessOptions } from "../../src/access/options.js";
import { exposes, guardedEngine, serve } from "./support.js";

function hooked(more: Partial<AccessOptions> = {}): AccessOptions {
  return {
    rbac: { authFunctionId: "auth", exposeFunctions: exposes("*"), onFunctionRegistrationFunctionId: "hook" },
    ...more,
  };
}

test("a session that may not register functions gets a frame SDKs ignore, on msgpack a refused record", async (t) => {
  const rig = await guardedEngine(t, { rbac: { authFunctionId: "auth", exposeFunctions: [] } });
  await serve(rig, "auth", () => ({ allow_function_registration: false }));
  const peer = await rig.entered();
  peer.register("f");
  assert.deepEqual(await peer.next(), {
    type: "registrationrefused",
    function_id: "f",
    code: "FORBIDDEN",
    message: "This session may not register functions",
  });
  const msgpack = await rig.enteredMsgpack();
  msgpack.send([18, 5, 0, [["f"]]]);
  assert.deepEqual((await msgpack.next()).slice(0, 3), [25, 5, "FORBIDDEN"]);
});

test("the hook sees what is registered and may change id, description and metadata", async (t) => {
  const rig = await guardedEngine(t, hooked());
  await serve(rig, "auth", () => ({ context: { who: "me" } }));
  const seen: unknown[] = [];
  await serve(rig, "hook", (data) => {
    seen.push(data);
    return { function_id: "renamed", description: "by the hook", metadata: null, other: 1 };
  });
  const peer = await rig.entered("/", {}, { namespace: "shop" });
  peer.register("f", { description: "mine", metadata: { a: 1 }, request_format: { type: "object" } });
  await peer.settle();
  assert.deepEqual(seen, [
    { function_id: "f", description: "mine", metadata: { a: 1 }, namespace: "shop", context: { who: "me" } },
  ]);
  const trusted = await rig.json();
  const info = await trusted.call("engine::functions::info", { function_id: "renamed" });
  const detail = info.result as { description: string; metadata?: unknown; request_schema: unknown };
  assert.equal(detail.description, "by the hook");
  assert.equal("metadata" in detail, false);
  assert.deepEqual(detail.request_schema, { type: "object" });
});

for (const [what, answer] of [
  [
    "throws",
    () => {
      throw "no";
    },
  ],
  ["answers null", () => null],
  ["answers true", () => true],
  ["answers an array", () => []],
] as [string, () => unknown][]) {
  test(`a hook that ${what} forbids; what follows is handled in order`, async (t) => {
    const rig = await guardedEngine(t, hooked());
    await serve(rig, "auth", () => ({}));
    await serve(rig, "hook", answer);
    const peer = await rig.entered();
    peer.register("f");
    assert.deepEqual(
      [(await peer.next()).type, rig.counter("registrations_refused")],
      ["registrationrefused", 1],
    );
    await peer.settle();
    assert.equal((await peer.call("f", {})).error?.code, "function_not_found");
  });
}

test("a hook that is missing or hangs forbids, in time", async (t) => {
  const rig = await guardedEngine(t, hooked({ hookTimeoutMs: 50 }));
  await serve(rig, "auth", () => ({}));
  const peer = await rig.entered();
  peer.register("f");
  assert.equal((await peer.next())["code"], "FORBIDDEN");
  await rig.jsonOffering("hook");
  peer.register("g");
  assert.equal((await peer.next())["code"], "FORBIDDEN");
  assert.equal(rig.engine.server.waiting.count, 0);
});

test("frames behind a registration wait for its hook: a call of the function finds it", async (t) => {
  const rig = await guardedEngine(t, hooked());
  await serve(rig, "auth", () => ({}));
  const hook = await rig.jsonOffering("hook");
  const peer = await rig.entered();
  peer.register("f");
  const id = peer.invoke("f", { n: 1 });
  const question = await hook.next("the question");
  assert.equal(peer.inbox.length, 0);
  hook.answer(question, {});
  const call = await peer.next();
  peer.answer(call, 1);
  assert.equal((await peer.next()).invocation_id, id);
});

test("a worker that leaves while its hook is asked leaves nothing", async (t) => {
  const rig = await guardedEngine(t, hooked());
  await serve(rig, "auth", () => ({}));
  const hook = await rig.jsonOffering("hook");
  const peer = await rig.entered();
  const functions = rig.engine.stats().functions;
  peer.register("f");
  const question = await hook.next("the question");
  peer.socket.terminate();
  await peer.closed;
  hook.answer(question, {});
  await hook.settle();
  assert.equal(rig.engine.stats().functions, functions);
});

test("a msgpack registration is hooked as a whole: one refusal registers nothing; records behind it wait", async (t) => {
  const rig = await guardedEngine(t, hooked());
  await serve(rig, "auth", () => ({}));
  await serve(rig, "hook", (data: { function_id: string }) => {
    if (data.function_id === "bad") throw "not this";
    return { function_id: `ok-${data.function_id}` };
  });
  const peer = await rig.enteredMsgpack();
  peer.send([18, 1, 0, [["a"], ["bad"]]], [18, 2, 0, [["a", "text"], ["b"]]], [22, 3, ["ok-a", "ok-b", "a"]]);
  assert.deepEqual((await peer.next()).slice(0, 3), [25, 1, "FORBIDDEN"]);
  assert.deepEqual((await peer.next()).slice(0, 2), [19, 2]);
  const resolved = await peer.next();
  const view = Buffer.from(resolved[2] as Uint8Array);
  assert.deepEqual(
    [0, 4, 8].map((at) => view.readUInt32BE(at) !== 0),
    [true, true, false],
  );
});

test("function_registration_prefix: stored with it, called without it, unregistered without it", async (t) => {
  const rig = await guardedEngine(t, { rbac: { authFunctionId: "auth", exposeFunctions: [] } });
  await serve(rig, "auth", () => ({ function_registration_prefix: "team-é" }));
  const peer = await rig.entered();
  peer.register('f"x');
  await peer.settle();
  const caller = await rig.json();
  assert.equal((await caller.call('f"x', {})).error?.code, "function_not_found");
  const id = caller.invoke('team-é::f"x', {});
  let call = await peer.next();
  assert.equal(call.function_id, 'f"x');
  peer.answer(call, 1);
  const answer = await caller.next();
  assert.deepEqual([answer.invocation_id, answer.function_id, answer.result], [id, 'team-é::f"x', 1]);
  caller.sendText(
    `{"type":"invokefunction","invocation_id":"${id}","function_id":"\\u0074eam-\\u00e9::f\\u0022x","data":{}}`,
  );
  call = await peer.next();
  assert.equal(call.function_id, 'f"x', "also when the id is escaped in another way");
  peer.answer(call, 2);
  assert.equal((await caller.next()).result, 2);
  const msgpack = await rig.msgpack();
  msgpack.send([1, 9, 'team-é::f"x', 0, 0, null, null]);
  call = await peer.next();
  assert.equal(call.function_id, 'f"x');
  peer.answer(call, 3);
  assert.equal((await msgpack.next())[1], 9);
  peer.send({ type: "unregisterfunction", id: 'f"x' });
  await peer.settle();
  assert.equal((await caller.call('team-é::f"x', {})).error?.code, "function_not_found");
});

test("a namespace that the session may not declare is FORBIDDEN, and its functions never land in default", async (t) => {
  const rig = await guardedEngine(
    t,
    { rbac: { authFunctionId: "auth", exposeFunctions: [] } },
    { limits: { registrationNamespaceGraceMs: 30 } },
  );
  await serve(rig, "auth", () => ({ namespaces: { shop: [], cart: [] } }));
  const peer = rig.enter();
  await peer.greeted();
  const answer = await peer.call("engine::workers::register", { namespace: "other" });
  assert.deepEqual(answer.error, {
    code: "FORBIDDEN",
    message: "namespace 'other' not allowed for this session (permitted: cart, shop)",
  });
  assert.equal(
    (await peer.call("engine::workers::register", {})).error?.code,
    "FORBIDDEN",
    "default is not permitted",
  );
  peer.register("f");
  await new Promise((resolve) => setTimeout(resolve, 60)); // twice the grace: what must not happen has no event
  const trusted = await rig.json();
  assert.equal((await trusted.call("f", {})).error?.code, "function_not_found");
  assert.deepEqual((await peer.call("engine::workers::register", { namespace: "shop" })).result, {
    success: true,
  });
  trusted.invoke("f", {}, { namespace: "shop" });
  assert.equal((await peer.next()).function_id, "f");
});
