// The gate: which rows pass, which fail, and what it says of each.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GATE_CASES, type GateCase } from "../../bench/budget.js";
import type { Row } from "../../bench/case.js";
import { judge } from "../../bench/gate.js";

const ONE: GateCase = {
  name: "call-128-64",
  path: "coalesced",
  control: "gathered",
  traffic: { callers: 1, workers: 1, outstanding: 64, payloadBytes: 128 },
  budget: 1.05,
  alone: 0.5,
  collectionsMax: 4,
  why: "a test",
  quick: true,
};

/** `width`: of the intervals, to each side. */
function rows({ ratio = 1, alone = 0.4, collections = 1, controlSpread = 0.01, width = 0.01 }): Row[] {
  const figure = { value: 1, unit: "µs/call" };
  const control: Row = {
    name: "gathered",
    title: "control",
    kind: "control",
    figure: { ...figure, spread: controlSpread },
    others: {},
    ratios: [],
  };
  const head: Row = {
    name: "head",
    title: "head",
    kind: "tercet",
    figure,
    others: { "collections/M": { value: collections, unit: "" } },
    ratios: [
      { control: "base", value: ratio, low: ratio - width, high: ratio + width },
      { control: "gathered", value: alone, low: alone - width, high: alone + width },
    ],
  };
  return [control, head];
}

test("judge() lets a head through that is within its budget of the base", () => {
  assert.equal(judge(rows({ ratio: 1.03 }), ONE, true, false).verdict, "within");
});

test("judge() refuses a head that is slower than its budget", () => {
  const { verdict, why } = judge(rows({ ratio: 1.08 }), ONE, true, false);
  assert.equal(verdict, "beyond");
  assert.match(why, /1\.080 × base \(1\.070 to 1\.090\), at most 1\.05/);
});

test("judge() wants more turns while the ratio may lie on either side of the budget", () => {
  for (const ratio of [1.04, 1.06])
    assert.equal(judge(rows({ ratio, width: 0.03 }), ONE, true, false).verdict, "open");
});

test("judge() goes by the median after the last turn", () => {
  assert.equal(judge(rows({ ratio: 1.04, width: 0.03 }), ONE, true, true).verdict, "within");
  assert.equal(judge(rows({ ratio: 1.06, width: 0.03 }), ONE, true, true).verdict, "beyond");
});

test("judge() says inconclusive when a median over the budget may be chance and the control moved as well", () => {
  const { verdict, why } = judge(rows({ ratio: 1.06, width: 0.03, controlSpread: 0.3 }), ONE, true, true);
  assert.equal(verdict, "inconclusive");
  assert.match(why, /control moved by 30 %/);
});

test("judge() says beyond of what no turn makes doubtful, whatever the control did", () => {
  assert.equal(judge(rows({ ratio: 1.3, controlSpread: 0.3 }), ONE, true, false).verdict, "beyond");
});

test("judge() holds a head without a base against the control", () => {
  assert.equal(judge(rows({ alone: 0.48 }), ONE, false, false).verdict, "within");
  assert.equal(judge(rows({ alone: 0.52 }), ONE, false, false).verdict, "beyond");
});

test("judge() refuses an allocation per call, whatever its time and the weather", () => {
  const { verdict, why } = judge(rows({ ratio: 0.9, collections: 10, controlSpread: 0.5 }), ONE, true, false);
  assert.equal(verdict, "beyond");
  assert.match(why, /10\.00 garbage collections per million calls/);
});

test("every budget says why it is what it is", () => {
  for (const { why, budget, alone, collectionsMax } of GATE_CASES) {
    assert.ok(why.length > 10);
    assert.ok(budget > 1 && budget < 1.2 && alone > 0 && collectionsMax >= 0);
  }
});
