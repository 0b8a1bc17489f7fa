// The msgpack wire beside calls: hello and welcome, registration, resolve, coming back, every refusal and every close code of PROTOCOL.md.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.js";
import { FakeClock } from "../support/fake-clock.js";
import { errorOf, handles, MsgpackPeer, pack } from "../support/msgpack-peer.js";
import { testEngine } from "../support/test-engine.js";
import { bytes, canonicalCall, hex } from "../support/wire.js";

test("hello and welcome, byte for byte and key for key", async (t) => {
  const { port, keep } = await testEngine(t);
  const peer = keep(await MsgpackPeer.open(port));
  assert.equal(peer.socket.protocol, "tercet.msgpack.v1");
  peer.sendBytes('92 10 81 a7 "version" 01');
  const [kind, welcome] = (await peer.next()) as [number, Record<string, unknown>];
  assert.equal(kind, 17);
  assert.deepEqual(Object.keys(welcome), [
    "version",
    "worker",
    "number",
    "token",
    "capabilities",
    "limits",
    "engine",
  ]);
  assert.equal(welcome["version"], 1);
  assert.equal(String(welcome["capabilities"]), "shared,cast_all,cancel,streams,triggers,watch,drain");
  assert.deepEqual(welcome["limits"], {
    frame_bytes_max: 64 << 20,
    calls_open_max: 65_536,
    timeout_ms_default: 330_000,
    timeout_ms_max: 86_400_000,
    functions_max: 262_144,
    function_bytes_max: 67_108_864,
    triggers_max: 65_536,
    trigger_bytes_max: 67_108_864,
    trigger_types_max: 4_096,
    id_bytes_max: 1_024,
    streams_open_max: 1_024,
    stream_credit_bytes: 262_144,
    chunk_bytes_max: 65_536,
  });
  assert.equal((welcome["engine"] as { name: string }).name, "tercet");
});

test("the version spoken is the smaller of both; unknown keys of hello are ignored", async (t) => {
  const { msgpack } = await testEngine(t);
  const peer = await msgpack({ version: 7, capabilities: ["x"], unknown: { a: 1 } });
  assert.equal(peer.welcome["version"], 1);
});

test("a hello with wrong types is refused as invalid_record, and a right one is welcome after it", async (t) => {
  const { port, keep, engine } = await testEngine(t);
  const peer = keep(await MsgpackPeer.open(port));
  const wrong = [
    {},
    { version: 0 },
    { version: "1" },
    { version: 1, name: 7 },
    { version: 1, pid: -1 },
    { version: 1, pid: "x" },
    { version: 1, namespace: " " },
    { version: 1, namespace: "x".repeat(1_025) },
    [1],
    "text",
    null,
  ];
  for (const hello of wrong) {
    peer.send([16, hello]);
    const [kind, request, code] = await peer.next();
    assert.deepEqual([kind, request, code], [25, null, "invalid_record"], JSON.stringify(hello));
  }
  assert.equal(engine.stats().workers, 0);
  peer.send([16, { version: 1 }]);
  assert.equal((await peer.next())[0], 17);
  peer.send([16, { version: 1 }]);
  assert.deepEqual((await peer.next()).slice(0, 3), [25, null, "invalid_record"]);
  await peer.settle();
});

test("anything before hello: hello_expected and close 4400, in canonical form, too", async (t) => {
  const { port, keep } = await testEngine(t);
  for (const first of [
    bytes("93 16 01 90"),
    canonicalCall(1, 2, bytes("c0")),
    bytes("92 04 ce 00 00 00 01"),
    bytes("93 02 ce 00 10 00 01 c6 00 00 00 01 c0"),
    bytes("91 63"),
  ]) {
    const peer = keep(await MsgpackPeer.open(port));
    peer.sendBytes(first);
    assert.deepEqual((await peer.next()).slice(0, 3), [25, null, "hello_expected"], hex(first));
    const closed = await peer.closed;
    assert.deepEqual(closed, { code: 4400, reason: "hello_expected" });
  }
});

