// Replicas are replaced one after the other: the order, what holds it up, what cuts it short. Real processes.
import { strict as assert } from "node:assert";
import { describe, type TestContext, test } from "node:test";
import { eventually } from "../support/eventually.js";
import { type Supervised, supervised } from "../support/supervised.js";

const NAMES = ["a#0", "a#1", "a#2"];

/** Three replicas that say `up` when they are; `version` makes one declaration differ from another. */
function replicas(version: number, command = "echo up; exec sleep 1000"): string {
  return `reload: { watch: false }\nworkers:\n  - { name: a, replicas: 3, command: "${command}", ready: { log: up }, env: { VERSION: "${version}" }, restart: { delay_ms: 20 } }\n`;
}

async function started(t: TestContext): Promise<Supervised> {
  const it = await supervised(t).start(replicas(1));
  for (const name of NAMES) await it.entered(name, "ready");
  return it;
}

async function pids(it: Supervised): Promise<(number | undefined)[]> {
  return (await it.supervisor.status()).map(({ pid }) => pid);
}

async function apply(it: Supervised, text: string): Promise<void> {
  it.write(text);
  assert.equal((await it.supervisor.reload()).kind, "applied");
}

/** What happened from the nth transition on, as `name state`. */
function since(it: Supervised, start: number): string[] {
  return it.transitions.slice(start).map(({ worker, state }) => `${worker} ${state}`);
}

const steps = (name: string): string[] =>
  ["stopping", "stopped", "starting", "ready"].map((state) => `${name} ${state}`);

describe("a rollout", { concurrency: true, timeout: 60_000 }, () => {
  test("of a changed entry replaces one process after the other, each when the one before is ready", async (t) => {
    const it = await started(t);
    const before = it.transitions.length;
    await apply(it, replicas(2));
    await it.entered("a#2", "ready", 2);
    assert.deepEqual(since(it, before), NAMES.flatMap(steps));
  });

  test("is what an operator's restart of a worker is, and settled() waits for the last of it", async (t) => {
    const it = await started(t);
    const before = it.transitions.length;
    await it.supervisor.restartWorker("a");
    await it.supervisor.settled("a", 20_000);
    assert.deepEqual(since(it, before), NAMES.flatMap(steps));
  });

  test("waits until others would take over what the next one serves alone", async (t) => {
    const it = await started(t);
    const leave = NAMES.map((name) => it.engine.join(name)); // their worker ids are w1, w2, w3
    let isCovered = false;
    it.engine.sole = (workerId) => (workerId === "w2" && !isCovered ? ["f"] : []);
    it.engine.onDrain = async (workerId) => {
      leave[Number(workerId.slice(1)) - 1]?.();
      return { callsLeft: 0 };
    };
    await apply(it, replicas(2));
    await it.entered("a#0", "ready", 2);
    await eventually(
      "it is asked about the next one",
      () => it.engine.asked.filter((id) => id === "w2").length > 2,
    );
    assert.deepEqual(
      it.engine.drained.map(({ workerId }) => workerId),
      ["w1"],
    );
    isCovered = true;
    await it.entered("a#2", "ready", 2);
    assert.deepEqual(
      it.engine.drained.map(({ workerId }) => workerId),
      ["w1", "w2", "w3"],
    );
  });

  test("is held up by a process that does not become ready: the others keep theirs; a right file goes on from there", async (t) => {
    const it = await started(t);
    const [, second, third] = await pids(it);
    await apply(it, replicas(2, "exit 1"));
    await it.entered("a#0", "backoff", 2);
    assert.deepEqual((await pids(it)).slice(1), [second, third]);
    assert.notEqual((await it.supervisor.settled("a", 20_000))[0]?.state, "ready");
    const before = it.transitions.length;
    await apply(it, replicas(3));
    await it.entered("a#2", "ready", 2);
    const order = since(it, before).filter((step) => / (stopping|ready)$/.test(step));
    assert.deepEqual(order.slice(-5), [
      "a#0 ready",
      "a#1 stopping",
      "a#1 ready",
      "a#2 stopping",
      "a#2 ready",
    ]);
  });

  test("that is taken back leaves alone who was not replaced yet", async (t) => {
    const it = await started(t);
    const before = await pids(it);
    await apply(it, replicas(2, "exit 1"));
    await it.entered("a#0", "backoff");
    await apply(it, replicas(1));
    await it.entered("a#0", "ready", 2);
    await it.supervisor.settled("a", 20_000);
    const after = await pids(it);
    assert.deepEqual(after.slice(1), before.slice(1));
    assert.notEqual(after[0], before[0]);
    assert.deepEqual(
      (await it.supervisor.status()).map(({ state }) => state),
      ["ready", "ready", "ready"],
    );
  });

  test("does not start again what an operator stops meanwhile, and ends with the worker", async (t) => {
    const it = await started(t);
    await apply(it, replicas(2, "exit 1"));
    await it.entered("a#0", "backoff");
    await it.supervisor.stopWorker("a#2");
    await it.supervisor.stopWorker("a#0");
    await it.entered("a#1", "backoff");
    assert.equal((await it.statusOf("a#2")).state, "stopped");
    await apply(it, "reload: { watch: false }\nworkers: []\n");
    assert.deepEqual(it.alive(), []);
  });
});
