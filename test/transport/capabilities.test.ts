// What the answer to an upgrade tells of the engine's end, on every kind of socket.

import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import { WebSocket } from "ws";
import { testEngine } from "../support/test-engine.js";

async function answerOf(url: string, protocols: string[]): Promise<IncomingMessage> {
  const socket = new WebSocket(url, protocols);
  const answer = new Promise<IncomingMessage>((resolve) => socket.once("upgrade", resolve));
  await once(socket, "open");
  socket.terminate();
  return answer;
}

test("every upgrade tells that small frames leave at once, and is otherwise what it was", async (t) => {
  const rig = await testEngine(t);
  const at = `ws://127.0.0.1:${rig.port}`;
  const caller = await rig.json();
  const { result } = await caller.call("engine::channels::create", {});
  const { reader } = result as { reader: Record<string, string> }; // its shape is tested elsewhere
  const channel = `/ws/channels/${reader["channel_id"]}?key=${reader["access_key"]}&dir=read`;
  for (const [path, protocols] of [
    ["/", []],
    ["/", ["tercet.msgpack.v1"]],
    ["/otel", []],
    [channel, []],
  ] as [string, string[]][]) {
    const { statusCode, statusMessage, headers } = await answerOf(at + path, protocols);
    assert.deepEqual([statusCode, statusMessage], [101, "Switching Protocols"], path);
    assert.equal(headers["x-iii-capabilities"], "tcp-nodelay", path);
    assert.equal(headers["sec-websocket-protocol"], protocols[0], path);
    assert.equal(headers["sec-websocket-extensions"], undefined, path);
  }
});
