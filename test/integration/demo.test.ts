// The main job on real input, as `npm run demo` runs it: the engine, its supervisor and the workers are processes of their own. What
// it prints is compared with what the files themselves say, and it must notice a worker that lies.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startChild } from "../support/child.js";

const DEMO = fileURLToPath(new URL("../../bench/demo/main.js", import.meta.url));
const MODULES = fileURLToPath(new URL("../../../node_modules/", import.meta.url));
const LIAR = fileURLToPath(new URL("demo-liar.js", import.meta.url));

/** The documents as another program finds them, in bytes. */
function documentSizes(): number[] {
  const names = ["package.json", "readme", "readme.*"];
  const licences = ["license", "licence", "copying", "notice"].flatMap((name) => [
    name,
    `${name}.*`,
    `${name}-*`,
  ]);
  const tests = [...names, ...licences].flatMap((name) => ["-o", "-iname", name]).slice(1);
  const found = execFileSync("find", [
    MODULES,
    "-name",
    ".cache",
    "-prune",
    "-o",
    "-type",
    "f",
    "(",
    ...tests,
    ")",
    "-printf",
    "%s\\n",
  ]);
  return String(found).trim().split("\n").map(Number);
}

/** The number in the row of that name. */
function figure(output: string, name: string): number {
  const match = new RegExp(`^${name} +([0-9,.]+)`, "m").exec(output);
  assert.ok(match?.[1], `${name} is not in:\n${output}`);
  return Number(match[1].replaceAll(",", ""));
}

test("the demo works through all documents; its figures are right", async (t) => {
  const sizes = documentSizes();
  assert.ok(sizes.length > 200, `${sizes.length} documents`);
  const demo = startChild(t, [process.execPath, DEMO, "--rounds", "1"]);
  const { code } = await demo.ended;
  const { output } = demo;
  assert.equal(code, 0, output);

  const volumes = 4;
  const calls = 2 * (sizes.length + volumes);
  assert.equal(figure(output, "documents"), sizes.length + volumes);
  assert.equal(figure(output, "calls"), calls);
  // Every file is sent alone, in its kind's volume and in the volume of everything, by two callers.
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const sent = figure(output, "bytes");
  assert.ok(sent >= 6 * bytes && sent < 6 * (bytes + 16 * sizes.length), `${sent} bytes of ${bytes}`);
  for (const name of ["missing", "doubled", "wrong"]) assert.equal(figure(output, name), 0, output);
  assert.ok(
    Math.abs(figure(output, "calls/s") * figure(output, "seconds") - calls) <= calls * 0.1,
    `calls, seconds and calls/s agree:\n${output}`,
  );
  assert.match(output, /every answer came once and is right$/);
  servedByAll(output, calls);
});

/** Every worker answered both callers, and together they answered every call. */
function servedByAll(output: string, calls: number): void {
  const rows = [...output.matchAll(/^(json|pool#\d) +([\d,]+) +([\d,]+)$/gm)];
  assert.deepEqual(
    rows.map(([, name]) => name),
    ["json", "pool#0", "pool#1", "pool#2"],
    output,
  );
  const counts = rows
    .flatMap(([, , json, msgpack]) => [json, msgpack])
    .map((text) => Number(text?.replace(",", "")));
  assert.ok(
    counts.every((count) => count > 0),
    output,
  );
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    calls,
  );
}

test("the demo notices a worker that lies or is silent, and ends with code 1", async (t) => {
  const config = liarConfig(t);
  const demo = startChild(t, [
    process.execPath,
    DEMO,
    ...["--rounds", "1", "--config", config, "--patience-ms", "500"],
    ...["--folder", join(MODULES, "ws")],
  ]);
  const { code } = await demo.ended;
  assert.equal(code, 1, demo.output);
  assert.equal(figure(demo.output, "missing"), 2, demo.output);
  assert.equal(figure(demo.output, "wrong"), 2, demo.output);
  assert.equal(figure(demo.output, "doubled"), 0, demo.output);
  assert.match(demo.output, /^all of README: no answer$/m);
  assert.match(demo.output, /^everything: sha256 is x[0-9a-f]{63}, but should be [0-9a-f]{64}$/m);
});

function liarConfig(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "tercet-demo-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "config.yaml");
  const workers = [{ name: "liar", command: [process.execPath, LIAR], stop: { drain_ms: 0 } }];
  const config = { server: { port: 0, drain_ms: 0 }, log: { format: "json" }, workers };
  writeFileSync(file, JSON.stringify(config)); // JSON is YAML
  return file;
}

test("the demo refuses a number that is none", async (t) => {
  const demo = startChild(t, [process.execPath, DEMO, "--rounds", "many"]);
  assert.deepEqual(await demo.ended, { code: 2, signal: null });
  assert.match(demo.output, /^--rounds is a whole number above 0, not "many"$/m);
});
