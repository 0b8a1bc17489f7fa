// A seeded slice of the translators' fuzzer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { translate } from "./translate.js";

test("payloads keep their values there and back, damaged ones are refused or read as their own parser reads them", async () => {
  const figures = await translate.run(20_261_123, 40_000);
  for (const [what, count] of Object.entries(figures)) assert.ok(count > 300, `${what}: ${count}`);
  assert.equal(Object.keys(figures).length, 9, "every kind of input was met");
});
