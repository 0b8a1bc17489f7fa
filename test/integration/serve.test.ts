// The server as a process among processes: start, ready, reload, trouble, end. Real engine, real workers, real signals.
import { strict as assert } from "node:assert";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { lookUp } from "../../src/supervisor/process-table.js";
import { freePort } from "../../src/testing/free-port.js";
import { connect } from "../../src/worker/index.js";
import { eventually } from "../support/eventually.js";
import { runTercet, type Tercet, tercet, WORKER_SDK } from "../support/tercet.js";

const parallel = { concurrency: 4, timeout: 90_000 };
const HEAD = "server: { port: 0 }\nreload: { settle_ms: 40 }\n";

/** A worker on the SDK that serves `slow::wait {ms}` and says so. */
function slowWorker(it: Tercet): string {
  const script = `import { connect } from ${JSON.stringify(WORKER_SDK)};
const worker = await connect();
worker.register("slow::wait", async ({ ms }) => {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return process.pid;
});
console.log("serving");
`;
  writeFileSync(join(it.directory, "slow.mjs"), script);
  return `{ name: slow, command: [node, slow.mjs], ${it.mark} }`;
}

const sleeper = (it: Tercet, name: string, more = ""): string =>
  `{ name: ${name}, command: [sleep, '1000'], ready: started, ${it.mark}${more} }`;

function isGone(pid: number): boolean {
  return lookUp(pid)?.isZombie !== false;
}

async function health(it: Tercet): Promise<Record<string, unknown>> {
  const answer = await fetch(`${(await it.url()).replace("ws:", "http:")}/healthz`);
  return answer.json() as Promise<Record<string, unknown>>; // the shape is what the assertions look at
}

/** Status and body of a page; undefined while nobody listens. */
async function page(port: number, path: string): Promise<{ status: number; body: string } | undefined> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
  return answer === undefined ? undefined : { status: answer.status, body: await answer.text() };
}

