// Draining over both wires: no new calls, those in flight end, others take over, callers are told what they may try again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { errorOf, handles, type MsgpackPeer, pack, value } from "../support/msgpack-peer.js";
import { testEngine } from "../support/test-engine.js";
import { canonicalAnswer, canonicalCall } from "../support/wire.js";

const NOTHING = pack(null);

test("drain from a worker: callers on both wires get `draining`, the handle stays good, calls in flight end well", async (t) => {
  const { msgpackOffering, msgpack, json, counter } = await testEngine(t);
  const [worker, [f]] = (await msgpackOffering(["f"])) as [MsgpackPeer, [number]];
  const caller = await msgpack();
  const jsonCaller = await json();
  caller.sendBytes(canonicalCall(1, f, NOTHING));
  const [, ticket] = await worker.next("the call");
  worker.send([36, 5, null]);
  assert.deepEqual(await worker.next("draining"), [37, 5, 1]);
  caller.sendBytes(canonicalCall(2, f, NOTHING));
  const refused = await caller.next("the refusal");
  assert.equal(refused[1], 2);
  assert.deepEqual(
    { ...errorOf(refused), message: "" },
    { code: "draining", message: "", retry_after_ms: 100 },
  );
  assert.equal((await jsonCaller.call("f", null)).error?.code, "draining");
  jsonCaller.send({ type: "invokefunction", function_id: "f", data: 1, action: { type: "void" } });
  await jsonCaller.settle();
  assert.deepEqual([counter("calls_draining"), counter("calls_not_found")], [3, 0]);
  worker.sendBytes(canonicalAnswer(2, ticket as number, pack("done")));
  const answer = await caller.next("the answer");
  assert.deepEqual([answer[0], answer[1], value(answer[2])], [2, 1, "done"]);
  const [other] = await msgpackOffering(["f"]);
  caller.sendBytes(canonicalCall(3, f, NOTHING));
  assert.equal((await other.next("the call, by the old handle"))[2], f);
  assert.deepEqual(await worker.drain(), [], "the draining worker gets nothing more");
});

test("drain of listed functions: a standby takes over at once, others stay; registered again it stands by", async (t) => {
  const { msgpackOffering, msgpack } = await testEngine(t);
  const [worker, [f, g]] = (await msgpackOffering(["f", "g"])) as [MsgpackPeer, [number, number]];
  const [standby] = await msgpackOffering(["f"]);
  const caller = await msgpack();
  worker.send([36, 1, ["f", "unknown"]], [18, 2, 0, [["f"], ["h"]]]);
  assert.deepEqual(await worker.next("draining"), [37, 1, 1]);
  const registered = await worker.next("registered");
  assert.deepEqual([...(registered[3] as Uint8Array)], [1, 0], "standby, serving");
  const h = handles(registered[2])[1] ?? 0;
  caller.sendBytes(canonicalCall(1, f, NOTHING));
  assert.equal((await standby.next("f at the standby"))[2], f);
  for (const fn of [g, h]) {
    caller.sendBytes(canonicalCall(fn, fn, NOTHING));
    assert.equal((await worker.next("the others where they were"))[2], fn);
  }
});

test("drain of a worker for which calls wait: a standby gets them at once", async (t) => {
  const { msgpackOffering, msgpack } = await testEngine(t);
  const [worker, [f]] = (await msgpackOffering(["f"], { concurrency: 1, queue_calls: 8 })) as [
    MsgpackPeer,
    [number],
  ];
  const [standby] = await msgpackOffering(["f"]);
  const caller = await msgpack();
  for (const call of [1, 2, 3]) caller.sendBytes(canonicalCall(call, f, NOTHING));
  await caller.settle();
  await worker.next("the first call");
  worker.send([36, 1, ["f"]]);
  assert.deepEqual(await worker.next("draining"), [37, 1, 1]);
  for (const call of [2, 3]) {
    const [, ticket] = await standby.next(`call ${call}`);
    standby.sendBytes(canonicalAnswer(2, ticket as number, pack(call)));
    const answer = await caller.next(`the answer of ${call}`);
    assert.deepEqual([answer[1], value(answer[2])], [call, call]);
  }
  await worker.settle();
});

