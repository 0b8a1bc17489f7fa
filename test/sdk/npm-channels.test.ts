// Channels as users of the official npm SDK know them: createChannel, refs in payloads, streams at both ends.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import type { ChannelReader, ChannelWriter } from "iii-sdk/channel";
import { createChannel } from "iii-sdk/helpers";
import { eventually } from "../support/eventually.js";
import { runEngine } from "../support/running-engine.js";
import { iiiFor, offered } from "./iii.js";

/** Deterministic bytes in parts of odd sizes, `total` in all. */
function* parts(total: number): Generator<Buffer> {
  for (let sent = 0, step = 1; sent < total; step++) {
    const part = Buffer.alloc(Math.min((step * 7_919) % 200_000, total - sent), step & 255);
    sent += part.length;
    yield part;
  }
}

function hashOf(bytes: Iterable<Uint8Array>): string {
  const hash = createHash("sha256");
  for (const part of bytes) hash.update(part);
  return hash.digest("hex");
}

test("a reader in a payload: the handler reads what the caller writes", async (t) => {
  const { engine, url } = await runEngine(t);
  const executor = iiiFor(t, url, { workerName: "executor" });
  const caller = iiiFor(t, url, { workerName: "caller" });
  executor.registerFunction("sum", async ({ body }: { body: ChannelReader }) => {
    const all = await body.readAll();
    return { bytes: all.length, hash: hashOf([all]) };
  });
  await offered(engine, "sum");
  const channel = await createChannel(caller);
  const total = 3_000_000;
  const answer = caller.trigger({ function_id: "sum", payload: { body: channel.readerRef } });
  await pipeline(Readable.from(parts(total)), channel.writer.stream);
  assert.deepEqual(await answer, { bytes: total, hash: hashOf(parts(total)) });
  await eventually("the channel is over", () => engine.stats().channelsOpen === 0);
});

test("a writer in a payload: messages and bytes come back, in order", async (t) => {
  const { engine, url } = await runEngine(t);
  const executor = iiiFor(t, url, { workerName: "executor" });
  const caller = iiiFor(t, url, { workerName: "caller" });
  executor.registerFunction("stream", async ({ response }: { response: ChannelWriter }) => {
    response.sendMessage('{"type":"set_status","status_code":202}');
    response.stream.write("got ");
    response.stream.end("it");
    return null;
  });
  await offered(engine, "stream");
  const channel = await createChannel(caller, 4);
  const messages: string[] = [];
  channel.reader.onMessage((message) => messages.push(message));
  const all = channel.reader.readAll();
  await caller.trigger({ function_id: "stream", payload: { response: channel.writerRef } });
  assert.equal((await all).toString(), "got it");
  assert.deepEqual(messages, ['{"type":"set_status","status_code":202}']);
});

test("a slow reader of the SDK gets everything", async (t) => {
  const { engine, url } = await runEngine(t);
  const iii = iiiFor(t, url);
  const channel = await createChannel(iii, 2);
  const total = 24_000_000;
  const written = pipeline(Readable.from(parts(total)), channel.writer.stream);
  const hash = createHash("sha256");
  for await (const part of channel.reader.stream) {
    hash.update(part);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await written;
  assert.equal(hash.digest("hex"), hashOf(parts(total)));
  assert.equal(engine.channels.queuedBytes, 0);
});
