// Calls between JSON workers, frame by frame: what the executor sees, what the caller gets back, byte for byte where bytes matter.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonPeer } from "../support/json-peer.js";
import { testEngine } from "../support/test-engine.js";

const ID = "9d6a2b0c-5d3e-4a4e-8f1c-2b7c1b1f0a01";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function invoke(data: string, rest = ""): string {
  return `{"type":"invokefunction","invocation_id":"${ID}","function_id":"f","data":${data}${rest}}`;
}

/** What the executor of "f" receives for this call, as text behind the ids. */
async function delivered(caller: JsonPeer, worker: JsonPeer, frame: string): Promise<string> {
  caller.sendText(frame);
  const call = await worker.next();
  const { text } = worker;
  worker.answer(call, 0);
  await caller.next();
  return text.slice(text.indexOf('"function_id"'));
}

test("a call and its answer carry exactly these keys", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  caller.sendText(invoke('{"amount":5}', ',"metadata":{"k":1},"unknown":true'));
  const call = await worker.next();
  assert.match(call.invocation_id ?? "", UUID);
  assert.deepEqual(call, {
    type: "invokefunction",
    invocation_id: call.invocation_id,
    function_id: "f",
    data: { _caller_worker_id: caller.workerId, amount: 5 },
    metadata: { k: 1 },
  });
  worker.send({
    type: "invocationresult",
    invocation_id: call.invocation_id,
    function_id: "f",
    result: { ok: true },
    traceparent: "ignored",
    x: 1,
  });
  assert.deepEqual(await caller.next(), {
    type: "invocationresult",
    invocation_id: ID,
    function_id: "f",
    result: { ok: true },
  });
});

test("data of every JSON type reaches the executor; only objects get _caller_worker_id", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  for (const data of ["null", "true", "false", "0", '"text"', '""', "[]", '[{"_caller_worker_id":"x"}]'])
    assert.equal(await delivered(caller, worker, invoke(data)), `"function_id":"f","data":${data}}`);
  assert.equal(
    await delivered(caller, worker, invoke("{}")),
    `"function_id":"f","data":{"_caller_worker_id":"${caller.workerId}"}}`,
  );
  assert.equal(
    await delivered(caller, worker, invoke("{ }")),
    `"function_id":"f","data":{"_caller_worker_id":"${caller.workerId}" }}`,
  );
});

test("missing data reads as null", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  const frame = `{"type":"invokefunction","invocation_id":"${ID}","function_id":"f"}`;
  assert.equal(await delivered(caller, worker, frame), '"function_id":"f","data":null}');
});

test("_caller_worker_id cannot be forged in any spelling, and is there once", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  const forged = [
    '"_caller_worker_id":"evil"',
    '"\\u005fcaller_worker_id":"evil"',
    '"_caller\\u005Fworker_id":{"a":[1]}',
    '"\\u005f\\u0063aller_worker_id":null,"_caller_worker_id":"evil"',
    '"_caller_worker_id":"evil" , "_caller_worker_id":"evil"',
  ];
  for (const members of forged) {
    for (const data of [
      `{${members}}`,
      `{"a":1,${members}}`,
      `{${members},"a":1}`,
      `{"a":{${members}},${members},"b":2}`,
    ]) {
      const text = await delivered(caller, worker, invoke(data));
      const received = JSON.parse(`{${text}`).data as Record<string, unknown>;
      assert.equal(received["_caller_worker_id"], caller.workerId, data);
      const topLevel = text.replace(/"a":\{[^}]*(\{[^}]*\}[^}]*)*\}/, "");
      assert.equal(topLevel.match(/_caller|caller\\u005F/gi)?.length, 1, `${data} became ${text}`);
    }
  }
});

