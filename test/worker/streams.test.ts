// Streams of the worker SDK against the real engine, between its own workers and with workers of the official npm SDK.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type TestContext, test } from "node:test";
import type { ChannelReader, ChannelWriter } from "iii-sdk/channel";
import { createChannel } from "iii-sdk/helpers";
import { STREAM_CREDIT_BYTES } from "../../src/protocol/limits.js";
import type { CallError, ChannelRef, StreamPart } from "../../src/worker/index.js";
import { iiiFor, offered } from "../sdk/iii.js";
import { eventually } from "../support/eventually.js";
import { type RunningEngine, runEngine } from "../support/running-engine.js";
import { workerFor } from "./support.js";

interface Body {
  readonly body: ChannelRef;
}

/** Deterministic bytes in parts of odd sizes, `total` in all. */
function* parts(total: number): Generator<Uint8Array> {
  for (let sent = 0, step = 1; sent < total; step++) {
    const part = Buffer.alloc(Math.min((step * 7_919) % 200_000, total - sent), step & 255);
    sent += part.length;
    yield part;
  }
}

function streamOf(all: Iterable<StreamPart>): ReadableStream<StreamPart> {
  const iterator = all[Symbol.iterator]();
  return new ReadableStream<StreamPart>({
    pull(controller) {
      const next = iterator.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
  });
}

async function digest(stream: ReadableStream<StreamPart>): Promise<{ bytes: number; hash: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const part of stream) {
    hash.update(part);
    bytes += part.length;
  }
  return { bytes, hash: hash.digest("hex") };
}

function digestOf(all: Iterable<Uint8Array>): { bytes: number; hash: string } {
  const hash = createHash("sha256");
  let bytes = 0;
  for (const part of all) {
    hash.update(part);
    bytes += part.length;
  }
  return { bytes, hash: hash.digest("hex") };
}

/** A stream for what somebody else writes, and what came. */
function collector(): { stream: WritableStream<StreamPart>; parts: StreamPart[]; closed: Promise<void> } {
  const parts: StreamPart[] = [];
  let done = (): void => {};
  let failed = (_reason: unknown): void => {};
  const closed = new Promise<void>((resolve, reject) => {
    done = resolve;
    failed = reject;
  });
  const stream = new WritableStream<StreamPart>({
    write: (part) => void parts.push(part),
    close: () => done(),
    abort: (reason) => failed(reason),
  });
  return { stream, parts, closed };
}

async function nothingLeft({ engine }: RunningEngine): Promise<void> {
  await eventually("every channel is over", () => engine.stats().channelsOpen === 0);
  assert.equal(engine.channels.queuedBytes, 0);
}

async function pair(t: TestContext, on: RunningEngine) {
  return [await workerFor(t, on, { name: "executor" }), await workerFor(t, on, { name: "caller" })] as const;
}

test("streams with a call, both ways: bytes whole, texts as messages", async (t) => {
  const on = await runEngine(t);
  const [executor, caller] = await pair(t, on);
  await executor
    .register("echo", async ({ body, out }: Body & { out: ChannelRef }, { readable, writable }) => {
      await readable(body).pipeTo(writable(out));
      return "done";
    })
    .ready();
  const { stream, parts: came, closed } = collector();
  const texts = ["first", "größer 🙂", ""];
  const sent = function* (): Generator<StreamPart> {
    yield* texts;
    yield* parts(2_000_000);
  };
  assert.equal(
    await caller.call("echo", { name: "x" }, { streams: { body: streamOf(sent()), out: stream } }),
    "done",
  );
  await closed;
  assert.deepEqual(
    came.filter((part) => typeof part === "string"),
    texts,
  );
  assert.deepEqual(digestOf(came.filter((part) => typeof part !== "string")), digestOf(parts(2_000_000)));
  await nothingLeft(on);
});

test("an answer carries a stream that goes on after it", async (t) => {
  const on = await runEngine(t);
  const [executor, caller] = await pair(t, on);
  await executor
    .register("download", (_, { offer }) => ({ body: offer(streamOf(parts(5_000_000))) }))
    .ready();
  const { body } = await caller.call<Body>("download");
  assert.deepEqual(await digest(caller.readable(body)), digestOf(parts(5_000_000)));
  await nothingLeft(on);
});

test("300 MB beside small calls: every call is answered within a bounded part of the stream", async (t) => {
  const on = await runEngine(t);
  const [executor, caller] = await pair(t, on);
  const total = 300_000_000;
  let read = 0;
  await executor
    .register("upload", async ({ body }: Body, { readable }) => {
      for await (const part of readable(body)) read += part.length;
      return read;
    })
    .ready();
  await executor.register("small", () => read).ready();
  const part = new Uint8Array(1 << 20);
  const all = function* (): Generator<Uint8Array> {
    for (let sent = 0; sent < total; sent += part.length)
      yield part.subarray(0, Math.min(part.length, total - sent));
  };
  const startedMs = performance.now();
  const upload = caller.call<number>("upload", {}, { streams: { body: streamOf(all()) } });
  let [calls, mostBetween] = [0, 0];
  while (read < total) {
    const before = read;
    await caller.call("small");
    calls++;
    mostBetween = Math.max(mostBetween, read - before);
  }
  assert.equal(await upload, total);
  const mbPerS = total / 1_000 / (performance.now() - startedMs);
  t.diagnostic(
    `${Math.round(mbPerS)} MB/s beside ${calls} calls; at most ${mostBetween} bytes between a call and its answer`,
  );
  assert.ok(calls > 100, `${calls} calls`);
  assert.ok(mostBetween <= 4 * STREAM_CREDIT_BYTES, `${mostBetween} bytes between a call and its answer`);
  await nothingLeft(on);
});

