// A seeded slice of hostile requests at the door: the engine lives, others are served, every refusal is one that the door knows, nothing is left.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.js";
import { Random } from "../support/random.js";
import { testEngine } from "../support/test-engine.js";
import { knock, upgradeBytes } from "./upgrade-requests.js";

const SEED = 20261124;
const KNOCKS = 6_000;
/** The door's own, and those of uWebSockets' parser: 0 is a close without an answer. */
const KNOWN = [0, 101, 200, 400, 403, 404, 421, 426, 431, 505];

test("upgrade requests bent in every place", { timeout: 60_000 }, async (t) => {
  const { port, jsonOffering, engine, counter } = await testEngine(t);
  const worker = await jsonOffering("healthy::echo");
  const caller = await jsonOffering();
  const random = new Random(SEED);
  const answers = new Map<number, number>();
  for (let round = 0; round < 4; round++) {
    const knocked = await knock(port, random, KNOCKS / 4);
    for (const [status, count] of knocked.answers) answers.set(status, (answers.get(status) ?? 0) + count);
    const waiting = caller.call("healthy::echo", { round });
    worker.answer(await worker.next(`seed ${SEED}, round ${round}`), round);
    assert.equal((await waiting).result, round);
  }
  const all = [...answers.values()].reduce((sum, count) => sum + count, 0);
  assert.equal(all, KNOCKS, "every request ended");
  for (const status of answers.keys()) assert.ok(KNOWN.includes(status), `status ${status}, seed ${SEED}`);
  for (const status of [101, 403, 404, 426])
    assert.ok((answers.get(status) ?? 0) > 5, `${status} is met: ${[...answers]}`);
  assert.ok(
    counter("origins_refused") > 20 && counter("hosts_refused") > 5 && counter("handshakes_failed") > 100,
  );
  await eventually("only the two workers are left", () => engine.stats().connections === 2);
});

test("the same seed makes the same bytes", () => {
  const [one, same] = [new Random(7), new Random(7)];
  for (let at = 0; at < 100; at++) assert.deepEqual(upgradeBytes(one), upgradeBytes(same));
});