test("numbers, key order, escapes and blanks inside of values arrive exactly as sent, both ways", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  const values = [
    "[18446744073709551615,-9223372036854775808,9007199254740993,1.0,1e400,-0,0.10,1E+2]",
    '["\\u00e9\\/\\ud83d\\ude00\\ud800","é😀\u2028","\\"\\\\"]',
    '[{"z":1,"a":2,"10":3,"2":4,"a":5}]',
    '[ 1 ,\t{ "a" : [ ] } ]',
    `[${"9".repeat(4_300)}]`,
    `[${"9".repeat(5_000)}.5]`,
  ];
  for (const value of values) {
    caller.sendText(invoke(value, `,"metadata":${value}`));
    const call = await worker.next();
    assert.ok(worker.text.includes(`"data":${value},"metadata":${value}}`), worker.text.slice(0, 300));
    worker.sendText(
      `{"type":"invocationresult","invocation_id":"${call.invocation_id}","function_id":"f","result":${value}}`,
    );
    await caller.next();
    assert.equal(
      caller.text,
      `{"type":"invocationresult","invocation_id":"${ID}","function_id":"f","result":${value}}`,
    );
  }
});

test("key order and blanks of the envelope do not matter", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  caller.sendText(
    `\n{ "data" : [1] ,\t"function_id":"f","invocation_id" : "${ID}","type": "invokefunction" }\r\n`,
  );
  const call = await worker.next();
  assert.deepEqual(call.data, [1]);
  worker.sendText(
    ` {"result":2,"function_id":"f","invocation_id":"${call.invocation_id}" , "type":"invocationresult" } `,
  );
  assert.equal((await caller.next()).result, 2);
});

test("every spelling of a UUID is accepted and given back as it was", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  for (const id of [ID.toUpperCase(), ID.replaceAll("-", ""), `{${ID}}`, `urn:uuid:${ID}`]) {
    caller.send({ type: "invokefunction", invocation_id: id, function_id: "f", data: 1 });
    const call = await worker.next();
    assert.match(call.invocation_id ?? "", UUID);
    worker.answer(call, 2);
    assert.equal((await caller.next()).invocation_id, id);
  }
});

test("a null result and an absent one both leave as an absent key", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  for (const result of [null, undefined]) {
    caller.sendText(invoke("1"));
    worker.answer(await worker.next(), result);
    assert.deepEqual(await caller.next(), { type: "invocationresult", invocation_id: ID, function_id: "f" });
  }
});

test("an error wins over a result and is passed on as it is; null is no error", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  const error = { code: "invocation_failed", message: "boom \u0000 é", stacktrace: "at x\n at y" };
  caller.sendText(invoke("1"));
  worker.send({
    type: "invocationresult",
    invocation_id: (await worker.next()).invocation_id,
    function_id: "f",
    result: 1,
    error,
  });
  assert.deepEqual(await caller.next(), {
    type: "invocationresult",
    invocation_id: ID,
    function_id: "f",
    error,
  });
  caller.sendText(invoke("1"));
  worker.send({
    type: "invocationresult",
    invocation_id: (await worker.next()).invocation_id,
    function_id: "f",
    result: 1,
    error: null,
  });
  assert.equal((await caller.next()).result, 1);
});

test("function_not_found names the function, the namespace, and where else it is", async (t) => {
  const { json, jsonOffering } = await testEngine(t);
  const caller = await jsonOffering();
  assert.deepEqual((await caller.call("wire::none", 1)).error, {
    code: "function_not_found",
    message: "Function wire::none not found in namespace default.",
  });
  for (const namespace of ["zeta", "alpha"]) (await json({ namespace })).register("only::there");
  for (const namespace of ["zeta", "alpha"]) await (await json({ namespace })).settle();
  const hinted = await caller.call("only::there", 1, { namespace: "beta" });
  assert.equal(
    hinted.error?.message,
    "Function only::there not found in namespace beta. It is registered in namespace(s): alpha, zeta.",
  );
});

test("a call is looked up in the namespace it names, else in default, whatever the caller's own", async (t) => {
  const { json } = await testEngine(t);
  const a = await json({ namespace: "a" });
  const b = await json({ namespace: "b" });
  a.register("f");
  b.register("f");
  await a.settle();
  await b.settle();
  const waiting = a.call("f", 1, { namespace: "b" });
  const call = await b.next();
  assert.equal(call["namespace"], undefined);
  assert.equal(call["action"], undefined);
  b.answer(call, "from b");
  assert.equal((await waiting).result, "from b");
  assert.equal((await a.call("f", 1)).error?.code, "function_not_found");
  assert.equal((await a.call("f", 1, { namespace: null })).error?.code, "function_not_found");
});

