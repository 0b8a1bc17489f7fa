// Workers that bind a trigger of type `engine::worker-processes` are told of every change of a declared process.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { JsonPeer } from "../support/json-peer.js";
import { tercet } from "../support/tercet.js";

test("a crash is told with code, last lines and the time of the next start, in order, to whoever wants it", {
  timeout: 60_000,
}, async (t) => {
  const it = tercet(t).spawn(
    "server: { port: 0 }\nreload: { watch: false }\nworkers:\n  - { name: a, command: 'echo so far; exit 3', ready: started, restart: { delay_ms: 1, max_restarts: 1, probe_ms: 0 }, replicas: 2 }\n",
  );
  await it.entered("a#1", "crash_loop");
  const watcher = await JsonPeer.announced(Number(new URL(await it.url()).port), { name: "watcher" });
  t.after(() => watcher.socket.terminate());
  watcher.register("seen");
  const bind = { type: "registertrigger", trigger_type: "engine::worker-processes", function_id: "seen" };
  watcher.send({
    ...bind,
    id: "mine",
    config: { processes: ["a#1"], states: ["starting", "backoff", "crash_loop"] },
  });
  await watcher.settle();
  const restarted = it.run("start", "a#1", "--no-wait");
  const story: Record<string, unknown>[] = [];
  while (story.at(-1)?.["state"] !== "crash_loop") {
    const frame = await watcher.next("an event");
    assert.equal(frame.function_id, "seen");
    story.push(frame.data as Record<string, unknown>); // its members are what is asserted below
  }
  await restarted;
  assert.deepEqual(
    story.map(({ state }) => state),
    ["starting", "backoff", "starting", "crash_loop"],
  );
  const { at_ms, uptime_ms, next_start_ms, ...backoff } = story[1] ?? {};
  assert.deepEqual(backoff, {
    event: "worker_process",
    worker: "a",
    process: "a#1",
    state: "backoff",
    previous: "ready",
    pid: null,
    reason: "ended with exit code 3",
    exit_code: 3,
    signal: null,
    last_lines: ["so far", "so far", "so far"],
    restarts: 2,
  });
  assert(typeof at_ms === "number" && typeof uptime_ms === "number" && typeof next_start_ms === "number");
});
