// The stream records on real sockets: who gets an end, what crosses in every mix of wires, credit, fairness, and every way to end.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import {
  CHANNEL_LIMITS,
  CHANNELS_FAILED_MAX,
  CHUNK_BYTES_MAX,
  STREAM_CREDIT_BYTES,
  STREAM_SOCKET_BYTES_MAX,
  STREAMS_OPEN_MAX,
} from "../../src/protocol/limits.js";
import { ChannelPeer, type ChannelRef } from "../support/channel-peer.js";
import { eventually } from "../support/eventually.js";
import { FakeClock } from "../support/fake-clock.js";
import type { MsgpackPeer } from "../support/msgpack-peer.js";
import { testEngine } from "../support/test-engine.js";
import { canonicalCall, canonicalChunk, hex } from "../support/wire.js";

const READ = 0;
const WRITE = 1;
const EXISTING = 0;
const NEW = 1;
const CHUNK_OVERHEAD = 17;
const PLENTY = 2 ** 31 - 1;

interface Drawn {
  readonly id: string;
  readonly key: string;
}

const draw = (): Drawn => ({ id: randomUUID(), key: randomUUID() });

function open(
  peer: MsgpackPeer,
  stream: number,
  { id, key }: Drawn,
  direction: number,
  credit: number,
  mode: number,
): void {
  peer.send([9, stream, id, key, direction, credit, mode]);
}

function refOf({ id, key }: Drawn, direction: ChannelRef["direction"]): ChannelRef {
  return { channel_id: id, access_key: key, direction };
}

/** Reads until `bytes` of binary chunks came for a stream, granting nothing; gives them in one. */
async function readBytes(peer: MsgpackPeer, stream: number, bytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let got = 0; got < bytes; ) {
    const record = await peer.next("a chunk");
    assert.deepEqual(record.slice(0, 3), [6, stream, 0]);
    const part = Buffer.from(record[3] as Uint8Array); // a chunk's bytes
    assert.ok(part.length <= CHUNK_BYTES_MAX);
    parts.push(part);
    got += part.length;
  }
  return Buffer.concat(parts);
}

test("a stream between two msgpack workers: text and binary in order, then its end", async (t) => {
  const { msgpack, engine } = await testEngine(t);
  const [writer, reader] = [await msgpack(), await msgpack()];
  const drawn = draw();
  open(writer, 5, drawn, WRITE, 0, NEW);
  writer.sendBytes(canonicalChunk(5, 0, Buffer.from("early")));
  await writer.settle();
  open(reader, 70_000, drawn, READ, 1_000, EXISTING);
  assert.deepEqual(await reader.next(), [6, 70_000, 0, Buffer.from("early")]);
  writer.sendBytes(
    Buffer.concat([canonicalChunk(5, 1, Buffer.from("text")), canonicalChunk(5, 0, Buffer.alloc(0))]),
  );
  writer.send([6, 5, 1, Buffer.from("general form")], [8, 5]);
  assert.deepEqual(await reader.next(), [6, 70_000, 1, Buffer.from("text")]);
  assert.deepEqual(await reader.next(), [6, 70_000, 0, Buffer.alloc(0)]);
  assert.deepEqual(await reader.next(), [6, 70_000, 1, Buffer.from("general form")]);
  assert.deepEqual(await reader.next(), [8, 70_000, null, null]);
  assert.equal(engine.stats().channelsOpen, 0);
});

test("a chunk is passed on in canonical form, the number patched", async (t) => {
  const { msgpack } = await testEngine(t);
  const [writer, reader] = [await msgpack(), await msgpack()];
  const drawn = draw();
  open(writer, 1, drawn, WRITE, 0, NEW);
  await writer.settle();
  open(reader, 0x01020304, drawn, READ, 1_000, EXISTING);
  await reader.settle();
  writer.sendBytes(canonicalChunk(1, 0, Buffer.from("abc")));
  await reader.next();
  assert.equal(
    hex(reader.frames.at(-1) ?? Buffer.alloc(0)),
    "94 06 ce 01 02 03 04 ce 00 00 00 00 c6 00 00 00 03 61 62 63",
  );
});

