// A seeded slice of the configuration's fuzzer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { config } from "./config.js";

const INPUTS = 1_000;

test("parseConfig() answers every mutation with a configuration or with problems that have a place and a sentence", async () => {
  const { accepted = 0, refused = 0 } = await config.run(20_260_823, INPUTS);
  assert.equal(accepted + refused, INPUTS);
  assert.ok(accepted > INPUTS / 50 && accepted < INPUTS / 2, `${accepted} were accepted`);
});
