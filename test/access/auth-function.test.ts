// The auth function of a listener: what it is asked, what its answers mean, and that everything that goes wrong keeps the stranger out.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { AccessOptions } from "../../src/access/options.js";
import { eventually } from "../support/eventually.js";
import { JsonPeer } from "../support/json-peer.js";
import { exposes, type GuardedEngine, guardedEngine, openSocket, refusalOf, serve } from "./support.js";

const RBAC = { rbac: { authFunctionId: "auth::check", exposeFunctions: exposes("open::*") } };

async function authBy(
  t: TestContext,
  answer: (data: never) => unknown,
  more: Partial<AccessOptions> = {},
): Promise<GuardedEngine> {
  const rig = await guardedEngine(t, { ...RBAC, ...more });
  await serve(rig, "auth::check", answer);
  return rig;
}

test("the auth function gets headers, raw query values and the address, and lets in", async (t) => {
  const asked: unknown[] = [];
  const rig = await authBy(t, (data) => {
    asked.push(data);
    return {};
  });
  const peer = rig.enter("/?token=a%20b&token=c&flag&x=", {
    "X-Test-Token": "abc",
    "x-odd": "caf\u00c3\u00a9 x",
  });
  await peer.greeted();
  const [input] = asked as [{ headers: Record<string, string>; query_params: unknown; ip_address: string }];
  assert.equal(input.headers["x-test-token"], "abc");
  assert.equal("x-odd" in input.headers, false, "a header that is not ASCII is left out");
  assert.deepEqual(input.query_params, { token: ["a%20b", "c"], flag: [""], x: [""] });
  assert.equal(input.ip_address, "127.0.0.1");
  assert.deepEqual(Object.keys(input).sort(), ["headers", "ip_address", "query_params"]);
});

test("the trusted listener asks nobody and has no session", async (t) => {
  const rig = await guardedEngine(t, RBAC);
  const peer = await rig.json();
  await rig.jsonOffering("secret::f");
  const answer = await peer.call("engine::functions::list", {});
  assert.match(JSON.stringify(answer.result), /secret::f/);
  assert.equal(rig.engine.access.restricted.indexOf(1), -1);
});

const REFUSALS: [string, () => unknown][] = [
  [
    "throws",
    () => {
      throw "token rejected";
    },
  ],
  ["returns null", () => null],
  ["returns a number", () => 7],
  ["returns an array", () => []],
  ["returns a null list", () => ({ allowed_functions: null })],
  ["returns a list of numbers", () => ({ forbidden_functions: [1] })],
  ["returns a null map", () => ({ namespaces: null })],
  ["returns a map of texts", () => ({ namespaces: { a: "x" } })],
  ["returns a null flag", () => ({ allow_function_registration: null })],
  ["returns a flag as text", () => ({ allow_trigger_type_registration: "yes" })],
  ["returns a list of types that is a text", () => ({ allowed_trigger_types: "http" })],
  ["returns a prefix that would break spellings", () => ({ function_registration_prefix: 'a"b' })],
];
for (const [what, answer] of REFUSALS) {
  test(`an auth function that ${what}: AUTH_ERROR and a close, never a worker`, async (t) => {
    const rig = await authBy(t, answer);
    const refusal = await refusalOf(rig.enter());
    assert.equal(refusal.code, "AUTH_ERROR");
    assert.equal(refusal.close, 4401);
    if (what === "throws") assert.equal(refusal.message, "token rejected");
    assert.equal(rig.engine.stats().workers, 1, "the auth worker alone");
    assert.equal(rig.counter("sessions_refused"), 1);
  });
}

test("no auth function is registered: refused", async (t) => {
  const rig = await guardedEngine(t, RBAC);
  assert.equal((await refusalOf(rig.enter())).code, "AUTH_ERROR");
});

test("an auth function that hangs: refused when the time is over", async (t) => {
  const rig = await guardedEngine(t, { ...RBAC, authTimeoutMs: 50 });
  await rig.jsonOffering("auth::check");
  assert.equal((await refusalOf(rig.enter())).code, "AUTH_ERROR");
  await eventually("its call has ended", () => rig.engine.stats().callsOpen === 0);
});

test("an auth function whose worker disconnects while asked: refused at once", async (t) => {
  const rig = await guardedEngine(t, RBAC);
  const worker = await rig.jsonOffering("auth::check");
  const peer = rig.enter();
  await worker.next("the question");
  worker.socket.terminate();
  assert.equal((await refusalOf(peer)).code, "AUTH_ERROR");
});

