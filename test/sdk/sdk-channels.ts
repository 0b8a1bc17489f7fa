// Channels of any official SDK, with the npm SDK, with a msgpack worker's streams and with itself at the other end.

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ChannelReader, ChannelWriter } from "iii-sdk/channel";
import { createChannel } from "iii-sdk/helpers";
import { eventually } from "../support/eventually.js";
import { runEngine } from "../support/running-engine.js";
import { iiiFor, offered } from "./iii.js";
import { type OfficialSdk, sdkTest, started } from "./worker-program.js";

const PART_BYTES = 70_000; // more than one of the 64 KiB frames that SDKs cut
const PARTS = 20;
const STATUS = '{"type":"set_status","status_code":202}';

function* parts(): Generator<Buffer> {
  for (let part = 1; part <= PARTS; part++) yield Buffer.alloc(PART_BYTES, part);
}

const BYTES = PART_BYTES * PARTS;
const SUM = (PART_BYTES * PARTS * (PARTS + 1)) / 2;

export function testChannels(sdk: OfficialSdk): void {
  sdkTest(sdk, "channels: reads what another SDK writes, and writes what it reads", async (t, spawn) => {
    const { engine, url, ...running } = await runEngine(t);
    await started(spawn, t, { engine, url, ...running });
    const iii = iiiFor(t, url);
    const up = await createChannel(iii);
    const answer = iii.trigger({ function_id: "far::sum", payload: { body: up.readerRef } });
    await pipeline(Readable.from(parts()), up.writer.stream);
    assert.deepEqual(await answer, { bytes: BYTES, sum: SUM });

    const down = await createChannel(iii, 4);
    const messages: string[] = [];
    down.reader.onMessage((message) => messages.push(message));
    const all = down.reader.readAll();
    await iii.trigger({ function_id: "far::stream", payload: { response: down.writerRef } });
    assert.equal((await all).toString(), "got it");
    assert.deepEqual(messages, [STATUS]);
    await eventually("no channel is left", () => engine.stats().channelsOpen === 0);
  });

  sdkTest(sdk, "channels: makes them, for another SDK and for itself", async (t, spawn) => {
    const running = await runEngine(t);
    const far = await started(spawn, t, running);
    const iii = iiiFor(t, running.url);
    iii.registerFunction("json::sum", async ({ body }: { body: ChannelReader }) => {
      const all = await body.readAll();
      return { bytes: all.length, sum: all.reduce((sum, byte) => sum + byte, 0) };
    });
    iii.registerFunction("json::stream", async ({ response }: { response: ChannelWriter }) => {
      response.sendMessage(STATUS);
      response.stream.write("got ");
      response.stream.end("it");
      return null;
    });
    await offered(running.engine, "json::sum", "json::stream");
    for (const [sum, stream] of [
      ["json::sum", "json::stream"],
      ["far::sum", "far::stream"],
    ] as const) {
      const pumped = await far.ask({ do: "pump", function_id: sum, bytes: 1_500_000, fill: 3 });
      assert.deepEqual(pumped, { result: { bytes: 1_500_000, sum: 4_500_000 } }, sum);
      const pulled = await far.ask({ do: "pull", function_id: stream });
      assert.deepEqual(pulled, { messages: [STATUS], text: "got it" }, stream);
    }
    await eventually("no channel is left", () => running.engine.stats().channelsOpen === 0);
  });
}