test("no hello in time: close 4408; with it the limit is over", async (t) => {
  const clock = new FakeClock();
  const { port, keep, msgpack } = await testEngine(t, { clock });
  const greeted = await msgpack();
  const silent = keep(await MsgpackPeer.open(port));
  clock.advance(9_999);
  await greeted.settle();
  assert.equal(silent.socket.readyState, silent.socket.OPEN);
  clock.advance(1);
  assert.equal((await silent.closed).code, 4408);
  await greeted.settle();
});

test("a taken name: refused as worker_name_taken, close 4409; free in another namespace and after its holder left", async (t) => {
  const { port, keep, msgpack, json } = await testEngine(t);
  const holder = await msgpack({ name: "billing" });
  await msgpack({ name: "billing", namespace: "b" });
  const peer = keep(await MsgpackPeer.open(port));
  peer.send([16, { version: 1, name: "billing\u0007" }]);
  assert.deepEqual((await peer.next()).slice(0, 3), [25, null, "worker_name_taken"]);
  assert.deepEqual(await peer.closed, { code: 4409, reason: "worker_name_taken" });
  await holder.settle();
  await holder.close();
  await msgpack({ name: "billing" });
  const jsonPeer = await json({ name: "billing" });
  assert.equal((await jsonPeer.next()).type, "registrationrejected");
});

test("a newcomer that is refused for a third worker's name takes nothing from its former self", async (t) => {
  const { port, keep, msgpack } = await testEngine(t);
  const former = await msgpack({ name: "a" });
  await msgpack({ name: "b" });
  const { worker, token } = former.welcome;
  const hellos = [{ name: "b", previous: { worker, token } }, { name: "a" }]; // the second: "a" is still taken
  for (const hello of hellos) {
    const peer = keep(await MsgpackPeer.open(port));
    peer.send([16, { version: 1, ...hello }]);
    assert.deepEqual((await peer.next()).slice(0, 3), [25, null, "worker_name_taken"]);
    await peer.closed;
  }
  await msgpack({ name: "a", previous: { worker, token } });
});

test("bytes that are no records: those before are carried out, then malformed_record and close 4400", async (t) => {
  const { port, keep, engine } = await testEngine(t);
  const endings = [
    "c1",
    "01",
    "c0",
    "90",
    "80",
    'a3 "abc"',
    "91 c0",
    "91 00",
    "91 ff",
    '91 a1 "x"',
    "91 cb 3f f0 00 00 00 00 00 00",
    "dd ff ff ff ff",
    "97 01 ce",
    "93 02 ce 00 00 00 01 c6 ff ff ff ff 00",
    "97 01 ce 00 00 00 01 ce 00 00 00 01 ce 00 00 00 01 ce 00 00 00 01 c0 c6 7f ff ff ff",
    "97 01 ce 00 00 00 01 ce 00 00 00 01 ce 00 00 00 01 ce 00 00 00 01 c0 c6 ff ff ff ff",
    "97 01 ce 00 00 c6 00 ce 00 00 00 01 ce 00 00 00 01 ce 00 00 00 01 c6 ff ff ff ee c6 00 00 00 00",
  ];
  for (const ending of endings) {
    const peer = keep(await MsgpackPeer.connect(port));
    peer.sendBytes(Buffer.concat([pack([18, 1, 0, [["f"]]]), bytes(ending), pack([18, 2, 0, [["g"]]])]));
    assert.deepEqual((await peer.next(ending)).slice(0, 2), [19, 1], ending);
    assert.deepEqual((await peer.next(ending)).slice(0, 3), [25, null, "malformed_record"], ending);
    assert.deepEqual(await peer.closed, { code: 4400, reason: "malformed_record" });
    assert.equal(peer.inbox.length, 0);
  }
  await eventually("nothing of them is left", () => engine.stats().workers === 0);
});

