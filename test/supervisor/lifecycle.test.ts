// What happens to one declared process: started, ready, ended, started again, stopped. Real processes, a scripted engine.
import { strict as assert } from "node:assert";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { listProcesses, lookUp } from "../../src/supervisor/process-table.js";
import { eventually } from "../support/eventually.js";
import { supervised } from "../support/supervised.js";

const parallel = { concurrency: true, timeout: 60_000 };
const SLEEP = "command: [sleep, '1000'], ready: started";

describe("a declared process", parallel, () => {
  test("gets the engine's address, its name, its namespace and the safe variables, nothing else", async (t) => {
    const it = supervised(t);
    process.env["TERCET_TEST_SECRET"] = "s3cret";
    await it.start(
      "workers: [{ name: a, namespace: blue, env: { MINE: 1 }, config: { x: [1] }, command: env, restart: never, ready: started }]",
    );
    await it.entered("a", "completed");
    const names = (await it.linesOf("a")).map((line) => line.split("=")[0]);
    const lines = await it.linesOf("a");
    for (const line of [
      "III_URL=ws://127.0.0.1:1",
      "III_WORKER_NAME=a",
      "III_NAMESPACE=blue",
      "MINE=1",
      'III_WORKER_CONFIG={"x":[1]}',
      `III_ENGINE_PID=${process.pid}`,
    ]) {
      assert(lines.includes(line), `${line} is missing in\n${lines.join("\n")}`);
    }
    assert(names.includes("PATH"));
    assert(!lines.join().includes("s3cret"));
  });

  test("leads a process group of its own", async (t) => {
    const it = await supervised(t).start(`workers: [{ name: a, ${SLEEP} }]`);
    const { pid = 0 } = await it.entered("a", "ready");
    assert.equal(lookUp(pid)?.group, pid);
    assert.notEqual(lookUp(it.supervisor.pid ?? 0)?.group, pid);
  });

  test("is ready when it registers under its name", async (t) => {
    const it = await supervised(t).start("workers: [{ name: a, command: [sleep, '1000'] }]");
    await it.entered("a", "starting");
    it.engine.join("a", { namespace: "elsewhere", isLocal: false });
    it.engine.join("other", { pid: process.pid });
    assert.equal((await it.statusOf("a")).state, "starting");
    it.engine.join("a");
    await it.entered("a", "ready");
    assert.equal((await it.statusOf("a")).isRegistered, true);
  });

  test("is ready when a process of its group registers under any name", async (t) => {
    const it = await supervised(t).start("workers: [{ name: a, command: 'sleep 1000 & echo $!; wait' }]");
    const child = Number(await eventually("the child's pid", async () => (await it.linesOf("a"))[0]));
    it.engine.join("host:1", { pid: child, isLocal: false });
    assert.equal((await it.statusOf("a")).state, "starting", "a process id of another machine says nothing");
    it.engine.join("host:1", { pid: child });
    await it.entered("a", "ready");
  });

  test("is ready when a line of its output matches", async (t) => {
    const it = await supervised(t).start(
      "workers: [{ name: a, command: 'echo warming; read x < /dev/null; echo up at 8; sleep 1000', ready: { log: '^up at \\d' } }]",
    );
    await it.entered("a", "ready");
  });

  test("is ready when its port accepts", async (t) => {
    const it = supervised(t);
    const port = await freePort();
    const server = `require('net').createServer().listen(${port}, '127.0.0.1')`;
    await it.start(`workers: [{ name: a, command: [node, -e, "${server}"], ready: { tcp: ${port} } }]`);
    await it.entered("a", "ready");
  });

  test("is ready when a call of its function succeeds", async (t) => {
    const it = supervised(t);
    let isUp = false;
    it.engine.onCall = async (id) => {
      if (!isUp) throw new Error(`${id} is unknown`);
    };
    await it.start("workers: [{ name: a, command: [sleep, '1000'], ready: { call: a::ping } }]");
    await eventually("two refused calls", () => it.engine.calls.length >= 2);
    assert.equal((await it.statusOf("a")).state, "starting");
    isUp = true;
    await it.entered("a", "ready");
  });

  test("that never becomes ready is stopped and counts as failed", async (t) => {
    const it = await supervised(t).start(
      "workers: [{ name: a, command: [sleep, '1000'], ready: { timeout_ms: 50 }, restart: never }]",
    );
    const { reason = "" } = await it.entered("a", "failed");
    assert.match(reason, /not ready within 50 ms \(no registration as a in namespace default\)/);
    assert.deepEqual(it.alive(), []);
  });

  test("that ends early is told with code and last lines", async (t) => {
    const it = await supervised(t).start(
      "workers: [{ name: a, command: 'echo one; echo two >&2; exit 7', restart: never }]",
    );
    const { reason = "", exit, lastLines = [] } = await it.entered("a", "failed");
    assert.match(reason, /ended with exit code 7 before it was ready/);
    assert.equal(exit?.code, 7);
    assert.deepEqual([...lastLines].sort(), ["one", "two"]);
  });

  test("that is killed is told with the signal, and started again", async (t) => {
    const it = await supervised(t).start(`workers: [{ name: a, ${SLEEP}, restart: { delay_ms: 1 } }]`);
    const first = await it.entered("a", "ready");
    process.kill(first.pid ?? 0, "SIGKILL");
    const backoff = await it.entered("a", "backoff");
    assert.deepEqual([backoff.exit?.code, backoff.exit?.signal], [null, "SIGKILL"]);
    const second = await it.entered("a", "ready", 2);
    assert.notEqual(second.pid, first.pid);
    assert.equal(second.restarts, 1);
  });

  test("is not started again after success with on-failure, nor after a success code", async (t) => {
    const it = await supervised(t).start(
      "workers: [{ name: a, command: exit 0, restart: on-failure, ready: started }, { name: b, command: exit 9, restart: { policy: on-failure, success_codes: [9] }, ready: started }]",
    );
    await it.entered("a", "completed");
    await it.entered("b", "completed");
  });

  test("is not started again after a fatal code", async (t) => {
    const it = await supervised(t).start(
      "workers: [{ name: a, command: exit 3, restart: { fatal_codes: [3] }, ready: started }]",
    );
    assert.match((await it.entered("a", "failed")).reason ?? "", /fatal_codes/);
  });

  test("that ends again and again becomes a crash loop, is probed, and recovers", async (t) => {
    const it = supervised(t);
    const flag = join(it.directory, "flag");
    await it.start(
      `workers: [{ name: a, command: 'test -f ${flag} && exec sleep 1000; exit 1', ready: { log: never }, restart: { delay_ms: 1, max_restarts: 3, probe_ms: 40, stable_after_ms: 50 } }]`,
    );
    const loop = await it.entered("a", "crash_loop");
    assert.equal(loop.restarts, 3);
    await it.entered("a", "crash_loop", 3);
    assert.equal(it.states("a").filter((state) => state === "backoff").length, 3);
    writeFileSync(flag, "");
    await eventually("the next probe stays", async () => {
      const { state, sinceMs } = await it.statusOf("a");
      return state === "starting" && Date.now() - sinceMs > 100;
    });
  });

  test("in a crash loop that waits for a person is started by one", async (t) => {
    const it = await supervised(t).start(
      "workers: [{ name: a, command: exit 1, ready: started, restart: { delay_ms: 1, max_restarts: 1, probe_ms: 0 } }]",
    );
    await it.entered("a", "crash_loop");
    assert.equal((await it.statusOf("a")).nextStartMs, undefined);
    await it.supervisor.startWorker("a");
    await it.entered("a", "crash_loop", 2);
    assert.equal(it.states("a").filter((state) => state === "backoff").length, 2);
  });

  test("that does not exist, or is not executable, is failed with a sentence", async (t) => {
    const it = supervised(t);
    writeFileSync(join(it.directory, "plain"), "x");
    await it.start(
      "workers: [{ name: a, command: [/nowhere/x] }, { name: b, command: [./plain] }, { name: c, command: [ls], cwd: /nowhere }]",
    );
    assert.match((await it.entered("a", "failed")).reason ?? "", /no program "\/nowhere\/x"/);
    assert.match((await it.entered("b", "failed")).reason ?? "", /not executable/);
    assert.match((await it.entered("c", "failed")).reason ?? "", /directory "\/nowhere"/);
  });
});

