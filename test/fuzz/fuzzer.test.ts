// What a fuzzer says of a wrong input: enough to repeat it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pureFuzzer, WrongInput } from "./fuzzer.js";

test("the first wrong input is told with its seed and number, and ends the run", async () => {
  let judged = 0;
  const broken = pureFuzzer("broken", "fails at the fourth", (seed, tally) => () => {
    tally.add("judged");
    if (judged++ === 3) assert.equal(seed, 0, "not what was expected");
  });
  await assert.rejects(broken.run(5, 100), (error) => {
    assert.ok(error instanceof WrongInput && error.cause instanceof assert.AssertionError);
    assert.deepEqual([error.fuzzer, error.seed], ["broken", 5]);
    return /^broken, seed 5, input 3: not what was expected/.test(error.message);
  });
  assert.equal(judged, 4);
});

test("figures count what was met", async () => {
  const fine = pureFuzzer("fine", "accepts all", (_seed, tally) => () => tally.add("accepted"));
  assert.deepEqual(await fine.run(1, 7), { accepted: 7 });
});