test("a JSON writer's socket and a msgpack reader: large messages come in chunks, text whole", async (t) => {
  const { msgpack, port, engine } = await testEngine(t);
  const reader = await msgpack();
  const drawn = draw();
  open(reader, 1, drawn, READ, PLENTY, NEW);
  await reader.settle();
  const writer = await ChannelPeer.open(`ws://127.0.0.1:${port}`, refOf(drawn, "write"));
  const large = Buffer.alloc(1_000_000, 3);
  const text = "x".repeat(100_000);
  writer.send("hello", large, text);
  writer.socket.close(1000);
  assert.deepEqual(await reader.next(), [6, 1, 1, Buffer.from("hello")]);
  assert.ok((await readBytes(reader, 1, large.length)).equals(large));
  assert.deepEqual(await reader.next(), [6, 1, 1, Buffer.from(text)]);
  assert.deepEqual(await reader.next(), [8, 1, null, null]);
  assert.equal(engine.stats().channelsOpen, 0);
});

test("a msgpack writer and a JSON reader's socket, over a channel made by engine::channels::create", async (t) => {
  const { msgpack, port, engine } = await testEngine(t);
  // the documented shape of the answer
  const refs = (await engine.call("engine::channels::create", {})) as {
    reader: ChannelRef;
    writer: ChannelRef;
  };
  const writer = await msgpack();
  open(writer, 1, { id: refs.writer.channel_id, key: refs.writer.access_key }, WRITE, 0, EXISTING);
  writer.sendBytes(
    Buffer.concat([canonicalChunk(1, 1, Buffer.from("größer")), canonicalChunk(1, 0, Buffer.from("abc"))]),
  );
  writer.send([8, 1]);
  await writer.settle();
  const reader = await ChannelPeer.open(`ws://127.0.0.1:${port}`, refs.reader);
  assert.deepEqual(await reader.end, { code: 1000, reason: "stream_complete" });
  assert.deepEqual(reader.messages, ["größer", Buffer.from("abc")]);
});

test("open is answered with the code of what stands in its way", async (t) => {
  const { msgpack, counter } = await testEngine(t);
  const peer = await msgpack();
  const drawn = draw();
  open(peer, 1, drawn, READ, 0, NEW);
  open(peer, 2, drawn, READ, 0, EXISTING);
  open(peer, 3, drawn, READ, 0, NEW);
  open(peer, 4, draw(), READ, 0, EXISTING);
  open(peer, 5, { ...drawn, key: randomUUID() }, WRITE, 0, EXISTING);
  open(peer, 6, { id: "guess", key: randomUUID() }, WRITE, 0, NEW);
  const answers = await peer.drain();
  const codes = answers.map(([kind, stream, code]) => [kind, stream, code]);
  assert.deepEqual(codes, [
    [8, 2, "channel_end_taken"],
    [8, 3, "channel_end_taken"],
    [8, 4, "channel_not_found"],
    [8, 5, "channel_not_found"],
    [8, 6, "invalid_record"],
  ]);
  assert.equal(counter("streams_refused"), 5);
  open(peer, 1, draw(), READ, 0, NEW);
  assert.deepEqual((await peer.next()).slice(0, 3), [25, null, "invalid_record"]);
});

test("a connection has at most so many streams; ending one makes room", async (t) => {
  const { msgpack } = await testEngine(t);
  const peer = await msgpack();
  for (let stream = 1; stream <= STREAMS_OPEN_MAX; stream++) open(peer, stream, draw(), READ, 0, NEW);
  await peer.settle();
  open(peer, 5_000, draw(), READ, 0, NEW);
  assert.deepEqual((await peer.next()).slice(0, 3), [8, 5_000, "limit_reached"]);
  peer.send([8, 1]);
  open(peer, 5_001, draw(), READ, 0, NEW);
  await peer.settle();
});