describe("stop", parallel, () => {
  test("drains, signals the group, and tells what was left", async (t) => {
    const it = supervised(t);
    it.engine.onDrain = async () => ({ callsLeft: 2 });
    await it.start(
      "workers: [{ name: a, command: 'sleep 1000 & sleep 1000 & echo up; wait', stop: { drain_ms: 500 } }]",
    );
    const { pid = 0 } = await it.entered("a", "starting");
    it.engine.join("a");
    await it.entered("a", "ready");
    await eventually("it has children", async () => (await it.linesOf("a")).length > 0);
    const [report] = await it.supervisor.stopWorker("a");
    assert.deepEqual(report, { name: "a", wasKilled: false, callsLeft: 2 });
    assert.deepEqual(it.engine.drained, [{ workerId: "w1", boundMs: 500 }]);
    assert.deepEqual(groupMembers(pid), []);
  });

  test("does not wait for a drain beyond its bound", async (t) => {
    const it = supervised(t);
    it.engine.onDrain = () => new Promise(() => {});
    await it.start("workers: [{ name: a, command: [sleep, '1000'], stop: { drain_ms: 30 } }]");
    await it.entered("a", "starting");
    it.engine.join("a");
    await it.entered("a", "ready");
    await it.supervisor.stopWorker("a");
    assert.equal((await it.statusOf("a")).state, "stopped");
  });

  test("kills who ignores the signal after the grace, with its group", async (t) => {
    const it = await supervised(t).start(
      `workers: [{ name: a, command: "trap '' TERM; sleep 1000 & echo up; while :; do sleep 1; done", ready: { log: up }, stop: { grace_ms: 100 } }]`,
    );
    const { pid = 0 } = await it.entered("a", "ready");
    const [report] = await it.supervisor.stopWorker("a");
    assert.equal(report?.wasKilled, true);
    assert.deepEqual(groupMembers(pid), []);
  });

  test("finds who forked away into a session of its own", async (t) => {
    const it = await supervised(t).start(
      "workers: [{ name: a, command: 'setsid sleep 1000 & sleep 0.05; ps -o pid= -C sleep >/dev/null; echo $!; exec sleep 1000', ready: { log: '\\d' }, stop: { grace_ms: 200 } }]",
    );
    await it.entered("a", "ready");
    const away = Number((await it.linesOf("a"))[0]);
    assert.equal(lookUp(away)?.isZombie, false);
    await it.supervisor.stopWorker("a");
    await eventually("it is gone", () => lookUp(away) === undefined || lookUp(away)?.isZombie === true);
  });

  test("uses the declared signal", async (t) => {
    const it = await supervised(t).start(
      `workers: [{ name: a, command: "trap 'echo got it; exit 0' USR1; echo up; while :; do sleep 0.01; done", ready: { log: up }, stop: { signal: SIGUSR1 } }]`,
    );
    await it.entered("a", "ready");
    await it.supervisor.stopWorker("a");
    assert((await it.linesOf("a")).includes("got it"));
  });

  test("ends a pause before a restart, and a start makes it short", async (t) => {
    const it = await supervised(t).start(
      "workers: [{ name: a, command: exit 1, ready: started, restart: { max_restarts: 1, probe_ms: 600000, delay_ms: 1 } }]",
    );
    await it.entered("a", "crash_loop");
    await it.supervisor.stopWorker("a");
    assert.equal((await it.statusOf("a")).state, "stopped");
  });

  test("second wish kills at once, whatever graces there are", async (t) => {
    const it = await supervised(t).start(
      `workers: [{ name: a, command: "trap '' TERM; echo up; while :; do sleep 1; done", ready: { log: up }, stop: { grace_ms: 600000 } }]`,
    );
    await it.entered("a", "ready");
    const stopping = it.supervisor.stop("shutdown", 600_000);
    await it.entered("a", "stopping");
    it.supervisor.killNow();
    assert.equal((await stopping)[0]?.wasKilled, true);
  });

  test("has a deadline for everything together", async (t) => {
    const it = await supervised(t).start(
      `workers: [{ name: a, command: "trap '' TERM; echo up; while :; do sleep 1; done", ready: { log: up }, stop: { grace_ms: 600000 } }]`,
    );
    await it.entered("a", "ready");
    const [report] = await it.supervisor.stop("shutdown", 100);
    assert.equal(report?.wasKilled, true);
    assert.deepEqual(it.alive(), []);
  });
});