test("a text message is refused as malformed_record", async (t) => {
  const { msgpack } = await testEngine(t);
  const peer = await msgpack();
  peer.socket.send("text");
  assert.deepEqual((await peer.next()).slice(0, 3), [25, null, "malformed_record"]);
  assert.equal((await peer.closed).code, 4400);
});

test("every record cut at every length is refused and never a crash", async (t) => {
  const { port, keep, msgpack } = await testEngine(t);
  const sound = [
    canonicalCall(7, 1, bytes("92 01 02")),
    canonicalCall(7, 1, bytes("c0"), 5, bytes("80")),
    bytes("93 02 ce 00 00 00 07 c6 00 00 00 01 03"),
    bytes("92 04 ce 00 00 00 07"),
    bytes("96 05 ce 00 00 10 2a ce 00 00 00 00 ce 00 00 00 00 c0 c6 00 00 00 01 03"),
    pack([18, 1, 0, [["f", "d", { a: 1 }]]]),
  ];
  for (const record of sound) {
    for (let length = 1; length < record.length; length++) {
      const peer = keep(await MsgpackPeer.connect(port));
      peer.sendBytes(record.subarray(0, length));
      assert.deepEqual(
        (await peer.next()).slice(0, 3),
        [25, null, "malformed_record"],
        `${length} of ${hex(record)}`,
      );
      peer.socket.terminate();
    }
  }
  await (await msgpack()).settle();
});

test("an empty message is no record and no fault", async (t) => {
  const { msgpack } = await testEngine(t);
  const peer = await msgpack();
  peer.sendBytes(Buffer.alloc(0));
  await peer.settle();
});

test("unknown kinds are skipped and counted, trailing elements are skipped, missing ones read as nil", async (t) => {
  const { msgpack, counter } = await testEngine(t);
  const peer = await msgpack();
  peer.send([17, {}], [99, { deep: [1] }], [4_000_000_000]);
  await peer.settle();
  assert.equal(counter("records_unknown"), 3);
  peer.send([18, 5, 0, [["f", null, null, null, null, null, null, null, null, "more", 1]], "trailing"]);
  const registered = await peer.next();
  assert.deepEqual(registered.slice(0, 2), [19, 5]);
  const [f] = handles(registered[2]) as [number];
  peer.send([1, 9, f]);
  const call = await peer.next();
  assert.deepEqual([call[0], call[2], call.length], [1, f, 7]);
  peer.send([2, call[1]]);
  assert.deepEqual((await peer.next()).slice(0, 2), [2, 9]);
});

test("the same record in canonical and in every general form means the same", async (t) => {
  const { msgpackOffering } = await testEngine(t);
  const [peer, [f]] = (await msgpackOffering(["f"])) as [MsgpackPeer, [number]];
  const four = f.toString(16).padStart(8, "0");
  const forms = [
    `97 01 ce 00 00 00 07 ce ${four} ce 00 00 00 64 ce 00 00 00 00 c0 c6 00 00 00 01 03`,
    `97 01 07 ce ${four} 64 00 c0 c4 01 03`,
    `97 01 cc 07 cf 00 00 00 00 ${four} cd 00 64 c0 c0 c5 00 01 03`,
    `97 d0 01 d0 07 d3 00 00 00 00 ${four} d1 00 64 d2 00 00 00 00 c0 a1 03`,
    `dc 00 07 01 cd 00 07 ce ${four} ce 00 00 00 64 00 c0 d9 01 03`,
    `dd 00 00 00 07 01 ce 00 00 00 07 ce ${four} d2 00 00 00 64 00 c0 db 00 00 00 01 03`,
    `98 01 07 a1 "f" 64 00 c0 da 00 01 03 c3`,
    `97 01 07 92 a7 "default" a1 "f" 64 00 c0 c4 01 03`,
  ];
  for (const form of forms) {
    peer.sendBytes(form);
    const call = await peer.next(form);
    assert.equal(call[0], 1, form);
    assert.equal(call[2], f);
    assert.ok(
      (call[3] as number) >= 84 && (call[3] as number) <= 116,
      `remaining ${String(call[3])} of 100 ms`,
    );
    assert.equal(call[4], peer.welcome.number);
    assert.equal(call[5], null);
    assert.deepEqual([...(call[6] as Uint8Array)], [3]);
    const sent = peer.frames.at(-1);
    assert.equal(sent?.length, 29, "canonical form");
    peer.send([2, call[1], Buffer.from([5])]);
    const answer = await peer.next();
    assert.deepEqual([answer[0], answer[1], [...(answer[2] as Uint8Array)]], [2, 7, [5]]);
    assert.equal(hex(peer.frames.at(-1) ?? Buffer.alloc(0)), "93 02 ce 00 00 00 07 c6 00 00 00 01 05");
  }
});

