// Order among workers: who waits for whom at the start, at the stop, and after somebody ended. Real processes.
import { strict as assert } from "node:assert";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { UnitState } from "../../src/supervisor/transition.js";
import { eventually } from "../support/eventually.js";
import { type Supervised, supervised } from "../support/supervised.js";

const parallel = { concurrency: true, timeout: 60_000 };
const SLEEP = "command: [sleep, '1000'], ready: started";

/** The order in which workers entered a state. */
function order(it: Supervised, state: UnitState): string[] {
  return it.transitions.filter((each) => each.state === state).map(({ worker }) => worker);
}

describe("dependencies", parallel, () => {
  test("are started, ready or completed before who depends on them", async (t) => {
    const it = supervised(t);
    await it.start(`workers:
      - { name: web, ${SLEEP}, depends_on: { db: ready, migrate: completed } }
      - { name: side, ${SLEEP}, depends_on: { db: started } }
      - { name: migrate, command: 'exit 0', ready: started, restart: on-failure, depends_on: [db] }
      - { name: db, command: [sleep, '1000'] }`);
    await it.entered("side", "ready");
    assert.match((await it.statusOf("web")).reason ?? "", /waits for db \(ready\), migrate \(completed\)/);
    assert.deepEqual(order(it, "starting"), ["db", "side"]);
    it.engine.join("db");
    await it.entered("web", "ready");
    assert.deepEqual(order(it, "starting"), ["db", "side", "migrate", "web"]);
  });

  test("are stopped after who depends on them, unrelated ones together", async (t) => {
    const it = await supervised(t).start(`workers:
      - { name: a, ${SLEEP} }
      - { name: b, ${SLEEP}, depends_on: [a] }
      - { name: c, ${SLEEP}, depends_on: [b] }
      - { name: z, ${SLEEP} }`);
    await it.entered("c", "ready");
    await it.supervisor.stop("test", 10_000);
    assert.deepEqual(
      order(it, "stopped").filter((name) => name !== "z"),
      ["c", "b", "a"],
    );
    assert.deepEqual(order(it, "stopping").slice(0, 2).sort(), ["c", "z"]);
    assert.deepEqual(it.alive(), []);
  });

  test("that crash and come back take their dependants through a restart, in order", async (t) => {
    const it = await supervised(t).start(`workers:
      - { name: a, ${SLEEP}, restart: { delay_ms: 1 } }
      - { name: b, ${SLEEP}, depends_on: [a] }
      - { name: c, ${SLEEP}, depends_on: [b] }
      - { name: z, ${SLEEP} }`);
    const { pid = 0 } = await it.entered("a", "ready");
    await it.entered("c", "ready");
    process.kill(pid, "SIGKILL");
    await it.entered("c", "ready", 2);
    const story = it.transitions
      .filter(({ state }) => state === "ready" || state === "stopped")
      .map(({ worker, state }) => `${worker} ${state}`);
    assert.deepEqual(story.slice(4), ["a ready", "c stopped", "b stopped", "b ready", "c ready"]);
    assert.deepEqual(it.states("z"), ["starting", "ready"]);
  });

  test("that crash leave dependants alone where restart.dependants is false, or a replica still serves", async (t) => {
    const it = await supervised(t).start(`workers:
      - { name: a, ${SLEEP}, restart: { delay_ms: 1, dependants: false } }
      - { name: r, ${SLEEP}, replicas: 2, restart: { delay_ms: 1 } }
      - { name: b, ${SLEEP}, depends_on: [a, r] }`);
    await it.entered("b", "ready");
    for (const name of ["a", "r#0"]) process.kill((await it.statusOf(name)).pid ?? 0, "SIGKILL");
    await it.entered("a", "ready", 2);
    await it.entered("r#0", "ready", 2);
    assert.deepEqual(it.states("b"), ["waiting", "starting", "ready"]);
  });

  test("that never come do not keep a shutdown waiting", async (t) => {
    const it = await supervised(t).start(
      `workers: [{ name: a, command: [sleep, '1000'] }, { name: b, ${SLEEP}, depends_on: [a] }]`,
    );
    await it.entered("b", "waiting");
    await it.supervisor.stop("test", 10_000);
    assert.equal(it.states("b").at(-1), "stopped");
  });
});

describe("operators", parallel, () => {
  test("stop, start and restart one process of several", async (t) => {
    const it = await supervised(t).start(`workers: [{ name: a, ${SLEEP}, replicas: 2 }]`);
    const second = await it.entered("a#1", "ready");
    await it.supervisor.stopWorker("a#0");
    assert.deepEqual(
      [(await it.statusOf("a#0")).state, (await it.statusOf("a#1")).pid],
      ["stopped", second.pid],
    );
    await it.supervisor.startWorker("a#0");
    await it.entered("a#0", "ready", 2);
    await it.supervisor.restartWorker("a");
    await it.entered("a#1", "ready", 2);
    await it.entered("a#0", "ready", 3);
  });

  test("get a sentence for a name that is not declared", async (t) => {
    const it = await supervised(t).start(`workers: [{ name: a, ${SLEEP} }]`);
    await assert.rejects(it.supervisor.stopWorker("b"), {
      code: "W110",
      message: 'there is no declared worker "b"; declared: a',
    });
  });
});

describe("watch mode", parallel, () => {
  test("restarts a worker when matching files have changed and settled", async (t) => {
    const it = supervised(t);
    mkdirSync(join(it.directory, "src", "deep"), { recursive: true });
    mkdirSync(join(it.directory, "src", "node_modules"));
    await it.start(`workers: [{ name: a, ${SLEEP}, watch: { paths: ["src/**/*.{ts,js}"], settle_ms: 50 } }]`);
    const first = await it.entered("a", "ready");
    const write = (name: string): void =>
      writeFileSync(join(it.directory, "src", name), String(Math.random()));
    for (const name of ["notes.md", "node_modules/x.js"]) write(name);
    for (const name of ["one.ts", "deep/two.js", "one.ts"]) write(name);
    const stopping = await it.entered("a", "stopping");
    assert.match(
      stopping.reason ?? "",
      /^files changed: src\/(one\.ts|deep\/two\.js), src\/(one\.ts|deep\/two\.js)$/,
    );
    assert.notEqual((await it.entered("a", "ready", 2)).pid, first.pid);
    write("one.ts"); // written in place
    await it.entered("a", "ready", 3);
    assert.equal(it.states("a").filter((state) => state === "stopping").length, 2);
  });
});

test("fifty processes come and go together", { timeout: 60_000 }, async (t) => {
  const it = await supervised(t).start(`workers: [{ name: a, ${SLEEP}, replicas: 50 }]`);
  await eventually("all are ready", async () =>
    (await it.supervisor.status()).every(({ state }) => state === "ready"),
  );
  assert.equal(it.alive().length, 50);
  await it.supervisor.stop("test", 20_000);
  assert.deepEqual(it.alive(), []);
});
