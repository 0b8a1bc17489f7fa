// The registry's feed as a session gets it: what it may see, from the moment it may, until it may not any more.
import assert from "node:assert/strict";
import { test } from "node:test";
import { WATCHES_PER_CONNECTION_MAX } from "../../src/protocol/limits.js";
import { connect, type RegistryUpdate } from "../../src/worker/index.js";
import { eventually } from "../support/eventually.js";
import type { JsonPeer } from "../support/json-peer.js";
import type { MsgpackPeer } from "../support/msgpack-peer.js";
import { exposes, type GuardedEngine, guardedEngine, serve } from "./support.js";

type Change = [what: string, key: unknown, row: unknown];

/** What a watcher knows: the rows it was shown and not told the end of. */
class Known {
  readonly rows = new Map<string, unknown>();
  revision = 0;
  epoch = "";

  take(record: readonly unknown[]): void {
    const [kind, , third, fourth, fifth, sixth, seventh] = record;
    if (kind === 33 && sixth === true) this.rows.clear();
    const changes = (kind === 33 ? seventh : fifth) as Change[];
    if (kind === 34) assert.equal(third, this.revision, "no record is missed");
    this.revision = Number(kind === 33 ? fifth : fourth);
    if (kind === 33) this.epoch = String(fourth);
    for (const [what, key, row] of changes) {
      const name = `${what} ${String(key)}`;
      assert.ok(!name.includes("closed") && !JSON.stringify(row).includes("closed"), `${name} is hidden`);
      if (row !== null) this.rows.set(name, row);
      else assert.ok(this.rows.delete(name), `${name} was never shown, and its end is told`);
    }
  }

  get names(): string[] {
    return [...this.rows.keys()].filter((name) => !name.includes("engine::")).sort();
  }
}

/** Follows a feed of this peer; `becomes` waits until it knows exactly that. */
function follow(
  peer: MsgpackPeer,
  filter: object | null = null,
): { becomes: (names: string[]) => Promise<void>; known: Known } {
  const known = new Known();
  peer.onRecord = (record) => {
    if (record[0] === 33 || record[0] === 34) known.take(record);
  };
  peer.send([32, 1, filter]);
  const becomes = async (names: string[]): Promise<void> => {
    const wanted = JSON.stringify([...names].sort());
    await eventually("the feed tells", () => JSON.stringify(known.names) === wanted, 5_000).catch(() =>
      assert.deepEqual(known.names, [...names].sort()),
    );
  };
  return { becomes, known };
}

const ACCESS = { rbac: { exposeFunctions: exposes("open::*") } };

async function offering(rig: GuardedEngine, name: string, ...ids: string[]): Promise<JsonPeer> {
  const worker = await rig.json({ name });
  for (const id of ids) worker.register(id);
  await worker.settle();
  return worker;
}

test("a session is shown the functions it may call, who serves them, their triggers, and types it may use", async (t) => {
  const rig = await guardedEngine(t, {
    rbac: { authFunctionId: "auth", exposeFunctions: exposes("open::*") },
  });
  await serve(rig, "auth", () => ({ allowed_trigger_types: ["mail"] }));
  const seen = await offering(rig, "seen", "open::f", "closed::f");
  const hidden = await offering(rig, "hidden", "closed::g");
  for (const id of ["mail", "cron"]) hidden.send({ type: "registertriggertype", id, description: "" });
  for (const [id, function_id] of [
    ["t1", "open::f"],
    ["t2", "closed::f"],
  ])
    seen.send({ type: "registertrigger", id, trigger_type: "nobody", function_id, config: {} });
  await Promise.all([seen.settle(), hidden.settle()]);
  const peer = await rig.enteredMsgpack();
  const { becomes } = follow(peer);
  await becomes([
    "function default,open::f",
    "trigger t1",
    "trigger_type default,mail",
    `worker ${peer.welcome.worker}`,
    `worker ${seen.workerId}`,
  ]);
});

