// A seeded slice of the fuzzer of msgpack values.
import assert from "node:assert/strict";
import { test } from "node:test";
import { msgpack } from "./msgpack.js";

test("values in any width are read and their ends found, whole, cut and damaged", async () => {
  const figures = await msgpack.run(20_261_124, 20_000);
  const { whole = 0, "damaged: no value": none = 0, "damaged: read": read = 0 } = figures;
  assert.ok(whole > 5_000 && none > 1_000 && read > 1_000, JSON.stringify(figures));
});
