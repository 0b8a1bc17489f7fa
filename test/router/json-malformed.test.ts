// What a JSON connection survives and what ends it: malformed frames, binary and telemetry frames, bounds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.js";
import { JsonPeer } from "../support/json-peer.js";
import { testEngine } from "../support/test-engine.js";

test("held registrations are bounded in bytes: beyond it the connection is closed with a code that SDKs come back from", async (t) => {
  const { port, keep, counter } = await testEngine(t, { limits: { heldBytesMax: 2_000 } });
  const peer = keep(await JsonPeer.connect(port));
  for (let n = 0; n < 30; n++) peer.register(`f${n}`, { description: "x".repeat(60) });
  const { code } = await peer.closed;
  assert.equal(code, 4413);
  assert.equal(counter("connections_closed"), 1);
});

test("everything malformed is dropped and counted, in silence, and the connection goes on", async (t) => {
  const { counter, jsonOffering } = await testEngine(t);
  const peer = await jsonOffering();
  const malformed = [
    "not json",
    "{",
    '{"type":"ping"',
    '{"type":"ping"}}',
    "[]",
    '"text"',
    "1",
    "null",
    "{}",
    '{"type":1}',
    '{"type":"nonsense"}',
    '{"type":"registerfunction"}',
    '{"type":"registerfunction","id":1}',
    '{"type":"registerfunction","id":"f","description":5}',
    '{"type":"unregisterfunction"}',
    '{"type":"invokefunction"}',
    '{"type":"invokefunction","function_id":7,"data":1}',
    '{"type":"invokefunction","function_id":"f","data":1,"invocation_id":"no uuid"}',
    '{"type":"invokefunction","function_id":"f","data":1,"invocation_id":7}',
    '{"type":"invokefunction","function_id":"f","data":1,"action":"void"}',
    '{"type":"invokefunction","function_id":"f","data":1,"action":{"type":"enqueue"}}',
    '{"type":"invokefunction","function_id":"f","data":1,"namespace":7}',
    '{"type":"invokefunction","function_id":"f","data":1,"traceparent":7}',
    '{"type":"invocationresult"}',
    '{"type":"invocationresult","invocation_id":7}',
    '{"type":"triggerregistrationresult"}',
    '{"type":"error"}',
  ];
  const before = counter("frames_malformed");
  for (const text of malformed) peer.sendText(text);
  await peer.settle();
  assert.equal(counter("frames_malformed") - before, malformed.length);
});

test("blank text and messages the engine knows and ignores are no malformed frames", async (t) => {
  const { counter, jsonOffering } = await testEngine(t);
  const peer = await jsonOffering();
  for (const text of [
    "",
    " \t\r\n",
    '{"type":"pong"}',
    '{"type":"unregistertriggertype","id":"x"}',
    '{"type":"registerservice","id":"s"}',
  ])
    peer.sendText(text);
  for (const type of ["workerregistered", "registrationrejected"]) peer.send({ type });
  await peer.settle();
  assert.equal(counter("frames_malformed"), 0);
});

test("a call cut at every length is never a crash, and the whole one still works", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const peer = await jsonOffering();
  const id = "7b0c6a52-3a5e-4a39-9a0c-6d0e6a9a5d11";
  const text = `{"type":"invokefunction","invocation_id":"${id}","function_id":"f","data":{"a":[1,"\\u00e9"]},"metadata":null}`;
  for (let length = 0; length < text.length; length++) peer.sendText(text.slice(0, length));
  for (const frame of await peer.drain()) {
    assert.equal(frame.invocation_id, id, "only a call whose id could be read is answered");
    assert.equal(frame.error?.code, "payload_invalid");
  }
  await worker.settle();
  peer.sendText(text);
  const call = await worker.next();
  assert.deepEqual(call.data, { _caller_worker_id: peer.workerId, a: [1, "é"] });
  worker.answer(call, 1);
  assert.equal((await peer.next()).result, 1);
});

test("a binary frame is JSON like a text frame, unless it begins with a telemetry prefix or is not UTF-8", async (t) => {
  const { counter, jsonOffering } = await testEngine(t);
  const peer = await jsonOffering();
  peer.socket.send(Buffer.from('{"type":"ping"}'));
  assert.deepEqual(await peer.next(), { type: "pong" });
  for (const prefix of ["OTLP", "MTRC", "LOGS"])
    peer.socket.send(Buffer.from(`${prefix}{"resourceSpans":[]}`));
  peer.socket.send(Buffer.from("OTLP\xff\xfe", "latin1"));
  await peer.settle();
  assert.equal(counter("telemetry_frames"), 4);
  assert.equal(counter("frames_malformed"), 0);
  peer.socket.send(Buffer.from('{"type":"ping","x":"\xff"}', "latin1"));
  await peer.settle();
  assert.equal(counter("frames_malformed"), 1);
});

