// Calls, answers, cancels, casts and deadlines between msgpack workers, in bytes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.js";
import { FakeClock } from "../support/fake-clock.js";
import { errorOf, type MsgpackPeer, pack, value } from "../support/msgpack-peer.js";
import { testEngine } from "../support/test-engine.js";
import {
  bytes,
  canonicalAnswer,
  canonicalCall,
  canonicalCancel,
  canonicalCast,
  hex,
  uint32,
} from "../support/wire.js";

const PAYLOAD = bytes("92 01 02");

async function pair(t: Parameters<typeof testEngine>[0], options: Parameters<typeof testEngine>[1] = {}) {
  const fixture = await testEngine(t, options);
  const [worker, [f]] = (await fixture.msgpackOffering(["f"])) as [MsgpackPeer, [number]];
  const caller = await fixture.msgpack();
  return { ...fixture, worker, caller, f };
}

test("the conversation of PROTOCOL.md, byte for byte", async (t) => {
  const { caller, worker, f } = await pair(t);
  const fn = hex(uint32(f));
  caller.sendBytes(`97 01 ce 00000007 ce ${fn} ce 00007530 ce 00000000 c0 c6 00000003 92 01 02`);
  const call = await worker.next();
  const ticket = hex(uint32(call[1] as number));
  const number = hex(uint32(caller.welcome.number));
  assert.equal(
    hex(worker.frames.at(-1) ?? PAYLOAD),
    `97 01 ce ${ticket} ce ${fn} ce 00 00 75 30 ce ${number} c0 c6 00 00 00 03 92 01 02`,
  );
  worker.sendBytes(`93 02 ce ${ticket} c6 00000001 03`);
  await caller.next();
  assert.equal(hex(caller.frames.at(-1) ?? PAYLOAD), "93 02 ce 00 00 00 07 c6 00 00 00 01 03");
});

test("a call without a time carries the engine's default; one above the maximum is cut", async (t) => {
  const { caller, worker, f } = await pair(t);
  caller.sendBytes(canonicalCall(1, f, PAYLOAD));
  caller.sendBytes(canonicalCall(2, f, PAYLOAD, 4_000_000_000));
  assert.equal((await worker.next())[3], 330_000);
  assert.equal((await worker.next())[3], 86_400_000);
});

test("what the caller writes as caller is replaced; the context is handed on unread", async (t) => {
  const { caller, worker, f } = await pair(t);
  const forged = canonicalCall(1, f, PAYLOAD, 0, bytes("c1 c1"));
  forged.fill(0xff, 18, 22);
  caller.sendBytes(forged);
  const call = await worker.next();
  assert.equal(call[4], caller.welcome.number);
  assert.equal(hex(call[5] as Uint8Array), "c1 c1");
});

test("an error body is handed on as it is", async (t) => {
  const { caller, worker, f } = await pair(t);
  for (const body of [pack({ code: "mine", message: "m", data: [1, 2] }), bytes("c1"), Buffer.alloc(0)]) {
    caller.sendBytes(canonicalCall(1, f, PAYLOAD));
    const call = await worker.next();
    worker.sendBytes(canonicalAnswer(3, call[1] as number, body));
    const answer = await caller.next();
    assert.deepEqual([answer[0], answer[1], hex(answer[2] as Uint8Array)], [3, 1, hex(body)]);
  }
});

