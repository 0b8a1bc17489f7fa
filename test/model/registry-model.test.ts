// A seeded slice of the model test: `npm run test:model -- --steps 100000 --seed N` walks further.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testEngine } from "../support/test-engine.js";
import { RandomWalk } from "./random-walk.js";

const STEPS = 600;

for (const seed of [20_260_823, 7]) {
  test(`engine and model agree after each of ${STEPS} steps, seed ${seed}`, async (t) => {
    const { engine, port } = await testEngine(t);
    const walk = new RandomWalk(engine, port, seed);
    try {
      await walk.walk(STEPS);
      await walk.end();
    } finally {
      await walk.abandon();
    }
    assert.ok(walk.taken.size >= 11, "every kind of step was taken");
  });
}
