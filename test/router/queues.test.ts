// Workers that take so many calls at once: what waits, in whose turn, for how long, and what is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.js";
import { errorOf, type MsgpackPeer, pack, value } from "../support/msgpack-peer.js";
import { type TestEngine, testEngine } from "../support/test-engine.js";
import { canonicalAnswer, canonicalCall, canonicalCancel } from "../support/wire.js";

/** A msgpack worker that takes so many calls at once, said in its hello. */
async function busyWorker(
  { msgpackOffering }: TestEngine,
  concurrency: number,
  more: object = {},
  share?: string,
): Promise<{ worker: MsgpackPeer; fn: number }> {
  const [worker, [fn = 0]] = await msgpackOffering(["f"], { concurrency, ...more }, share);
  return { worker, fn };
}

/** The payload of a call's record, and its ticket. */
async function asked(worker: MsgpackPeer): Promise<{ ticket: number; data: unknown }> {
  const record = await worker.next("a call");
  assert.equal(record[0], 1, JSON.stringify(record));
  return { ticket: record[1] as number, data: value(record[6] ?? record[5]) };
}

function answer(worker: MsgpackPeer, ticket: number, data: unknown): void {
  worker.sendBytes(canonicalAnswer(2, ticket, pack(data)));
}

test("a worker gets no more calls at once than it said; the others wait, in the order of their caller", async (t) => {
  const engine = await testEngine(t);
  const { worker, fn } = await busyWorker(engine, 2);
  const caller = await engine.msgpack();
  caller.sendBytes(Buffer.concat([1, 2, 3, 4, 5].map((n) => canonicalCall(n, fn, pack(n)))));
  const running = [await asked(worker), await asked(worker)];
  await worker.settle();
  assert.equal(engine.engine.calls.queues.length, 3, "and no third one came");
  for (let n = 3; n <= 5; n++) {
    const oldest = running.shift();
    answer(worker, oldest?.ticket ?? 0, oldest?.data);
    running.push(await asked(worker));
    assert.equal(running.at(-1)?.data, n);
  }
  for (const { ticket, data } of running) answer(worker, ticket, data);
  for (let n = 1; n <= 5; n++) {
    const record = await caller.next();
    assert.deepEqual([record[0], record[1], value(record[2])], [2, n, n]);
  }
  assert.equal(engine.counter("calls_queued"), 3);
});

test("callers take turns: a quiet one is served next, however much a flooding one has waiting", async (t) => {
  const engine = await testEngine(t);
  const { worker, fn } = await busyWorker(engine, 1, { queue_calls: 1_000 });
  const flooder = await engine.msgpack();
  const quiet = await engine.msgpack();
  flooder.sendBytes(
    Buffer.concat(Array.from({ length: 500 }, (_, n) => canonicalCall(n + 1, fn, pack("flood")))),
  );
  let running = await asked(worker);
  await flooder.settle();
  quiet.sendBytes(canonicalCall(1, fn, pack("quiet")));
  await quiet.settle();
  const order: unknown[] = [];
  for (let n = 0; n < 3; n++) {
    answer(worker, running.ticket, null);
    running = await asked(worker);
    order.push(running.data);
  }
  assert.equal(
    order.indexOf("quiet") <= 1,
    true,
    `${order}: its turn comes at the next call or the one after`,
  );
});

test("a full queue refuses at once, says when to try again, and a quiet caller takes the place of a flooding one", async (t) => {
  const engine = await testEngine(t);
  const { worker, fn } = await busyWorker(engine, 1, { queue_calls: 3 });
  const flooder = await engine.msgpack();
  flooder.sendBytes(Buffer.concat([1, 2, 3, 4, 5].map((n) => canonicalCall(n, fn, pack(n)))));
  const { ticket } = await asked(worker);
  const refused = await flooder.next();
  assert.equal(refused[1], 5, "the fifth: one runs, three wait");
  const { code, retry_after_ms } = errorOf(refused);
  assert.equal(code, "overloaded");
  assert.ok((retry_after_ms ?? 0) > 0);
  const quiet = await engine.jsonOffering("other");
  quiet.invoke("f", "quiet");
  const pushedOut = await flooder.next("the flooder's newest goes");
  assert.deepEqual([pushedOut[1], errorOf(pushedOut).code], [4, "overloaded"]);
  assert.equal(engine.counter("calls_overloaded_queue_full"), 2);
  answer(worker, ticket, 1);
  const second = await asked(worker);
  answer(worker, second.ticket, 2);
  const third = await asked(worker);
  assert.ok([second.data, third.data].includes("quiet"));
  answer(worker, third.ticket, 3);
  answer(worker, (await asked(worker)).ticket, 4);
});