test("a blank namespace is INVALID_NAMESPACE with an id, silence without", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const caller = await jsonOffering();
  const refused = await caller.call("f", 1, {
    namespace: "  ",
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  });
  assert.equal(refused.error?.code, "INVALID_NAMESPACE");
  assert.equal((await caller.call("f", 1, { namespace: "" })).error?.code, "INVALID_NAMESPACE");
  caller.send({ type: "invokefunction", function_id: "f", data: 1, namespace: "" });
  await caller.settle();
});

test("engine ids with another namespace are not found", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const caller = await jsonOffering();
  assert.equal(
    (await caller.call("engine::functions::list", {}, { namespace: "x" })).error?.code,
    "function_not_found",
  );
});

test("void: the executor gets an id of the engine's and its answer is swallowed; the caller gets nothing, not even not_found", async (t) => {
  const { jsonOffering, counter, engine } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  caller.invoke("f", { a: 1 }, { action: { type: "void" } });
  caller.send({ type: "invokefunction", function_id: "f", data: 2, action: { type: "void" } });
  caller.sendText(
    '{"type": "invokefunction", "invocation_id": null, "function_id": "f", "data": 3, "action": {"type": "void"}}',
  );
  caller.invoke("nobody", 1, { action: { type: "void" } });
  for (const data of [{ _caller_worker_id: caller.workerId, a: 1 }, 2, 3]) {
    const call = await worker.next();
    assert.deepEqual(call.data, data);
    assert.match(call.invocation_id ?? "", UUID);
    assert.equal("action" in call, false);
    worker.answer(call, "swallow me");
  }
  await worker.settle();
  await caller.settle();
  assert.equal(counter("answers_swallowed"), 3);
  assert.equal(engine.stats().callsOpened, 0);
});

test("a call without an id, or with a null one, is carried out and not answered", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  caller.send({ type: "invokefunction", function_id: "f", data: 1 });
  caller.send({ type: "invokefunction", invocation_id: null, function_id: "f", data: 2 });
  caller.send({ type: "invokefunction", function_id: "nobody", data: 2 });
  worker.answer(await worker.next(), 1);
  worker.answer(await worker.next(), 1);
  await worker.settle();
  await caller.settle();
});

test("enqueue without a provider: enqueue_error with a sentence that helps; silence without an id", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const caller = await jsonOffering();
  const answer = await caller.call(
    "billing::charge",
    { a: 1 },
    { action: { type: "enqueue", queue: "payments" } },
  );
  assert.equal(answer.function_id, "billing::charge");
  assert.equal(answer.error?.code, "enqueue_error");
  assert.match(
    answer.error?.message ?? "",
    /^No queue provider is installed\..*engine::queue::enqueue.*iii worker add queue.*\(underlying: Function engine::queue::enqueue not found in namespace default\)$/,
  );
  caller.send({ type: "invokefunction", function_id: "x", data: 1, action: { type: "enqueue", queue: "q" } });
  await caller.settle();
});

