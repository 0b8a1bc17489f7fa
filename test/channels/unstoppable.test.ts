// Channels where a WebSocket's reading cannot be stopped: builds of uWebSockets.js other than the one that this was tried with, of which any named by TERCET_UWS is
// one. What a slow reader leaves waits in the engine, up to a bound; beyond it the channel is cut.
import assert from "node:assert/strict";
import { createConnection, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { loadUws } from "../../src/transport/uws.js";
import { ChannelPeer, type ChannelRefs, channelUrl } from "../support/channel-peer.js";
import { eventually } from "../support/eventually.js";
import { type RunningEngine, runEngine } from "../support/running-engine.js";

const MIB = 1 << 20;
/** What one turn may bring on top of any bound: uWebSockets reads ten times into a buffer of 512 KiB. */
const READ_BYTES_MAX = 5 * MIB;
const BOUND = { channelOverrunBytesMax: 16 * MIB };

process.env["TERCET_UWS"] = loadUws().from; // the same build, named: nothing is known of what it can do

async function create({ engine }: RunningEngine): Promise<ChannelRefs> {
  return (await engine.call("engine::channels::create", {})) as ChannelRefs; // its documented shape
}

/** A reader's socket that reads nothing until it is told to. */
async function stuckReader(t: TestContext, on: RunningEngine, refs: ChannelRefs): Promise<Socket> {
  const socket = createConnection(on.port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.on("error", () => {}); // its end is what tests look at
  socket.write(
    `GET ${channelUrl("", refs.reader)} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  await new Promise((resolve) => socket.once("data", resolve));
  socket.pause();
  return socket;
}

function write(writer: ChannelPeer, bytes: number): void {
  for (let sent = 0; sent < bytes; sent += 65_536) writer.send(Buffer.alloc(65_536));
}

test("what a reader leaves waits in the engine below the bound, and all of it comes when it reads", async (t) => {
  const on = await runEngine(t, { channelLimits: BOUND });
  const refs = await create(on);
  const stuck = await stuckReader(t, on, refs);
  const writer = await ChannelPeer.open(on.url, refs.writer);
  t.after(() => writer.socket.terminate());
  const total = 12 * MIB;
  write(writer, total);
  await eventually("the writer has sent all of it", () => writer.socket.bufferedAmount === 0);
  assert.equal(on.engine.stats().counters["channels_paused"], 0, "nobody was stopped");
  let received = 0;
  stuck.on("data", (part: Buffer) => {
    received += part.length;
  });
  stuck.resume();
  await eventually("everything arrives once it reads", () => received >= total);
  assert.equal(on.engine.stats().counters["channels_overrun"], 0);
});

test("beyond the bound the channel is cut, both ends with it; others go on, and nothing of it stays", async (t) => {
  const on = await runEngine(t, { channelLimits: BOUND });
  const refs = await create(on);
  const stuck = await stuckReader(t, on, refs);
  const ended = new Promise((resolve) => stuck.once("close", resolve));
  const [otherWriter, otherReader] = await Promise.all(
    (({ writer, reader }) => [ChannelPeer.open(on.url, writer), ChannelPeer.open(on.url, reader)])(
      await create(on),
    ),
  );
  const writer = await ChannelPeer.open(on.url, refs.writer);
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, on.engine.channels.queuedBytes);
  }, 1);
  t.after(() => clearInterval(watch));
  write(writer, 64 * MIB);
  assert.equal(
    (await writer.end).code,
    1006,
    "cut, not closed: a polite close would wait for what is queued",
  );
  assert.equal(on.engine.stats().counters["channels_overrun"], 1);
  assert.equal(on.engine.channels.queuedBytes, 0);
  assert.ok(most <= BOUND.channelOverrunBytesMax + READ_BYTES_MAX, `${most} bytes waited`);
  otherWriter?.send("still here");
  await eventually("another channel goes on", () => otherReader?.messages[0] === "still here");
  for (const peer of [otherWriter, otherReader]) peer?.socket.terminate();
  stuck.resume();
  await ended;
  await eventually("all channels are over", () => on.engine.stats().channelsOpen === 0);
});
