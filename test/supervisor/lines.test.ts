// A stream of bytes as lines: whatever the chunks, the same lines, in bounded memory.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { LINE_BYTES_MAX, LineSplitter } from "../../src/supervisor/lines.js";
import { RecentLines } from "../../src/supervisor/recent-lines.js";

function split(...chunks: Uint8Array[]): [string, number][] {
  const lines: [string, number][] = [];
  const splitter = new LineSplitter((line, dropped) => lines.push([line, dropped]));
  for (const chunk of chunks) splitter.write(chunk);
  splitter.end();
  return lines;
}

test("LineSplitter gives the same lines for every way to cut the stream", () => {
  const bytes = Buffer.from("one\r\ntwo é\n\nlast");
  const whole = split(bytes);
  assert.deepEqual(whole, [
    ["one", 0],
    ["two é", 0],
    ["", 0],
    ["last", 0],
  ]);
  for (let at = 0; at <= bytes.length; at++) {
    for (let then = at; then <= bytes.length; then++) {
      assert.deepEqual(split(bytes.subarray(0, at), bytes.subarray(at, then), bytes.subarray(then)), whole);
    }
  }
});

test("LineSplitter cuts a long line and counts what it dropped", () => {
  const long = Buffer.alloc(LINE_BYTES_MAX + 10, "x");
  assert.deepEqual(split(long, Buffer.from("yy\nnext\n")), [
    ["x".repeat(LINE_BYTES_MAX), 12],
    ["next", 0],
  ]);
  assert.deepEqual(split(long), [["x".repeat(LINE_BYTES_MAX), 10]]);
});

test("LineSplitter keeps colours and disarms every other control", () => {
  assert.deepEqual(split(Buffer.from("\u001b[31mred\u001b[0m \u001b]0;title\u0007 \u001b[2J \t.\n")), [
    ["\u001b[31mred\u001b[0m \ufffd]0;title\ufffd \ufffd[2J \t.", 0],
  ]);
  assert.deepEqual(split(Buffer.from([0xff, 0x41, 0x0a])), [["\ufffdA", 0]]);
});

test("RecentLines keeps the last lines, numbered, and gives those after a number", () => {
  const recent = new RecentLines(3);
  const push = (text: string): void =>
    void recent.push({ text, timeMs: 0, pid: 1, stream: "stdout", droppedBytes: 0 });
  const texts = (count: number, after?: number): string[] =>
    recent.read(count, after).map(({ text }) => text);
  for (const text of ["a", "b", "c", "d", "e"]) push(text);
  assert.deepEqual(
    [texts(10), texts(2), texts(10, 4), texts(0), recent.lastSequence],
    [["c", "d", "e"], ["d", "e"], ["e"], [], 5],
  );
  recent.resize(5);
  push("f");
  assert.deepEqual(texts(10), ["c", "d", "e", "f"]);
  recent.resize(2);
  assert.deepEqual(texts(10), ["e", "f"]);
  push("g");
  assert.deepEqual(texts(10), ["f", "g"]);
});