test("enqueue with a provider: exact input, a receipt for the caller, or the provider's error", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const provider = await jsonOffering("engine::queue::enqueue");
  const caller = await jsonOffering();
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  caller.sendText(
    `{"type":"invokefunction","invocation_id":"${ID}","function_id":"billing::charge","data":{"z":1.0,"n":18446744073709551615},"action":{"type":"enqueue","queue":"pay\\"ments"},` +
      `"traceparent":"${traceparent}","baggage":"tenant=a","namespace":"shop-a","metadata":{"k":1}}`,
  );
  const call = await provider.next();
  const receipt = (call.data as { messageReceiptId: string }).messageReceiptId;
  assert.match(receipt, UUID);
  assert.ok(
    provider.text.includes('"data":{"z":1.0,"n":18446744073709551615}'),
    "data stays as it was spelled",
  );
  assert.deepEqual(call.data, {
    queue: 'pay"ments',
    function_id: "billing::charge",
    data: { z: 1.0, n: 18446744073709552000 },
    messageReceiptId: receipt,
    traceparent,
    baggage: "tenant=a,iii.function.id=billing::charge",
    namespace: "shop-a",
  });
  assert.equal("metadata" in call, false);
  provider.answer(call, { ignored: true });
  assert.deepEqual(await caller.next(), {
    type: "invocationresult",
    invocation_id: ID,
    function_id: "billing::charge",
    result: { messageReceiptId: receipt },
    traceparent,
    baggage: "tenant=a",
  });
  const failing = caller.call("t", null, { action: { type: "enqueue", queue: "q" } });
  const second = await provider.next();
  assert.deepEqual(second.data, {
    queue: "q",
    function_id: "t",
    data: null,
    messageReceiptId: (second.data as { messageReceiptId: string }).messageReceiptId,
    traceparent: null,
    baggage: "iii.function.id=t",
  });
  provider.send({
    type: "invocationresult",
    invocation_id: second.invocation_id,
    function_id: "x",
    error: { code: "full", message: "no room" },
  });
  assert.deepEqual((await failing).error, { code: "enqueue_error", message: "full: no room" });
});

test("trace headers: the executor gets them with iii.function.id, the caller gets its own back", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const rows: [object, object][] = [
    [{ traceparent }, { traceparent, baggage: "iii.function.id=f" }],
    [{ baggage: "tenant=a" }, { baggage: "tenant=a,iii.function.id=f" }],
    [
      { traceparent, baggage: "iii.function.id=other,tenant=a" },
      { traceparent, baggage: "tenant=a,iii.function.id=f" },
    ],
    [{ traceparent: null, baggage: null }, {}],
  ];
  for (const [sent, seen] of rows) {
    const waiting = caller.call("f", 1, sent);
    const call = await worker.next();
    const { type, invocation_id, function_id, data, ...headers } = call;
    assert.deepEqual(headers, seen);
    worker.send({
      type: "invocationresult",
      invocation_id,
      function_id,
      result: data,
      traceparent: "00-x",
      baggage: `${type}=1`,
    });
    const { type: _, invocation_id: __, function_id: ___, result: ____, ...echo } = await waiting;
    assert.deepEqual(echo, Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== null)));
  }
  const refused = await caller.call("nobody", 1, { traceparent, baggage: "a=b" });
  assert.equal(refused["traceparent"], traceparent);
  assert.equal(refused["baggage"], "a=b");
});

test("metadata goes unchanged to the executor; null and absent are the same", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  for (const metadata of ['{"k":1.0}', '"text"', "7", "[]", "false"])
    assert.equal(
      await delivered(caller, worker, invoke("1", `,"metadata":${metadata}`)),
      `"function_id":"f","data":1,"metadata":${metadata}}`,
    );
  assert.equal(
    await delivered(caller, worker, invoke("1", ',"metadata":null')),
    '"function_id":"f","data":1}',
  );
});

test("a worker calls itself", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  worker.invoke("f", { a: 1 });
  const call = await worker.next();
  worker.answer(call, "self");
  assert.equal((await worker.next()).result, "self");
});

test("an id that is escaped on the wire is the same function, and is answered as it was called", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("caf\u00e9::\n");
  const caller = await jsonOffering();
  for (const id of ["caf\\u00e9::\\n", "café::\\n", "caf\\u00E9::\\u000a"]) {
    caller.sendText(`{"type":"invokefunction","invocation_id":"${ID}","function_id":"${id}","data":1}`);
    const call = await worker.next();
    assert.equal(call.function_id, "café::\n");
    worker.answer(call, 2);
    assert.deepEqual(await caller.next(), {
      type: "invocationresult",
      invocation_id: ID,
      function_id: "café::\n",
      result: 2,
    });
  }
});

test("an id that is escaped and not there is told as it is meant", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const caller = await jsonOffering();
  caller.sendText(`{"type":"invokefunction","invocation_id":"${ID}","function_id":"caf\\u00e9","data":1}`);
  assert.equal((await caller.next()).error?.message, "Function café not found in namespace default.");
});