test("many records of many peers in one frame: all arrive, in order, and leave together", async (t) => {
  const { caller, worker, f, msgpackOffering } = await pair(t);
  const [second, [g]] = (await msgpackOffering(["g"])) as [MsgpackPeer, [number]];
  const frame: Buffer[] = [];
  for (let n = 0; n < 300; n++) {
    frame.push(canonicalCall(n, n % 3 === 0 ? g : f, pack(n)));
    if (n % 50 === 0) frame.push(pack([99, n]), pack([1, 10_000 + n, "nobody"]));
  }
  const before = worker.frames.length;
  caller.sendBytes(Buffer.concat(frame));
  const answers = (peer: MsgpackPeer, of: (n: number) => boolean) =>
    takeAll(peer, [...Array(300).keys()].filter(of));
  await answers(worker, (n) => n % 3 !== 0);
  await answers(second, (n) => n % 3 === 0);
  assert.equal(worker.frames.length - before, 1, "one frame for the whole run");
  const ends = new Map<number, number>();
  while (ends.size < 306) {
    const record = await caller.next();
    ends.set(record[1] as number, record[0] as number);
  }
  for (let n = 0; n < 300; n++) assert.equal(ends.get(n), 2);
  for (let n = 0; n < 300; n += 50) assert.equal(ends.get(10_000 + n), 3);
});

/** Reads these calls in order and answers them in one frame. */
async function takeAll(peer: MsgpackPeer, expected: number[]): Promise<void> {
  const frame: Buffer[] = [];
  for (const n of expected) {
    const call = await peer.next();
    assert.deepEqual([call[0], value(call[6])], [1, n]);
    frame.push(canonicalAnswer(2, call[1] as number, pack(n)));
  }
  peer.sendBytes(Buffer.concat(frame));
}

test("results late, doubled, forged, or of another executor are ignored and counted", async (t) => {
  const { caller, worker, f, counter, engine, msgpack } = await pair(t);
  caller.sendBytes(canonicalCall(7, f, PAYLOAD));
  const ticket = (await worker.next())[1] as number;
  const thief = await msgpack();
  thief.sendBytes(canonicalAnswer(2, ticket, PAYLOAD));
  thief.send([2, ticket, PAYLOAD], [3, ticket, PAYLOAD]);
  await thief.settle();
  worker.sendBytes(canonicalAnswer(2, 7, PAYLOAD));
  worker.sendBytes(canonicalAnswer(2, ticket + 1, PAYLOAD));
  worker.sendBytes(canonicalAnswer(2, (ticket ^ 0x00100000) >>> 0, PAYLOAD));
  worker.sendBytes(canonicalAnswer(2, 0, PAYLOAD));
  await worker.settle();
  assert.equal(counter("answers_unmatched"), 7);
  await caller.settle();
  worker.sendBytes(canonicalAnswer(2, ticket, bytes("05")));
  assert.equal(value((await caller.next())[2]), 5);
  worker.sendBytes(canonicalAnswer(2, ticket, bytes("06")));
  await worker.settle();
  await caller.settle();
  assert.equal(counter("answers_unmatched"), 8);
  assert.equal(engine.stats().callsOpened, 1);
});

test("an answer whose ticket can be read but whose rest cannot ends its call with answer_invalid", async (t) => {
  const { caller, worker, f } = await pair(t);
  caller.sendBytes(canonicalCall(7, f, PAYLOAD));
  worker.send([2, (await worker.next())[1], { not: "bin" }]);
  const record = await caller.next();
  assert.deepEqual([record[1], errorOf(record).code], [7, "answer_invalid"]);
});

test("function_not_found: an unknown name, a handle that never was, a stale one; nothing is entered", async (t) => {
  const { caller, worker, f, engine } = await pair(t);
  for (const fn of [0, 5, 0x00100fff, 0xffffffff, f ^ 0x00100000]) {
    const [kind, body] = await caller.call(fn >>> 0, PAYLOAD);
    assert.deepEqual([kind, (body as { code: string }).code], [3, "function_not_found"]);
  }
  caller.send([1, 7, "nobody"]);
  assert.match(errorOf(await caller.next()).message, /^Function nobody not found in namespace default\.$/);
  worker.send([20, 1, ["f"]]);
  await worker.next();
  assert.equal(((await caller.call(f, PAYLOAD))[1] as { code: string }).code, "function_not_found");
  const [f2] = await worker.register(["f"]);
  assert.notEqual(f2, f);
  assert.equal(((await caller.call(f, PAYLOAD))[1] as { code: string }).code, "function_not_found");
  assert.equal(engine.stats().callsOpened, 0);
});

