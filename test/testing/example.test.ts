// The example of the README, "Testing your workers", tried as it stands there, and what it promises beyond.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

test("the README's example passes as written", { timeout: 60_000 }, (t) => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const [, section = ""] = readme.split("## Testing your workers");
  const [, code = ""] = /```js\n([\s\S]*?)```/.exec(section) ?? [];
  assert.match(code, /tercet\/testing/, "the section has an example");
  const directory = mkdtempSync(join(tmpdir(), "tercet-example-"));
  t.after(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "example.test.mjs"), code);
  writeFileSync(join(directory, "package.json"), "{}");
  symlinkSync(packages(directory), join(directory, "node_modules"));
  const { NODE_TEST_CONTEXT: _ours, ...env } = process.env;
  const { status, stdout } = spawnSync(process.execPath, ["--test", "example.test.mjs"], {
    cwd: directory,
    env,
    encoding: "utf8",
    timeout: 40_000, // a worker left over by a failure keeps the process alive
  });
  assert.equal(status, 0, stdout);
  assert.match(stdout, /pass 1/);
});

/** A folder in which `tercet` is this package. */
function packages(directory: string): string {
  const folder = mkdtempSync(join(directory, "packages-"));
  symlinkSync(ROOT, join(folder, "tercet"));
  return folder;
}
