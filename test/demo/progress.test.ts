// The bar on a terminal, the lines elsewhere.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Progress, sizeText } from "../../bench/demo/progress.js";

function screenOf(isTTY: boolean): { isTTY: boolean; text: string; write(text: string): void } {
  return {
    isTTY,
    text: "",
    write(text) {
      this.text += text;
    },
  };
}

test("elsewhere it writes a line at each quarter, and nothing twice", () => {
  const screen = screenOf(false);
  const progress = new Progress(screen, 8);
  for (let done = 0; done <= 8; done++) progress.show(done, done * 1e6);
  progress.end(8, 8e6);
  assert.deepEqual(screen.text.split("\n"), [
    "2 of 8 calls, 2.0 MB",
    "4 of 8 calls, 4.0 MB",
    "6 of 8 calls, 6.0 MB",
    "8 of 8 calls, 8.0 MB",
    "",
  ]);
});

test("on a terminal it draws over one line, and ends with the last state", () => {
  const screen = screenOf(true);
  const progress = new Progress(screen, 2_000);
  for (let done = 0; done < 1_000; done++) progress.show(done, 0);
  progress.end(2_000, 1_234_567);
  assert.ok(screen.text.endsWith(`\r\u001b[2K${"█".repeat(32)} 100 %  2,000 of 2,000 calls, 1.2 MB\n`));
  assert.equal(screen.text.split("\n").length, 2);
  assert.ok(screen.text.startsWith(`\r\u001b[2K${"░".repeat(32)}   0 %  0 of 2,000 calls, 0 bytes`));
});

test("sizeText() says bytes as a person does", () => {
  assert.deepEqual([0, 999, 1_000, 999_940, 1_234_567].map(sizeText), [
    "0 bytes",
    "999 bytes",
    "1.0 kB",
    "999.9 kB",
    "1.2 MB",
  ]);
});
