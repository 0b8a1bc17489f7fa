// How calls between JSON workers end when all is not well: foreign, late and unreadable answers, deadlines, departures, bounds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../support/fake-clock.js";
import type { JsonPeer } from "../support/json-peer.js";
import { testEngine } from "../support/test-engine.js";

const ID = "9d6a2b0c-5d3e-4a4e-8f1c-2b7c1b1f0a01";

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

test("an answer that cannot be relayed ends its call with answer_invalid", async (t) => {
  const { jsonOffering, counter } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  const answers = [
    '"function_id":"f","result":NaN',
    '"function_id":"f","result":{"a":[Infinity,-Infinity]}',
    '"function_id":"f","result":{"cut":',
    '"function_id":"f","error":{"code":"only"}',
    '"function_id":"f","error":{"code":1,"message":"m"}',
    '"function_id":"f","error":{"code":"c","message":"m","stacktrace":7}',
    '"function_id":"f","error":"text"',
    '"result":1',
    '"function_id":7,"result":1',
    `"function_id":"f","result":${"[".repeat(127)}${"]".repeat(127)}`,
    `"function_id":"f","result":${"9".repeat(4_301)}`,
    `"function_id":"f","result":${"[".repeat(70_000)}${"]".repeat(70_000)}`,
  ];
  for (const answer of answers) {
    caller.sendText(invoke("1"));
    const call = await worker.next();
    worker.sendText(`{"type":"invocationresult","invocation_id":"${call.invocation_id}",${answer}}`);
    const ended = await caller.next(answer.slice(0, 60));
    assert.equal(ended.error?.code, "answer_invalid", answer.slice(0, 60));
    assert.equal(ended.invocation_id, ID);
    assert.equal(ended.function_id, "f");
  }
  assert.equal(counter("answers_invalid"), answers.length);
});

test("a call that is not JSON is answered when its id can be read: Python writes NaN", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  for (const data of ["NaN", '{"a":[Infinity]}', "[1,]", "01"]) {
    caller.sendText(invoke(data));
    const answer = await caller.next();
    assert.deepEqual(
      [answer.invocation_id, answer.function_id, answer.error?.code],
      [ID, "f", "payload_invalid"],
      data,
    );
  }
  caller.sendText(
    `{"invocation_id": "${ID}", "function_id": "f", "data": NaN, "action": {"type": "void"}, "type": "invokefunction"}`,
  );
  await caller.settle();
  await worker.settle();
});

test("bounds every SDK survives: 127 levels and 4,300 digits pass, one more is payload_out_of_bounds", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  for (const sound of [nested(126), "9".repeat(4_300), `-${"9".repeat(4_300)}`, `0.${"1".repeat(9_000)}`])
    assert.equal(await delivered(caller, worker, invoke(sound)), `"function_id":"f","data":${sound}}`);
  for (const beyond of [
    nested(127),
    "9".repeat(4_301),
    `{"a":[-${"9".repeat(4_301)}]}`,
    nested(10_000),
    nested(70_000),
  ]) {
    caller.sendText(invoke(beyond));
    const refused = await caller.next();
    assert.deepEqual(
      [refused.invocation_id, refused.function_id, refused.error?.code],
      [ID, "f", "payload_out_of_bounds"],
    );
  }
  caller.sendText(invoke("1", `,"metadata":${nested(127)}`));
  assert.equal((await caller.next()).error?.code, "payload_out_of_bounds");
});

test("answers from another worker, late, doubled or with foreign ids change nothing and are counted", async (t) => {
  const { jsonOffering, counter, engine } = await testEngine(t);
  const worker = await jsonOffering("f");
  const thief = await jsonOffering("g");
  const caller = await jsonOffering();
  caller.sendText(invoke("1"));
  const call = await worker.next();
  thief.answer(call, "stolen");
  caller.answer(call, "stolen by the caller");
  await thief.settle();
  await caller.settle();
  assert.equal(counter("answers_unmatched"), 2);
  worker.answer({ ...call, invocation_id: ID }, "the caller's own id");
  worker.answer(
    { ...call, invocation_id: call.invocation_id?.replace(/^......../, "00000001") ?? "" },
    "a ticket that never was",
  );
  worker.answer(
    { ...call, invocation_id: call.invocation_id?.replace(/^......../, "zzzzzzzz") ?? "" },
    "no ticket",
  );
  await worker.settle();
  assert.equal(engine.stats().callsOpen, 1);
  worker.answer(call, "right");
  assert.equal((await caller.next()).result, "right");
  worker.answer(call, "again");
  await worker.settle();
  await caller.settle();
  assert.equal(counter("answers_unmatched"), 6);
  assert.equal(engine.stats().callsOpened, 1);
});