describe("liveness", parallel, () => {
  test("restarts who does not come back after its connection is gone", async (t) => {
    const it = await supervised(t).start(
      "workers: [{ name: a, command: [sleep, '1000'], liveness: { reconnect_ms: 50 }, restart: { delay_ms: 1 } }]",
    );
    await it.entered("a", "starting");
    const leave = it.engine.join("a");
    await it.entered("a", "ready");
    leave();
    await it.entered("a", "unready");
    assert.match((await it.entered("a", "backoff")).reason ?? "", /no connection for 50 ms/);
    await it.entered("a", "starting", 2);
  });

  test("leaves who reconnects in time alone", async (t) => {
    const it = await supervised(t).start("workers: [{ name: a, command: [sleep, '1000'] }]");
    const { pid } = await it.entered("a", "starting");
    it.engine.join("a")();
    await it.entered("a", "unready");
    it.engine.join("a");
    assert.equal((await it.entered("a", "ready", 2)).pid, pid);
  });

  test("restarts who fails its call several times in a row", async (t) => {
    const it = supervised(t);
    it.engine.onCall = async () => {
      throw new Error("no answer");
    };
    await it.start(
      `workers: [{ name: a, ${SLEEP}, liveness: { call: a::alive, every_ms: 10, failures: 3 }, restart: { delay_ms: 1 } }]`,
    );
    assert.match((await it.entered("a", "backoff")).reason ?? "", /a::alive failed 3 times: no answer/);
  });

  test("restarts who needs more memory than allowed", async (t) => {
    const grow = "const kept = []; setInterval(() => kept.push(Buffer.alloc(4 << 20, 1)), 5)";
    const it = await supervised(t).start(
      `workers: [{ name: a, command: [node, -e, "${grow}"], ready: started, limits: { memory_bytes: 120000000 }, restart: { delay_ms: 1 } }]`,
    );
    assert.match((await it.entered("a", "backoff")).reason ?? "", /memory: \d+ bytes, limit 120000000/);
  });
});