test("nothing is sent beyond a reader's credit, and a writer is granted only what was handed on", async (t) => {
  const { msgpack, engine } = await testEngine(t);
  const [writer, reader] = [await msgpack(), await msgpack()];
  const drawn = draw();
  open(writer, 1, drawn, WRITE, 0, NEW);
  const chunk = Buffer.alloc(10_000, 1);
  const cost = chunk.length + CHUNK_OVERHEAD;
  const sent = Math.ceil(STREAM_CREDIT_BYTES / cost);
  for (let count = 0; count < sent; count++) writer.sendBytes(canonicalChunk(1, 0, chunk));
  assert.deepEqual(await writer.drain(), [], "nothing is granted while nobody reads");
  open(reader, 1, drawn, READ, 3 * cost, EXISTING);
  assert.equal((await reader.drain()).length, 3);
  reader.send([7, 1, cost]);
  assert.equal((await reader.drain()).length, 1);
  assert.deepEqual(await writer.drain(), []);
  reader.send([7, 1, PLENTY]);
  assert.equal((await reader.drain()).length, sent - 4);
  const granted = await writer.drain();
  assert.ok(granted.every(([kind, stream]) => kind === 7 && stream === 1));
  const grantedBytes = granted.reduce((sum, [, , bytes]) => sum + Number(bytes), 0);
  assert.ok(grantedBytes > STREAM_CREDIT_BYTES / 2 && grantedBytes <= sent * cost, `${grantedBytes} granted`);
  assert.equal(engine.channels.queuedBytes, 0);
});

test("chunks without credit, or too large, end the stream at both ends, and nothing else", async (t) => {
  const { msgpack, engine } = await testEngine(t);
  const [writer, reader] = [await msgpack(), await msgpack()];
  for (const [stream, chunks] of [
    [1, Array.from({ length: 6 }, () => Buffer.alloc(CHUNK_BYTES_MAX))],
    [2, [Buffer.alloc(CHUNK_BYTES_MAX + 1)]],
    [3, Array.from({ length: STREAM_CREDIT_BYTES / CHUNK_OVERHEAD + 2 }, () => Buffer.alloc(0))],
  ] as const) {
    const drawn = draw();
    open(writer, stream, drawn, WRITE, 0, NEW);
    await writer.settle();
    open(reader, stream, drawn, READ, 0, EXISTING);
    await reader.settle();
    writer.sendBytes(Buffer.concat(chunks.map((chunk) => canonicalChunk(stream, 0, chunk))));
    const [end] = await writer.drain();
    assert.deepEqual(end?.slice(0, 3), [8, stream, "stream_overrun"]);
    reader.send([7, stream, PLENTY]);
    const got = await reader.drain();
    assert.deepEqual(got.at(-1)?.slice(0, 3), [8, stream, "stream_overrun"]);
  }
  assert.deepEqual([engine.stats().channelsOpen, engine.channels.queuedBytes], [0, 0]);
});

test("ends: an error, a reader that wants no more, a connection that is gone", async (t) => {
  const { msgpack, engine, counter } = await testEngine(t);
  const [left, right] = [await msgpack(), await msgpack()];
  const pair = async (stream: number): Promise<void> => {
    const drawn = draw();
    open(left, stream, drawn, WRITE, 0, NEW);
    await left.settle();
    open(right, stream, drawn, READ, PLENTY, EXISTING);
    await right.settle();
  };
  await pair(1);
  left.send([6, 1, 0, Buffer.from("last")], [8, 1, "my_error", "it broke"]);
  assert.deepEqual(await right.next(), [6, 1, 0, Buffer.from("last")]);
  assert.deepEqual(await right.next(), [8, 1, "my_error", "it broke"]);
  await pair(2);
  right.send([8, 2]);
  assert.deepEqual((await left.next()).slice(0, 3), [8, 2, "stream_cancelled"]);
  left.sendBytes(canonicalChunk(2, 0, Buffer.from("crossed the end")));
  await left.settle();
  assert.equal(counter("stream_records_unmatched"), 1);
  await pair(3);
  right.send([8, 3, "had_enough", "thanks"]);
  assert.deepEqual(await left.next(), [8, 3, "had_enough", "thanks"]);
  await pair(4);
  right.socket.terminate();
  assert.deepEqual((await left.next()).slice(0, 3), [8, 4, "stream_broken"]);
  const third = await msgpack();
  const drawn = draw();
  open(left, 5, drawn, READ, PLENTY, NEW);
  await left.settle();
  open(third, 5, drawn, WRITE, 0, EXISTING);
  third.sendBytes(canonicalChunk(5, 0, Buffer.from("before the cut")));
  await third.settle();
  third.socket.terminate();
  assert.deepEqual(await left.next(), [6, 5, 0, Buffer.from("before the cut")]);
  assert.deepEqual((await left.next()).slice(0, 3), [8, 5, "stream_broken"]);
  assert.equal(engine.stats().channelsOpen, 0);
});

