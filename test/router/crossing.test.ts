// JSON and msgpack workers calling each other: every row of PROTOCOL.md's tables of types, errors, contexts, casts, cancels, in both directions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../support/fake-clock.js";
import type { JsonPeer } from "../support/json-peer.js";
import { errorOf, type MsgpackPeer, pack, value } from "../support/msgpack-peer.js";
import { testEngine } from "../support/test-engine.js";
import {
  bytes,
  canonicalAnswer,
  canonicalCall,
  canonicalCancel,
  canonicalCast,
  hex,
} from "../support/wire.js";

const ID = "9d6a2b0c-5d3e-4a4e-8f1c-2b7c1b1f0a01";
const UNTRANSLATABLE = "payload_untranslatable";
const OUT_OF_BOUNDS = "payload_out_of_bounds";
const INVALID = "payload_invalid";

/** A JSON and a msgpack worker, each with a function of its own. */
async function both(t: Parameters<typeof testEngine>[0], options: Parameters<typeof testEngine>[1] = {}) {
  const fixture = await testEngine(t, options);
  const json = await fixture.jsonOffering("j");
  const [msgpack] = (await fixture.msgpackOffering(["m"])) as [MsgpackPeer, [number]];
  const [j] = (await msgpack.resolve("j")) as [number];
  return { ...fixture, json, msgpack, j };
}

function toMsgpack(json: JsonPeer, data: string, rest = ""): void {
  json.sendText(`{"type":"invokefunction","invocation_id":"${ID}","function_id":"m","data":${data}${rest}}`);
}

/** JSON text on one side, msgpack bytes on the other; exact both as a call's payload and as an answer's. */
const TO_MSGPACK: [string, string | typeof UNTRANSLATABLE][] = [
  ["null", "c0"],
  ["true", "c3"],
  ["false", "c2"],
  ['"é\\n\\u0000"', "a4 c3 a9 0a 00"],
  ['""', "a0"],
  ["[]", "90"],
  ["[1,[2]]", "92 01 91 02"],
  ["0", "00"],
  ["127", "7f"],
  ["128", "cc 80"],
  ["65535", "cd ff ff"],
  ["4294967296", "cf 00 00 00 01 00 00 00 00"],
  ["18446744073709551615", "cf ff ff ff ff ff ff ff ff"],
  ["-1", "ff"],
  ["-33", "d0 df"],
  ["-9223372036854775808", "d3 80 00 00 00 00 00 00 00"],
  ["18446744073709551616", UNTRANSLATABLE],
  ["-9223372036854775809", UNTRANSLATABLE],
  ["-0", "cb 80 00 00 00 00 00 00 00"],
  ["1.0", "cb 3f f0 00 00 00 00 00 00"],
  ["0.1", "cb 3f b9 99 99 99 99 99 9a"],
  ["1e2", "cb 40 59 00 00 00 00 00 00"],
  ["1e400", UNTRANSLATABLE],
  ['"\\ud800"', UNTRANSLATABLE],
  ['"\\ud83d\\ude00"', "a4 f0 9f 98 80"],
  ['[{"b":1,"a":2,"b":3}]', "91 83 a1 62 01 a1 61 02 a1 62 03"],
];

test("JSON to msgpack: every row of the table, as payload and as answer", async (t) => {
  const { json, msgpack, j } = await both(t);
  for (const [text, expected] of TO_MSGPACK) {
    toMsgpack(json, text);
    if (expected === UNTRANSLATABLE) assert.equal((await json.next(text)).error?.code, expected, text);
    else {
      const call = await msgpack.next(text);
      assert.equal(hex(call[6] as Uint8Array), expected, text);
      msgpack.sendBytes(canonicalAnswer(2, call[1] as number, bytes("c3")));
      assert.equal((await json.next()).result, true);
    }
    msgpack.sendBytes(canonicalCall(7, j, bytes("c0")));
    const asked = await json.next();
    json.sendText(
      `{"type":"invocationresult","invocation_id":"${asked.invocation_id}","function_id":"j","result":${text}}`,
    );
    const answer = await msgpack.next();
    if (expected === UNTRANSLATABLE) assert.equal(errorOf(answer).code, expected, text);
    else assert.deepEqual([answer[0], answer[1], hex(answer[2] as Uint8Array)], [2, 7, expected], text);
  }
});