test("wrong types: an error record for a call whose number can be read, refused for the rest; the connection stays", async (t) => {
  const { msgpack } = await testEngine(t);
  const peer = await msgpack();
  for (const call of [
    [1, 7, 1.5],
    [1, 7, {}],
    [1, 7, -1],
    [1, 7, 1, "x"],
    [1, 7, 1, 0, 0, 5],
    [1, 7, 1, 0, 0, null, 5],
    [1, 7, ["only"]],
    [1, 7, [1, 2]],
    [1, 7, 1, -5],
  ]) {
    peer.send(call);
    const record = await peer.next(JSON.stringify(call));
    assert.deepEqual([record[1], errorOf(record).code], [7, "invalid_record"], JSON.stringify(call));
  }
  const refused = [
    [1, "x", 1],
    [1, -1, 1],
    [1, {}, 1],
    [2, "x"],
    [3, []],
    [4, "x"],
    [5, {}],
    [5, 1, 2],
    [5, 1, "x"],
    [18, "x", 0, []],
    [20, "x", []],
    [22, "x", []],
  ];
  for (const record of refused) {
    peer.send(record);
    assert.deepEqual(
      (await peer.next(JSON.stringify(record))).slice(0, 3),
      [25, null, "invalid_record"],
      JSON.stringify(record),
    );
  }
  for (const record of [
    [18, 3, 2, []],
    [18, 3, 0, "x"],
    [18, 3, 0, {}],
    [18, 3, 0, ["x"]],
    [18, 3, 0, [[]]],
    [18, 3, 0, [[""]]],
    [18, 3, 0, [[7]]],
    [18, 3, 0, [["x".repeat(1_025)]]],
    [18, 3, 0, [["f", 7]]],
    [18, 3, 0, [["f", null, null, null, null, "sometimes"]]],
    [18, 3, 0, [["f", null, null, null, null, 7]]],
    [18, 3, 0, [["f", null, { a: Buffer.of(1) }]]],
    [18, 3, 0, [["f", null, null, null, { a: Number.NaN }]]],
    [20, 3, "x"],
    [20, 3, [7]],
    [22, 3, "x"],
    [22, 3, [7]],
    [22, 3, [["a"]]],
    [22, 3, [[1, 2]]],
  ]) {
    peer.send(record);
    assert.deepEqual(
      (await peer.next(JSON.stringify(record))).slice(0, 3),
      [25, 3, "invalid_record"],
      JSON.stringify(record),
    );
  }
  await peer.settle();
});

test("an id that is no UTF-8 is refused", async (t) => {
  const { msgpack } = await testEngine(t);
  const peer = await msgpack();
  peer.sendBytes("94 12 03 00 91 91 a2 c3 28");
  assert.deepEqual((await peer.next()).slice(0, 3), [25, 3, "invalid_record"]);
});