test("a call waits no longer than it may, and no longer than its caller does", async (t) => {
  const engine = await testEngine(t);
  const { worker, fn } = await busyWorker(engine, 1, { queue_ms: 50 });
  const caller = await engine.msgpack();
  caller.sendBytes(Buffer.concat([canonicalCall(1, fn, pack(1)), canonicalCall(2, fn, pack(2))]));
  caller.sendBytes(canonicalCall(3, fn, pack(3), 10));
  const { ticket } = await asked(worker);
  const byCall = new Map<unknown, string>();
  for (let n = 0; n < 2; n++) {
    const record = await caller.next();
    byCall.set(record[1], errorOf(record).code);
  }
  assert.deepEqual(byCall.get(2), "overloaded");
  assert.deepEqual(byCall.get(3), "deadline_exceeded");
  assert.equal(engine.counter("calls_overloaded_queue_wait"), 1);
  answer(worker, ticket, 1);
  assert.equal((await caller.next())[0], 2);
  await worker.settle();
  assert.equal(engine.engine.stats().callsOpen, 0, "the worker never heard of the others");
});

test("a waiting call can be cancelled, and goes with its caller; its worker never hears of it", async (t) => {
  const engine = await testEngine(t);
  const { worker, fn } = await busyWorker(engine, 1);
  const caller = await engine.msgpack();
  const leaving = await engine.msgpack();
  caller.sendBytes(Buffer.concat([canonicalCall(1, fn, pack(1)), canonicalCall(2, fn, pack(2))]));
  const { ticket } = await asked(worker);
  leaving.sendBytes(canonicalCall(1, fn, pack("leaving")));
  await leaving.settle();
  caller.sendBytes(canonicalCancel(2));
  assert.equal(errorOf(await caller.next()).code, "cancelled");
  await leaving.close();
  await eventually("nothing waits", () => engine.engine.calls.queues.length === 0);
  answer(worker, ticket, 1);
  assert.equal((await caller.next())[0], 2);
  await worker.settle();
});

test("bounds of one function: its calls wait, the worker's others do not", async (t) => {
  const engine = await testEngine(t);
  const worker = await engine.msgpack();
  worker.send([18, 1, 0, [["slow", null, null, null, null, null, 1, 4, 5_000], ["quick"]]]);
  const registered = await worker.next();
  assert.equal(registered[0], 19);
  const caller = await engine.msgpack();
  const [slow, quick] = (await caller.resolve("slow", "quick")) as [number, number];
  caller.sendBytes(Buffer.concat([1, 2, 3].map((n) => canonicalCall(n, slow, pack(n)))));
  caller.sendBytes(canonicalCall(4, quick, pack(4)));
  const first = await asked(worker);
  assert.deepEqual([first.data, (await asked(worker)).data], [1, 4]);
  answer(worker, first.ticket, 1);
  const second = await asked(worker);
  assert.equal(second.data, 2);
  worker.send([20, 2, ["slow"]]);
  assert.equal((await worker.next())[0], 21);
  assert.equal((await asked(worker)).data, 3, "the bound goes with the function");
});

test("configuration says it for functions by pattern and for workers by name, and wins over what they say", async (t) => {
  const engine = await testEngine(t, {
    functions: [{ match: "gpu::*", concurrency: 1, queueCalls: 0 }],
    workers: [{ match: "small#*", concurrency: 2, queueCalls: 1 }],
  });
  const json = await engine.jsonOffering("gpu::draw");
  const [small, [f = 0]] = await engine.msgpackOffering(["f"], { name: "small#1", concurrency: 100 });
  const caller = await engine.msgpack();
  const [draw = 0] = await caller.resolve("gpu::draw");
  caller.sendBytes(Buffer.concat([1, 2].map((n) => canonicalCall(n, draw, pack({ n })))));
  const call = await json.next();
  assert.equal(errorOf(await caller.next()).code, "overloaded", "no queue at all: refused at once");
  json.answer(call, 1);
  await caller.next();
  caller.sendBytes(Buffer.concat([1, 2, 3, 4].map((n) => canonicalCall(n, f, pack(n)))));
  const refused = await caller.next();
  assert.deepEqual([refused[1], errorOf(refused).code], [4, "overloaded"]);
  const first = await asked(small);
  await asked(small);
  await small.settle();
  answer(small, first.ticket, 1);
  assert.equal((await asked(small)).data, 3);
});

test("an owner of a shared function that is not busy is tried before any waits", async (t) => {
  const engine = await testEngine(t);
  for (const share of ["least_outstanding", "round_robin"]) {
    const { worker: one, fn } = await busyWorker(engine, 1, {}, share);
    const { worker: other } = await busyWorker(engine, 3, {}, share);
    const caller = await engine.msgpack();
    caller.sendBytes(Buffer.concat([1, 2, 3, 4].map((n) => canonicalCall(n, fn, pack(n)))));
    await caller.settle();
    assert.equal(engine.engine.calls.queues.length, 0);
    for (let n = 0; n < 3; n++) await asked(other);
    await asked(one);
    for (const peer of [one, other, caller]) await peer.close();
    await eventually("all have left", () => engine.engine.stats().workers === 0);
  }
});