test("deadlines: held by the engine to the millisecond's tick, told to both sides, never early", async (t) => {
  const clock = new FakeClock();
  const { caller, worker, f } = await pair(t, { clock });
  caller.sendBytes(canonicalCall(1, f, PAYLOAD, 100));
  caller.sendBytes(canonicalCall(2, f, PAYLOAD, 200_000));
  const first = await worker.next();
  const second = await worker.next();
  assert.equal(first[3], 100);
  clock.advance(99);
  await caller.settle();
  clock.advance(1 + 2 * 16);
  const ended = await caller.next();
  assert.deepEqual([ended[1], errorOf(ended).code], [1, "deadline_exceeded"]);
  assert.deepEqual(await worker.next(), [4, first[1]]);
  clock.advance(199_800);
  await caller.settle();
  await worker.settle();
  clock.advance(200);
  assert.equal((await caller.next())[1], 2);
  assert.deepEqual(await worker.next(), [4, second[1]]);
});

test("a call entered after the event loop stood still is not cut short", async (t) => {
  const clock = new FakeClock();
  const { caller, worker, f } = await pair(t, { clock });
  caller.sendBytes(canonicalCall(1, f, PAYLOAD, 10_000));
  await worker.next();
  clock.stall(5_000);
  caller.sendBytes(canonicalCall(2, f, PAYLOAD, 1_000));
  await worker.next();
  clock.advance(900);
  await caller.settle();
  clock.advance(132);
  assert.equal((await caller.next())[1], 2);
});

test("cancel: the caller is told, the executor too, the late answer is ignored; other numbers are not touched", async (t) => {
  const { caller, worker, f, counter } = await pair(t);
  for (const call of [1, 2, 3]) caller.sendBytes(canonicalCall(call, f, PAYLOAD));
  const tickets = [await worker.next(), await worker.next(), await worker.next()].map(
    (call) => call[1] as number,
  );
  caller.sendBytes(canonicalCancel(2));
  const ended = await caller.next();
  assert.deepEqual([ended[1], errorOf(ended).code], [2, "cancelled"]);
  assert.deepEqual(await worker.next(), [4, tickets[1]]);
  caller.send([4, 2], [4, 99], [4, 3]);
  assert.equal((await caller.next())[1], 3);
  assert.deepEqual(await worker.next(), [4, tickets[2]]);
  worker.sendBytes(canonicalAnswer(2, tickets[1] ?? 0, PAYLOAD));
  worker.sendBytes(canonicalAnswer(2, tickets[0] ?? 0, PAYLOAD));
  assert.deepEqual((await caller.next()).slice(0, 2), [2, 1]);
  assert.equal(counter("calls_cancelled"), 2);
  assert.equal(counter("answers_unmatched"), 1);
});

test("a call cannot be cancelled by another connection", async (t) => {
  const { caller, worker, f, msgpack } = await pair(t);
  caller.sendBytes(canonicalCall(1, f, PAYLOAD));
  await worker.next();
  const other = await msgpack();
  other.sendBytes(canonicalCancel(1));
  await other.settle();
  await caller.settle();
  await worker.settle();
});

test("the caller leaves: the executor is told with a cancel for each call", async (t) => {
  const { caller, worker, f, engine } = await pair(t);
  for (const call of [1, 2]) caller.sendBytes(canonicalCall(call, f, PAYLOAD));
  const tickets = [(await worker.next())[1], (await worker.next())[1]];
  caller.socket.terminate();
  const cancels = [await worker.next(), await worker.next()];
  assert.deepEqual(new Set(cancels.map((record) => record[1])), new Set(tickets));
  assert.equal(engine.stats().callsOpen, 0);
});

