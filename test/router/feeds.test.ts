// The registry's feed to msgpack workers: records 32 to 35, and the worker SDK's watch over lost connections.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FEED_CHANGES_MAX } from "../../src/protocol/limits.js";
import { type Change, ChangeLog } from "../../src/registry/change-log.js";
import type { RegistryUpdate } from "../../src/worker/index.js";
import { CuttableProxy } from "../support/cuttable-proxy.js";
import { until } from "../support/eventually.js";
import type { MsgpackPeer } from "../support/msgpack-peer.js";
import { testEngine } from "../support/test-engine.js";
import { SOON, workerFor } from "../worker/support.js";

interface Watching {
  feed: number;
  epoch: string;
  revision: number;
  isWhole: boolean;
  changes: unknown[][];
}

async function watch(peer: MsgpackPeer, filter: object | null, request = 1): Promise<Watching> {
  peer.send([32, request, filter]);
  let answer = await peer.next();
  while (answer[0] === 34) answer = await peer.next(); // of a feed that this peer has already
  const [kind, asked, feed, epoch, revision, isWhole, changes] = answer;
  assert.deepEqual([kind, asked], [33, request]);
  return { feed, epoch, revision, isWhole, changes } as Watching; // compared by the tests
}

test("watch: all there is once, then each turn's changes in one record for all watchers of a filter", async (t) => {
  const on = await testEngine(t);
  const [one, two, other] = [await on.msgpack(), await on.msgpack(), await on.msgpack()];
  const worker = await on.json({ name: "shop" });
  worker.register("shop::a", { description: "first" });
  worker.register("pay::b");
  await worker.settle();
  const first = await watch(one, { prefix: "shop" });
  assert.equal(first.isWhole, true);
  assert.deepEqual(first.changes, [
    ["function", ["default", "shop::a"], ["shop", "first"]],
    ["worker", worker.workerId, ["default", "shop", "unknown"]],
  ]);
  const second = await watch(two, { prefix: "shop" });
  assert.equal(second.feed, first.feed);
  const third = await watch(other, { prefix: "pay" });
  assert.notEqual(third.feed, first.feed);
  const before = on.counter("feed_records");
  worker.register("shop::c");
  worker.send({ type: "unregisterfunction", id: "shop::a" });
  worker.send({ type: "registertrigger", id: "t1", trigger_type: "mail", function_id: "shop::c", config: 1 });
  await worker.settle();
  for (const peer of [one, two]) {
    const told: unknown[][] = [];
    let revision = first.revision;
    while (told.length < 3) {
      const [kind, feed, from, to, changes] = (await peer.next()) as [
        number,
        number,
        number,
        number,
        unknown[][],
      ];
      assert.deepEqual([kind, feed], [34, first.feed]);
      assert.ok(from <= revision && to > revision);
      revision = to;
      told.push(...changes);
    }
    assert.deepEqual(told, [
      ["function", ["default", "shop::c"], ["shop", null]],
      ["function", ["default", "shop::a"], null],
      ["trigger", "t1", ["default", "shop::c", "mail", 1, "no_provider"]],
    ]);
  }
  await other.settle();
  assert.ok(on.counter("feed_records") - before <= 3, "published once, however many watch");
});

test("watch: types, workers that leave, triggers that change their state, names that come late", async (t) => {
  const on = await testEngine(t);
  const watcher = await on.msgpack();
  await watch(watcher, null);
  const told = async (count: number): Promise<unknown[][]> => {
    const all: unknown[][] = [];
    while (all.length < count) all.push(...((await watcher.next())[4] as unknown[][]));
    return all;
  };
  const worker = await on.msgpack({ name: "post", namespace: "a" });
  const id = worker.welcome.worker;
  assert.deepEqual((await told(1)).at(-1), ["worker", id, ["a", "post", "unknown"]]);
  worker.send([26, 1, [["mail", "new mail"]]], [28, 2, "t1", "mail", "f", {}]);
  const registered = await told(2);
  assert.deepEqual(registered, [
    ["trigger_type", ["a", "mail"], ["post", "new mail"]],
    ["trigger", "t1", ["a", "f", "mail", 0, null]],
  ]);
  await worker.close();
  assert.deepEqual((await told(3)).toSorted(), [
    ["trigger", "t1", null],
    ["trigger_type", ["a", "mail"], null],
    ["worker", id, null],
  ]);
});