test("register: handles and states in the order of the request, replacing by mode 1, and unregister counts", async (t) => {
  const { msgpack, engine } = await testEngine(t);
  const owner = await msgpack();
  const [a, b] = (await owner.register(["a", "b"])) as [number, number];
  const other = await msgpack();
  other.send([18, 5, 0, [["b"], ["c"]]]);
  const registered = await other.next();
  assert.deepEqual([...(registered[3] as Uint8Array)], [1, 0], "standby, serving");
  assert.deepEqual(await other.resolve("a", "b", "c", "d", "engine::functions::list"), [
    a,
    b,
    handles(registered[2])[1],
    0,
    (await owner.resolve("engine::functions::list"))[0],
  ]);
  const [b2, e] = (await owner.register(["b", "e"], undefined, 1)) as [number, number];
  assert.equal(b2, b, "what stays keeps its handle");
  assert.deepEqual(await other.resolve("a", "b", "e"), [0, b, e]);
  owner.send([20, 9, ["b", "nothing", "e", "e"]]);
  assert.deepEqual(await owner.next(), [21, 9, 2]);
  assert.deepEqual(await other.resolve("b"), [b], "the standby serves under the same handle");
  assert.equal(engine.functions.countOf(1) + engine.functions.countOf(2), 2);
});

test("a list is registered as a whole or not at all", async (t) => {
  const { msgpack, engine } = await testEngine(t, { limits: { functionsPerConnectionMax: 3 } });
  const peer = await msgpack();
  const before = engine.stats().functions;
  peer.send([18, 1, 0, [["a"], ["engine::functions::list"]]]);
  assert.deepEqual((await peer.next()).slice(0, 3), [25, 1, "function_id_reserved"]);
  peer.send([18, 2, 0, [["a"], ["b"], ["c"], ["d"]]]);
  assert.deepEqual((await peer.next()).slice(0, 3), [25, 2, "limit_reached"]);
  peer.send([18, 3, 0, [["a"], [""]]]);
  assert.deepEqual((await peer.next()).slice(0, 3), [25, 3, "invalid_record"]);
  assert.equal(engine.stats().functions, before);
  await peer.register(["a", "b", "c"]);
  await peer.register(["a", "b", "c"], undefined, 1);
  await peer.register(["a"]);
});

test("ids of the engine live in default only", async (t) => {
  const { msgpack } = await testEngine(t);
  const elsewhere = await msgpack({ namespace: "b" });
  elsewhere.send([18, 1, 0, [["engine::mine"]]]);
  assert.deepEqual((await elsewhere.next()).slice(0, 3), [25, 1, "function_id_reserved"]);
  const home = await msgpack();
  const [mine] = await home.register(["engine::mine"]);
  assert.deepEqual(await elsewhere.resolve("engine::mine", ["b", "engine::mine"]), [mine, 0]);
});

test("names resolve in the caller's namespace, or in the one that is named", async (t) => {
  const { msgpackOffering } = await testEngine(t);
  const [a, [inA]] = await msgpackOffering(["f"], { namespace: "a" });
  const [b, [inB]] = await msgpackOffering(["f"], { namespace: "b" });
  assert.deepEqual(await a.resolve("f", ["b", "f"], ["default", "f"]), [inA, inB, 0]);
  assert.deepEqual(await b.resolve("f"), [inB]);
});

test("coming back: mode 1 takes the old connection's functions over with their handles, and its name", async (t) => {
  const { msgpack, msgpackOffering, engine } = await testEngine(t);
  const [old, [f, g]] = await msgpackOffering(["f", "g"], { name: "w" });
  const caller = await msgpack();
  caller.sendBytes(canonicalCall(1, f ?? 0, bytes("c0")));
  await old.next();
  const { worker, token } = old.welcome;
  const next = await msgpack({ name: "w", previous: { worker, token } });
  assert.deepEqual(await caller.resolve("f", "g"), [f, g], "without a gap");
  const [f2, h] = await next.register(["f", "h"], undefined, 1);
  assert.equal(f2, f);
  assert.deepEqual(await old.closed, { code: 4410, reason: "replaced by a newer connection" });
  const stopped = await caller.next();
  assert.deepEqual([stopped[1], errorOf(stopped).code], [1, "invocation_stopped"]);
  assert.deepEqual(await caller.resolve("f", "g", "h"), [f, 0, h]);
  caller.sendBytes(canonicalCall(2, f ?? 0, bytes("c0")));
  assert.equal((await next.next())[0], 1);
  assert.equal(engine.stats().workers, 2);
});