test("a reader that takes nothing holds its writer up", async (t) => {
  const on = await runEngine(t);
  const [executor, caller] = await pair(t, on);
  let pulled = 0;
  const endless = new ReadableStream<StreamPart>(
    {
      pull(controller) {
        pulled += 10_000;
        controller.enqueue(new Uint8Array(10_000));
      },
    },
    { highWaterMark: 0 },
  );
  let taken: ReadableStream<StreamPart> | undefined;
  await executor
    .register("take", ({ body }: Body, { readable }) => {
      taken = readable(body);
      return null;
    })
    .ready();
  await caller.call("take", {}, { streams: { body: endless } });
  let last = -1;
  await eventually("the writer stands still", async () => {
    const isStill = pulled === last && pulled > STREAM_CREDIT_BYTES;
    last = pulled;
    await caller.call("take").catch(() => {}); // a turn of everybody: it fails for want of a ref
    return isStill;
  });
  assert.ok(pulled < 4 * STREAM_CREDIT_BYTES, `${pulled} bytes were taken from the source`);
  await taken?.cancel();
  await nothingLeft(on);
});

test("ends: a source that fails, a reader that cancels, a call that fails, a ref twice or for nothing", async (t) => {
  const on = await runEngine(t);
  const [executor, caller] = await pair(t, on);
  await executor.register("read", ({ body }: Body, { readable }) => digest(readable(body))).ready();
  await executor.register("leave", ({ body }: Body, { readable }) => readable(body).cancel("enough")).ready();
  const failing = new ReadableStream<StreamPart>({
    pull: (controller) => controller.error(new Error("source broke")),
  });
  await assert.rejects(caller.call("read", {}, { streams: { body: failing } }), (error: CallError) =>
    /source broke/.test(error.message),
  );
  let reason: unknown;
  const cancelled = new ReadableStream<StreamPart>({
    pull: (controller) => controller.enqueue(new Uint8Array(1_000)),
    cancel: (why) => {
      reason = why;
    },
  });
  await caller.call("leave", {}, { streams: { body: cancelled } });
  await eventually("the source is cancelled", () => reason !== undefined);
  assert.equal((reason as CallError).code, "stream_cancelled");
  let unwanted = false;
  const never = new ReadableStream<StreamPart>({
    cancel: () => {
      unwanted = true;
    },
  });
  const { stream, closed } = collector();
  await assert.rejects(caller.call("nobody", {}, { streams: { never, stream } }), {
    code: "function_not_found",
  });
  await assert.rejects(closed, { code: "function_not_found" });
  assert.ok(unwanted);
  await assert.rejects(caller.call("read", "text", { streams: { never } }), { code: "payload_unencodable" });
  const ref = caller.offer(streamOf(["once"]));
  assert.equal(
    await executor
      .readable(ref)
      .getReader()
      .read()
      .then(({ value }) => value),
    "once",
  );
  await assert.rejects(executor.readable(ref).getReader().read(), (error: CallError) =>
    ["channel_end_taken", "channel_not_found"].includes(error.code),
  );
  assert.throws(() => executor.writable(ref), { code: "stream_ref_invalid" });
  // Two of the streams were for readers that never came; what is kept for them is their error.
  await eventually("the rest is over", () => on.engine.stats().channelsOpen <= 2);
  assert.equal(on.engine.channels.queuedBytes, 0);
});

test("a cut connection ends its streams on both sides", async (t) => {
  const on = await runEngine(t);
  const [executor, caller] = await pair(t, on);
  const { stream, closed } = collector();
  await executor
    .register("hold", async ({ body, out }: Body & { out: ChannelRef }, { readable, writable }) => {
      await writable(out).getWriter().write("begun");
      return digest(readable(body));
    })
    .ready();
  const body = new ReadableStream<StreamPart>({
    pull: (controller) => controller.enqueue(new Uint8Array(1_000)),
  });
  const call = caller.call("hold", {}, { streams: { body, out: stream } });
  const refused = assert.rejects(call, { code: "invocation_stopped" });
  const broken = assert.rejects(closed, (error: CallError) =>
    ["stream_broken", "invocation_stopped"].includes(error.code),
  );
  await eventually("it streams", () => (on.engine.stats().counters["channel_messages"] ?? 0) > 10);
  await executor.close({ timeoutMs: 0 });
  await Promise.all([refused, broken]);
  await nothingLeft(on);
});

test("with the npm SDK: our stream is its channel, and its channel our stream", async (t) => {
  const on = await runEngine(t);
  const iii = iiiFor(t, on.url, { workerName: "iii" });
  const ours = await workerFor(t, on, { name: "ours" });
  iii.registerFunction("iii::digest", async ({ body, out }: { body: ChannelReader; out: ChannelWriter }) => {
    const all = await body.readAll();
    out.sendMessage("seen");
    out.stream.end("bytes");
    return digestOf([all]);
  });
  await ours.register("ours::digest", ({ body }: Body, { readable }) => digest(readable(body))).ready();
  await offered(on.engine, "iii::digest", "ours::digest");
  const { stream: out, parts: came, closed } = collector();
  const theirs = await ours.call("iii::digest", {}, { streams: { body: streamOf(parts(3_000_000)), out } });
  assert.deepEqual(theirs, digestOf(parts(3_000_000)));
  await closed;
  assert.deepEqual(
    came,
    ["seen", new Uint8Array(Buffer.from("bytes"))].map((part) =>
      typeof part === "string" ? part : Buffer.from(part),
    ),
  );
  const channel = await createChannel(iii);
  const answer = iii.trigger({ function_id: "ours::digest", payload: { body: channel.readerRef } });
  await pipeline(Readable.from(parts(3_000_000)), channel.writer.stream);
  assert.deepEqual(await answer, digestOf(parts(3_000_000)));
  await nothingLeft(on);
});
