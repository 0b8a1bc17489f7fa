// Peers that stop or vanish without a word: found by pings within the idle limit, their names and functions freed, every call ended once, also when
// they come back to life. Real processes, real signals, and a proxy that swallows bytes.
import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { type Engine, startEngine } from "../../src/engine.js";
import { createLogger } from "../../src/log.js";
import { type CallError, connect, type Worker } from "../../src/worker/index.js";
import { startChild } from "../support/child.js";
import { proxyFor } from "../support/cuttable-proxy.js";
import { eventually } from "../support/eventually.js";
import { JsonPeer } from "../support/json-peer.js";
import { errorOf, MsgpackPeer, pack } from "../support/msgpack-peer.js";
import { WORKER_SDK } from "../support/tercet.js";
import { canonicalCall } from "../support/wire.js";

/** The least that uWebSockets takes. It looks every four seconds, so a dead peer is gone after so much more at most. */
const IDLE_S = 8;
const FOUND_MS_MAX = (IDLE_S + 4) * 1_000;
/** What a busy machine may add. */
const SLACK_MS = 15_000;
const CALLS = 10_000;

/** Serves `hold`, which answers when the process has been continued (SIGCONT), and `echo`; tells whenever it has been given a multiple of 10,000 calls to hold. */
const HOLDER = `import { connect } from ${JSON.stringify(WORKER_SDK)};
let held = 0;
let release;
let continued = new Promise((resolve) => { release = resolve; });
process.on("SIGCONT", () => {
  release("late");
  continued = new Promise((resolve) => { release = resolve; });
});
const worker = await connect({ name: "holder", reconnect: { baseMs: 50, capMs: 200 } });
worker.register("echo", (data) => data);
await worker.register("hold", () => {
  if (++held % ${CALLS} === 0) console.log("held " + held);
  return continued;
}).ready();
console.log("serving");
`;

interface Running {
  readonly engine: Engine;
  readonly port: number;
  readonly url: string;
}

async function running(t: TestContext): Promise<Running> {
  const engine = await startEngine({
    listeners: [{ host: "127.0.0.1", port: 0 }],
    log: createLogger({ level: "silent" }),
    limits: { idleTimeoutS: IDLE_S, callsExecutingPerWorkerMax: 2 * CALLS }, // all of them are to be with the worker at once
  });
  t.after(() => engine.close());
  const port = engine.listeners[0]?.port ?? 0;
  return { engine, port, url: `ws://127.0.0.1:${port}` };
}

/** Many calls at once; settles with how often each ending came, and how long the last took. */
async function endings(
  caller: Worker,
  calls: number,
  timeoutMs: number,
): Promise<{ codes: Record<string, number>; tookMs: number }> {
  const begun = performance.now();
  const codes: Record<string, number> = {};
  const ended = (code: string): void => {
    codes[code] = (codes[code] ?? 0) + 1;
  };
  const all = Array.from({ length: calls }, () =>
    caller.call("hold", null, { timeoutMs }).then(
      () => ended("answered"),
      (error: CallError) => ended(error.code),
    ),
  );
  await Promise.all(all);
  return { codes, tookMs: performance.now() - begun };
}

function endedOnce({ engine }: Running, caller: Worker): void {
  const { callsOpened, callsEnded, callsOpen } = engine.stats();
  assert.deepEqual([callsOpened, callsOpen], [callsEnded, 0], "opened = ended + open");
  assert.equal(caller.stats.answersLate, 0, "no call was answered twice");
}