test("drain of a worker for which calls wait that nobody else can be given: it gets them, and the answer behind them", async (t) => {
  const { msgpackOffering, msgpack } = await testEngine(t);
  const hello = { concurrency: 1, queue_calls: 8 };
  const [worker, [f, g]] = (await msgpackOffering(["f", "g"], hello)) as [MsgpackPeer, [number, number]];
  const caller = await msgpack();
  for (const call of [1, 2, 3]) caller.sendBytes(canonicalCall(call, f, NOTHING));
  await caller.settle();
  const tickets = [(await worker.next("the first call"))[1]];
  worker.send([36, 1, null]);
  caller.sendBytes(canonicalCall(4, g, NOTHING));
  assert.deepEqual([...(await caller.next("a later call")).slice(0, 2)], [3, 4]);
  for (const call of [2, 3]) {
    worker.sendBytes(canonicalAnswer(2, tickets.at(-1) as number, pack(call - 1)));
    const [kind, ticket, fn] = await worker.next(`call ${call}`);
    assert.deepEqual([kind, fn], [1, f]);
    tickets.push(ticket);
    assert.equal(value((await caller.next("an answer"))[2]), call - 1);
  }
  assert.deepEqual(await worker.next("draining"), [37, 1, 2]);
  worker.sendBytes(canonicalAnswer(2, tickets.at(-1) as number, pack(3)));
  assert.equal(value((await caller.next("the last answer"))[2]), 3);
});

test("a drain record whose elements are wrong is refused", async (t) => {
  const { msgpack } = await testEngine(t);
  const worker = await msgpack();
  worker.send([36, 1, "f"], [36, 2, [7]]);
  for (let n = 0; n < 2; n++) assert.equal((await worker.next("refused"))[2], "invalid_record");
  await worker.settle();
});

test("engine::workers::drain: the worker is told, may finish, and is closed with 4411 when it has", async (t) => {
  const { msgpackOffering, msgpack, json } = await testEngine(t);
  const [worker, [f]] = (await msgpackOffering(["f"], { name: "w" })) as [MsgpackPeer, [number]];
  const caller = await msgpack();
  const operator = await json();
  caller.sendBytes(canonicalCall(1, f, NOTHING));
  const [, ticket] = await worker.next("the call");
  const asked = operator.invoke("engine::workers::drain", { name: "w", timeout_ms: 60_000 });
  assert.deepEqual(await worker.next("it is told"), [36, null, null, 60_000]);
  caller.sendBytes(canonicalCall(2, f, NOTHING));
  assert.equal(errorOf(await caller.next("a later call")).code, "draining");
  await operator.settle(); // no answer yet
  worker.sendBytes(canonicalAnswer(2, ticket as number, pack("done")));
  const reply = await operator.next("the answer");
  assert.equal(reply.invocation_id, asked);
  assert.deepEqual(reply.result, {
    id: worker.welcome.worker,
    name: "w",
    functions: 1,
    calls_left: 0,
    left: true,
  });
  assert.deepEqual(await worker.closed, { code: 4411, reason: "drained" });
  assert.equal(value((await caller.next("the answer of the first"))[2]), "done");
  caller.sendBytes(canonicalCall(3, f, NOTHING));
  assert.equal(errorOf(await caller.next("afterwards")).code, "function_not_found");
});

test("engine::workers::drain: what has not ended within the bound is counted, and ends with the connection", async (t) => {
  const { msgpackOffering, msgpack } = await testEngine(t);
  const [worker, [f]] = (await msgpackOffering(["f"])) as [MsgpackPeer, [number]];
  const caller = await msgpack();
  const [drain = 0] = await caller.resolve(["default", "engine::workers::drain"]);
  caller.sendBytes(canonicalCall(1, f, NOTHING));
  await worker.next("the call");
  caller.sendBytes(canonicalCall(2, drain, pack({ name: worker.welcome.worker, timeout_ms: 30 })));
  const [first, second] = [await caller.next(), await caller.next()];
  assert.equal((value(first[2]) as Record<string, unknown>)["calls_left"], 1);
  assert.deepEqual([second[1], errorOf(second).code], [1, "invocation_stopped"]);
});

test("engine::workers::drain: a worker that drains itself does not wait for its own question", async (t) => {
  const { msgpack } = await testEngine(t);
  const worker = await msgpack();
  const [drain = 0] = await worker.resolve(["default", "engine::workers::drain"]);
  worker.sendBytes(canonicalCall(1, drain, pack({ name: worker.welcome.worker, timeout_ms: 60_000 })));
  assert.equal((await worker.next("it is told"))[0], 36);
  assert.equal((value((await worker.next("the answer"))[2]) as Record<string, unknown>)["calls_left"], 0);
  assert.equal((await worker.closed).code, 4411);
});

