// Each checker of chaos turns red when what it watches is broken on purpose: a checker that cannot fail proves nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Packr } from "msgpackr";
import type { MessageSeen } from "../../src/testing/index.js";
import { balance, startTestEngine } from "../../src/testing/index.js";
import { pack } from "../support/msgpack-peer.js";
import { records } from "../support/wire.js";
import { type ChaosResult, chaos, type Sabotage } from "./chaos.js";
import * as invariants from "./invariants.js";
import { Witness } from "./witness.js";

const packr = new Packr({ useRecords: false });

function sabotaged(sabotage: Sabotage): Promise<ChaosResult> {
  return chaos({ seed: 7, forMs: 1_500, roundMs: 1_500, faultEveryMs: 10_000, calmMs: 3_000, sabotage });
}

function assertRed({ violations }: ChaosResult, pattern: RegExp): void {
  assert.ok(
    violations.some((violation) => pattern.test(violation)),
    `${pattern} among ${JSON.stringify(violations.slice(0, 5))}`,
  );
}

/** Does something to the first few answers with a result that pass. */
function onAnswers(change: (record: unknown[]) => unknown[] | null): (seen: MessageSeen) => Buffer | null {
  let left = 5;
  return ({ direction, isBinary, payload }) => {
    if (direction !== "from engine" || !isBinary || left === 0) return payload;
    const found = records(payload);
    if (!found.some(([kind]) => kind === 2)) return payload;
    left--;
    const kept = found.flatMap((record) => (record[0] === 2 ? [change(record)] : [record]));
    return Buffer.concat(kept.filter((record) => record !== null).map(pack));
  };
}

test("an altered number in an answer is seen by its caller", { timeout: 60_000 }, async () => {
  const alter = onAnswers(([kind, call, payload]) => [kind, Number(call) + 1_000_000, payload]);
  const result = await sabotaged({ callerLines: { faults: {}, alter } });
  assertRed(result, /ended twice, or never began/);
  assertRed(result, /calls have no answer/);
});

test("an answer to another question is seen by its caller", { timeout: 60_000 }, async () => {
  const alter = onAnswers(([kind, call]) => [kind, call, packr.pack(1)]);
  assertRed(await sabotaged({ callerLines: { faults: {}, alter } }), /asked for \d+ and got 1/);
});

test("an answer that comes twice is seen by a caller that was to get it once", {
  timeout: 60_000,
}, async () => {
  const alter = ({ direction, isBinary, payload }: MessageSeen): Buffer =>
    direction === "from engine" && isBinary ? Buffer.concat([payload, payload]) : payload;
  assertRed(await sabotaged({ callerLines: { faults: {}, alter } }), /ended twice/);
});

test("a worker that is believed to live and does not is missed in the registry, memory that is kept is seen", {
  timeout: 60_000,
}, async () => {
  const result = await sabotaged({ ghost: "nobody", leakBytes: 64 << 20 });
  assertRed(result, /nobody lives and is not listed/);
  assertRed(result, /MiB more are held/);
});

test("registry() sees who is listed and is not there, and who is listed twice", () => {
  assert.deepEqual(invariants.registry(["a.1", "b.2"], ["a", "b"]), []);
  assert.deepEqual(invariants.registry(["a.1", "b.2"], ["a"]), ["b is listed and is not there"]);
  assert.deepEqual(invariants.registry(["a.1", "a.2"], ["a"]), ["a is listed and is not there"]);
});

test("balance() sees an end that was not counted, calm() a call that stays open", async (t) => {
  const engine = await startTestEngine();
  t.after(() => engine.close());
  await engine.call("engine::functions::list", {});
  const stats = await engine.stats();
  assert.deepEqual(balance(stats), []);
  assert.equal(balance({ ...stats, callsEnded: stats.callsEnded - 1 }).length, 1);
  const open = { ...stats, callsOpened: stats.callsOpened + 1, callsOpen: 1 };
  assert.deepEqual(invariants.calm(open), ["1 calls stay open"]);
});

test("the witness sees an end too many and an end too few, and takes a doubled call for two", () => {
  const witness = new Witness();
  const see = (direction: MessageSeen["direction"], record: unknown[]): void =>
    witness.see({ connection: 1, direction, isBinary: true, payload: pack(record) });
  see("to engine", [1, 7, "f"]);
  see("to engine", [1, 7, "f"]);
  see("from engine", [2, 7, Buffer.of(1)]);
  assert.equal(witness.unanswered([1]).length, 1);
  see("from engine", [3, 7, Buffer.of(0x80)]);
  assert.deepEqual([witness.unanswered([1]), witness.faults], [[], []]);
  see("from engine", [2, 7, Buffer.of(1)]);
  assert.equal(witness.faults.length, 1);
});