describe("output", parallel, () => {
  test("of a gigabyte without a newline costs one line", async (t) => {
    const megabytes = process.env["TERCET_LONG"] === undefined ? 64 : 1024;
    const it = await supervised(t).start(
      `workers: [{ name: a, command: "head -c ${megabytes << 20} /dev/zero | tr '\\\\0' x; echo; echo end", ready: started, restart: never }]`,
    );
    await it.entered("a", "completed", 1, 60_000);
    const [{ lines } = { lines: [] }] = await it.supervisor.logs({ name: "a", count: 10 });
    assert.equal(lines.length, 2);
    assert.equal((lines[0]?.text.length ?? 0) + (lines[0]?.droppedBytes ?? 0), megabytes << 20);
    const resident = lookUp(it.supervisor.pid ?? 0)?.residentBytes ?? 0;
    assert(resident < 250 << 20, `the supervisor holds ${resident} bytes`);
  });

  test("of invalid UTF-8 and control characters stays readable", async (t) => {
    const it = await supervised(t).start(
      "workers: [{ name: a, command: \"printf '\\\\377ok\\\\033[2J\\\\n'\", ready: started, restart: never }]",
    );
    await it.entered("a", "completed");
    assert.deepEqual(await it.linesOf("a"), ["\ufffdok\ufffd[2J"]);
  });

  test("is kept in files that rotate", async (t) => {
    const it = supervised(t);
    await it.start(
      "workers: [{ name: a, command: 'for i in $(seq 200); do echo line $i of some length; done', ready: started, restart: never, log: { file: logs/a.log, max_bytes: 4096, files: 3, lines: 5 } }]",
    );
    await it.entered("a", "completed");
    assert.deepEqual(
      await it.linesOf("a"),
      [196, 197, 198, 199, 200].map((i) => `line ${i} of some length`),
    );
    const read = (name: string): string => readFileSync(join(it.directory, "logs", name), "utf8");
    assert.match(read("a.log"), /\[a \d+ stdout\] line 200 of some length\n$/);
    assert(read("a.log.1").length <= 4096 && read("a.log.2").length > 3000);
    assert.throws(() => read("a.log.3"), { code: "ENOENT" });
  });

  test("can be followed", async (t) => {
    const it = await supervised(t).start(
      "workers: [{ name: a, command: 'echo first; while [ ! -f go ]; do sleep 0.02; done; echo second; exec sleep 1000', ready: { log: first } }]",
    );
    await it.entered("a", "ready");
    const [first] = await it.supervisor.logs({ name: "a", count: 10 });
    const next = it.supervisor.logs({
      name: "a",
      count: 10,
      after: { a: first?.lastSequence ?? 0 },
      waitMs: 15_000,
    });
    writeFileSync(join(it.directory, "go"), "");
    assert.deepEqual(
      (await next)[0]?.lines.map(({ text }) => text),
      ["second"],
    );
  });
});

function groupMembers(group: number): number[] {
  return listProcesses().flatMap((entry) => (entry.group === group ? entry.pid : []));
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
