// The nearest known word to a mistyped one.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { editDistance, nearest } from "../../src/config/nearest.js";

test("editDistance() counts insertions, deletions, replacements and swaps", () => {
  for (const [from, to, distance] of [
    ["port", "port", 0],
    ["prot", "port", 1],
    ["prt", "port", 1],
    ["poort", "port", 1],
    ["part", "port", 1],
    ["", "ab", 2],
    ["abc", "", 3],
  ] as const) {
    assert.equal(editDistance(from, to), distance, `${from} ${to}`);
  }
});

test("nearest() offers what is near and nothing else", () => {
  assert.equal(nearest("replicsa", ["name", "replicas"]), "replicas");
  assert.equal(nearest("Port", ["port"]), "port");
  assert.equal(nearest("zzz", ["port", "host"]), undefined);
});
