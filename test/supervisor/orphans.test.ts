// When the supervisor is killed: nothing is left of the processes it had started, and all declared ones run again.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { lookUp } from "../../src/supervisor/process-table.js";
import { supervised } from "../support/supervised.js";

const isGone = (pid: number): boolean => lookUp(pid)?.isZombie !== false;

test("a supervisor that is killed is replaced, its processes are ended and started anew", {
  timeout: 30_000,
}, async (t) => {
  const it = await supervised(t).start(
    "workers: [{ name: a, command: 'setsid sleep 1000 & echo $!; exec sleep 1000', ready: { log: '\\d' } }, { name: b, command: [sleep, '1000'], ready: started }, { name: c, command: [sleep, '1000'], ready: started }]",
  );
  const [a, b] = [await it.entered("a", "ready"), await it.entered("b", "ready")];
  const away = Number((await it.linesOf("a"))[0]);
  await it.supervisor.stopWorker("c");
  const first = it.supervisor.pid ?? 0;
  process.kill(first, "SIGKILL");
  const again = await it.entered("a", "ready", 2);
  await it.entered("b", "ready", 2);
  assert.notEqual(it.supervisor.pid, first);
  assert.notEqual(again.pid, a.pid);
  for (const pid of [a.pid ?? 0, b.pid ?? 0, away]) assert(isGone(pid), `${pid} is left of the first life`);
  assert.equal((await it.statusOf("c")).state, "stopped", "what an operator stopped stays stopped");
});

test("the next supervisor leaves stopped what an operator stopped, process by process, and starts what was started since", {
  timeout: 30_000,
}, async (t) => {
  const sleep = (name: string, more = ""): string =>
    `{ name: ${name}, command: [sleep, '1000'], ready: started${more} }`;
  const it = await supervised(t).start(
    `workers: [${sleep("pool", ", replicas: 2")}, ${sleep("changed")}, ${sleep("all", ", replicas: 2")}]`,
  );
  await it.entered("all#1", "ready");
  for (const name of ["pool#0", "changed", "all"]) await it.supervisor.stopWorker(name);
  await it.supervisor.startWorker("all#1");
  await it.entered("all#1", "ready", 2);
  it.write(
    `workers: [${sleep("pool", ", replicas: 2")}, ${sleep("changed", ", env: { A: '1' }")}, ${sleep("all", ", replicas: 2")}]`,
  );
  await it.supervisor.reload();
  await it.entered("changed", "ready", 2);
  process.kill(it.supervisor.pid ?? 0, "SIGKILL");
  await it.entered("pool#1", "ready", 2);
  await it.entered("changed", "ready", 3);
  await it.entered("all#1", "ready", 3);
  for (const name of ["pool#0", "all#0"]) {
    const { state, reason } = await it.statusOf(name);
    assert.deepEqual([name, state, reason], [name, "stopped", "stopped by an operator"]);
  }
});