test("/otel counts telemetry frames, ignores text and announces nothing", async (t) => {
  const { engine, port, keep, counter } = await testEngine(t);
  const peer = keep(new JsonPeer(`ws://127.0.0.1:${port}/otel`));
  await new Promise((resolve) => peer.socket.on("open", resolve));
  peer.socket.send(Buffer.from('OTLP{"resourceSpans":[]}'));
  peer.socket.send("text");
  peer.socket.send(Buffer.from('MTRC{"resourceMetrics":[]}'));
  await eventually("both frames are counted", () => counter("telemetry_frames") >= 2);
  assert.equal(counter("telemetry_frames"), 2);
  assert.equal(engine.stats().workers, 0);
  assert.equal(peer.inbox.length, 0);
});

test("a frame above the bound ends that connection and no other", async (t) => {
  const { jsonOffering } = await testEngine(t, { limits: { frameBytesMax: 65_536 } });
  const peer = await jsonOffering("f");
  const other = await jsonOffering("g");
  const text = `{"type":"ping","x":"${"y".repeat(65_536 - 22)}"}`;
  assert.equal(text.length, 65_536);
  peer.sendText(text);
  assert.deepEqual(await peer.next(), { type: "pong" });
  peer.sendText(`${text} `);
  assert.equal((await peer.closed).code, 1006);
  await other.settle();
  await eventually(
    "the function is gone",
    async () => (await other.call("f", 1)).error?.code === "function_not_found",
  );
});

test("beyond the bound of connections an upgrade is answered 503", async (t) => {
  const { port, counter, json } = await testEngine(t, { limits: { connectionsMax: 2 } });
  const one = await json();
  await json();
  const third = new JsonPeer(`ws://127.0.0.1:${port}/`);
  assert.equal((await third.closed).code, 1006);
  assert.equal(counter("connections_refused"), 1);
  await one.close();
  await eventually("there is room again", () => counter("connections_closed") === 1);
  const fourth = await json();
  await fourth.settle();
});

test("of duplicate keys the last one counts, and the frame that leaves has none", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  const id = "7b0c6a52-3a5e-4a39-9a0c-6d0e6a9a5d11";
  caller.sendText(
    `{"type":"ping","function_id":"nobody","data":1,"invocation_id":"x","type":"invokefunction","\\u0066unction_id":"f","data":{"a":2},"invocation_id":"${id}"}`,
  );
  const call = await worker.next();
  assert.deepEqual(call.data, { _caller_worker_id: caller.workerId, a: 2 });
  for (const key of ["type", "function_id", "data", "invocation_id"])
    assert.equal(worker.text.split(`"${key}":`).length, 2, `${key} is there once`);
  worker.sendText(
    `{"type":"invocationresult","invocation_id":"${call.invocation_id}","function_id":"f","result":1,"result":2,"error":{"code":"c","message":"m"},"error":null}`,
  );
  assert.deepEqual(await caller.next(), {
    type: "invocationresult",
    invocation_id: id,
    function_id: "f",
    result: 2,
  });
});

test("ten thousand levels anywhere in a frame disturb nobody", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const peer = await jsonOffering();
  const deep = "[".repeat(10_000) + "]".repeat(10_000);
  const id = "7b0c6a52-3a5e-4a39-9a0c-6d0e6a9a5d11";
  for (const field of ["data", "metadata", "action", "namespace", "baggage", "error", "unknown"])
    peer.sendText(`{"type":"invokefunction","invocation_id":"${id}","function_id":"f","${field}":${deep}}`);
  for (const field of ["request_format", "metadata", "description"])
    peer.sendText(`{"type":"registerfunction","id":"g","${field}":${deep}}`);
  peer.sendText(
    `{"type":"invokefunction","function_id":"engine::workers::register","data":{"telemetry":${deep}}}`,
  );
  for (const frame of await peer.drain()) assert.equal(frame.error?.code, "payload_out_of_bounds");
  await worker.settle();
  assert.equal((await peer.call("g", 1)).error?.code, "function_not_found");
});