test("JSON to msgpack: no data and no result are nil", async (t) => {
  const { json, msgpack, j } = await both(t);
  json.send({ type: "invokefunction", invocation_id: ID, function_id: "m" });
  const call = await msgpack.next();
  assert.equal(hex(call[6] as Uint8Array), "c0");
  msgpack.send([2, call[1], null]);
  assert.deepEqual(await json.next(), { type: "invocationresult", invocation_id: ID, function_id: "m" });
  msgpack.send([1, 7, j]);
  json.answer(await json.next(), undefined);
  assert.equal(hex((await msgpack.next())[2] as Uint8Array), "c0");
});

const TO_JSON: [string, string][] = [
  ["c0", "null"],
  ["c3", "true"],
  ['a5 "h\\"i/" 0a', '"h\\\\\\"i/\\n"'],
  ["92 01 90", "[1,[]]"],
  ["7f", "127"],
  ["cf ff ff ff ff ff ff ff ff", "18446744073709551615"],
  ["d3 80 00 00 00 00 00 00 00", "-9223372036854775808"],
  ["ce 00 00 00 05", "5"],
  ["ca 3f c0 00 00", "1.5"],
  ["cb 3f f0 00 00 00 00 00 00", "1.0"],
  ["cb 3f b9 99 99 99 99 99 9a", "0.1"],
  ["ca 3d cc cc cd", "0.10000000149011612"],
  ["ca 7f c0 00 00", UNTRANSLATABLE],
  ["cb 7f f0 00 00 00 00 00 00", UNTRANSLATABLE],
  ["cb ff f0 00 00 00 00 00 00", UNTRANSLATABLE],
  ["c4 01 00", UNTRANSLATABLE],
  ["d6 ff 00 00 00 00", '"1970-01-01T00:00:00Z"'],
  ["d7 ff 00 00 00 04 00 00 00 01", '"1970-01-01T00:00:01.000000001Z"'],
  ["d4 00 00", UNTRANSLATABLE],
  ["d4 05 00", UNTRANSLATABLE],
  ["91 82 a1 62 01 a1 61 02", '[{"b":1,"a":2}]'],
  ["91 81 01 02", UNTRANSLATABLE],
  ["91 81 c0 02", UNTRANSLATABLE],
  ["a2 c3 28", UNTRANSLATABLE],
  ["01 02", INVALID],
  ["92 01", INVALID],
  ["c1", INVALID],
];

test("msgpack to JSON: every row of the table, as payload and as answer", async (t) => {
  const { json, msgpack, j } = await both(t);
  for (const [packed, expected] of TO_JSON) {
    const isRefused = expected === UNTRANSLATABLE || expected === INVALID;
    const payload = packed.includes('"')
      ? Buffer.from([0xa5, 0x68, 0x5c, 0x22, 0x69, 0x2f, 0x0a].slice(0, 7))
      : bytes(packed);
    if (packed.includes('"')) payload[0] = 0xa6;
    msgpack.sendBytes(canonicalCall(7, j, payload));
    if (isRefused) assert.equal(errorOf(await msgpack.next(packed)).code, expected, packed);
    else {
      const call = await json.next(packed);
      assert.ok(json.text.includes(`"data":${expected}}`), `${packed} became ${json.text}`);
      json.answer(call, true);
      await msgpack.next();
    }
    toMsgpack(json, "1");
    const asked = await msgpack.next();
    msgpack.sendBytes(canonicalAnswer(2, asked[1] as number, payload));
    const answer = await json.next();
    if (isRefused) assert.equal(answer.error?.code, expected, packed);
    else if (expected === "null") assert.equal("result" in answer, false);
    else
      assert.equal(
        json.text,
        `{"type":"invocationresult","invocation_id":"${ID}","function_id":"m","result":${expected}}`,
      );
  }
});

