// Channels over real sockets: who gets an end, what crosses, how it ends, and what a channel may cost.

import assert from "node:assert/strict";
import { createConnection, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { CHANNEL_LIMITS } from "../../src/protocol/limits.js";
import { ChannelPeer, type ChannelRefs, channelUrl, upgradeStatus } from "../support/channel-peer.js";
import { eventually } from "../support/eventually.js";
import { FakeClock } from "../support/fake-clock.js";
import { type RunningEngine, runEngine } from "../support/running-engine.js";

const MIB = 1 << 20;
/** What one turn may bring on top of any bound: uWebSockets reads ten times into a buffer of 512 KiB. */
const READ_BYTES_MAX = 5 * MIB;

async function create({ engine }: RunningEngine, data: unknown = {}): Promise<ChannelRefs> {
  return (await engine.call("engine::channels::create", data)) as ChannelRefs; // its documented shape, tested below
}

/** Both ends of a new channel, writer first. */
async function both(t: TestContext, on: RunningEngine): Promise<[ChannelPeer, ChannelPeer]> {
  const refs = await create(on);
  const writer = await ChannelPeer.open(on.url, refs.writer);
  const reader = await ChannelPeer.open(on.url, refs.reader);
  t.after(() => {
    writer.socket.terminate();
    reader.socket.terminate();
  });
  return [writer, reader];
}

/** A socket of a channel that answers nothing by itself, not even pings. */
async function rawSocket(t: TestContext, port: number, path: string): Promise<Socket> {
  const socket = createConnection(port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.on("error", () => {}); // its end is what tests look at
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  const head: Buffer = await new Promise((resolve) => socket.once("data", resolve));
  assert.match(head.toString("latin1"), /^HTTP\/1.1 101 /);
  return socket;
}

function pathOf(ref: ChannelRefs["reader"]): string {
  return channelUrl("", ref);
}

test("engine::channels::create gives two refs with one id and one key", async (t) => {
  const on = await runEngine(t);
  for (const data of [{}, { buffer_size: null }, { buffer_size: 0 }, { buffer_size: 2 ** 40 }]) {
    const { reader, writer } = await create(on, data);
    assert.match(reader.channel_id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.notEqual(reader.channel_id, reader.access_key);
    assert.deepEqual(reader, { ...writer, direction: "read" });
    assert.deepEqual(writer, { ...reader, direction: "write" });
  }
  for (const data of [{ buffer_size: -1 }, { buffer_size: 1.5 }, { buffer_size: "8" }, [], "x"])
    await assert.rejects(create(on, data), { code: "deserialization_error" });
  assert.equal(on.engine.stats().channelsOpen, 4);
});

test("at most as many channels as the bound allows", async (t) => {
  const on = await runEngine(t, { channelLimits: { channelsMax: 2 } });
  await create(on);
  await create(on);
  await assert.rejects(create(on), { code: "limit_reached" });
});

test("text and binary cross in order with their borders, whoever comes first", async (t) => {
  const on = await runEngine(t);
  const large = Buffer.alloc(65_536, 7);
  const sent = ["text-msg", Buffer.from("abc"), "", Buffer.alloc(0), large, Buffer.alloc(4_464, 8), "größer"];
  for (const first of ["writer", "reader"] as const) {
    const refs = await create(on);
    const reader = first === "reader" ? await ChannelPeer.open(on.url, refs.reader) : undefined;
    const writer = await ChannelPeer.open(on.url, refs.writer);
    writer.send(...sent);
    if (first === "writer") writer.socket.close(1000, "stream_complete");
    const late = reader ?? (await ChannelPeer.open(on.url, refs.reader));
    await eventually("everything arrived", () => late.messages.length === sent.length);
    assert.deepEqual(late.messages, sent);
    if (first === "reader") writer.socket.close();
    assert.deepEqual(await late.end, { code: 1000, reason: "stream_complete" });
    await writer.end;
  }
  await eventually("both channels are over", () => on.engine.stats().channelsOpen === 0);
});

test("a writer that vanishes: the reader gets what was sent and a close without a code", async (t) => {
  const on = await runEngine(t);
  const [writer, reader] = await both(t, on);
  writer.send("one", "two");
  await eventually("it arrived", () => reader.messages.length === 2);
  writer.socket.terminate();
  assert.deepEqual(await reader.end, { code: 1005, reason: "" });
});

test("a reader that goes: the writer is closed, and the channel is over", async (t) => {
  const on = await runEngine(t);
  for (const go of ["close", "terminate"] as const) {
    const [writer, reader] = await both(t, on);
    reader.socket[go]();
    assert.deepEqual(await writer.end, { code: 1005, reason: "" });
    await eventually("the channel is over", () => on.engine.stats().channelsOpen === 0);
  }
});

test("each end is taken once: the second one is closed at once, without a code", async (t) => {
  const on = await runEngine(t);
  const refs = await create(on);
  const first = {
    read: await ChannelPeer.open(on.url, refs.reader),
    write: await ChannelPeer.open(on.url, refs.writer),
  };
  for (const ref of [refs.reader, refs.writer]) {
    const second = await ChannelPeer.open(on.url, ref);
    assert.deepEqual(await second.end, { code: 1005, reason: "" });
  }
  first.write.send("still");
  await eventually("the first ends are undisturbed", () => first.read.messages[0] === "still");
});

test("wrong ids and keys get 404, wrong queries 400, and no upgrade", async (t) => {
  const on = await runEngine(t);
  const { reader } = await create(on);
  const { channel_id: id, access_key: key } = reader;
  const nearly = key.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
  const wrong: [path: string, status: number][] = [
    [`/ws/channels/${id}?key=${nearly}&dir=read`, 404],
    [`/ws/channels/${id}?key=${key.toUpperCase()}x&dir=read`, 404],
    [`/ws/channels/${id}?key=&dir=read`, 404],
    [`/ws/channels/${key}?key=${id}&dir=read`, 404],
    [`/ws/channels/nonsense?key=${key}&dir=read`, 404],
    [`/ws/channels/${id}?dir=read`, 400],
    [`/ws/channels/${id}?key=${key}`, 400],
    [`/ws/channels/${id}?key=${key}&dir=Read`, 400],
    [`/ws/channels/${id}`, 400],
    [`/ws/channels/${id}?key=${key}&dir=read`, 101],
  ];
  for (const [path, status] of wrong) {
    const answer = await upgradeStatus(on.port, path);
    assert.equal(answer.status, status, path);
    assert.equal(answer.body === "", status === 101, "a refusal says why");
  }
  assert.equal(on.engine.stats().counters["channel_sockets_refused"], 9);
});

test("a key that is guessed finds nothing, however often", async (t) => {
  const on = await runEngine(t);
  const { reader } = await create(on);
  const guesses = Array.from({ length: 500 }, (_, n) => `${n}`.padStart(12, "0"));
  const answers = await Promise.all(
    guesses.map((end) =>
      upgradeStatus(
        on.port,
        `/ws/channels/${reader.channel_id}?key=${reader.access_key.slice(0, -12)}${end}&dir=read`,
      ),
    ),
  );
  assert.ok(answers.every(({ status }) => status === 404));
  assert.equal(
    (await upgradeStatus(on.port, pathOf(reader))).status,
    101,
    "the end was not taken by guessing",
  );
});

test("a reader that never reads stops its writer; others are undisturbed, and it goes on when it reads", async (t) => {
  const on = await runEngine(t);
  const refs = await create(on);
  const stuck = await rawSocket(t, on.port, pathOf(refs.reader));
  stuck.pause();
  const writer = await ChannelPeer.open(on.url, refs.writer);
  const total = 64 * MIB;
  for (let sent = 0; sent < total; sent += 65_536) writer.send(Buffer.alloc(65_536));
  await eventually("the writer is stopped", () => on.engine.stats().counters["channels_paused"] === 1);
  const [others, othersReader] = await both(t, on);
  for (let count = 0; count < 200; count++) {
    others.send(`${count}`);
    await eventually("another channel goes on", () => othersReader.messages.length === count + 1);
  }
  const { queuedBytes } = on.engine.channels;
  assert.ok(queuedBytes <= CHANNEL_LIMITS.channelQueueBytesMax + READ_BYTES_MAX, `${queuedBytes} bytes wait`);
  assert.ok(writer.socket.bufferedAmount > 0, "the rest waits with the writer");
  let received = 0;
  stuck.on("data", (part: Buffer) => {
    received += part.length;
  });
  stuck.resume();
  await eventually("everything arrives once it reads", () => received >= total);
  assert.equal(on.engine.channels.queuedBytes, 0);
});

test("without a reader a writer is stopped, too", async (t) => {
  const on = await runEngine(t);
  const refs = await create(on, { buffer_size: 8 });
  const writer = await ChannelPeer.open(on.url, refs.writer);
  t.after(() => writer.socket.terminate());
  for (let sent = 0; sent < 1_000; sent++) writer.send(Buffer.alloc(65_536, sent));
  await eventually("the writer is stopped", () => on.engine.stats().counters["channels_paused"] === 1);
  assert.ok(on.engine.channels.queuedBytes <= 8 * 65_600 + READ_BYTES_MAX);
  const reader = await ChannelPeer.open(on.url, refs.reader);
  writer.socket.close();
  await reader.end;
  assert.equal(reader.messages.length, 1_000);
  for (const [index, message] of reader.messages.entries())
    assert.ok(Buffer.isBuffer(message) && message.length === 65_536 && message[65_535] === (index & 255));
});

test("a stopped writer whose reader goes is closed", async (t) => {
  const on = await runEngine(t);
  const refs = await create(on);
  const reader = await rawSocket(t, on.port, pathOf(refs.reader));
  reader.pause();
  const writer = await ChannelPeer.open(on.url, refs.writer);
  for (let sent = 0; sent < 1_000; sent++) writer.send(Buffer.alloc(65_536));
  await eventually("the writer is stopped", () => on.engine.stats().counters["channels_paused"] === 1);
  reader.destroy();
  await writer.end;
  assert.deepEqual([on.engine.stats().channelsOpen, on.engine.channels.queuedBytes], [0, 0]);
});

test("the sweep takes channels with an end that nobody took, and no others", async (t) => {
  const clock = new FakeClock();
  const on = await runEngine(t, { clock });
  const [writer, reader] = await both(t, on);
  const halves = await create(on);
  const lone = await ChannelPeer.open(on.url, halves.writer);
  const untouched = await create(on);
  lone.send("kept until somebody reads");
  clock.advance(CHANNEL_LIMITS.channelTtlMs);
  assert.equal(on.engine.stats().channelsOpen, 3, "not before its time");
  clock.advance(CHANNEL_LIMITS.channelSweepMs);
  await eventually("two are swept", () => on.engine.stats().channelsOpen === 1);
  assert.equal(on.engine.stats().counters["channels_swept"], 2);
  assert.deepEqual(await lone.end, { code: 1005, reason: "" });
  for (const { reader: ref } of [halves, untouched])
    assert.equal((await upgradeStatus(on.port, pathOf(ref))).status, 404);
  writer.send("still here");
  await eventually("a channel in use lives on", () => reader.messages[0] === "still here");
  assert.equal(on.engine.channels.queuedBytes, 0);
});

test("two hundred thousand small messages cross", async (t) => {
  const on = await runEngine(t);
  const refs = await create(on);
  const reader = await ChannelPeer.open(on.url, refs.reader, false);
  const writer = await ChannelPeer.open(on.url, refs.writer);
  const message = Buffer.from("ten bytes.");
  for (let sent = 0; sent < 200_000; sent++) writer.send(message);
  writer.socket.close();
  await reader.end;
  assert.equal(reader.bytes, 2_000_000);
});