test("two callers, and one caller twice, may use the same invocation id", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const one = await jsonOffering();
  const two = await jsonOffering();
  one.sendText(invoke('"first"'));
  const first = await worker.next();
  two.sendText(invoke('"second"'));
  const second = await worker.next();
  one.sendText(invoke('"third"'));
  const third = await worker.next();
  worker.answer(third, 3);
  worker.answer(second, 2);
  worker.answer(first, 1);
  assert.deepEqual(
    [(await one.next()).result, (await one.next()).result, (await two.next()).result],
    [3, 1, 2],
  );
});

test("a call that nobody answers ends with deadline_exceeded after the engine's default, not before", async (t) => {
  const clock = new FakeClock();
  const { jsonOffering, engine, counter } = await testEngine(t, { clock });
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  const id = caller.invoke("f", 1);
  const call = await worker.next();
  clock.advance(330_000 - 1);
  await caller.settle();
  clock.advance(3 * 16);
  assert.deepEqual(await caller.next(), {
    type: "invocationresult",
    invocation_id: id,
    function_id: "f",
    error: { code: "deadline_exceeded", message: "The call's time has passed" },
  });
  assert.equal(engine.stats().callsOpen, 0);
  worker.answer(call, "late");
  await worker.settle();
  await caller.settle();
  assert.equal(counter("answers_unmatched"), 1);
  assert.equal(counter("calls_deadline_exceeded"), 1);
});

test("a rule of configuration gives a function a time of its own", async (t) => {
  const clock = new FakeClock();
  const { jsonOffering } = await testEngine(t, {
    clock,
    functions: [{ match: "slow::*", timeoutMs: 600_000 }],
  });
  const worker = await jsonOffering("slow::f");
  const caller = await jsonOffering();
  caller.invoke("slow::f", 1);
  await worker.next();
  clock.advance(599_999);
  await caller.settle();
  clock.advance(48);
  assert.equal((await caller.next()).error?.code, "deadline_exceeded");
});

test("the executor leaves: invocation_stopped under the id that was called, then function_not_found", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  caller.sendText(invoke("1", ',"baggage":"a=b"'));
  await worker.next();
  worker.socket.terminate();
  assert.deepEqual(await caller.next(), {
    type: "invocationresult",
    invocation_id: ID,
    function_id: "f",
    error: { code: "invocation_stopped", message: "Invocation stopped" },
    baggage: "a=b",
  });
  assert.equal((await caller.call("f", 1)).error?.code, "function_not_found");
});

test("the caller leaves: its calls are forgotten, the executor goes on, its late answer is counted", async (t) => {
  const { jsonOffering, engine, counter } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  caller.invoke("f", 1);
  const call = await worker.next();
  await caller.close();
  await worker.settle();
  assert.equal(engine.stats().callsOpen, 0);
  worker.answer(call, 1);
  await worker.settle();
  assert.equal(counter("answers_unmatched"), 1);
});

test("a caller at its bound of open calls is told overloaded, and served again when one ends", async (t) => {
  const { jsonOffering } = await testEngine(t, { limits: { callsOpenPerConnectionMax: 2 } });
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  caller.invoke("f", 1);
  caller.invoke("f", 2);
  const first = await worker.next();
  await worker.next();
  assert.equal((await caller.call("f", 3)).error?.code, "overloaded");
  worker.answer(first, 1);
  await caller.next();
  caller.invoke("f", 4);
  assert.equal((await worker.next()).data, 4);
});

test("frames far larger than a chunk pass unharmed, in order with small ones", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const worker = await jsonOffering("f");
  const caller = await jsonOffering();
  const sizes = [1, 4_000, 4_096, 60_000, 65_536, 65_530, 1_000_000, 10, 300_000, 5];
  for (const size of sizes) caller.invoke("f", "x".repeat(size));
  for (const size of sizes) {
    const call = await worker.next();
    assert.equal((call.data as string).length, size);
    worker.answer(call, call.data);
  }
  for (const size of sizes) assert.equal(((await caller.next()).result as string).length, size);
});