test("msgpack to JSON: an empty payload is invalid, nil is null, 126 levels pass and 127 do not", async (t) => {
  const { json, msgpack, j } = await both(t);
  msgpack.sendBytes(canonicalCall(1, j, Buffer.alloc(0)));
  assert.equal(errorOf(await msgpack.next()).code, INVALID);
  msgpack.send([1, 2, j, 0, 0, null, null]);
  await json.next();
  assert.ok(json.text.includes('"data":null}'));
  const nested = (levels: number) => Buffer.concat([Buffer.alloc(levels, 0x91), Buffer.of(1)]);
  msgpack.sendBytes(canonicalCall(3, j, nested(126)));
  json.answer(await json.next(), 1);
  assert.equal((await msgpack.next())[0], 2);
  for (const levels of [127, 10_000]) {
    msgpack.sendBytes(canonicalCall(4, j, nested(levels)));
    assert.equal(errorOf(await msgpack.next()).code, OUT_OF_BOUNDS);
  }
});

test("_caller_worker_id: in the map of a JSON caller, put into the map of a msgpack caller, never forged", async (t) => {
  const { json, msgpack, j } = await both(t);
  toMsgpack(json, '{"a":1,"\\u005fcaller_worker_id":"evil"}');
  const call = await msgpack.next();
  assert.deepEqual(value(call[6]), { _caller_worker_id: json.workerId, a: 1 });
  msgpack.sendBytes(canonicalCall(7, j, pack({ a: 1, _caller_worker_id: "evil" })));
  assert.deepEqual((await json.next()).data, { _caller_worker_id: msgpack.welcome.worker, a: 1 });
  assert.equal(json.text.match(/_caller_worker_id/g)?.length, 1);
  msgpack.sendBytes(canonicalCall(8, j, pack([{ a: 1 }])));
  assert.deepEqual((await json.next()).data, [{ a: 1 }]);
});

test("trace headers and metadata travel between the frame's keys and the context, without changing a value", async (t) => {
  const { json, msgpack, j } = await both(t);
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  toMsgpack(
    json,
    "1",
    `,"traceparent":"${traceparent}","baggage":"a=\\u00e9","metadata":{"k":1.0,"n":18446744073709551615}`,
  );
  const call = await msgpack.next();
  const context = value(call[5]) as Record<string, unknown>;
  assert.deepEqual(context, { traceparent, baggage: "a=é", metadata: { k: 1, n: 18446744073709551615n } });
  assert.ok(hex(call[5] as Uint8Array).includes("cb 3f f0 00 00 00 00 00 00"), "1.0 stays a float");
  msgpack.sendBytes(canonicalAnswer(2, call[1] as number, pack(1)));
  const answer = await json.next();
  assert.deepEqual([answer["traceparent"], answer["baggage"]], [traceparent, "a=é"]);
  const metadata = bytes("82 a1 6b cb 3f f0 00 00 00 00 00 00 a1 6e cf ff ff ff ff ff ff ff ff");
  const sent = Buffer.concat([
    bytes('84 a8 "metadata"'),
    metadata,
    bytes('ab "traceparent" d9 37'),
    Buffer.from(traceparent),
    bytes('a7 "baggage" a3 "a=b" a7 "unknown" c4 01 00'),
  ]);
  msgpack.sendBytes(canonicalCall(7, j, pack(1), 0, sent));
  const asked = await json.next();
  assert.deepEqual([asked["traceparent"], asked["baggage"]], [traceparent, "a=b,iii.function.id=j"]);
  assert.ok(json.text.includes('"metadata":{"k":1.0,"n":18446744073709551615}'), json.text);
});

test("a context that cannot be said in JSON, or is no map, is refused, never changed", async (t) => {
  const { msgpack, j } = await both(t);
  for (const [context, code] of [
    ["81 a8 6d 65 74 61 64 61 74 61 81 01 02", UNTRANSLATABLE],
    ["81 a8 6d 65 74 61 64 61 74 61 c4 01 00", UNTRANSLATABLE],
    ["90", "invalid_record"],
    ["c1", "invalid_record"],
    ["", "invalid_record"],
    ["81 a1", "invalid_record"],
  ] as const) {
    msgpack.sendBytes(canonicalCall(7, j, pack(1), 0, bytes(context)));
    assert.equal(errorOf(await msgpack.next(context)).code, code, context);
  }
});

test("known keys of a context with other types are as if absent", async (t) => {
  const { json, msgpack, j } = await both(t);
  for (const odd of ["c7 01 05 00", "c0", "01", "90", "c4 01 00"]) {
    msgpack.sendBytes(
      canonicalCall(
        7,
        j,
        pack(1),
        0,
        bytes(`84 ab "traceparent" ${odd} a7 "baggage" ${odd} a3 "key" ${odd} 01 ${odd}`),
      ),
    );
    const call = await json.next(odd);
    assert.deepEqual(Object.keys(call), ["type", "invocation_id", "function_id", "data"]);
  }
});

