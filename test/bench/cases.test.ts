// Every case of the bench once through, with the smallest parameters: so that it is alive when somebody needs it.
//
// No figure is judged here; that each call was answered once, with its own payload, is checked by the loads themselves.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Context, FULL, ONCE, QUICK } from "../../bench/case.js";
import { CASES } from "../../bench/cases/index.js";

const context: Context = {
  effort: ONCE,
  controlsOnly: false,
  engine: {},
  progress: () => {},
  giveUp: ({ title }, why) => {
    throw new Error(`${title} cannot be measured: ${String(why)}`, { cause: why });
  },
};

/** The other call cells differ from these in two numbers only. */
const CALL_CELLS = new Set(["call-128-64", "call-65536-1"]);

for (const one of CASES.filter(({ name }) => !name.startsWith("call-") || CALL_CELLS.has(name))) {
  test(`${one.name} runs through`, { timeout: 60_000 }, async () => {
    const { name, rows } = await one.run(context);
    assert.equal(name, one.name);
    assert.ok(rows.length > 0, "it has rows");
    for (const row of rows) {
      assert.ok(Number.isFinite(row.figure.value), `${row.title}: ${row.figure.value} ${row.figure.unit}`);
      for (const { control, value } of row.ratios)
        assert.ok(Number.isFinite(value), `${row.title} × ${control}`);
    }
  });
}

test("a full run is planned for less than fifteen minutes, a quick one for about one", () => {
  const planned = (cases: typeof CASES, effort: typeof FULL) =>
    cases.reduce((sum, one) => sum + one.takesS(effort), 0);
  assert.ok(planned(CASES, FULL) < 14.5 * 60, `${planned(CASES, FULL)} s`);
  const quick = CASES.filter((one) => one.quick);
  assert.ok(planned(quick, QUICK) < 75, `${planned(quick, QUICK)} s`);
});
