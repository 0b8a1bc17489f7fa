// What README.md tells people to write does what it says, as it stands there.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pageFor, pageTest } from "../browser/chromium.js";
import { offered } from "../sdk/iii.js";
import { pythonWith } from "../sdk/python-venv.js";
import { msgpackFor } from "../sdk/sdk-calls.js";
import { startChild } from "../support/child.js";
import { eventually } from "../support/eventually.js";
import { type RunningEngine, runEngine } from "../support/running-engine.js";
import { codeFor, readmeCode } from "./readme-code.js";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const SOON_MS = 30_000;
const COMPILER = [
  "--ignoreConfig",
  ...["--module", "nodenext", "--target", "es2022", "--types", "node"],
  ...["--strict", "--skipLibCheck"],
];

/** A folder of its own, inside the package, so that the code may import it by its name. */
function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(ROOT, "dist", "readme-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Compiles as strictly as a user may, and gives the path of what can be run. */
async function compiled(t: TestContext, code: string): Promise<string> {
  const folder = folderFor(t);
  writeFileSync(join(folder, "code.mts"), code);
  const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  await run(process.execPath, [compiler, ...COMPILER, join(folder, "code.mts")], { cwd: ROOT }).catch(
    (error) => assert.fail(`${error.stdout}`),
  );
  return join(folder, "code.mjs");
}

async function withMath(t: TestContext): Promise<RunningEngine> {
  const running = await runEngine(t);
  const math = await msgpackFor(t, running, "calculator");
  await math.register("math::add", ({ a, b }: { a: number; b: number }) => a + b).ready();
  return running;
}

test("a TypeScript worker: registers, calls, casts, and ends", async (t) => {
  const running = await runEngine(t);
  const logged: unknown[] = [];
  const log = await msgpackFor(t, running, "log");
  await log.register("log::line", (line) => logged.push(line)).ready();
  const program = await compiled(t, readmeCode("TypeScript, on msgpack", "ts"));
  const child = startChild(t, [process.execPath, program], { env: { III_URL: running.url } });
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.output);
  await eventually("its cast came", () => logged.length === 1);
  assert.deepEqual(logged, [{ sum: 5 }]);
});

test("a Python worker: calls, and serves", async (t) => {
  const venv = await pythonWith("0.25.0");
  if ("missing" in venv) return t.skip(venv.missing);
  const running = await withMath(t);
  const program = join(mkdtempSync(join(tmpdir(), "readme-")), "worker.py");
  t.after(() => rmSync(join(program, ".."), { recursive: true, force: true }));
  writeFileSync(program, codeFor(readmeCode("Any language, on JSON", "python"), running.url));
  const child = startChild(t, [venv.python, program], { env: { OTEL_ENABLED: "false" } });
  await child.line(/^5$/, SOON_MS);
  await offered(running.engine, "hello::greet");
  assert.deepEqual(await running.engine.call("hello::greet", { name: "Ada" }), { message: "Hello, Ada!" });
});

test("a msgpack worker by the page of Python: calls, and serves", async (t) => {
  const venv = await pythonWith("0.25.0", "msgpack==1.2.4");
  if ("missing" in venv) return t.skip(venv.missing);
  const running = await withMath(t);
  const program = join(ROOT, "src", "examples", "msgpack_client.py");
  const child = startChild(t, [venv.python, program], { env: { III_URL: running.url } });
  await child.line(/^result 7 5$/, SOON_MS);
  assert.equal(await running.engine.call("py::shout", { text: "hello" }), "HELLO!");
});

pageTest("a worker in a page: serves", async (t) => {
  const running = await runEngine(t);
  const page = await pageFor(t, codeFor(readmeCode("In a browser", "html"), running.url));
  await offered(running.engine, "page::title");
  assert.equal(await running.engine.call("page::title", {}), await page.title());
});

test("the engine inside one's own process: starts, and serves", async (t) => {
  const code = readmeCode("The engine inside your own process", "ts");
  const after = 'console.log(await engine.call("engine::workers::list", {}));\nawait engine.close();\n';
  const program = await compiled(t, `${code}\n${after}`);
  const child = startChild(t, [process.execPath, program]);
  assert.deepEqual(await child.ended, { code: 0, signal: null }, child.output);
  assert.match(child.output, /workers: \[/);
});
