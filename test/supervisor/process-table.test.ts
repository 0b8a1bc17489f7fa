// The table of processes, looked at from a process that knows itself.
import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import {
  isMarked,
  isRunning,
  listMarked,
  listProcesses,
  lookUp,
  parsePs,
  signalProcess,
} from "../../src/supervisor/process-table.js";

test("lookUp() knows this process: its start, its group, its memory", () => {
  const own = lookUp(process.pid);
  assert.equal(own?.pid, process.pid);
  assert.equal(own?.isZombie, false);
  const { rss } = process.memoryUsage();
  assert(Math.abs((own?.residentBytes ?? 0) - rss) < rss / 2, `${own?.residentBytes} beside ${rss}`);
  assert(listProcesses().some(({ pid, startTime }) => pid === process.pid && startTime === own?.startTime));
  assert.equal(lookUp(2 ** 22 + 1), undefined);
});

test("signalProcess() never signals a process that only has the number", async () => {
  const child = spawn("sleep", ["1000"], { env: { PATH: process.env["PATH"], MARK: "m.1" } });
  const ended = once(child, "exit");
  const pid = child.pid ?? 0;
  const identity = { pid, startTime: lookUp(pid)?.startTime ?? "" };
  assert.equal(signalProcess({ pid, startTime: "1" }, "SIGKILL"), false);
  assert.equal(isRunning(identity), true);
  assert.deepEqual(
    [isMarked(pid, "MARK=m.1"), isMarked(pid, "MARK=m"), isMarked(pid, "ARK=m.1")],
    [true, false, false],
  );
  assert.deepEqual(
    listMarked("MARK=m.").map((entry) => entry.pid),
    [pid],
  );
  assert.equal(signalProcess(identity, "SIGKILL"), true);
  await ended;
  assert.deepEqual([isRunning(identity), signalProcess(identity, "SIGKILL")], [false, false]);
});

test("parsePs() reads what ps prints where there is no /proc", () => {
  assert.deepEqual(
    parsePs(
      "    1     1 Ss    11904 Mon Nov 23 22:40:01 2026\n  812   800 Z         0 Mon Nov 23 22:41:13 2026\n",
    ),
    [
      {
        pid: 1,
        group: 1,
        isZombie: false,
        residentBytes: 11904 * 1024,
        startTime: "Mon Nov 23 22:40:01 2026",
      },
      { pid: 812, group: 800, isZombie: true, residentBytes: 0, startTime: "Mon Nov 23 22:41:13 2026" },
    ],
  );
});
