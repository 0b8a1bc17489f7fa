// No file descriptors left: who is connected is served on, newcomers wait or fail, and when descriptors are free again they are served, too.
import assert from "node:assert/strict";
import { connect as connectTcp, type Socket } from "node:net";
import { test } from "node:test";
import { startTestEngine } from "../../src/testing/index.js";
import { connect } from "../../src/worker/index.js";

const DESCRIPTORS_MAX = 128;

test("an engine without descriptors serves who is there, and recovers", { timeout: 60_000 }, async (t) => {
  const engine = await startTestEngine({ fileDescriptorsMax: DESCRIPTORS_MAX });
  t.after(() => engine.close());
  const worker = await connect({ url: engine.url, name: "early" });
  t.after(() => worker.close());
  worker.register("echo", (value: number) => value);
  const sockets: Socket[] = [];
  for (let at = 0; at < 2 * DESCRIPTORS_MAX; at++)
    sockets.push(connectTcp(engine.port, "127.0.0.1").on("error", () => undefined)); // what cannot be accepted may be reset
  t.after(() => sockets.forEach((socket) => void socket.destroy()));
  const late = connect({ url: engine.url, name: "late" });
  t.after(async () => (await late).close());
  for (let round = 0; round < 200; round++) assert.equal(await worker.call("echo", round), round);
  await engine.advance(60_000); // whatever the engine looks at from time to time, it looks at now
  const { counters, workers } = await engine.stats();
  assert.equal(workers, 1, "there is no descriptor for the late one");
  assert.ok(Object.keys(counters).length > 0);
  for (const socket of sockets) socket.destroy();
  assert.equal(await (await late).call("echo", 7), 7);
  assert.ok(engine.isRunning);
});