test("the executor leaves: invocation_stopped, then function_not_found", async (t) => {
  const { caller, worker, f } = await pair(t);
  caller.sendBytes(canonicalCall(1, f, PAYLOAD));
  await worker.next();
  worker.socket.terminate();
  assert.equal(errorOf(await caller.next()).code, "invocation_stopped");
  assert.equal(((await caller.call(f, PAYLOAD))[1] as { code: string }).code, "function_not_found");
});

test("bounds of open calls, per connection and in total, answer overloaded with a time to come back", async (t) => {
  const { caller, worker, f, msgpack } = await pair(t, {
    limits: { callsOpenPerConnectionMax: 2, callsOpenMax: 3 },
  });
  for (const call of [1, 2]) caller.sendBytes(canonicalCall(call, f, PAYLOAD));
  const [kind, body] = await caller.call(f, PAYLOAD, 3);
  assert.deepEqual([kind, (body as { code: string }).code], [3, "overloaded"]);
  assert.ok((body as { retry_after_ms: number }).retry_after_ms > 0);
  const other = await msgpack();
  other.sendBytes(canonicalCall(1, f, PAYLOAD));
  assert.equal(((await other.call(f, PAYLOAD, 2))[1] as { code: string }).code, "overloaded");
  const first = await worker.next();
  worker.sendBytes(canonicalAnswer(2, first[1] as number, PAYLOAD));
  assert.equal((await caller.next())[1], 1);
  other.sendBytes(canonicalCall(3, f, PAYLOAD));
  for (let n = 0; n < 3; n++) assert.equal((await worker.next())[0], 1);
});

test("casts: one owner, no answer, not even for nobody; the dropped are counted", async (t) => {
  const { caller, worker, f, counter, engine } = await pair(t);
  caller.sendBytes(canonicalCast(f, 0, PAYLOAD));
  await worker.next();
  const number = hex(uint32(caller.welcome.number));
  assert.equal(
    hex(worker.frames.at(-1) ?? PAYLOAD),
    `96 05 ce ${hex(uint32(f))} ce 00 00 00 00 ce ${number} c0 c6 00 00 00 03 92 01 02`,
  );
  caller.send([5, "f", 0, 0, pack({ a: 1 }), PAYLOAD]);
  const second = await worker.next();
  assert.deepEqual(value(second[4]), { a: 1 });
  caller.send([5, "f", 1]);
  assert.equal((await worker.next())[0], 5, "all owners of a function that is not shared are one");
  caller.sendBytes(canonicalCast(12_345, 0, PAYLOAD));
  caller.sendBytes(canonicalCast(12_345, 1, PAYLOAD));
  caller.send([5, "nobody", 0]);
  assert.deepEqual(
    await caller.drain(),
    [
      [38, 12_345],
      [38, 12_345],
    ],
    "a handle that serves nobody is told of",
  );
  assert.equal(counter("casts_dropped"), 3);
  assert.equal(engine.stats().callsOpened, 0);
});

test("a cast to all owners reaches each once, in its place among the caller's other records, JSON owners too", async (t) => {
  const { msgpackOffering, msgpack, jsonOffering, counter } = await testEngine(t, {
    functions: [{ match: "all::*", share: "round_robin" }],
  });
  const owners: MsgpackPeer[] = [];
  let f = 0;
  for (let n = 0; n < 3; n++) {
    const [owner, [handle]] = (await msgpackOffering(["all::f", `own::${n}`])) as [MsgpackPeer, [number]];
    owners.push(owner);
    f = handle;
  }
  const json = await jsonOffering("all::f");
  const caller = await msgpack();
  const own = await caller.resolve("own::0", "own::1", "own::2");
  const rounds = 40;
  for (let round = 0; round < rounds; round++) {
    const records = own.flatMap((fn) => [
      canonicalCast(fn, 0, pack(["before", round, "x".repeat(round * 100)])),
    ]);
    records.push(canonicalCast(f, 1, pack(["all", round])));
    records.push(...own.map((fn) => canonicalCast(fn, 0, pack(["after", round]))));
    caller.sendBytes(Buffer.concat(records));
  }
  for (const owner of owners) {
    for (let round = 0; round < rounds; round++) {
      for (const word of ["before", "all", "after"]) {
        const cast = await owner.next(`${word} ${round}`);
        assert.deepEqual((value(cast[5]) as unknown[]).slice(0, 2), [word, round]);
        assert.deepEqual([cast[0], cast[2], cast[3]], [5, word === "all" ? 1 : 0, caller.welcome.number]);
      }
    }
  }
  for (let round = 0; round < rounds; round++) {
    const call = await json.next();
    assert.deepEqual(call.data, ["all", round]);
    json.answer(call, "swallowed");
  }
  await json.settle();
  assert.equal(counter("answers_swallowed"), rounds);
  assert.equal(counter("casts_dropped"), 0);
});