describe("a peer that", { concurrency: 2, timeout: 90_000 }, () => {
  test("is stopped with 10,000 calls in flight: deadlines, then invocation_stopped when the ping bound passes; continued, it answers none again", async (t) => {
    const it = await running(t);
    const directory = mkdtempSync(join(tmpdir(), "tercet-dead-"));
    t.after(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, "holder.mjs"), HOLDER);
    const holder = startChild(t, [process.execPath, join(directory, "holder.mjs")], {
      env: { III_URL: it.url },
    });
    await holder.line(/serving/);
    const caller = await connect({ url: it.url, reconnect: false, onEvent: () => {} });
    t.after(() => caller.close({ timeoutMs: 0 }));

    // Stopped for less than the ping bound: deadlines end the calls, and late answers find nobody.
    const brief = endings(caller, CALLS, 1_500);
    await holder.line(/held 10000/);
    holder.process.kill("SIGSTOP");
    assert.deepEqual((await brief).codes, { deadline_exceeded: CALLS });
    holder.process.kill("SIGCONT");
    await eventually(
      "late answers are ignored, one each",
      () => it.engine.metrics.get("answers_unmatched") === CALLS,
    );
    endedOnce(it, caller);
    assert.equal(await caller.call("echo", 1), 1, "the same process serves on");

    // Stopped for longer: those without a deadline of their own end when it is found.
    const short = endings(caller, CALLS / 2, 1_500);
    const long = endings(caller, CALLS / 2, 120_000);
    await holder.line(/held 20000/);
    holder.process.kill("SIGSTOP");
    assert.deepEqual((await short).codes, { deadline_exceeded: CALLS / 2 });
    const stopped = await long;
    assert.deepEqual(stopped.codes, { invocation_stopped: CALLS / 2 });
    assert.ok(stopped.tookMs < FOUND_MS_MAX + SLACK_MS, `found after ${stopped.tookMs} ms`);
    await assert.rejects(caller.call("echo", 1), { code: "function_not_found" });
    const namesake = await connect({ url: it.url, name: "holder", onEvent: () => {} });
    await namesake.close();
    const unmatched = it.engine.metrics.get("answers_unmatched");
    holder.process.kill("SIGCONT");
    await eventually("it has come back and serves", () =>
      caller.call("echo", "again").catch(() => undefined),
    );
    endedOnce(it, caller);
    assert.equal(
      it.engine.metrics.get("answers_unmatched"),
      unmatched,
      "what it wrote to the old connection reached nobody",
    );
  });

  test("vanishes behind a proxy that swallows everything: a standby takes over, names are free, on either wire", async (t) => {
    const it = await running(t);
    const proxy = await proxyFor(t, it.port);
    const json = new JsonPeer(`${proxy.url}/`);
    await json.greeted();
    json.announce({ name: "json-worker" });
    json.register("j");
    await json.settle();
    const [msgpack] = await MsgpackPeer.offering(proxy.port, ["m"], { name: "msgpack-worker" });
    const [standby] = await MsgpackPeer.offering(it.port, ["j", "m"]);
    const caller = await MsgpackPeer.connect(it.port);
    t.after(() => {
      for (const { socket } of [json, msgpack, standby, caller]) socket.terminate();
    });
    const [j = 0, m = 0] = await caller.resolve("j", "m");
    const begun = performance.now();
    proxy.swallow();
    caller.sendBytes(canonicalCall(1, j, pack(null)));
    caller.sendBytes(canonicalCall(2, m, pack(null)));
    const ends = [
      await caller.next("one end", FOUND_MS_MAX + SLACK_MS),
      await caller.next("the other", FOUND_MS_MAX + SLACK_MS),
    ];
    const tookMs = performance.now() - begun;
    assert.deepEqual(ends.map(([kind, call]) => [kind, call]).sort(), [
      [3, 1],
      [3, 2],
    ]);
    for (const end of ends) assert.equal(errorOf(end).code, "invocation_stopped");
    assert.ok(tookMs > 1_000, "not by a close that the proxy passed on");
    assert.deepEqual(it.engine.stats().workers, 2, "the standby and the caller are left");
    for (const name of ["json-worker", "msgpack-worker"])
      await MsgpackPeer.connect(it.port, { name }).then((peer) => peer.close());
    for (const [call, fn] of [
      [3, j],
      [4, m],
    ] as const) {
      caller.sendBytes(canonicalCall(call, fn, pack(null)));
      assert.equal((await standby.next("the call, by the same handle"))[2], fn);
    }
  });
});
