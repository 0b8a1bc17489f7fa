// The Go SDK and the browser SDK, which no registry holds, by their frames: what each sends, letter by letter in its own order of keys,
// and what each needs of the frames that come back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.js";
import { type JsonFrame, JsonPeer } from "../support/json-peer.js";
import { type TestEngine, testEngine } from "../support/test-engine.js";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const TRIGGER = "6d507f2f-0c4b-4f5e-8f43-1f5a3c1f1d01";
const CALL = "c2539f92-5d2f-4a3b-9a0c-0d7a1b2c3d4e";

const GO_ANNOUNCE =
  '{"action":{"type":"void"},"data":{"runtime":"go","version":"0.23.0-rc.4","name":"wire-go","os":"linux amd64","pid":22473},"function_id":"engine::workers::register","type":"invokefunction"}';
const GO_TYPE = '{"description":"probe type","id":"wgo-type","type":"registertriggertype"}';
const GO_FUNCTION =
  '{"id":"wgo::echo","request_format":null,"response_format":null,"type":"registerfunction"}';
const GO_TRIGGER = `{"config":{"k":"v"},"function_id":"wgo::echo","id":"${TRIGGER}","trigger_type":"wgo-type","type":"registertrigger"}`;
const BROWSER_ANNOUNCE =
  '{"type":"invokefunction","function_id":"engine::workers::register","data":{"runtime":"browser","name":"browser:17142d54","os":"browser"},"action":{"type":"void"}}';
const BROWSER_TYPE = '{"type":"registertriggertype","id":"wbr-type","description":"probe type"}';
const BROWSER_FUNCTION = '{"type":"registerfunction","id":"wbr::echo"}';
const BROWSER_TRIGGER = `{"type":"registertrigger","function_id":"wbr::echo","config":{},"id":"${TRIGGER}","message_type":"registertrigger","trigger_type":"wbr-type"}`;

/** A socket that has said these frames as soon as it was open. */
async function saying(rig: TestEngine, ...texts: readonly string[]): Promise<JsonPeer> {
  const peer = rig.keep(new JsonPeer(`ws://127.0.0.1:${rig.port}/`));
  await new Promise((resolve) => peer.socket.once("open", resolve));
  for (const text of texts) peer.sendText(text);
  await peer.greeted();
  return peer;
}

async function workers(rig: TestEngine, name: string): Promise<Record<string, unknown>[]> {
  const answer = await rig.engine.call("engine::workers::list", {});
  const { workers: rows } = answer as { workers: Record<string, unknown>[] }; // its shape is tested elsewhere
  return rows.filter((row) => row["name"] === name);
}

async function bound(rig: TestEngine): Promise<unknown[]> {
  const answer = await rig.engine.call("engine::registered-triggers::list", {});
  const { registered_triggers } = answer as { registered_triggers: { id: string; worker_name: string }[] };
  return registered_triggers.map(({ id }) => id);
}

/** The call that a peer is asked to serve, as typed SDKs need it. */
async function served(peer: JsonPeer, functionId: string): Promise<JsonFrame> {
  const call = await peer.next("the call");
  assert.deepEqual([call.type, call.function_id], ["invokefunction", functionId]);
  assert.match(call.invocation_id ?? "", UUID);
  assert.ok("data" in call);
  return call;
}

const gone = (rig: TestEngine, functionId: string) =>
  eventually(`${functionId} is gone`, async () => {
    const ended = await rig.engine.call(functionId, {}).catch((error: { code: string }) => error.code);
    return ended === "function_not_found";
  });

/** Called from both wires, failing in its own words: the frames that come and what becomes of those that go. */
async function serves(rig: TestEngine, peer: JsonPeer, id: string): Promise<void> {
  const caller = await rig.json();
  caller.invoke(id, { x: 1 });
  let call = await served(peer, id);
  assert.deepEqual(call.data, { _caller_worker_id: caller.workerId, x: 1 });
  peer.answer(call, { y: [2] });
  assert.deepEqual((await caller.next()).result, { y: [2] });

  caller.invoke(id, {});
  call = await served(peer, id);
  const head = `"function_id":"${id}","invocation_id":"${call.invocation_id}","type":"invocationresult"`;
  peer.sendText(`{"error":{"code":"FORBIDDEN","message":"not you"},${head}}`);
  assert.deepEqual((await caller.next()).error, { code: "FORBIDDEN", message: "not you" });

  const fromMsgpack = rig.engine.call(id, [1]);
  peer.answer(await served(peer, id), "from msgpack");
  assert.equal(await fromMsgpack, "from msgpack");
  assert.equal(peer.inbox.length, 0);
}

