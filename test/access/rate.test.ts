// How many calls a session may make: the bucket, and what callers beyond it are told, on both wires.
import assert from "node:assert/strict";
import { test } from "node:test";
import { TokenBucket } from "../../src/access/token-bucket.js";
import { errorOf, pack } from "../support/msgpack-peer.js";
import { canonicalCall, canonicalCast } from "../support/wire.js";
import { guardedEngine, serve } from "./support.js";

test("take() gives a burst, then as many as the rate fills in, and says when the next one comes", () => {
  const bucket = new TokenBucket({ callsPerS: 10, burst: 2 }, 0);
  assert.deepEqual([bucket.take(0), bucket.take(0), bucket.take(0)], [0, 0, 100]);
  assert.deepEqual([bucket.take(50), bucket.take(100), bucket.take(101)], [50, 0, 99]);
  assert.deepEqual(
    [bucket.take(10_000), bucket.take(10_000), bucket.take(10_000)],
    [0, 0, 100],
    "never more than the burst",
  );
});

test("take() never lets more through than rate times time plus burst, however it is asked", () => {
  const bucket = new TokenBucket({ callsPerS: 1_000, burst: 5 }, 0);
  let taken = 0;
  for (let at = 0; at <= 1_000; at += 0.25) if (bucket.take(at) === 0) taken++;
  assert.ok(taken <= 1_005 && taken >= 1_000, `${taken}`);
});

test("a session beyond its rate is told rate_limited and when to come back; its casts are dropped; others are not touched", async (t) => {
  const rig = await guardedEngine(t, { rate: { callsPerS: 0.1, burst: 2 } });
  await serve(rig, "f", () => 1);
  const json = await rig.entered();
  assert.equal((await json.call("f", {})).result, 1);
  assert.equal((await json.call("f", {})).result, 1);
  const refused = (await json.call("f", {})).error;
  assert.equal(refused?.code, "rate_limited");
  assert.ok((refused?.retry_after_ms ?? 0) > 1_000);
  const msgpack = await rig.enteredMsgpack();
  const [f = 0] = await msgpack.resolve("f");
  msgpack.sendBytes(Buffer.concat([canonicalCall(1, f, pack({})), canonicalCast(f, 0, pack({}))]));
  assert.equal((await msgpack.next())[0], 2);
  msgpack.sendBytes(Buffer.concat([canonicalCall(2, f, pack({})), canonicalCast(f, 0, pack({}))]));
  const { code, retry_after_ms } = errorOf(await msgpack.next());
  assert.equal(code, "rate_limited");
  assert.ok((retry_after_ms ?? 0) > 1_000);
  await msgpack.settle();
  assert.deepEqual([rig.counter("calls_rate_limited"), rig.counter("casts_dropped")], [3, 1]);
});