test("an owner that left gets no more casts, and a newcomer gets them from then on", async (t) => {
  const { msgpackOffering, msgpack } = await testEngine(t);
  const [one, [f]] = (await msgpackOffering(["f"], {}, "round_robin")) as [MsgpackPeer, [number]];
  const [two] = await msgpackOffering(["f"], {}, "round_robin");
  const caller = await msgpack();
  one.send([20, 1, ["f"]]);
  await one.next();
  caller.sendBytes(canonicalCast(f, 1, PAYLOAD));
  assert.equal((await two.next())[0], 5);
  await one.settle();
  assert.deepEqual(await one.register(["f"], "round_robin"), [f]);
  caller.sendBytes(canonicalCast(f, 1, PAYLOAD));
  assert.equal((await one.next())[0], 5);
});

test("shared functions: least_outstanding, round_robin and hash choose as they say", async (t) => {
  const { msgpackOffering, msgpack, engine } = await testEngine(t);
  const shares = ["least_outstanding", "round_robin", "hash"];
  const handles: number[] = [];
  const owners: MsgpackPeer[] = [];
  for (let n = 0; n < 3; n++) {
    const [owner] = await msgpackOffering([]);
    for (const share of shares) handles.push(...(await owner.register([share], share)));
    owners.push(owner);
  }
  const [least, round, byHash] = handles as [number, number, number];
  const caller = await msgpack();
  for (let n = 0; n < 9; n++) caller.sendBytes(canonicalCall(n, least, PAYLOAD));
  const counts = async () => {
    await caller.settle();
    const all: number[] = [];
    for (const owner of owners) all.push((await owner.drain()).length);
    return all;
  };
  assert.deepEqual(await counts(), [3, 3, 3], "least outstanding spreads what is open");
  for (let n = 100; n < 109; n++) caller.sendBytes(canonicalCall(n, round, PAYLOAD));
  assert.deepEqual(await counts(), [3, 3, 3], "round robin takes turns");
  for (const key of ["a", "a", "a", "a"])
    caller.sendBytes(canonicalCall(200, byHash, PAYLOAD, 0, pack({ key })));
  assert.deepEqual((await counts()).sort(), [0, 0, 4], "one key, one owner");
  for (let n = 0; n < 60; n++) caller.sendBytes(canonicalCall(300 + n, byHash, PAYLOAD, 0, pack({ key: n })));
  const spread = await counts();
  assert.ok(Math.min(...spread) > 5, `many keys, all owners: ${spread.join(" ")}`);
  assert.equal(engine.stats().callsOpen, 82);
});

test("a registration that does not share a shared function, or the other way round, stands by", async (t) => {
  const { msgpack } = await testEngine(t);
  const one = await msgpack();
  const two = await msgpack();
  await one.register(["shared"], "round_robin");
  await one.register(["alone"]);
  two.send([18, 1, 0, [["shared"], ["alone", null, null, null, null, "round_robin"], ["shared2"]]]);
  assert.deepEqual([...((await two.next())[3] as Uint8Array)], [1, 1, 0]);
  const [handle] = await one.resolve("shared");
  await one.close();
  await eventually("promoted with the same handle", async () => (await two.resolve("shared"))[0] === handle);
  two.sendBytes(canonicalCall(1, handle ?? 0, PAYLOAD));
  assert.equal((await two.next())[0], 1);
});

