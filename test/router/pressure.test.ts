// Workers that do not read, casts to them, and what stays counted.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.js";
import { errorOf, type MsgpackPeer, pack, value } from "../support/msgpack-peer.js";
import { testEngine } from "../support/test-engine.js";
import { canonicalAnswer, canonicalCall, canonicalCancel, canonicalCast } from "../support/wire.js";

test("casts to all pass over an owner that does not read, counted; the others get every one", async (t) => {
  const limits = { frameBytesMax: 1 << 20, outboxSoftBytes: 1 << 20, outboxHardBytes: 64 << 20 };
  const { msgpackOffering, msgpack, counter } = await testEngine(t, { limits });
  const [slow] = await msgpackOffering(["f"], {}, "round_robin");
  const [quick, [f]] = (await msgpackOffering(["f"], {}, "round_robin")) as [MsgpackPeer, [number]];
  const caller = await msgpack();
  slow.socket.pause();
  const large = "x".repeat(500_000);
  let casts = 0;
  await eventually("an owner is passed over", async () => {
    caller.sendBytes(canonicalCast(f, 1, pack([casts++, large])));
    const got = await quick.next();
    assert.equal((value(got[5]) as unknown[])[0], casts - 1, "the quick owner gets each, in order");
    return counter("casts_dropped") > 0;
  });
  const sent = counter("frames_sent");
  const bytes = counter("bytes_sent");
  caller.sendBytes(canonicalCast(f, 1, pack([casts, large])));
  await quick.next();
  assert.equal(counter("frames_sent") - sent, 1, "what is published is counted like everything sent");
  assert.ok(counter("bytes_sent") - bytes > 500_000);
  slow.socket.resume();
  const dropped = counter("casts_dropped");
  for (let n = 0; n < casts + 1 - dropped; n++)
    assert.equal(
      (value((await slow.next())[5]) as unknown[])[0],
      n,
      "what was not passed over arrived whole",
    );
  await eventually("it takes casts again", async () => {
    caller.sendBytes(canonicalCast(f, 1, pack(["again"])));
    await quick.next();
    return slow.inbox.length > 0;
  });
});

test("a JSON worker that does not read: overloaded above the soft bound, cut above the hard one, its calls ended", async (t) => {
  const limits = { frameBytesMax: 2 << 20, outboxSoftBytes: 1 << 20, outboxHardBytes: 4 << 20 };
  const { jsonOffering, counter, engine } = await testEngine(t, { limits });
  const slow = await jsonOffering("f");
  const caller = await jsonOffering("g");
  slow.socket.pause();
  const large = "x".repeat(1_000_000);
  await eventually("the slow worker is above its soft bound", async () => {
    caller.invoke("f", large);
    return (await caller.drain()).some((frame) => frame.error?.code === "overloaded");
  });
  for (let n = 0; n < 20 && counter("connections_closed_slow") === 0; n++) {
    slow.invoke("g", n);
    const call = await caller.next();
    if (call.type === "invokefunction") caller.answer(call, large);
  }
  await eventually("the slow connection is cut", () => counter("connections_closed_slow") === 1);
  assert.equal(engine.server.outboxes.bufferedBytes, 0, "and with it what waited for it");
  await eventually("its calls have ended", () => engine.stats().callsOpen === 0);
});

test("overloaded says when to try again, in both wires and across them", async (t) => {
  const { jsonOffering, msgpackOffering, msgpack } = await testEngine(t, {
    limits: { callsOpenPerConnectionMax: 1 },
  });
  const json = await jsonOffering("json");
  const [worker, [f]] = (await msgpackOffering(["msgpack"])) as [MsgpackPeer, [number]];
  json.invoke("msgpack", 1);
  const asked = await worker.next();
  json.invoke("msgpack", 2);
  const refused = (await json.next()).error;
  assert.equal(refused?.code, "overloaded");
  assert.ok((refused?.retry_after_ms ?? 0) > 0);
  const body = { code: "busy", message: "not now", retry_after_ms: 7 };
  worker.sendBytes(canonicalAnswer(3, asked[1] as number, pack(body)));
  assert.deepEqual((await json.next()).error, body, "an executor's own goes through, msgpack to JSON");

  const caller = await msgpack();
  const [toJson] = (await caller.resolve("json")) as [number];
  caller.sendBytes(canonicalCall(1, toJson, pack({})));
  const call = await json.next();
  json.send({
    type: "invocationresult",
    invocation_id: call.invocation_id,
    function_id: "json",
    error: body,
  });
  assert.deepEqual(errorOf(await caller.next()), body, "and JSON to msgpack");
  caller.sendBytes(Buffer.concat([canonicalCall(2, f, pack(1)), canonicalCall(3, f, pack(1))]));
  const own = errorOf(await caller.next());
  assert.equal(own.code, "overloaded");
  assert.ok((own.retry_after_ms ?? 0) > 0);
});

test("calls numbered 2^31 and above are cancelled and forgotten like others, in both forms", async (t) => {
  const { msgpackOffering, msgpack, engine } = await testEngine(t);
  const [worker, [f]] = (await msgpackOffering(["f"])) as [MsgpackPeer, [number]];
  const caller = await msgpack();
  caller.sendBytes(canonicalCancel(1));
  for (const call of [0x80000000, 0xffffffff, 0x7fffffff, 5]) {
    for (const form of [
      canonicalCall(call, f, pack(1)),
      pack([1, call, f, 0, 0, null, pack(1)]),
      pack([1, call, "f"]),
    ]) {
      caller.sendBytes(form);
      const asked = await worker.next();
      caller.sendBytes(call % 2 === 0 ? canonicalCancel(call) : pack([4, call]));
      const ended = await caller.next(`cancelling ${call}`);
      assert.deepEqual([ended[1], errorOf(ended).code], [call, "cancelled"]);
      assert.deepEqual(await worker.next(), [4, asked[1]]);
      caller.sendBytes(form);
      const again = await worker.next();
      worker.sendBytes(canonicalAnswer(2, again[1] as number, pack(1)));
      assert.equal((await caller.next())[0], 2);
      caller.sendBytes(canonicalCancel(call));
      await caller.settle();
    }
  }
  assert.equal(engine.stats().callsOpen, 0);
});

test("two open calls under one number, against the protocol: each ends once, and nothing is left", async (t) => {
  const { msgpackOffering, msgpack, engine } = await testEngine(t);
  const [worker, [f]] = (await msgpackOffering(["f"])) as [MsgpackPeer, [number]];
  const caller = await msgpack();
  caller.sendBytes(canonicalCancel(1));
  for (let n = 0; n < 3; n++) caller.sendBytes(canonicalCall(9, f, pack(n)));
  const tickets = [await worker.next(), await worker.next(), await worker.next()].map(
    (call) => call[1] as number,
  );
  caller.sendBytes(canonicalCancel(9));
  assert.equal(errorOf(await caller.next()).code, "cancelled");
  await worker.next();
  for (const ticket of tickets) worker.sendBytes(canonicalAnswer(2, ticket, pack(1)));
  for (let n = 0; n < 2; n++) assert.deepEqual((await caller.next()).slice(0, 2), [2, 9]);
  await caller.settle();
  assert.equal(engine.stats().callsOpen, 0);
});