test("errors cross with code, message and stacktrace; a body without them is answer_invalid", async (t) => {
  const { json, msgpack, j } = await both(t);
  toMsgpack(json, "1");
  msgpack.send([
    3,
    (await msgpack.next())[1],
    pack({ code: "mine", message: "é", stacktrace: "at x", data: 7 }),
  ]);
  assert.deepEqual((await json.next()).error, { code: "mine", message: "é", stacktrace: "at x" });
  for (const body of [
    pack({ code: "only" }),
    pack({ code: 1, message: "m" }),
    pack("text"),
    bytes("c1"),
    Buffer.alloc(0),
  ]) {
    toMsgpack(json, "1");
    msgpack.sendBytes(canonicalAnswer(3, (await msgpack.next())[1] as number, body));
    assert.equal((await json.next()).error?.code, "answer_invalid");
  }
  toMsgpack(json, "1");
  msgpack.send([3, (await msgpack.next())[1]]);
  assert.equal((await json.next()).error?.code, "answer_invalid");
  msgpack.sendBytes(canonicalCall(7, j, pack(1)));
  const call = await json.next();
  json.send({
    type: "invocationresult",
    invocation_id: call.invocation_id,
    function_id: "j",
    error: { code: "FORBIDDEN", message: "no", stacktrace: "s" },
  });
  assert.deepEqual(value((await msgpack.next())[2]), { code: "FORBIDDEN", message: "no", stacktrace: "s" });
  msgpack.sendBytes(canonicalCall(8, j, pack(1)));
  json.sendText(
    `{"type":"invocationresult","invocation_id":"${(await json.next()).invocation_id}","function_id":"j","result":NaN}`,
  );
  assert.equal(errorOf(await msgpack.next()).code, "answer_invalid");
});

test("refusals of the engine reach both kinds with the same code", async (t) => {
  const { json, msgpack } = await both(t);
  assert.equal((await json.call("nobody", 1)).error?.code, "function_not_found");
  msgpack.send([1, 7, "nobody"]);
  assert.equal(errorOf(await msgpack.next()).code, "function_not_found");
});

test("casts cross, both ways; what cannot be said is dropped and counted", async (t) => {
  const { json, msgpack, j, counter } = await both(t);
  json.send({ type: "invokefunction", function_id: "m", data: { a: 1 }, action: { type: "void" } });
  const cast = await msgpack.next();
  assert.deepEqual([cast[0], cast[2], value(cast[5])], [5, 0, { _caller_worker_id: json.workerId, a: 1 }]);
  json.sendText('{"type":"invokefunction","function_id":"m","data":1e400,"action":{"type":"void"}}');
  await json.settle();
  msgpack.sendBytes(canonicalCast(j, 0, pack("x")));
  const call = await json.next();
  assert.equal(call.data, "x");
  json.answer(call, "swallowed");
  msgpack.sendBytes(canonicalCast(j, 0, bytes("c4 01 00")));
  await msgpack.settle();
  await json.settle();
  assert.equal(counter("casts_dropped"), 2);
});

test("cancel and deadline of a call to a JSON worker: nobody waits for it any more, it is not told", async (t) => {
  const clock = new FakeClock();
  const { json, msgpack, j, counter } = await both(t, { clock });
  msgpack.sendBytes(canonicalCall(1, j, pack(1)));
  msgpack.sendBytes(canonicalCall(2, j, pack(1), 500));
  const first = await json.next();
  const second = await json.next();
  msgpack.sendBytes(canonicalCancel(1));
  assert.equal(errorOf(await msgpack.next()).code, "cancelled");
  clock.advance(600);
  assert.equal(errorOf(await msgpack.next()).code, "deadline_exceeded");
  json.answer(first, 1);
  json.answer(second, 1);
  await json.settle();
  await msgpack.settle();
  assert.equal(counter("answers_unmatched"), 2);
});

test("a JSON caller that leaves cancels its calls at msgpack executors", async (t) => {
  const { json, msgpack } = await both(t);
  toMsgpack(json, "1");
  const call = await msgpack.next();
  json.socket.terminate();
  assert.deepEqual(await msgpack.next(), [4, call[1]]);
});

