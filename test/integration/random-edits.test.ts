// A seeded slice of the long series that `npm run edits` makes.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { randomEdits } from "./random-edits.js";

test("after each of 25 random edits exactly the declared processes run, the unchanged under their old ids", {
  timeout: 120_000,
}, async () => {
  const report = await randomEdits(25, 20_260_823);
  assert(report.valid >= 15 && report.broken >= 2 && report.kept >= 40, JSON.stringify(report));
});