test("changes are told as far as they are seen: a worker with its first such function, and no end of what was never shown", async (t) => {
  const rig = await guardedEngine(t, ACCESS);
  const peer = await rig.enteredMsgpack();
  const { becomes } = follow(peer);
  const me = `worker ${peer.welcome.worker}`;
  await becomes([me]);
  const worker = await offering(rig, "w", "closed::f");
  await becomes([me]);
  worker.register("open::f");
  worker.send({ type: "registertrigger", id: "t", trigger_type: "x", function_id: "open::f", config: {} });
  worker.send({ type: "registertrigger", id: "u", trigger_type: "x", function_id: "closed::f", config: {} });
  await worker.settle();
  const all = ["function default,open::f", "trigger t", me, `worker ${worker.workerId}`].sort();
  await becomes(all);
  worker.send({ type: "unregisterfunction", id: "open::f" });
  worker.send({ type: "unregisterfunction", id: "closed::f" });
  await worker.settle();
  await becomes(["trigger t", me]);
  await worker.close();
  await eventually("it is gone", () => rig.engine.stats().workers === 1);
  await becomes([me]);
});

test("what metadata shows and hides: the function, its triggers and its worker come and go", async (t) => {
  const rig = await guardedEngine(t, {
    rbac: {
      exposeFunctions: [{ kind: "metadata", namespace: "default", members: new Map([["public", true]]) }],
    },
  });
  const worker = await offering(rig, "w", "f");
  worker.send({ type: "registertrigger", id: "t", trigger_type: "x", function_id: "f", config: {} });
  await worker.settle();
  const peer = await rig.enteredMsgpack();
  const { becomes } = follow(peer);
  const me = `worker ${peer.welcome.worker}`;
  await becomes([me]);
  for (let round = 0; round < 2; round++) {
    worker.register("f", { metadata: { public: true } });
    await worker.settle();
    await becomes(["function default,f", "trigger t", me, `worker ${worker.workerId}`]);
    worker.register("f", { metadata: { public: false } });
    await worker.settle();
    await becomes([me]);
  }
});

test("a session's feeds keep to their filters and their number, end with unwatch, and resume from nothing", async (t) => {
  const rig = await guardedEngine(t, ACCESS);
  const worker = await offering(rig, "w", "open::a");
  const peer = await rig.enteredMsgpack();
  const { known, becomes } = follow(peer, { prefix: "open::a" });
  await becomes(["function default,open::a"]);
  worker.register("open::b");
  await worker.settle();
  await becomes(["function default,open::a"]);
  const again = await rig.enteredMsgpack();
  again.send([32, 1, { prefix: "open::a", epoch: known.epoch, revision: known.revision }]);
  const answer = await again.next();
  assert.deepEqual(
    [answer[0], answer[5], (answer[6] as unknown[]).length],
    [33, true, 1],
    "whole, and not resumed",
  );
  again.send([35, 2, answer[2]]);
  worker.send({ type: "unregisterfunction", id: "open::a" });
  await worker.settle();
  await again.settle();
  await becomes([]);
  for (let n = 1; n < WATCHES_PER_CONNECTION_MAX + 2; n++) again.send([32, 10 + n, { prefix: `p${n}` }]);
  const refused = (await again.drain()).filter(([kind]) => kind === 25);
  assert.deepEqual(
    refused.map((record) => record[2]),
    ["limit_reached"],
  );
});

test("a worker of the SDK watches through a listener with rules", async (t) => {
  const rig = await guardedEngine(t, ACCESS);
  await offering(rig, "w", "open::f", "closed::f");
  const worker = await connect({ url: `ws://127.0.0.1:${rig.guardedPort}`, onEvent: () => {} });
  const updates: RegistryUpdate[] = [];
  worker.watch({}, (update) => updates.push(update));
  await eventually("the first update", () => updates.length > 0);
  await worker.close();
  const ids = updates.flatMap(({ changes }) =>
    changes.flatMap((one) => (one.what === "function" ? [one.id] : [])),
  );
  assert.ok(ids.includes("open::f") && !ids.includes("closed::f"), String(ids));
});
