// An engine of this process with strangers at its doors and, beside them, a healthy pair that must be served all along and a registry that must be
// empty at the end.
import assert from "node:assert/strict";
import type { JsonPeer } from "../support/json-peer.js";
import { type MsgpackPeer, pack } from "../support/msgpack-peer.js";
import { type TestEngine, testEngine } from "../support/test-engine.js";
import { canonicalAnswer } from "../support/wire.js";

/** Everything waits so long at most: a machine may be busy. */
export const WAIT_MS = 30_000;

export interface FuzzedEngine extends TestEngine {
  /** A call over each door, between peers that behave, is answered. */
  served: (round: number) => Promise<void>;
}

/** Runs `strangers` at a new engine; resolves when they are gone and nothing is left of them. */
export async function withEngine(strangers: (engine: FuzzedEngine) => Promise<void>): Promise<void> {
  const ends: (() => unknown)[] = [];
  const tested = await testEngine(
    { after: (end) => void ends.push(end as () => unknown) }, // called without arguments, as node:test's own may be
    { limits: { callTimeoutMs: 200 } },
  );
  const before = triggersOf(tested);
  try {
    await strangers({ ...tested, served: await healthyPairs(tested) });
  } catch (error) {
    await tested.engine.close(); // what is left is no news now
    throw error;
  }
  for (const end of ends) await end();
  assert.deepEqual(triggersOf(tested), before, "no trigger is left, and no type");
}

function triggersOf({ engine }: TestEngine): number[] {
  return [engine.triggers.triggers.count, engine.triggers.types.count];
}

async function healthyPairs(tested: TestEngine): Promise<(round: number) => Promise<void>> {
  const [packed, [echo]] = (await tested.msgpackOffering(["healthy::packed"])) as [MsgpackPeer, [number]]; // as many as asked for
  const text = await tested.jsonOffering("healthy::text");
  const [caller, asking] = [await tested.msgpack(), await tested.json()];
  return async (round) => {
    await overMsgpack(caller, packed, echo, round);
    await overJson(asking, text, round);
  };
}

async function overMsgpack(
  caller: MsgpackPeer,
  worker: MsgpackPeer,
  fn: number,
  round: number,
): Promise<void> {
  const answer = caller.call(fn, pack(round), round, WAIT_MS);
  const [, ticket, , , , , payload] = await worker.next("a healthy call", WAIT_MS);
  worker.sendBytes(canonicalAnswer(2, ticket as number, payload as Uint8Array)); // of a call: PROTOCOL.md
  assert.deepEqual(await answer, [2, round]);
}

async function overJson(caller: JsonPeer, worker: JsonPeer, round: number): Promise<void> {
  const id = caller.invoke("healthy::text", { round });
  worker.answer(await worker.next("a healthy call", WAIT_MS), round);
  const answer = await caller.next("a healthy answer", WAIT_MS);
  assert.deepEqual([answer.invocation_id, answer.result], [id, round]);
}