test("watch: resumes from a revision of the same epoch; from any other it starts over", async (t) => {
  const on = await testEngine(t);
  const [watcher, again] = [await on.msgpack(), await on.msgpack()];
  const { epoch, revision } = await watch(watcher, { prefix: "f" });
  const worker = await on.json();
  for (const name of ["f1", "f2", "g1"]) worker.register(name);
  worker.send({ type: "unregisterfunction", id: "f1" });
  await worker.settle();
  const resumed = await watch(again, { prefix: "f", epoch, revision });
  assert.equal(resumed.isWhole, false);
  assert.deepEqual(resumed.changes, [
    ["function", ["default", "f2"], ["f2", null]],
    ["function", ["default", "f1"], null],
  ]);
  assert.ok(resumed.revision > revision);
  const current = await watch(again, { prefix: "f", epoch, revision: resumed.revision }, 2);
  assert.deepEqual([current.isWhole, current.changes], [false, []]);
  for (const from of [{ epoch: "another run", revision }, { epoch, revision: 1e9 }, { epoch }])
    assert.equal((await watch(again, { prefix: "f", ...from }, 3)).isWhole, true);
});

test("watch: wrong filters are invalid records, the seventeenth feed is refused, unwatch ends one", async (t) => {
  const on = await testEngine(t);
  const watcher = await on.msgpack();
  for (const filter of [1, "x", { prefix: 1 }, { namespace: [] }, { revision: -1 }, { revision: "1" }]) {
    watcher.send([32, 1, filter]);
    assert.deepEqual(
      (await watcher.next()).slice(0, 3),
      [25, null, "invalid_record"],
      JSON.stringify(filter),
    );
  }
  const feeds: number[] = [];
  for (let at = 0; at < 16; at++) feeds.push((await watch(watcher, { prefix: `p${at}::` })).feed);
  watcher.send([32, 99, { prefix: "one too many" }]);
  assert.deepEqual((await watcher.next()).slice(0, 3), [25, 99, "limit_reached"]);
  watcher.send([35, 1, feeds[0]], [35, 1, 12_345]);
  const worker = await on.json();
  worker.register("p0::f");
  worker.register("p1::f");
  await worker.settle();
  const [kind, feed, , , changes] = await watcher.next();
  assert.deepEqual([kind, feed, (changes as unknown[]).length], [34, feeds[1], 1]);
  await watch(watcher, { prefix: "one more" });
});

test("the worker SDK's watch follows the registry over lost connections and agrees with the engine at the end", async (t) => {
  const on = await testEngine(t);
  const proxy = new CuttableProxy(on.port);
  await proxy.listen();
  t.after(() => proxy.close());
  const watcher = await workerFor(t, proxy, { reconnect: SOON });
  on.keep({ socket: { terminate: () => void watcher.close({ timeoutMs: 0 }) } } as unknown as MsgpackPeer); // closed before the engine is looked at
  const known = new Set<string>();
  const updates: RegistryUpdate[] = [];
  const seen = watcher.watch({ prefix: "f" }, (update) => {
    updates.push(update);
    if (update.isWhole) known.clear();
    for (const change of update.changes) {
      if (change.what !== "function") continue;
      if (change.row === undefined) known.delete(change.id);
      else known.add(change.id);
    }
  });
  await until(() => updates.length === 1);
  assert.equal(updates[0]?.isWhole, true);
  const worker = await on.json();
  const offered = new Set<string>();
  for (let round = 0; round < 20; round++) {
    for (let step = 0; step < 50; step++) {
      const id = `f${(round * 37 + step * 11) % 60}`;
      if (offered.delete(id)) worker.send({ type: "unregisterfunction", id });
      else {
        offered.add(id);
        worker.register(id);
      }
    }
    await worker.settle();
    if (round % 5 === 2) proxy.cut();
  }
  await until(() => [...known].toSorted().join() === [...offered].toSorted().join());
  assert.ok(
    updates.slice(1).every(({ isWhole }) => !isWhole),
    "it resumed, and never started over",
  );
  seen.close();
  const before = updates.length;
  worker.register("f-after");
  await worker.settle();
  await watcher.call("engine::functions::list", {});
  assert.equal(updates.length, before);
});

test("ChangeLog keeps a bounded past, each thing once at its latest change", () => {
  const log = new ChangeLog();
  const note = (id: string): void => {
    const change: Change = { what: "worker", keyNamespace: "", id, namespace: "default", text: "" };
    log.note(change);
  };
  for (const id of ["a", "b", "a"]) note(id);
  assert.deepEqual(
    [...log.since(0).values()].map(({ change, revision }) => [change.id, revision]),
    [
      ["b", 2],
      ["a", 3],
    ],
  );
  assert.ok(log.reaches(0) && !log.reaches(4));
  for (let at = 0; at < 2 * FEED_CHANGES_MAX; at++) note(`w${at % 10}`);
  assert.ok(!log.reaches(3));
  assert.ok(log.reaches(log.revision - FEED_CHANGES_MAX));
  assert.equal(log.since(log.revision - 5).size, 5);
});