test("a worker that does not read: above the soft bound its calls are overloaded, another owner is tried first; above the hard bound it is cut", async (t) => {
  const { msgpackOffering, msgpack, engine, counter } = await testEngine(t, {
    limits: { frameBytesMax: 2 << 20, outboxSoftBytes: 1 << 20, outboxHardBytes: 24 << 20 },
  });
  const [slow, [f]] = (await msgpackOffering(["f"])) as [MsgpackPeer, [number]];
  await slow.register(["g"], "least_outstanding");
  const [quick, [g]] = (await msgpackOffering(["g"], {}, "least_outstanding")) as [MsgpackPeer, [number]];
  const caller = await msgpack();
  slow.socket.pause();
  const large = Buffer.alloc(1_900_000);
  let call = 0;
  const refused = await eventually("the slow worker is above its soft bound", async () => {
    caller.sendBytes(canonicalCall(call++, f, large));
    return (await caller.drain()).find((record) => record[0] === 3);
  });
  assert.equal(errorOf(refused).code, "overloaded");
  for (let n = 0; n < 5; n++) caller.sendBytes(canonicalCall(1_000 + n, g, PAYLOAD));
  for (let n = 0; n < 5; n++)
    assert.equal((await quick.next())[0], 1, "the owner that keeps up takes them all");
  await quick.settle();
  const big = await msgpackOffering(["flood"]);
  for (let n = 0; n < 40 && engine.stats().counters["connections_closed_slow"] === 0; n++) {
    // answers to its own calls come whether it reads or not: only the hard bound ends that
    slow.sendBytes(canonicalCall(5_000 + n, big[1][0] ?? 0, PAYLOAD));
    const asked = await big[0].next();
    big[0].sendBytes(canonicalAnswer(2, asked[1] as number, large));
    await big[0].settle();
  }
  await eventually("the slow connection is cut", () => counter("connections_closed_slow") === 1);
  await eventually("its calls are ended", () => engine.stats().callsOpen === 5);
});

test("a cast under a stale handle is dropped, counted and told; a handle of the past never reaches a function of the present", async (t) => {
  const { msgpackOffering, msgpack, counter } = await testEngine(t);
  const MANY = 1_200; // so many that freed indexes are used again
  const names = (prefix: string) => Array.from({ length: MANY }, (_, n) => `${prefix}${n}`);
  const [worker, former] = await msgpackOffering(names("past"), {}, "round_robin");
  const caller = await msgpack();
  const dropped = counter("casts_dropped");
  worker.send([20, 1, names("past")]);
  await worker.next("unregistered");
  const [stale = 0] = former;
  caller.sendBytes(Buffer.concat([canonicalCast(stale, 0, pack(1)), canonicalCast(stale, 1, pack(2))]));
  assert.deepEqual([await caller.next(), await caller.next()], Array(2).fill([38, stale]));
  caller.send([5, "past0", 0, 0, null, pack(3)]);
  await caller.settle();
  assert.equal(counter("casts_dropped") - dropped, 3, "a name that nobody has is dropped without a word");
  const indexOf = (handle: number) => handle & 0xfffff;
  const present = await worker.register(names("present"), "round_robin");
  const reused = present.find((handle) => former.some((old) => indexOf(old) === indexOf(handle))) ?? 0;
  const old = former.find((handle) => indexOf(handle) === indexOf(reused)) ?? 0;
  assert.ok(reused !== 0 && old !== reused, "an index is used again");
  caller.sendBytes(Buffer.concat([canonicalCast(old, 1, pack(4)), canonicalCast(reused, 1, pack(5))]));
  assert.deepEqual(await caller.next(), [38, old]);
  const cast = await worker.next("the cast of the present");
  assert.deepEqual([cast[1], value(cast[5])], [reused, 5]);
});