describe("tercet", parallel, () => {
  test("/readyz waits for the declared workers, and /metrics counts them, on a listener of their own", async (t) => {
    const it = tercet(t);
    const port = await freePort();
    const wait = "while [ ! -e go ]; do sleep 0.02; done; echo serving; exec sleep 1000";
    it.spawn(
      `${HEAD}metrics: { port: ${port} }\nworkers:\n  - { name: late, command: [sh, -c, "${wait}"], ready: { log: serving }, ${it.mark} }\n`,
    );
    await it.entered("late", "starting");
    const early = await eventually("the probe answers", () => page(port, "/readyz"));
    assert.equal(early.status, 503);
    assert.deepEqual(JSON.parse(early.body).reasons, ["declared workers are starting: late"]);
    assert.equal((await page(port, "/healthz"))?.status, 200);
    writeFileSync(join(it.directory, "go"), "");
    await eventually("ready", async () => (await page(port, "/readyz"))?.status === 200);
    const metrics = await page(port, "/metrics");
    assert.match(metrics?.body ?? "", /^tercet_worker_processes_ready 1$/m);
    assert.match(metrics?.body ?? "", /^tercet_worker_process_restarts_total 0$/m);
    it.signal("SIGTERM");
    assert.equal(await it.exited(), 0);
  });

  test("listens, starts its workers, says ready; a worker is ready when it registered; SIGTERM ends it in order with 0", async (t) => {
    const it = tercet(t);
    it.spawn(`${HEAD}workers:\n  - ${slowWorker(it)}\n  - ${sleeper(it, "next", ", depends_on: [slow]")}\n`);
    await it.entered("next", "ready");
    await it.logged((line) => line.worker === "slow" && line.stream === "stdout" && line.msg === "serving");
    const caller = await connect({ url: await it.url(), reconnect: false });
    assert.equal(await caller.call("slow::wait", { ms: 0 }), (await it.entered("slow", "ready")).pid);
    await caller.close();
    it.signal("SIGTERM");
    assert.equal(await it.exited(), 0);
    const stopped = it.lines.filter(({ state }) => state === "stopped").map(({ worker }) => worker);
    assert.deepEqual(stopped, ["next", "slow"]);
    assert.deepEqual(it.workers(), []);
  });

  test("lets calls in flight end before it goes, and new ones are refused", async (t) => {
    const it = tercet(t).spawn("");
    await it.exited();
    it.code = undefined;
    it.spawn(`${HEAD}workers:\n  - ${slowWorker(it)}\n`);
    const caller = await connect({ url: await it.url(), reconnect: false, onEvent: () => {} });
    await it.entered("slow", "ready");
    await eventually("it serves", () =>
      caller.call("slow::wait", { ms: 0 }).then(
        () => true,
        () => false,
      ),
    );
    const slow = caller.call("slow::wait", { ms: 400 });
    await caller.call("slow::wait", { ms: 0 });
    it.signal("SIGINT");
    await it.logged((line) => line.msg === "stopping: SIGINT");
    await assert.rejects(caller.call("slow::wait", { ms: 0 }), { code: "overloaded" });
    assert.equal(typeof (await slow), "number");
    assert.equal(await it.exited(), 0);
  });

  test("lets a worker's calls in flight end before it is restarted", async (t) => {
    const it = tercet(t);
    it.spawn(`${HEAD}workers:\n  - ${slowWorker(it)}\n`);
    const caller = await connect({ url: await it.url(), reconnect: false, onEvent: () => {} });
    const first = await it.entered("slow", "ready");
    const call = (ms: number): Promise<unknown> => caller.call("slow::wait", { ms });
    await eventually("it serves", () =>
      call(0).then(
        () => true,
        () => false,
      ),
    );
    const slow = call(1_500);
    await call(0);
    const restarted = it.run("restart", "slow");
    await it.entered("slow", "stopping");
    await eventually("new calls no longer find it", () =>
      call(0).then(
        () => false,
        (error: { code: string }) => error.code === "draining" || error.code === "function_not_found",
      ),
    );
    assert.equal(await slow, first.pid);
    assert.equal((await restarted).code, 0);
    const second = await it.entered("slow", "ready", 2);
    assert.equal(
      await eventually("the new process serves", () => call(0).catch(() => undefined)),
      second.pid,
    );
    await caller.close();
  });

  test("says what was cut off and ends with 4 when a call does not end in time", async (t) => {
    const it = tercet(t);
    it.spawn(`server: { port: 0, drain_ms: 50 }\nworkers:\n  - ${slowWorker(it)}\n`);
    const caller = await connect({ url: await it.url(), reconnect: false, onEvent: () => {} });
    await it.entered("slow", "ready");
    await eventually("it serves", () =>
      caller.call("slow::wait", { ms: 0 }).then(
        () => true,
        () => false,
      ),
    );
    const cut = assert.rejects(caller.call("slow::wait", { ms: 60_000 }));
    await caller.call("slow::wait", { ms: 0 });
    it.signal("SIGTERM");
    assert.equal(await it.exited(), 4);
    const said = await it.logged((line) => line["callsLost"] === 1);
    assert.match(said.msg, /^1 calls were cut off: .* 50 ms .*; open were slow::wait \(1\)$/);
    await cut;
  });

  test("kills at a second Ctrl-C and says so", async (t) => {
    const it = tercet(t);
    it.spawn(
      `${HEAD}workers:\n  - { name: deaf, command: "trap '' TERM; echo up; while :; do sleep 1; done", ready: { log: up }, stop: { grace_ms: 600000 }, ${it.mark} }\n`,
    );
    await it.entered("deaf", "ready");
    it.signal("SIGINT");
    await it.entered("deaf", "stopping");
    it.signal("SIGINT");
    assert.equal(await it.exited(), 130);
    assert(it.lines.some((line) => line.level === "warn" && /SIGINT again: killing/.test(line.msg)));
    assert.deepEqual(it.workers(), []);
  });

  test("ends with 4 and the name when a worker had to be killed", async (t) => {
    const it = tercet(t);
    it.spawn(
      `${HEAD}workers:\n  - { name: deaf, command: "trap '' TERM; echo up; while :; do sleep 1; done", ready: { log: up }, stop: { grace_ms: 100 }, ${it.mark} }\n`,
    );
    await it.entered("deaf", "ready");
    it.signal("SIGTERM");
    assert.equal(await it.exited(), 4);
    assert(it.lines.some((line) => /killed, because they did not end in time: deaf/.test(line.msg)));
  });

  test("tells a taken port in one line and ends with 1, before any worker is started", async (t) => {
    const first = tercet(t).spawn(`${HEAD}workers: []\n`);
    const port = new URL(await first.url()).port;
    const second = tercet(t);
    second.spawn(`server: { port: ${port} }\nworkers:\n  - ${sleeper(second, "a")}\n`);
    assert.equal(await second.exited(), 1);
    assert.match(second.err, new RegExp(`^cannot listen on 127\\.0\\.0\\.1:${port}: [^\\n]*\\n$`));
    assert.deepEqual(
      second.lines.filter(({ worker }) => worker !== undefined),
      [],
    );
  });

  test("tells what is wrong with the configuration and ends with 1", async (t) => {
    const it = tercet(t).spawn(
      "server: { prot: 1 }\nworkers: [{ name: a, command: [nowhere-to-be-found] }]\n",
    );
    assert.equal(await it.exited(), 1);
    assert.match(it.err, /config\.yaml:1:11: unknown key "prot"/);
  });

  test("leaves no worker and no supervisor behind when it is killed", async (t) => {
    const it = tercet(t);
    it.spawn(
      `${HEAD}workers:\n  - ${sleeper(it, "a", ", stop: { grace_ms: 300 }")}\n  - { name: deaf, command: "trap '' TERM; setsid sleep 1000 & echo up; while :; do sleep 1; done", ready: { log: up }, stop: { grace_ms: 300 }, ${it.mark} }\n`,
    );
    await it.entered("a", "ready");
    await it.entered("deaf", "ready");
    const supervisor = it.supervisorPid();
    assert(it.workers().length >= 3);
    it.signal("SIGKILL");
    await it.exited();
    await eventually("all are gone", () => isGone(supervisor) && it.workers().length === 0);
  });

  test("leaves nothing behind either when it is killed while processes come and go, and nobody reads its log", async (t) => {
    const it = tercet(t);
    it.spawn(
      `${HEAD}workers:\n  - { name: brief, command: 'echo here; sleep 0.01', ready: started, replicas: 10, ${it.mark}, restart: { delay_ms: 1, max_delay_ms: 1, max_restarts: 1000000 } }\n  - ${sleeper(it, "a")}\n`,
    );
    await it.entered("brief#9", "ready", 3);
    const supervisor = it.supervisorPid();
    it.closeOutput();
    it.signal("SIGKILL");
    await eventually("all are gone", () => isGone(supervisor) && it.workers().length === 0, 20_000);
    await it.exited();
  });

  test("replaces a supervisor that is killed; the engine goes on serving", async (t) => {
    const it = tercet(t);
    it.spawn(`${HEAD}workers:\n  - ${sleeper(it, "a")}\n`);
    const first = await it.entered("a", "ready");
    process.kill(it.supervisorPid(), "SIGKILL");
    const second = await it.entered("a", "ready", 2);
    assert.notEqual(second.pid, first.pid);
    assert.deepEqual(it.workers(), [second.pid]);
    assert.equal((await health(it))["status"], "ok");
    const { out } = await it.run("ps");
    assert.match(out, new RegExp(`a +ready +${second.pid}`));
  });
});

