// A bench that is ended in the middle leaves nothing behind: no router, no load, no folder.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "../support/eventually.js";

const MAIN = fileURLToPath(new URL("../../bench/main.js", import.meta.url));

/** Eight processes, on a machine that may be busy with others. */
const START_MS = 60_000;

/** Direct children of a process, by the kernel's list. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
  return text === "" ? [] : text.split(" ").map(Number);
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return false; // no such process
  }
}

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test(`${signal} ends the bench with ${code} and everything it started`, async (t) => {
    const temporary = mkdtempSync(join(tmpdir(), "tercet-ending-"));
    t.after(() => rmSync(temporary, { recursive: true, force: true }));
    const bench = spawn(process.execPath, [MAIN, "latency-1"], {
      env: { ...process.env, TMPDIR: temporary },
      stdio: "ignore",
    });
    const { pid } = bench;
    assert.ok(pid !== undefined);
    t.after(() => bench.kill("SIGKILL"));
    // four routers and their loads: wait until one of the engines has its folder and every load its process
    const children = await eventually(
      "routers and loads run",
      () => {
        const running = childrenOf(pid);
        return readdirSync(temporary).length > 0 && running.length >= 5 ? running : undefined;
      },
      START_MS,
    );
    bench.kill(signal);
    const [exitCode] = await once(bench, "exit");
    assert.equal(exitCode, code);
    await eventually("no child is left", () => !children.some(isRunning));
    assert.deepEqual(readdirSync(temporary), []);
  });
}