test("engine::workers::drain of a JSON worker: it stays connected, without calls", async (t) => {
  const { jsonOffering, json } = await testEngine(t);
  const worker = await jsonOffering("f");
  const operator = await json();
  const drained = await operator.call("engine::workers::drain", { name: worker.workerId });
  assert.deepEqual(drained.result, {
    id: worker.workerId,
    name: null,
    functions: 1,
    calls_left: 0,
    left: false,
  });
  assert.equal((await operator.call("f", null)).error?.code, "draining");
  worker.register("g");
  await worker.settle();
  assert.equal(
    (await operator.call("g", null)).error?.code,
    "draining",
    "what it registers later drains, too",
  );
});

test("engine::workers::drain of one function: it is over at the worker when its calls are, the others go on", async (t) => {
  const { msgpackOffering, msgpack, json } = await testEngine(t);
  const [worker, [f, g]] = (await msgpackOffering(["f", "g"], { name: "w" })) as [
    MsgpackPeer,
    [number, number],
  ];
  const caller = await msgpack();
  const operator = await json();
  caller.sendBytes(canonicalCall(1, f, NOTHING));
  caller.sendBytes(canonicalCall(2, g, NOTHING));
  const tickets = [(await worker.next("f"))[1], (await worker.next("g"))[1]] as [number, number];
  operator.invoke("engine::workers::drain", { name: "w", function_id: "f", timeout_ms: 60_000 });
  assert.deepEqual(await worker.next("it is told"), [36, null, ["f"], 60_000]);
  assert.equal((await json().then((peer) => peer.call("f", null))).error?.code, "draining");
  worker.sendBytes(canonicalAnswer(2, tickets[0], pack("done")));
  const reply = await operator.next("the answer, with g still in flight");
  assert.deepEqual(reply.result, {
    id: worker.welcome.worker,
    name: "w",
    functions: 1,
    calls_left: 0,
    left: false,
  });
  assert.equal((await operator.call("f", null)).error?.code, "function_not_found");
  worker.sendBytes(canonicalAnswer(2, tickets[1], pack("done")));
  assert.deepEqual([(await caller.next())[1], (await caller.next())[1]], [1, 2]);
  await worker.settle();
});

test("engine::workers::drain: who and what it does not know, and a bound that is none", async (t) => {
  const { msgpackOffering, json } = await testEngine(t);
  await msgpackOffering(["f"], { name: "w" });
  const operator = await json();
  for (const [input, code] of [
    [{ name: "nobody" }, "NOT_FOUND"],
    [{ name: "w", namespace: "elsewhere" }, "NOT_FOUND"],
    [{ name: "w", function_id: "g" }, "NOT_FOUND"],
    [{ name: "w", timeout_ms: -1 }, "deserialization_error"],
    [{ name: "w", timeout_ms: 3_600_001 }, "deserialization_error"],
    [{}, "deserialization_error"],
  ] as const)
    assert.equal(
      (await operator.call("engine::workers::drain", input)).error?.code,
      code,
      JSON.stringify(input),
    );
  assert.equal((await operator.call("engine::functions::info", { function_id: "f" })).error, undefined);
});

test("while the engine drains, whoever executes a call may still make calls to finish it; nobody else may", async (t) => {
  const { msgpackOffering, msgpack, engine, counter } = await testEngine(t);
  const [outer, [f]] = (await msgpackOffering(["f"])) as [MsgpackPeer, [number]];
  const [inner, [g]] = (await msgpackOffering(["g"])) as [MsgpackPeer, [number]];
  const caller = await msgpack();
  caller.sendBytes(canonicalCall(1, f, NOTHING));
  const [, ticket] = await outer.next("the call");
  const draining = engine.drain(60_000);
  caller.sendBytes(canonicalCall(2, f, NOTHING));
  const { code, message } = errorOf(await caller.next("a new call"));
  assert.deepEqual([code, message], ["overloaded", "The engine is going down and takes no new calls"]);
  assert.equal(counter("calls_overloaded_going_down"), 1);
  outer.sendBytes(canonicalCall(9, g, NOTHING));
  const [, nested] = await inner.next("the nested call");
  inner.sendBytes(canonicalAnswer(2, nested as number, NOTHING));
  assert.equal((await outer.next("its answer"))[1], 9);
  outer.sendBytes(canonicalAnswer(2, ticket as number, pack("done")));
  assert.equal(value((await caller.next("the answer"))[2]), "done");
  assert.deepEqual(await draining, { callsOpen: 0 });
});
