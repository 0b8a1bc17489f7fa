// The log file of declared workers: rotated by size, no line lost within its bounds, and a full disk is told once.
import { strict as assert } from "node:assert";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LogFile } from "../../src/supervisor/log-file.js";

test("LogFile rotates by size, keeps so many files, and loses no line within them", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "tercet-log-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "deep", "a.log");
  const open = (): LogFile => new LogFile({ path, bytesMax: 20, filesMax: 3 }, assert.fail);
  const first = open();
  for (let n = 10; n < 16; n++) first.write(`line ${n}`); // 8 bytes each: two to a file
  first.close();
  const second = open(); // a restart goes on where the file ends
  second.write("line 16");
  second.close();
  assert.deepEqual(readdirSync(join(directory, "deep")), ["a.log", "a.log.1", "a.log.2"]);
  const read = (name: string): string => readFileSync(join(directory, "deep", name), "utf8");
  assert.deepEqual(
    [read("a.log"), read("a.log.1"), read("a.log.2")],
    ["line 16\n", "line 14\nline 15\n", "line 12\nline 13\n"],
  );
});

test("LogFile tells once that it cannot write, and lets the worker live", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "tercet-log-"));
  t.after(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "file"), "");
  const troubles: Error[] = [];
  const log = new LogFile({ path: join(directory, "file", "a.log"), bytesMax: 20, filesMax: 2 }, (error) =>
    troubles.push(error),
  );
  log.write("one");
  log.write("two");
  assert.equal(troubles.length, 1);
});
