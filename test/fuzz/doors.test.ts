// Both doors under seeded garbage: mutated frames of every kind, from peers that come back when they are thrown out. The engine lives, a healthy pair beside
// them gets every answer, and nothing is left behind.
import assert from "node:assert/strict";
import { test } from "node:test";
import { JsonPeer } from "../support/json-peer.js";
import { MsgpackPeer, pack, value } from "../support/msgpack-peer.js";
import { Random } from "../support/random.js";
import { testEngine } from "../support/test-engine.js";
import { canonicalAnswer, canonicalCall, canonicalCancel, canonicalCast } from "../support/wire.js";

const ID = "9d6a2b0c-5d3e-4a4e-8f1c-2b7c1b1f0a01";

/** Frames that a peer might send, to be spoiled. `tickets`: calls it has been given. */
function packedSeeds(random: Random, handles: readonly number[], tickets: readonly number[]): Buffer[] {
  const fn = random.pick([...handles, 0, random.below(2 ** 32)]);
  const ticket = random.pick([...tickets, 0, random.below(2 ** 32)]);
  const payload = random.pick([
    pack({ a: [1, "x", null] }),
    pack(random.below(2 ** 31)),
    Buffer.alloc(random.below(400), 0x91),
    Buffer.alloc(0),
  ]);
  return [
    canonicalCall(random.below(50), fn, payload, random.pick([0, 5, 1_000])),
    canonicalCall(
      1,
      fn,
      payload,
      0,
      pack({ traceparent: "t", baggage: "b", metadata: { a: 1.5 }, key: "k" }),
    ),
    canonicalAnswer(2, ticket, payload),
    canonicalAnswer(3, ticket, pack({ code: "c", message: "m" })),
    canonicalCancel(random.below(50)),
    canonicalCast(fn, random.below(2), payload),
    pack([
      1,
      3,
      random.pick<unknown>(["mine::json", ["default", "fuzz::0"], "engine::functions::list", "nobody"]),
      100,
      0,
      null,
      pack({}),
    ]),
    pack([2, ticket, random.pick<unknown>([null, payload, "text", 7])]),
    pack([
      18,
      1,
      random.below(3),
      [["fuzz::0"], ["fuzz::1", "d", { a: 1 }, null, { b: [1] }, random.pick([null, "hash", "round_robin"])]],
    ]),
    pack([20, 2, ["fuzz::0", "nobody"]]),
    pack([22, 3, ["fuzz::0", ["default", "mine::json"]]]),
    pack([16, { version: 1, name: "again" }]),
    pack([random.below(40), 1, 2, 3]),
  ];
}

function spoil(random: Random, frame: Buffer): Buffer {
  const bytes = Buffer.from(frame);
  const dice = random.next();
  if (dice < 0.25) return bytes;
  if (dice < 0.35) return bytes.subarray(0, random.below(bytes.length + 1));
  if (dice < 0.45) return Buffer.concat([bytes, Buffer.from([random.below(256), random.below(256)])]);
  for (let n = 1 + random.below(3); n > 0; n--)
    bytes[random.below(bytes.length)] = random.pick([
      0xff,
      0xc1,
      0xc0,
      0xce,
      0xc6,
      0x00,
      0x80,
      0x7f,
      random.below(256),
    ]);
  return bytes;
}

function jsonSeeds(random: Random, calls: readonly string[]): string[] {
  const id = random.pick([ID, ...calls]);
  const data = random.pick([
    "1",
    "null",
    '{"a":[1,{"b":"\\u00e9"}],"_caller_worker_id":"x"}',
    '"text"',
    "[1.0,1e400,18446744073709551615]",
    "[[[[]]]]",
  ]);
  const fn = random.pick([
    "mine::packed",
    "fuzz::json",
    "nobody",
    "engine::workers::list",
    "engine::functions::info",
    "fuzz::0",
  ]);
  return [
    `{"type":"invokefunction","invocation_id":"${ID}","function_id":"${fn}","data":${data},"metadata":{"key":${data}},"traceparent":"t","baggage":"a=b"}`,
    `{"type":"invokefunction","function_id":"${fn}","data":${data},"action":{"type":"void"}}`,
    `{"type":"invokefunction","invocation_id":"${ID}","function_id":"${fn}","data":${data},"action":{"type":"enqueue","queue":"q"},"namespace":"default"}`,
    `{"type":"invocationresult","invocation_id":"${id}","function_id":"${fn}","result":${data}}`,
    `{"type":"invocationresult","invocation_id":"${id}","function_id":"${fn}","error":{"code":"c","message":"m"}}`,
    `{"type":"registerfunction","id":"fuzz::json","description":"d","metadata":${data},"request_format":{"a":1}}`,
    '{"type":"unregisterfunction","id":"fuzz::json"}',
    `{"type":"invokefunction","function_id":"engine::workers::register","data":{"name":"n${random.below(3)}","namespace":${random.pick(["null", '"default"', '" "', '"x"'])}},"action":{"type":"void"}}`,
    `{"type":"reattach","previous_worker_id":"${ID}","reattach_token":"${ID}"}`,
    '{"type":"ping"}',
  ];
}

