// Triggers on the msgpack wire: literal records, and every mix of a msgpack and a JSON worker as provider and owner.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMITS } from "../../src/protocol/limits.js";
import { eventually } from "../support/eventually.js";
import { testEngine } from "../support/test-engine.js";
import { bytes, hex } from "../support/wire.js";

const NIL = null;

test("trigger_type, trigger, trigger_answer, trigger_end: the records of PROTOCOL.md, byte by byte", async (t) => {
  const on = await testEngine(t);
  const [provider, owner] = [await on.msgpack(), await on.msgpack({ namespace: "a" })];
  provider.sendBytes('93 1a 01 91 92 a7 "mailbox" a8 "new mail"');
  assert.deepEqual(await provider.next(), [26, 1, 1]);
  owner.sendBytes('97 1c 01 a2 "t1" a7 "mailbox" a9 "shop::got" 81 a4 "path" a3 "/in" c0');
  assert.deepEqual(await owner.next(), [31, 1, "t1", 0, NIL, NIL, NIL]);
  await provider.next();
  assert.equal(
    hex(provider.frames.at(-1) ?? Buffer.of()),
    hex(
      bytes('98 1c c0 a2 "t1" a7 "mailbox" 92 a1 "a" a9 "shop::got" 81 a4 "path" a3 "/in" c0 a7 "default"'),
    ),
  );
  provider.sendBytes('92 1e a2 "t1"');
  provider.sendBytes('94 1e a2 "t1" a5 "taken" aa "path taken"');
  assert.deepEqual(await owner.next(), [31, NIL, "t1", 2, "refused", "taken", "path taken"]);
  provider.sendBytes('93 1a 02 91 91 a7 "mailbox"');
  assert.equal((await provider.next())[0], 28);
  assert.deepEqual(await provider.next(), [26, 2, 1]);
  assert.deepEqual(await owner.next(), [31, NIL, "t1", 0, NIL, NIL, NIL]);
  owner.sendBytes('93 1d 03 a2 "t1"');
  assert.deepEqual(await owner.next(), [31, 3, "t1", 3, NIL, NIL, NIL]);
  assert.deepEqual(await provider.next(), [29, NIL, "t1", "mailbox"]);
  provider.sendBytes('93 1b 04 91 a7 "mailbox"');
  assert.deepEqual(await provider.next(), [27, 4, 1]);
});

test("what the engine refuses is told under the record's number, and the connection stays", async (t) => {
  const on = await testEngine(t, {
    limits: { triggersPerConnectionMax: 1, triggerTypesPerConnectionMax: 1 },
  });
  const [owner, other] = [await on.msgpack(), await on.msgpack()];
  const refusal = async (record: unknown[]) => {
    owner.send(record);
    const [kind, request, code] = await owner.next();
    assert.equal(kind, 25);
    return [request, code];
  };
  assert.deepEqual(await refusal([26, 1, [["engine::workers-available"]]]), [1, "trigger_type_reserved"]);
  assert.deepEqual(await refusal([26, 2, [["m", NIL, NIL, NIL, " "]]]), [2, "INVALID_NAMESPACE"]);
  assert.deepEqual(await refusal([26, 3, [["one"], ["two"]]]), [3, "limit_reached"]);
  assert.deepEqual(await refusal([28, 4, "t", "m", ["", "f"], {}]), [4, "INVALID_NAMESPACE"]);
  assert.deepEqual(await refusal([28, 5, "t", "m", "f", Buffer.from("raw")]), [5, "payload_untranslatable"]);
  assert.deepEqual(await refusal([28, 6, "t", "m", "f", {}, NIL, " "]), [6, "INVALID_NAMESPACE"]);
  assert.deepEqual(await refusal([29, 7, "never-was"]), [7, "NOT_FOUND"]);
  for (const record of [
    [26, 8, 1],
    [26, 8, [1]],
    [28, 8],
    [28, 8, 1, "m", "f", {}],
    [28, 8, "t", "m", 5, {}],
    [29, 8],
    [30],
    [27, 8, [[1]]],
  ])
    assert.deepEqual(await refusal(record), [NIL, "invalid_record"], JSON.stringify(record));
  owner.send([28, 9, "t", "m", "f", {}]);
  assert.deepEqual((await owner.next()).slice(0, 5), [31, 9, "t", 1, "no_provider"]);
  assert.deepEqual(await refusal([28, 10, "t2", "m", "f", {}]), [10, "limit_reached"]);
  other.send([29, 11, "t"]);
  assert.deepEqual((await other.next()).slice(0, 3), [25, 11, "FORBIDDEN"]);
});

test("a JSON owner and a msgpack provider: config translated, answers relayed", async (t) => {
  const on = await testEngine(t);
  const [provider, owner] = [await on.msgpack({ namespace: "a" }), await on.json({ namespace: "a" })];
  provider.send([26, 1, [["mail", "new mail", { type: "object" }]]]);
  await provider.next();
  owner.sendText(
    '{"type":"registertrigger","id":"t1","trigger_type":"mail","function_id":"f","config":{"n":18446744073709551615,"x":1.0},"metadata":{"m":[1]},"namespace":"a"}',
  );
  const [, , id, type, target, config, metadata, found] = await provider.next();
  assert.deepEqual([id, type, target, metadata, found], ["t1", "mail", ["a", "f"], { m: [1] }, "a"]);
  assert.deepEqual(config, { n: 18446744073709551615n, x: 1 });
  provider.send([30, "t1", "taken", "path taken"]);
  assert.deepEqual(await owner.next(), {
    type: "triggerregistrationresult",
    id: "t1",
    trigger_type: "mail",
    function_id: "f",
    error: { code: "taken", message: "path taken" },
  });
  owner.sendText(
    '{"type":"registertrigger","id":"t2","trigger_type":"mail","function_id":"f","config":123456789012345678901234567890}',
  );
  assert.equal((await owner.next()).error?.code, "payload_untranslatable");
  const info = await on.engine.call("engine::triggers::info", { id: "mail", namespace: "a" });
  assert.deepEqual(info, {
    id: "mail",
    namespace: "a",
    worker_name: "mail",
    description: "new mail",
    configuration_schema: { type: "object" },
    instance_count: 0,
  });
});