test("of a stream that fails before its reader comes the error is kept, and of the latest only", async (t) => {
  const { msgpack, engine } = await testEngine(t);
  const writer = await msgpack();
  let drawn = draw();
  for (let stream = 1; stream <= CHANNELS_FAILED_MAX + 100; stream++) {
    drawn = draw();
    open(writer, stream, drawn, WRITE, 0, NEW);
    writer.sendBytes(canonicalChunk(stream, 0, Buffer.from("for nobody")));
    writer.send([8, stream, "call_failed", "function_not_found"]);
  }
  assert.deepEqual(await writer.drain(), []);
  assert.deepEqual([engine.stats().channelsOpen, engine.channels.queuedBytes], [CHANNELS_FAILED_MAX, 0]);
  const reader = await msgpack();
  open(reader, 1, drawn, READ, PLENTY, EXISTING);
  assert.deepEqual(await reader.next(), [8, 1, "call_failed", "function_not_found"]);
  assert.equal(engine.stats().channelsOpen, CHANNELS_FAILED_MAX - 1);
});

test("an end that nobody takes expires", async (t) => {
  const clock = new FakeClock();
  const { msgpack, engine } = await testEngine(t, { clock });
  const peer = await msgpack();
  open(peer, 1, draw(), READ, 0, NEW);
  open(peer, 2, draw(), WRITE, 0, NEW);
  await peer.settle();
  clock.advance(CHANNEL_LIMITS.channelTtlMs + CHANNEL_LIMITS.channelSweepMs);
  const ends = await peer.drain();
  assert.deepEqual(
    ends.map(([kind, stream, code]) => [kind, stream, code]),
    [
      [8, 1, "channel_expired"],
      [8, 2, "channel_expired"],
    ],
  );
  assert.equal(engine.stats().channelsOpen, 0);
});

test("stream records of every length cut short are malformed, and none is a crash", async (t) => {
  const { msgpack } = await testEngine(t);
  const whole = canonicalChunk(1, 0, Buffer.from("abc"));
  for (let length = 1; length < whole.length; length++) {
    const peer = await msgpack();
    peer.sendBytes(whole.subarray(0, length));
    assert.equal((await peer.closed).code, 4400, `${length} bytes`);
  }
  const peer = await msgpack();
  peer.send([6, "x"], [7, 1, "y"], [8, {}], [9, 1, 2, 3]);
  assert.deepEqual(
    (await peer.drain()).map(([kind, , code]) => [kind, code]),
    Array(4).fill([25, "invalid_record"]),
  );
});

test("small calls go ahead of a large stream: between a call and its answer at most a bounded part of it comes", async (t) => {
  const { msgpack, msgpackOffering, engine } = await testEngine(t);
  const [executor, handles] = await msgpackOffering(["echo"]);
  const fn = handles[0] ?? 0;
  const caller = await msgpack();
  const drawn = draw();
  open(caller, 1, drawn, WRITE, 0, NEW);
  await caller.settle();
  open(executor, 9, drawn, READ, STREAM_CREDIT_BYTES, EXISTING);
  await executor.settle();

  const total = 256 << 20;
  const chunk = canonicalChunk(1, 0, Buffer.alloc(CHUNK_BYTES_MAX, 1));
  const cost = CHUNK_BYTES_MAX + CHUNK_OVERHEAD;
  let [sent, credit, received] = [0, STREAM_CREDIT_BYTES, 0];
  let [calls, answered, receivedAtCall, mostBetween] = [0, 0, 0, 0];
  const pump = (): void => {
    for (; credit > 0 && sent < total; sent += CHUNK_BYTES_MAX) {
      credit -= cost;
      caller.sendBytes(chunk);
    }
  };
  const call = (): void => {
    receivedAtCall = received;
    caller.sendBytes(canonicalCall(++calls, fn, Buffer.of(1)));
  };
  const serve = async (): Promise<void> => {
    while (received < total) {
      const [kind, number, , bytes] = await executor.next("a chunk or a call", 20_000);
      if (kind === 1) executor.send([2, number, Buffer.of(2)]);
      else if (kind === 6) {
        received += (bytes as Uint8Array).length; // a chunk's bytes
        executor.send([7, 9, (bytes as Uint8Array).length + CHUNK_OVERHEAD]);
      }
    }
  };
  const served = serve();
  pump();
  call();
  while (received < total) {
    const [kind, , bytes] = await caller.next("credit or an answer", 20_000);
    if (kind === 7) {
      credit += Number(bytes);
      pump();
    } else if (kind === 2) {
      answered++;
      mostBetween = Math.max(mostBetween, received - receivedAtCall);
      if (received < total) call();
    }
  }
  await served;
  assert.ok(calls - answered <= 1, "only the last call may be open when the stream is over");
  t.diagnostic(
    `${calls} calls beside 256 MiB; at most ${mostBetween} bytes of it between a call and its answer`,
  );
  assert.ok(calls > 200, `${calls} calls`);
  // A call finds at most the writer's and the reader's credit before it, and as much again may pass while its answer comes back.
  assert.ok(
    mostBetween <= 4 * STREAM_CREDIT_BYTES + cost,
    `${mostBetween} bytes between a call and its answer`,
  );
  assert.equal(engine.channels.queuedBytes, 0);
});