test("what waited for a worker that leaves goes to whoever serves the function now, else it was not executed", async (t) => {
  const engine = await testEngine(t);
  const { worker: first, fn } = await busyWorker(engine, 1);
  const { worker: standby } = await busyWorker(engine, 2);
  const caller = await engine.msgpack();
  caller.sendBytes(Buffer.concat([1, 2, 3].map((n) => canonicalCall(n, fn, pack(n)))));
  await asked(first);
  await caller.settle();
  await first.close();
  const stopped = await caller.next();
  assert.deepEqual([stopped[1], errorOf(stopped).code], [1, "invocation_stopped"]);
  const moved = [await asked(standby), await asked(standby)];
  assert.deepEqual(
    moved.map(({ data }) => data),
    [2, 3],
  );
  caller.sendBytes(canonicalCall(4, fn, pack(4)));
  await caller.settle();
  await standby.close();
  const ends = new Map<unknown, string>();
  for (let n = 0; n < 3; n++) {
    const record = await caller.next();
    ends.set(record[1], errorOf(record).code);
  }
  assert.deepEqual(Object.fromEntries(ends), {
    2: "invocation_stopped",
    3: "invocation_stopped",
    4: "overloaded",
  });
});

test("every way into a queue: both wires, both directions, calls by name, the engine's own", async (t) => {
  const engine = await testEngine(t, { workers: [{ match: "text", concurrency: 1, queueCalls: 10 }] });
  const { worker, fn } = await busyWorker(engine, 1, { queue_calls: 10 });
  const json = await engine.json({ name: "text" });
  json.register("g");
  await json.settle();
  const caller = await engine.msgpack();
  const [g = 0] = await caller.resolve("g");
  caller.sendBytes(Buffer.concat([1, 2].map((n) => canonicalCall(n, fn, pack({ n })))));
  caller.send([1, 3, "f", 0, 0, null, pack({ n: 3 })]);
  await caller.settle();
  json.invoke(
    "f",
    { n: 4 },
    { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", baggage: "a=b" },
  );
  await json.settle();
  const own = engine.engine.call("f", { n: 5 });
  await eventually("four wait", () => engine.engine.calls.queues.length === 4);
  const seen: unknown[] = [];
  for (let n = 0; n < 5; n++) {
    const { ticket, data } = await asked(worker);
    seen.push((data as { n: number }).n);
    answer(worker, ticket, (data as { n: number }).n);
  }
  assert.deepEqual([...seen].sort(), [1, 2, 3, 4, 5]);
  assert.equal(await own, 5);
  const answered = await json.next();
  assert.deepEqual([answered.result, answered["baggage"]], [4, "a=b"]);
  for (let n = 1; n <= 3; n++) assert.equal((await caller.next())[1], n);

  caller.sendBytes(Buffer.concat([1, 2].map((n) => canonicalCall(n, g, pack({ n })))));
  await caller.settle();
  json.invoke("g", { n: 3 });
  for (let n = 1; n <= 3; n++) {
    const call = await json.next();
    assert.deepEqual([call.type, (call.data as { n: number }).n], ["invokefunction", n]);
    json.answer(call, n);
  }
  assert.equal((await json.next()).result, 3);
  for (let n = 1; n <= 2; n++) assert.equal((await caller.next())[1], n);
});

test("bytes that wait are bounded per caller", async (t) => {
  const limits = { queuedBytesPerCallerMax: 100_000, queuedBytesPerWorkerMax: 150_000 };
  const engine = await testEngine(t, { limits });
  const { worker, fn } = await busyWorker(engine, 1, { queue_calls: 100 });
  const large = pack("x".repeat(30_000));
  const caller = await engine.msgpack();
  caller.sendBytes(Buffer.concat([1, 2, 3, 4, 5, 6].map((n) => canonicalCall(n, fn, large))));
  const refused = [await caller.next(), await caller.next()];
  assert.deepEqual(
    refused.map((record) => [record[1], errorOf(record).code]),
    [
      [5, "overloaded"],
      [6, "overloaded"],
    ],
  );
  assert.ok(engine.engine.calls.queues.bytes <= 100_000);
  const quiet = await engine.msgpack();
  quiet.sendBytes(Buffer.concat([1, 2].map((n) => canonicalCall(n, fn, large))));
  await quiet.settle();
  assert.equal(
    engine.counter("calls_overloaded_queue_bytes"),
    3,
    "its second one takes the place of the other's newest",
  );
  assert.ok(engine.engine.calls.queues.bytes <= 150_000);
  assert.equal((await worker.next())[0], 1);
});

test("control records and answers do not wait where calls do", async (t) => {
  const engine = await testEngine(t);
  const { worker, fn } = await busyWorker(engine, 1, { queue_calls: 100 });
  const [peer, [g = 0]] = await engine.msgpackOffering(["g"]);
  const caller = await engine.msgpack();
  caller.sendBytes(Buffer.concat([1, 2, 3].map((n) => canonicalCall(n, fn, pack(n)))));
  const first = await asked(worker);
  await caller.settle();
  await worker.register(["late"]);
  worker.sendBytes(canonicalCall(9, g, pack("mine")));
  answer(peer, (await asked(peer)).ticket, "yours");
  const own = await worker.next("the answer to its own call");
  assert.deepEqual([own[0], own[1]], [2, 9]);
  caller.sendBytes(canonicalCancel(1));
  assert.deepEqual(await worker.next("the cancel of the call that it executes"), [4, first.ticket]);
});