test("coming back with a wrong token, or to a connection that has gone, is a new worker", async (t) => {
  const { msgpack, msgpackOffering } = await testEngine(t);
  const [old, [f]] = await msgpackOffering(["f"]);
  const thief = await msgpack({ previous: { worker: old.welcome.worker, token: "wrong" } });
  await thief.register(["g"], undefined, 1);
  assert.deepEqual(await thief.resolve("f"), [f]);
  await old.settle();
  const { worker, token } = old.welcome;
  await old.close();
  const next = await msgpack({ previous: { worker, token } });
  await next.register(["g2"], undefined, 1);
});

test("coming back to shared functions, having registered already, keeps the worker an owner", async (t) => {
  const { msgpack, msgpackOffering } = await testEngine(t);
  const [old, [f]] = await msgpackOffering(["f"], {}, "round_robin");
  const { worker, token } = old.welcome;
  const next = await msgpack({ previous: { worker, token } });
  assert.deepEqual(await next.register(["f"], "round_robin"), [f]);
  assert.deepEqual(await next.register(["f"], "round_robin", 1), [f]);
  await old.closed;
  const caller = await msgpack();
  caller.sendBytes(canonicalCall(1, f ?? 0, bytes("c0")));
  const call = await next.next();
  next.send([2, call[1], bytes("05")]);
  assert.equal((await caller.next())[0], 2);
});

test("metadata and schemas that would carry a listing beyond 127 levels are refused, on both wires", async (t) => {
  const { msgpack, json, jsonOffering } = await testEngine(t);
  const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
  const peer = await msgpack();
  peer.send([18, 1, 0, [["deep", null, null, null, nested(124)]]]);
  assert.deepEqual((await peer.next()).slice(0, 3), [25, 1, "invalid_record"]);
  peer.send([18, 2, 0, [["deep", null, null, null, nested(123)]]]);
  assert.deepEqual((await peer.next()).slice(0, 2), [19, 2]);
  const worker = await json();
  worker.register("deeper", { metadata: nested(124) });
  worker.register("deep::enough", { metadata: nested(123) });
  await worker.settle();
  const caller = await jsonOffering();
  await caller.call("engine::functions::list", {});
  assert.equal(caller.text.includes('"deeper"'), false);
  assert.equal(caller.text.includes('"deep::enough"'), true);
  assert.ok(depth(caller.text) <= 127, `a listing of ${depth(caller.text)} levels`);
});

function depth(text: string): number {
  let level = 0;
  let deepest = 0;
  for (const char of text.replace(/"(?:[^"\\]|\\.)*"/g, "")) {
    if (char === "[" || char === "{") deepest = Math.max(deepest, ++level);
    if (char === "]" || char === "}") level--;
  }
  return deepest;
}

test("when the engine goes down msgpack workers get 1012", async (t) => {
  const { engine, msgpack } = await testEngine(t);
  const peer = await msgpack();
  await engine.close();
  assert.equal((await peer.closed).code, 1012);
});

test("a hundred thousand levels in a control record disturb nobody", async (t) => {
  const { port, keep, msgpack } = await testEngine(t);
  const deep = Buffer.concat([Buffer.alloc(100_000, 0x91), Buffer.of(0xc0)]);
  const fresh = keep(await MsgpackPeer.open(port));
  fresh.sendBytes(Buffer.concat([bytes('92 10 82 a7 "version" 01 a1 "x"'), deep]));
  assert.deepEqual((await fresh.next()).slice(0, 3), [25, null, "invalid_record"]);
  const peer = await msgpack();
  peer.sendBytes(Buffer.concat([bytes('94 12 01 00 91 95 a1 "f" c0 c0 c0'), deep]));
  assert.deepEqual((await peer.next()).slice(0, 3), [25, 1, "invalid_record"]);
  peer.sendBytes(Buffer.concat([bytes("92 63"), deep]));
  await peer.settle();
});