test("an executor that leaves stops calls of the other kind", async (t) => {
  const { json, msgpack, j, msgpack: caller } = await both(t);
  caller.sendBytes(canonicalCall(1, j, pack(1)));
  await json.next();
  json.socket.terminate();
  assert.equal(errorOf(await msgpack.next()).code, "invocation_stopped");
});

test("msgpack workers call the engine's own functions, canonical and by name; errors carry their codes", async (t) => {
  const { msgpack } = await both(t);
  const [list] = (await msgpack.resolve("engine::functions::list")) as [number];
  const [kind, result] = await msgpack.call(list, pack({ prefix: "m" }));
  assert.equal(kind, 2);
  assert.deepEqual(
    (result as { functions: { function_id: string }[] }).functions.map((row) => row.function_id),
    ["m"],
  );
  msgpack.send([1, 8, "engine::functions::info", 0, 0, null, pack({ function_id: "nobody" })]);
  assert.equal(errorOf(await msgpack.next()).code, "NOT_FOUND");
  msgpack.send([1, 9, "engine::functions::list"]);
  assert.equal(errorOf(await msgpack.next()).code, "deserialization_error");
  msgpack.send([1, 10, "engine::functions::list", 0, 0, null, bytes("c1")]);
  assert.equal(errorOf(await msgpack.next()).code, "payload_invalid");
});

test("the engine itself calls workers of both kinds", async (t) => {
  const { engine, json, msgpack } = await both(t);
  const toJson = engine.call("j", { a: [1, null] });
  const call = await json.next();
  assert.deepEqual(call.data, { a: [1, null] });
  json.answer(call, { b: 2 });
  assert.deepEqual(await toJson, { b: 2 });
  const toPacked = engine.call("m", "x");
  const asked = await msgpack.next();
  assert.deepEqual([asked[4], value(asked[6])], [0, "x"]);
  msgpack.sendBytes(canonicalAnswer(2, asked[1] as number, pack(5)));
  assert.equal(await toPacked, 5);
  await assert.rejects(engine.call("nobody", 1), { code: "function_not_found" });
  const failing = engine.call("j", 1);
  json.send({
    type: "invocationresult",
    invocation_id: (await json.next()).invocation_id,
    function_id: "j",
    error: { code: "c", message: "m" },
  });
  await assert.rejects(failing, { code: "c", message: "m" });
  const stopped = engine.call("m", 1);
  await msgpack.next();
  msgpack.socket.terminate();
  await assert.rejects(stopped, { code: "invocation_stopped" });
});

test("JSON callers choose the owner of a function shared by hash with metadata.key", async (t) => {
  const { msgpackOffering, jsonOffering } = await testEngine(t);
  const owners = [];
  for (let n = 0; n < 3; n++) owners.push((await msgpackOffering(["h"], {}, "hash"))[0]);
  const caller = await jsonOffering();
  for (let n = 0; n < 6; n++) caller.invoke("h", n, { metadata: { key: "same" } });
  for (let n = 0; n < 60; n++) caller.invoke("h", n, { metadata: { key: n } });
  for (const metadata of [undefined, "text", null, { key: {} }, []]) caller.invoke("h", "odd", { metadata });
  await caller.settle();
  const taken = [];
  for (const owner of owners) taken.push((await owner.drain()).map((call) => value(call[6])));
  assert.equal(taken.flat().length, 71);
  for (const calls of taken) assert.ok(calls.length > 5, "many keys, all owners");
});

test("a msgpack worker may tell its metadata again as JSON workers do; a taken name is an error, in its own wire", async (t) => {
  const { json, msgpack } = await testEngine(t);
  const holder = await json({ name: "taken" });
  await holder.settle();
  const peer = await msgpack({ name: "mine", namespace: "x" });
  peer.send([1, 1, "engine::workers::register", 0, 0, null, pack({ name: "renamed", pid: 5 })]);
  assert.deepEqual(value((await peer.next())[2]), { success: true });
  const home = await msgpack({ name: "home" });
  home.send([1, 2, "engine::workers::register", 0, 0, null, pack({ name: "taken" })]);
  assert.equal(errorOf(await home.next()).code, "worker_name_taken");
  await home.settle();
  await holder.settle();
});