test("a reader that takes nothing off its socket holds up its streams only, in bounded memory; calls to it go ahead of waiting chunks", async (t) => {
  const { msgpack, engine, counter } = await testEngine(t);
  const [stuck, writer, other] = [await msgpack(), await msgpack(), await msgpack()];
  const streams = 24;
  const drawn = Array.from({ length: streams }, draw);
  for (const [at, each] of drawn.entries()) open(writer, at + 1, each, WRITE, 0, NEW);
  await writer.settle();
  for (const [at, each] of drawn.entries()) open(stuck, at + 1, each, READ, PLENTY, EXISTING);
  await stuck.settle();
  stuck.socket.pause();
  const credits = new Map(drawn.map((_, at) => [at + 1, STREAM_CREDIT_BYTES]));
  const chunk = Buffer.alloc(CHUNK_BYTES_MAX, 7);
  for (let round = 0; round < 40; round++) {
    for (const [stream, credit] of credits)
      if (credit > 0) {
        writer.sendBytes(canonicalChunk(stream, 0, chunk));
        credits.set(stream, credit - chunk.length - CHUNK_OVERHEAD);
      }
    for (const [kind, stream, bytes] of await writer.drain())
      if (kind === 7) credits.set(Number(stream), (credits.get(Number(stream)) ?? 0) + Number(bytes));
  }
  const left = [...credits.values()].filter((credit) => credit > 0).length;
  assert.equal(left, 0, "every writer has used up its credit");
  const load = engine.server.connections[connectionOf(stuck)]?.outbox.load ?? 0;
  assert.ok(load <= STREAM_SOCKET_BYTES_MAX + CHUNK_BYTES_MAX + 4_096, `${load} bytes wait for the socket`);
  assert.ok(engine.channels.queuedBytes <= streams * (STREAM_CREDIT_BYTES + CHUNK_BYTES_MAX));
  assert.ok(engine.channels.queuedBytes > 0, "chunks wait in their channels");

  const undisturbed = draw();
  open(writer, 100, undisturbed, WRITE, 0, NEW);
  await writer.settle();
  open(other, 1, undisturbed, READ, PLENTY, EXISTING);
  await other.settle();
  writer.sendBytes(canonicalChunk(100, 0, Buffer.from("others are served")));
  assert.deepEqual(await other.next(), [6, 1, 0, Buffer.from("others are served")]);

  const framesBefore = counter("frames_received");
  stuck.send([22, 424_242, []]); // asks for a small record while chunks wait
  await eventually("the engine has answered", () => counter("frames_received") > framesBefore);
  const queuedBytes = engine.channels.queuedBytes;
  stuck.socket.resume();
  let before = 0;
  for (let record = await stuck.next(); record[0] !== 23; record = await stuck.next())
    before += (record[3] as Uint8Array).length; // chunks are all that comes before
  let behind = 0;
  await eventually("the rest comes", async () => {
    const isAllSent = engine.channels.queuedBytes === 0; // so the answer below comes behind all of it
    for (const [kind, , , bytes] of await stuck.drain())
      if (kind === 6) behind += (bytes as Uint8Array).length;
    return isAllSent;
  });
  assert.ok(behind >= queuedBytes - streams * 8 * 5, `${before} bytes before it, ${behind} behind`);
});

/** The index of the only connection that fits: the number of a welcome holds it. */
function connectionOf(peer: MsgpackPeer): number {
  return peer.welcome.number & 0xfffff;
}
