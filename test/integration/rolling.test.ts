// Rolling restarts lose no call: pools of three under constant load, replaced one by one. Real engine, real processes, real signals.
import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { startEngine } from "../../src/engine.js";
import { createLogger } from "../../src/log.js";
import { connect } from "../../src/worker/index.js";
import { type Child, startChild } from "../support/child.js";
import { eventually } from "../support/eventually.js";
import { tercet, WORKER_SDK } from "../support/tercet.js";

const LOOPS = 16;

/** A worker that serves `pool::wait {ms}` with its process id, and on SIGTERM finishes and leaves. */
const script = (share: string | undefined): string => `import { connect } from ${JSON.stringify(WORKER_SDK)};
const worker = await connect();
process.on("SIGTERM", () => worker.close());
await worker.register("pool::wait", async ({ ms }) => {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return process.pid;
}, ${JSON.stringify({ share })}).ready();
console.log("serving");
`;

interface Load {
  readonly failed: string[];
  /** Process ids that answered. */
  readonly pids: Set<unknown>;
  calls: number;
  stop(): Promise<void>;
}

/** Calls without a pause, each answer followed by the next call, until it is stopped. */
async function load(t: TestContext, url: string): Promise<Load> {
  const caller = await connect({ url, reconnect: false, onEvent: () => {} });
  t.after(() => caller.close({ timeoutMs: 0 }));
  await eventually("somebody serves", () => caller.call("pool::wait", { ms: 0 }).then(Boolean, () => false));
  let isOver = false;
  const made = { failed: [] as string[], pids: new Set<unknown>(), calls: 0 };
  const loop = async (number: number): Promise<void> => {
    while (!isOver) {
      await caller.call("pool::wait", { ms: number % 4 }).then(
        (pid) => made.pids.add(pid),
        (error: unknown) => made.failed.push(String(error)),
      );
      made.calls++;
    }
  };
  const loops = Array.from({ length: LOOPS }, (_, number) => loop(number));
  const stop = async (): Promise<void> => {
    isOver = true;
    await Promise.all(loops);
  };
  return Object.assign(made, { stop });
}

/** A worker process of its own; settles when it serves. */
async function worker(t: TestContext, file: string, url: string): Promise<Child> {
  const child = startChild(t, [process.execPath, file], { env: { III_URL: url } });
  await child.line(/serving/);
  return child;
}

describe("a pool of three that is replaced one by one under load", {
  concurrency: 2,
  timeout: 90_000,
}, () => {
  test("replicas of a declared worker: a changed file and an operator's restart lose no call", async (t) => {
    const it = tercet(t);
    writeFileSync(join(it.directory, "pool.mjs"), script("least_outstanding"));
    const config = (version: number): string =>
      `server: { port: 0 }\nreload: { watch: false }\nworkers:\n  - { name: pool, command: [node, pool.mjs], replicas: 3, env: { VERSION: "${version}", TERCET_TEST_WORKER: ${it.directory} } }\n`;
    it.spawn(config(1));
    for (const name of ["pool#0", "pool#1", "pool#2"]) await it.entered(name, "ready");
    const calls = await load(t, await it.url());
    it.write(config(2));
    assert.equal((await it.run("reload")).out, "applied:\n  restarted: pool\n");
    await it.entered("pool#2", "ready", 2);
    assert.equal((await it.run("restart", "pool")).code, 0);
    await it.entered("pool#2", "ready", 3);
    await calls.stop();
    assert.deepEqual(calls.failed, []);
    assert.ok(calls.pids.size >= 6, `${calls.pids.size} processes answered ${calls.calls} calls`);
    it.signal("SIGTERM");
    assert.equal(await it.exited(), 0);
  });

  for (const share of ["least_outstanding", undefined] as const)
    test(`processes of their own, ${share ?? "one owner and two standbys"}: SIGTERM and a successor, one after the other, lose no call`, async (t) => {
      const engine = await startEngine({
        listeners: [{ host: "127.0.0.1", port: 0 }],
        log: createLogger({ level: "silent" }),
      });
      t.after(() => engine.close());
      const url = `ws://127.0.0.1:${engine.listeners[0]?.port}`;
      const directory = mkdtempSync(join(tmpdir(), "tercet-pool-"));
      t.after(() => rmSync(directory, { recursive: true }));
      const file = join(directory, "pool.mjs");
      writeFileSync(file, script(share));
      const pool = await Promise.all([1, 2, 3].map(() => worker(t, file, url)));
      const calls = await load(t, url);
      for (const old of pool) {
        assert.deepEqual(await old.end("SIGTERM"), { code: 0, signal: null });
        await worker(t, file, url);
      }
      await calls.stop();
      assert.deepEqual(calls.failed, []);
      const served = share === undefined ? 2 : 3; // of a pool with one owner the last to go may be it, and the first successor takes over
      assert.ok(calls.pids.size >= served, `${calls.pids.size} processes answered`);
      const { callsOpened, callsEnded, callsOpen, counters } = engine.stats();
      assert.deepEqual([callsOpened, callsOpen], [callsEnded, 0]);
      assert.equal(counters["calls_stopped"], 0);
    });
});
