// A seeded slice of the restart test; `npm run test:restarts` goes further.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testEngine } from "../support/test-engine.js";
import { RollingFleet } from "./rolling-fleet.js";

const SEED = 20_261_124;
const STEPS = 150;

test(`after each of ${STEPS} cuts and rolling restarts nothing is missing and nothing points at a dead worker`, {
  timeout: 120_000,
}, async (t) => {
  const { engine, port } = await testEngine(t);
  const fleet = new RollingFleet(engine, port, SEED);
  await fleet.start();
  await fleet.roll(STEPS);
  await fleet.end();
  assert.equal(
    [...fleet.taken.values()].reduce((sum, count) => sum + count),
    STEPS,
  );
  assert.ok(fleet.taken.size === 5, "every kind of step was taken");
});
