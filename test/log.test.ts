// The log: lines for programs, lines for people, levels that change while running.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { createLogger, readableLine } from "../src/log.js";

function memory(): { lines: string[]; write(line: string): void } {
  const lines: string[] = [];
  return { lines, write: (line) => void lines.push(line) };
}

test("createLogger() writes one JSON object a line with level, time, fields and message", () => {
  const out = memory();
  createLogger({ destination: out }).child({ part: "engine" }).warn({ port: 1 }, "taken");
  const { time, ...rest } = JSON.parse(out.lines[0] ?? "");
  assert.deepEqual(rest, { level: "warn", part: "engine", port: 1, msg: "taken" });
  assert(Math.abs(Date.now() - time) < 10_000);
});

test("createLogger() in readable form writes words", () => {
  const out = memory();
  createLogger({ destination: out, format: "readable" }).info(
    { part: "engine", url: "ws://h", note: "a b" },
    "listening",
  );
  assert.match(
    out.lines[0] ?? "",
    /^\d\d:\d\d:\d\d\.\d{3} INFO {2}engine: listening {2}url=ws:\/\/h {2}note="a b"\n$/,
  );
});

test("setLevel() reaches children that exist already", () => {
  const out = memory();
  const logger = createLogger({ destination: out, level: "error" });
  const child = logger.child({ part: "x" });
  child.info("unseen");
  logger.setLevel("debug");
  child.debug("seen");
  assert.deepEqual(
    out.lines.map((line) => JSON.parse(line).msg),
    ["seen"],
  );
});

test("readableLine() shows the stack of an error", () => {
  const line = readableLine(
    '{"level":"error","time":0,"msg":"m","err":{"type":"E","message":"x","stack":"E: x\\n at y"}}',
    false,
  );
  assert.match(line, /err=E: x\n at y/);
});

test("readableLine() tells a worker's own output under its name", () => {
  const fields = { level: "info", time: 0, part: "supervisor", worker: "math", pid: 7, stream: "stdout" };
  const told = (more: object) => readableLine(JSON.stringify({ ...fields, ...more }), false).slice(13);
  assert.equal(told({ msg: "2 + 2 = 4" }), "INFO  math| 2 + 2 = 4\n");
  assert.equal(told({ msg: "long", droppedBytes: 9 }), "INFO  math| long  droppedBytes=9\n");
});
