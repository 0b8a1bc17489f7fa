// Seeded slices of what strangers do at the doors: the engine lives, a healthy pair beside them gets every answer, nothing is left behind.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../support/random.js";
import { jsonDoor } from "./json-door.js";
import { msgpackDoor } from "./msgpack-door.js";
import { isWellFormed } from "./records.js";
import { upgradeBytes } from "./upgrade-requests.js";
import { upgrades } from "./upgrades.js";

const BOUND = { timeout: 120_000 };

test("records of every kind, bent: only frames that are no records end a connection", BOUND, async () => {
  const figures = await msgpackDoor.run(20_260_824, 8_000);
  assert.ok((figures["thrown out"] ?? 0) > 50, JSON.stringify(figures));
  for (const kind of [1, 2, 3, 4, 5, 6, 8, 19, 21, 23, 26, 27, 28, 31, 33, 34, 37, 38])
    assert.ok((figures[`got: kind ${kind}`] ?? 0) > 0, `kind ${kind} is met: ${JSON.stringify(figures)}`);
  assert.ok((figures["refused: invalid_record"] ?? 0) > 100);
});

test("JSON frames of every type, bent: nobody is thrown out", BOUND, async () => {
  const figures = await jsonDoor.run(20_260_825, 15_000);
  assert.ok((figures["malformed"] ?? 0) > 200, JSON.stringify(figures));
  for (const type of ["invokefunction", "invocationresult", "registertrigger", "pong"])
    assert.ok((figures[`got: ${type}`] ?? 0) > 20, `${type} is met: ${JSON.stringify(figures)}`);
});

test("upgrade requests bent in every place end with a status that is known", BOUND, async () => {
  const figures = await upgrades.run(20_261_124, 5_000);
  for (const status of [101, 403, 404, 426])
    assert.ok((figures[`status ${status}`] ?? 0) > 5, `${status} is met: ${JSON.stringify(figures)}`);
  const { origins_refused = 0, hosts_refused = 0, handshakes_failed = 0 } = figures;
  assert.ok(origins_refused > 20 && hosts_refused > 5 && handshakes_failed > 100, JSON.stringify(figures));
});

test("the same seed makes the same bytes", () => {
  const [one, same] = [new Random(7), new Random(7)];
  for (let at = 0; at < 100; at++) assert.deepEqual(upgradeBytes(one), upgradeBytes(same));
});

test("isWellFormed() tells records from other bytes", () => {
  for (const right of ["9101", "91cd0100", "92d0057f", "dc000101", "91019101", "91d300000000000000019101"])
    assert.ok(isWellFormed(Buffer.from(right, "hex")), right);
  for (const wrong of [
    "90",
    "9100",
    "91ff",
    "91c0",
    "01",
    "9201",
    "91a101",
    "8101",
    "dc0000",
    "dc00019101",
    "910191",
  ])
    assert.ok(!isWellFormed(Buffer.from(wrong, "hex")), wrong);
});