describe("replicas", parallel, () => {
  const pool = (it: Tercet, head: string): string => {
    slowWorker(it);
    return `${HEAD}${head}workers:\n  - { name: pool, command: [node, slow.mjs], replicas: 2, ${it.mark} }\n`;
  };

  test("that only stand by for each other are told of in the log, with what would help", async (t) => {
    const it = tercet(t);
    it.spawn(pool(it, ""));
    const { msg, worker } = await it.logged(
      (line) => line.level === "warn" && /only stands by/.test(line.msg),
    );
    assert.equal(
      msg,
      `worker ${worker} only stands by for slow::wait: share them by a pattern in functions, or when registering them`,
    );
    assert(
      it.lines.some((line) => line.level === "warn" && /only one of its 2 processes serves/.test(line.msg)),
      "the file tells as well",
    );
  });

  test("that share their functions both serve, and a restart one by one loses no call", async (t) => {
    const it = tercet(t);
    it.spawn(pool(it, 'functions: [{ match: "slow::*", share: round_robin }]\n'));
    const caller = await connect({ url: await it.url(), reconnect: false, onEvent: () => {} });
    for (const name of ["pool#0", "pool#1"])
      await it.logged((line) => line.worker === name && line.msg === "serving");
    await eventually("both serve", async () => {
      const pids = await Promise.all(
        [1, 2, 3, 4].map(() => caller.call("slow::wait", { ms: 0 }).catch(() => 0)),
      );
      return new Set(pids).size === 2 && !pids.includes(0);
    });
    let isOver = false;
    const tally = { calls: 0, failed: [] as string[] };
    const load = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        await caller
          .call("slow::wait", { ms: 5 })
          .catch((error: unknown) => tally.failed.push(String(error)));
        tally.calls++;
      }
    });
    for (const name of ["pool#0", "pool#1"]) assert.equal((await it.run("restart", name)).code, 0);
    isOver = true;
    await Promise.all(load);
    await caller.close();
    assert.deepEqual(tally.failed, []);
    assert(tally.calls > 20, `${tally.calls} calls`);
  });
});