test("a stranger who leaves while the auth function is asked leaves nothing", async (t) => {
  const rig = await guardedEngine(t, RBAC);
  const worker = await rig.jsonOffering("auth::check");
  const peer = rig.enter();
  const question = await worker.next("the question");
  peer.socket.terminate();
  await eventually("the stranger is gone", () => rig.engine.stats().connections === 1);
  worker.answer(question, {});
  await worker.settle();
  assert.equal(rig.engine.stats().workers, 1);
  assert.equal(rig.counter("sessions_admitted"), 0);
});

test("frames that come while access is decided wait, and are handled in order", async (t) => {
  const rig = await guardedEngine(t, RBAC);
  const worker = await rig.jsonOffering("auth::check");
  const peer = rig.enter();
  await new Promise((resolve) => peer.socket.once("open", resolve));
  peer.announce({ name: "early" });
  peer.register("early::f");
  const call = peer.invoke("early::f", { n: 1 });
  const question = await worker.next("the question");
  assert.equal(peer.inbox.length, 0, "nothing is answered before");
  worker.answer(question, { allowed_functions: ["early::f"] });
  await peer.greeted();
  const invoked = await peer.next("its own call");
  assert.equal(invoked.function_id, "early::f");
  peer.answer(invoked, "done");
  const answer = await peer.next("the answer");
  assert.equal(answer.invocation_id, call);
  assert.equal(answer.result, "done");
});

test("more bytes than may wait: closed with 4413", async (t) => {
  const rig = await guardedEngine(t, RBAC);
  await rig.jsonOffering("auth::check");
  const peer = rig.enter();
  await new Promise((resolve) => peer.socket.once("open", resolve));
  const frame = JSON.stringify({ type: "registerfunction", id: "x", description: "y".repeat(200_000) });
  for (let count = 0; count < 6; count++) peer.sendText(frame);
  assert.equal((await peer.closed).code, 4413);
  assert.equal(rig.engine.server.waiting.count, 0);
});

test("a msgpack worker is refused in its own wire", async (t) => {
  const rig = await authBy(t, () => {
    throw "not you";
  });
  const peer = rig.enterMsgpack();
  assert.deepEqual(await peer.next("refused"), [25, null, "AUTH_ERROR", "not you"]);
  assert.deepEqual(await peer.closed, { code: 4401, reason: "AUTH_ERROR" });
});

test("a msgpack worker's hello and what follows wait for the decision", async (t) => {
  const rig = await guardedEngine(t, RBAC);
  const worker = await rig.jsonOffering("auth::check");
  const peer = rig.enterMsgpack();
  await peer.opened;
  peer.send([16, { version: 1 }], [18, 1, 0, [["mine"]]]);
  worker.answer(await worker.next("the question"), {});
  assert.equal((await peer.next("welcome"))[0], 17);
  assert.deepEqual((await peer.next("registered")).slice(0, 2), [19, 1]);
});

test("/otel runs the same auth: refused with the frame and a close, or let in with what it sent before", async (t) => {
  const rig = await authBy(t, (data: { headers: Record<string, string> }) => {
    if (data.headers["x-token"] !== "good") throw "no token";
    return {};
  });
  const url = `ws://127.0.0.1:${rig.guardedPort}/otel`;
  const stranger = rig.keep(new JsonPeer(url));
  const refusal = await refusalOf(stranger);
  assert.deepEqual([refusal.code, refusal.close], ["AUTH_ERROR", 4401]);
  const friend = openSocket(url, { "x-token": "good" });
  t.after(() => friend.terminate());
  await new Promise((resolve) => friend.once("open", resolve));
  friend.send(Buffer.from('OTLP{"resourceSpans":[]}'));
  await eventually("its frame is counted", () => rig.counter("telemetry_frames") === 1);
});

test("consent is kept for as long as the operator says, refusals never", async (t) => {
  let asked = 0;
  let consents = false;
  const rig = await authBy(
    t,
    () => {
      asked++;
      if (!consents) throw "not yet";
      return {};
    },
    { authCacheMs: 60_000 },
  );
  assert.equal((await refusalOf(rig.enter("/?k=1"))).code, "AUTH_ERROR");
  consents = true;
  await rig.enter("/?k=1").greeted();
  await rig.enter("/?k=1").greeted();
  assert.equal(asked, 2);
  await rig.enter("/?k=2").greeted();
  assert.equal(asked, 3, "another request is another question");
});
