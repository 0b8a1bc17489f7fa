// The demo's books notice whatever is missing, doubled, wrong or meant for somebody else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf, digestOf } from "../../bench/demo/digest.js";
import type { Document } from "../../bench/demo/documents.js";
import { Ledger, type Outcome } from "../../bench/demo/ledger.js";

const TEXT = "two words";
const DOCUMENT: Document = { path: "a/README", kind: "README", text: TEXT, ...digestOf(TEXT) };

function right(number: number): Outcome {
  return { kind: "result", value: answerOf({ number, path: DOCUMENT.path, text: TEXT }, "w") };
}

function changed(number: number, change: Record<string, unknown>): Outcome {
  const outcome = right(number);
  assert.equal(outcome.kind, "result");
  return { kind: "result", value: { ...Object(outcome.value), ...change } };
}

test("close() of the right answer keeps the books clean", () => {
  const ledger = new Ledger();
  const number = ledger.open("JSON", DOCUMENT);
  assert.deepEqual([ledger.missing, ledger.isClean], [1, false]);
  assert.equal(ledger.close("JSON", number, right(number)), DOCUMENT);
  assert.deepEqual([ledger.missing, ledger.doubled, ledger.wrong, ledger.isClean], [0, 0, 0, true]);
  assert.deepEqual([ledger.calls, ledger.bytes, ledger.served("JSON", "w")], [1, 9, 1]);
});

test("a call that is given up is missing, by its path, even if its answer comes then", () => {
  const ledger = new Ledger();
  const [answered, late] = [ledger.open("JSON", DOCUMENT), ledger.open("JSON", DOCUMENT)];
  ledger.close("JSON", answered, right(answered));
  ledger.giveUp();
  assert.equal(ledger.close("JSON", late, right(late)), undefined);
  assert.deepEqual(ledger.missingPaths(), ["a/README"]);
  assert.deepEqual([ledger.missing, ledger.doubled, ledger.isClean], [1, 0, false]);
});

test("a second answer is doubled, also a right one", () => {
  const ledger = new Ledger();
  const number = ledger.open("JSON", DOCUMENT);
  ledger.close("JSON", number, right(number));
  assert.equal(ledger.close("JSON", number, right(number)), undefined);
  assert.deepEqual([ledger.missing, ledger.doubled, ledger.wrong, ledger.isClean], [0, 1, 0, false]);
  assert.deepEqual(ledger.told, ["a/README: answered 2 times"]);
});

test("an answer to another caller, or to nobody's call, is doubled and ends nothing", () => {
  const ledger = new Ledger();
  const number = ledger.open("JSON", DOCUMENT);
  ledger.close("msgpack", number, right(number));
  ledger.close("JSON", 99, right(99));
  assert.deepEqual([ledger.missing, ledger.doubled], [1, 2]);
});

for (const [what, change] of Object.entries({
  "another hash": { sha256: digestOf("two word").sha256 },
  "another word count": { words: 3 },
  "another length": { bytes: 10 },
  "another call's number": { number: 5 },
  "no worker": { worker: undefined },
})) {
  test(`an answer with ${what} is wrong`, () => {
    const ledger = new Ledger();
    const number = ledger.open("JSON", DOCUMENT);
    ledger.close("JSON", number, changed(number, change));
    assert.deepEqual([ledger.missing, ledger.wrong, ledger.isClean], [0, 1, false]);
    assert.match(ledger.told[0] ?? "", /^a\/README: /);
  });
}

test("an error, and a result that is no object, are wrong", () => {
  const ledger = new Ledger();
  ledger.close("JSON", ledger.open("JSON", DOCUMENT), {
    kind: "error",
    code: "overloaded",
    message: "later",
  });
  ledger.close("JSON", ledger.open("JSON", DOCUMENT), { kind: "result", value: null });
  assert.deepEqual([ledger.answered, ledger.wrong], [2, 2]);
  assert.deepEqual(ledger.told[0], "a/README: overloaded: later");
});
