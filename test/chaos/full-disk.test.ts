// A full disk for the log: the engine serves on, says once that its log is not written, and ends when it is told to.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort } from "../../src/testing/free-port.js";
import { startTestEngine } from "../../src/testing/index.js";
import { connect } from "../../src/worker/index.js";
import { eventually } from "../support/eventually.js";
import { FULL_DISK } from "./chaos.js";

const MAIN = fileURLToPath(new URL("../../src/main.js", import.meta.url));
const skip = existsSync(FULL_DISK) ? false : `there is no ${FULL_DISK} here`;

test("an engine whose log's disk is full answers on", { skip }, async (t) => {
  const engine = await startTestEngine({ logTo: FULL_DISK, logLevel: "trace" });
  t.after(() => engine.close());
  for (let round = 0; round < 20; round++) {
    const worker = await connect({ url: engine.url, name: `worker-${round}` }); // each is lines in the log
    worker.register(`echo::${round}`, (value: number) => value);
    assert.equal(await worker.call(`echo::${round}`, round), round);
    await worker.close();
  }
  assert.ok(engine.isRunning);
});

test("tercet with a full disk says so on standard error, serves, and ends in order", { skip }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "tercet-full-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const port = await freePort();
  const file = join(directory, "config.yaml");
  writeFileSync(file, `server: { port: ${port} }\n`);
  const full = openSync(FULL_DISK, "w");
  const child = spawn(process.execPath, [MAIN, "--config", file], { stdio: ["ignore", full, "pipe"] });
  closeSync(full);
  t.after(() => child.kill("SIGKILL"));
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said += String(chunk);
  });
  const worker = await connect({ url: `ws://127.0.0.1:${port}`, name: "one" });
  worker.register("echo", (value: string) => value);
  assert.equal(await worker.call("echo", "here"), "here");
  await eventually("it is said", () => said.includes("the log cannot be written"));
  await worker.close();
  const exited = once(child, "exit", { signal: AbortSignal.timeout(20_000) });
  child.kill("SIGTERM");
  assert.deepEqual(await exited, [0, null]);
  assert.equal(said.split("\n").filter((line) => line.includes("the log cannot")).length, 1, said);
});