function spoilText(random: Random, text: string): string {
  const dice = random.next();
  if (dice < 0.3) return text;
  const at = random.below(text.length);
  if (dice < 0.45) return text.slice(0, at);
  const inserted = random.pick([
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "NaN",
    "\\u00",
    "é",
    "\u0000",
    " ",
    "-",
    "9".repeat(5_000),
    '"type":"ping",',
    "[".repeat(200),
  ]);
  return text.slice(0, at) + inserted + text.slice(at + (dice < 0.7 ? 1 : 0));
}

test("msgpack garbage: the engine lives, others are served, nothing is left", {
  timeout: 60_000,
}, async (t) => {
  const seed = 20260824;
  const random = new Random(seed);
  const { keep, port, jsonOffering, msgpackOffering, msgpack, counter } = await testEngine(t, {
    limits: { callTimeoutMs: 200 },
  });
  const json = await jsonOffering("mine::json");
  const [healthy, [echo]] = (await msgpackOffering(["healthy::echo"])) as [MsgpackPeer, [number]];
  const caller = await msgpack();
  let thrownOut = 0;
  let peer = keep(await MsgpackPeer.connect(port));
  let handles = await peer.register(["fuzz::0", "fuzz::1"]);
  for (let round = 0; round < 1_500; round++) {
    const tickets: number[] = [];
    while (peer.inbox.length > 0) {
      const record = await peer.next();
      if (record[0] === 1) tickets.push(record[1] as number);
    }
    const frames = packedSeeds(random, handles, tickets);
    peer.sendBytes(
      Buffer.concat(Array.from({ length: 1 + random.below(3) }, () => spoil(random, random.pick(frames)))),
    );
    if (round % 25 === 0) {
      const waiting = caller.call(echo, pack(round), round);
      const asked = await healthy.next(`seed ${seed}, round ${round}`);
      healthy.sendBytes(canonicalAnswer(2, asked[1] as number, asked[6] as Uint8Array));
      assert.deepEqual(await waiting, [2, round]);
      while (json.inbox.length > 0) await json.next();
    }
    if (peer.socket.readyState !== peer.socket.OPEN) {
      thrownOut++;
      peer = keep(await MsgpackPeer.connect(port));
      handles = await peer.register(["fuzz::0", "fuzz::1"]);
    }
  }
  assert.ok(thrownOut > 20, `thrown out ${thrownOut} times`);
  assert.ok(counter("frames_malformed") >= thrownOut);
});

test("JSON garbage: the engine lives, others are served, nobody is thrown out, nothing is left", {
  timeout: 60_000,
}, async (t) => {
  const seed = 20260825;
  const random = new Random(seed);
  const { keep, port, jsonOffering, msgpackOffering, counter } = await testEngine(t, {
    limits: { callTimeoutMs: 200 },
  });
  const worker = await jsonOffering("healthy::echo");
  const [packed] = await msgpackOffering(["mine::packed"]);
  const caller = await jsonOffering();
  const peer = keep(await JsonPeer.connect(port));
  peer.announce({});
  peer.register("fuzz::json");
  for (let round = 0; round < 2_500; round++) {
    const calls: string[] = [];
    while (peer.inbox.length > 0) {
      const frame = await peer.next();
      if (frame.type === "invokefunction") calls.push(frame.invocation_id ?? "");
    }
    const text = spoilText(random, random.pick(jsonSeeds(random, calls)));
    if (random.next() < 0.1) peer.socket.send(Buffer.from(text), { binary: true });
    else peer.sendText(text);
    if (round % 25 === 0) {
      const waiting = caller.call("healthy::echo", { round });
      worker.answer(await worker.next(`seed ${seed}, round ${round}`), round);
      assert.equal((await waiting).result, round);
      while (packed.inbox.length > 0) {
        const [kind, ticket, , , , , payload] = await packed.next();
        if (kind === 1) packed.sendBytes(canonicalAnswer(2, ticket as number, pack(value(payload))));
      }
    }
  }
  await peer.drain();
  assert.equal(peer.socket.readyState, peer.socket.OPEN, "JSON garbage ends no connection");
  assert.ok(counter("frames_malformed") > 200);
});