describe("a configuration that becomes invalid", parallel, () => {
  test("ends the engine with 3 after its workers, with positioned errors", async (t) => {
    const it = tercet(t);
    it.spawn(`${HEAD}workers:\n  - ${sleeper(it, "a")}\n`);
    await it.entered("a", "ready");
    await it.url();
    it.write(`${HEAD}workers:\n  - { name: a, comand: [sleep] }\n`);
    assert.equal(await it.exited(), 3);
    assert.match(it.err, /config\.yaml:4:16: unknown key "comand"[\s\S]*did you mean "command"/);
    assert(it.lines.some(({ worker, state }) => worker === "a" && state === "stopped"));
    assert.deepEqual(it.workers(), []);
  });

  test("is kept out where reload.on_invalid is keep, and shown in /healthz and status until it is right again", async (t) => {
    const it = tercet(t);
    const good = `server: { port: 0 }\nreload: { settle_ms: 40, on_invalid: keep }\nworkers:\n  - ${sleeper(it, "a")}\n`;
    it.spawn(good);
    const { pid } = await it.entered("a", "ready");
    await it.url();
    it.write(`${good}  - {`);
    await it.logged((line) => /going on with the last good one/.test(line.msg));
    assert.equal((await health(it))["config"], "invalid");
    assert.match((await it.run("status")).out, /INVALID, the last good one[\s\S]*config\.yaml:5:/);
    it.write(`${good}  - ${sleeper(it, "b")}\n`);
    await it.entered("b", "ready");
    await it.logged((line) => line.msg === "configuration applied"); // told once all of it is done
    assert.equal((await health(it))["config"], "in_force");
    assert.match((await it.run("ps")).out, new RegExp(`a +ready +${pid}`));
  });

  test("is read on SIGHUP as well", async (t) => {
    const it = tercet(t);
    it.spawn(`server: { port: 0 }\nreload: { watch: false }\nworkers: []\n`);
    await it.url();
    it.write(`server: { port: 0 }\nreload: { watch: false }\nworkers:\n  - ${sleeper(it, "a")}\n`);
    it.signal("SIGHUP");
    await it.entered("a", "ready");
    await it.logged((line) => line.msg === "configuration applied");
  });
});

test("without a configuration file the defaults hold, and a file that was named must be there", {
  timeout: 30_000,
}, async () => {
  const { code, err } = await runTercet(["--config", "/nowhere/config.yaml"]);
  assert.equal(code, 1);
  assert.match(err, /\/nowhere\/config\.yaml: config file not found/);
});