test("Go: registers first and announces last; what it queued before the connection is answered", async (t) => {
  const rig = await testEngine(t);
  const near = await rig.jsonOffering("near::echo");
  const queued = `{"data":{},"function_id":"near::echo","invocation_id":"${CALL}","type":"invokefunction"}`;
  const peer = await saying(rig, GO_TYPE, GO_FUNCTION, GO_TRIGGER, queued, GO_ANNOUNCE);
  near.answer(await near.next(), null);
  const answers = new Map<string, JsonFrame>();
  for (let count = 0; count < 2; count++) {
    const frame = await peer.next();
    answers.set(frame.type, frame);
  }
  assert.deepEqual(answers.get("registertrigger"), {
    type: "registertrigger",
    id: TRIGGER,
    trigger_type: "wgo-type",
    function_id: "wgo::echo",
    config: { k: "v" },
  });
  const result = answers.get("invocationresult");
  assert.deepEqual(result, { type: "invocationresult", invocation_id: CALL, function_id: "near::echo" });
  assert.deepEqual(await bound(rig), [TRIGGER]);
  const [row] = await workers(rig, "wire-go");
  assert.deepEqual([row?.["runtime"], row?.["os"], row?.["version"]], ["go", "linux amd64", "0.23.0-rc.4"]);
  await serves(rig, peer, "wgo::echo");
});

test("Go: its pong is no trouble, and its channels have no buffer size", async (t) => {
  const rig = await testEngine(t);
  const peer = await saying(rig, GO_ANNOUNCE);
  peer.sendText('{"type":"pong"}');
  await peer.settle();
  const create = `{"data":{"buffer_size":null},"function_id":"engine::channels::create","invocation_id":"${CALL}","type":"invokefunction"}`;
  peer.sendText(create);
  const { result } = await peer.next();
  const { reader, writer } = result as Record<string, Record<string, string>>;
  assert.deepEqual([reader?.["direction"], writer?.["direction"]], ["read", "write"]);
  assert.equal(reader?.["channel_id"], writer?.["channel_id"]);
});

test("Go: its socket is dropped without a close, and everything of it is gone; back, it reattaches and replays", async (t) => {
  const rig = await testEngine(t);
  const first = await saying(rig, GO_TYPE, GO_FUNCTION, GO_TRIGGER, GO_ANNOUNCE);
  await first.next("its own trigger");
  first.socket.terminate();
  await gone(rig, "wgo::echo");
  assert.deepEqual(await bound(rig), []);
  const reattach = `{"previous_worker_id":"${first.workerId}","reattach_token":"${first.token}","type":"reattach"}`;
  const second = await saying(rig, reattach, GO_TYPE, GO_FUNCTION, GO_TRIGGER, GO_ANNOUNCE);
  assert.equal((await second.next("its own trigger"))["id"], TRIGGER);
  assert.deepEqual(await bound(rig), [TRIGGER]);
  assert.notEqual(second.workerId, first.workerId);
  await serves(rig, second, "wgo::echo");
});

test("Go: while its old connection still stands, a reattach takes its place", async (t) => {
  const rig = await testEngine(t);
  const first = await saying(rig, GO_FUNCTION, GO_ANNOUNCE);
  await first.settle();
  const reattach = `{"previous_worker_id":"${first.workerId}","reattach_token":"${first.token}","type":"reattach"}`;
  const second = await saying(rig, reattach, GO_FUNCTION, GO_ANNOUNCE);
  await second.settle();
  const { code } = await first.closed;
  assert.ok(code !== 1000 && code !== 1001, `${code}: a clean close is the end of some SDKs`);
  assert.equal((await workers(rig, "wire-go")).length, 1);
  await serves(rig, second, "wgo::echo");
});

test("browser: announces first, has no process, and gets text frames only", async (t) => {
  const rig = await testEngine(t);
  const peer = await saying(rig, BROWSER_ANNOUNCE, BROWSER_TYPE, BROWSER_FUNCTION, BROWSER_TRIGGER);
  assert.equal((await peer.next("its own trigger")).type, "registertrigger");
  const fields = { id: TRIGGER, function_id: "wbr::echo", trigger_type: "wbr-type" };
  peer.send({ type: "triggerregistrationresult", message_type: "triggerregistrationresult", ...fields });
  await peer.settle();
  assert.deepEqual(await workers(rig, "browser:17142d54"), [], "without a pid it is in no list of workers");
  const info = await rig.engine.call("engine::workers::info", { name: "browser:17142d54" });
  assert.match(JSON.stringify(info), /"runtime":"browser"/);
  await serves(rig, peer, "wbr::echo");
  // JsonPeer marks what is binary; a call with bytes from the other wire comes as text, too.
  const [msgpack] = await rig.msgpackOffering([]);
  const [handle = 0] = await msgpack.resolve("wbr::echo");
  const answered = msgpack.call(handle, Uint8Array.of(0xa2, 0x68, 0x69));
  const call = await served(peer, "wbr::echo");
  assert.equal(call.data, "hi");
  peer.answer(call, null);
  assert.equal((await answered)[1], null);
});

test("browser: takes its trigger type back in a frame that no engine knows, and closes without a code", async (t) => {
  const rig = await testEngine(t);
  const peer = await saying(rig, BROWSER_ANNOUNCE, BROWSER_TYPE, BROWSER_FUNCTION);
  peer.sendText('{"type":"unregistertriggertype","id":"wbr-type"}');
  await peer.settle();
  await serves(rig, peer, "wbr::echo");
  await peer.close();
  await gone(rig, "wbr::echo");
});