test("a msgpack owner and a JSON provider: config translated, refusal and departure told", async (t) => {
  const on = await testEngine(t);
  const [provider, owner] = [await on.json(), await on.msgpack()];
  provider.send({ type: "registertriggertype", id: "mail", description: "" });
  await provider.settle();
  owner.send([28, 1, "t1", "mail", "f", { n: 2n ** 63n, x: 1.5 }, ["m"]]);
  await owner.next();
  await provider.next();
  assert.equal(
    provider.text,
    '{"type":"registertrigger","id":"t1","trigger_type":"mail","function_id":"f","config":{"n":9223372036854775808,"x":1.5},"metadata":["m"]}',
  );
  provider.send({
    type: "triggerregistrationresult",
    id: "t1",
    trigger_type: "mail",
    function_id: "f",
    error: { code: "c", message: "m" },
  });
  assert.deepEqual(await owner.next(), [31, NIL, "t1", 2, "refused", "c", "m"]);
  provider.send({ type: "registertriggertype", id: "mail", description: "" });
  assert.deepEqual((await owner.next()).slice(3), [0, NIL, NIL, NIL]);
  await provider.close();
  assert.deepEqual((await owner.next()).slice(3), [1, "provider_left", NIL, NIL]);
  await on.engine.call("engine::unregister_trigger", { id: "t1" });
  assert.deepEqual((await owner.next()).slice(2, 4), ["t1", 3]);
});

test("types taken back: their triggers go to whoever claimed them before, and the former provider is told", async (t) => {
  const on = await testEngine(t);
  const [first, second, owner] = [await on.json(), await on.msgpack(), await on.msgpack()];
  first.send({ type: "registertriggertype", id: "mail", description: "" });
  await first.settle();
  second.send([26, 1, [["mail"]]]);
  await second.next();
  owner.send([28, 1, "t1", "mail", "f", NIL]);
  await owner.next();
  assert.equal((await second.next())[0], 28);
  second.send([27, 2, ["mail", ["default", "mail"], "never"]]);
  assert.deepEqual(await second.next(), [29, NIL, "t1", "mail"]);
  assert.deepEqual(await second.next(), [27, 2, 1]);
  assert.deepEqual(await first.next(), {
    type: "registertrigger",
    id: "t1",
    trigger_type: "mail",
    function_id: "f",
    config: null,
  });
  await owner.settle();
});

test("a worker that comes back registers its triggers before its old connection is cleaned up: none is lost", async (t) => {
  const on = await testEngine(t);
  const [provider, old] = [await on.msgpack(), await on.msgpack({ name: "shop" })];
  provider.send([26, 1, [["mail"]]]);
  await provider.next();
  old.send([28, 1, "t1", "mail", "f", 1], [28, 2, "t2", "mail", "f", 1]);
  await provider.next();
  await provider.next();
  const { worker, token } = old.welcome;
  const fresh = await on.msgpack({ name: "shop", previous: { worker, token } });
  fresh.send([18, 1, 1, []], [28, 2, "t1", "mail", "f", 1]);
  assert.equal((await fresh.next())[0], 19);
  assert.deepEqual((await fresh.next()).slice(0, 4), [31, 2, "t1", 0]);
  await old.closed;
  assert.deepEqual((await provider.next()).slice(0, 3), [28, NIL, "t1"]);
  assert.deepEqual(await provider.next(), [29, NIL, "t2", "mail"], "what it did not register again is over");
  await provider.settle();
  assert.equal(on.engine.triggers.triggers.count, 1);
});

test("100,000 triggers of an unknown type from one msgpack worker: bounded, each refusal told, all gone with it", async (t) => {
  const on = await testEngine(t);
  const owner = await on.msgpack();
  const refusals: unknown[] = [];
  owner.onRecord = ([kind, request, code]) => {
    if (kind === 25) refusals.push([request, code]);
  };
  const ALL = 100_000;
  for (let sent = 0; sent < ALL; sent += 10_000) {
    const some = Array.from({ length: 10_000 }, (_, n) => [
      28,
      sent + n + 1,
      `t${sent + n}`,
      "unknown",
      "f",
      1,
    ]);
    owner.send(...some);
  }
  await owner.drain();
  const { triggersPerConnectionMax } = LIMITS;
  assert.equal(refusals.length, ALL - triggersPerConnectionMax);
  assert.deepEqual(refusals[0], [triggersPerConnectionMax + 1, "limit_reached"]);
  const { triggers } = on.engine.triggers;
  assert.equal(triggers.countWaiting("unknown"), triggersPerConnectionMax);
  await owner.close();
  await eventually("all are gone", () => triggers.count === 0 && triggers.bytes === 0);
});
