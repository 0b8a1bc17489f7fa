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

function rows({ ratio = 1, alone = 0.4, collections = 1, controlSpread = 0.01 }): Row[] {
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
      { control: "base", value: ratio },
      { control: "gathered", value: alone },
    ],
  };
  return [control, head];
}

test("judge() lets a head through that is within its budget of the base", () => {
  assert.equal(judge(rows({ ratio: 1.04 }), ONE, true).verdict, "within");
});

test("judge() refuses a head that is slower than its budget", () => {
  const { verdict, why } = judge(rows({ ratio: 1.06 }), ONE, true);
  assert.equal(verdict, "beyond");
  assert.match(why, /1\.060 × base, at most 1\.05/);
});

test("judge() says inconclusive when the control moved as well", () => {
  const { verdict, why } = judge(rows({ ratio: 1.06, controlSpread: 0.3 }), ONE, true);
  assert.equal(verdict, "inconclusive");
  assert.match(why, /control moved by 30 %/);
});

test("judge() holds a head without a base against the control", () => {
  assert.equal(judge(rows({ alone: 0.49 }), ONE, false).verdict, "within");
  assert.equal(judge(rows({ alone: 0.51 }), ONE, false).verdict, "beyond");
});

test("judge() refuses an allocation per call, whatever its time and the weather", () => {
  const { verdict, why } = judge(rows({ ratio: 0.9, collections: 10, controlSpread: 0.5 }), ONE, true);
  assert.equal(verdict, "beyond");
  assert.match(why, /10\.00 garbage collections per million calls/);
});

test("every budget says why it is what it is", () => {
  for (const { why, budget, alone, collectionsMax } of GATE_CASES) {
    assert.ok(why.length > 10);
    assert.ok(budget > 1 && budget < 1.2 && alone > 0 && collectionsMax >= 0);
  }
});
