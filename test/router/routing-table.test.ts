// The routing table, read by other threads while it is written: no torn and no stale route is ever taken.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { RoutingTable, Target, WORDS } from "../../src/router/routing-table.js";
import { eventually } from "../support/eventually.js";
import { generationFor, type ReaderData, type ReaderReport } from "../support/route-reader.js";

const handleOf = (index: number, generation: number) => (generation << 20) | index;

test("publish(), target(), route() and withdraw(), by handle, for handles of every sign", () => {
  const table = new RoutingTable(10);
  const route = new Int32Array(2);
  for (const generation of [1, 2_047, 2_048, 4_095]) {
    const handle = handleOf(3, generation);
    table.publish(handle, 7, 9);
    assert.equal(table.target(handle), 7);
    assert.equal(table.route(handle, route), true);
    assert.deepEqual([...route], [7, 9]);
    assert.equal(
      table.target(handleOf(3, generation - 1)),
      Target.None,
      "another generation is another function",
    );
    assert.equal(table.route(handleOf(3, generation - 1), route), false);
    table.withdraw(handle);
    assert.equal(table.target(handle), Target.None);
    assert.equal(table.route(handle, route), false);
  }
});

test("handles of no function route nowhere: 0, beyond the table, never published", () => {
  const table = new RoutingTable(10);
  for (const handle of [0, handleOf(11, 1), handleOf(1_048_575, 4_095), -1, handleOf(5, 1)]) {
    assert.equal(table.target(handle), Target.None);
    assert.equal(table.route(handle, new Int32Array(2)), false);
  }
  assert.throws(() => table.publish(handleOf(11, 1), 1, 1), { name: "AssertionError" });
  assert.throws(() => table.publish(0, 1, 1), { name: "AssertionError" });
});

test("a table attached to the same memory sees the same routes, markers too", () => {
  const table = new RoutingTable(10);
  const reader = new RoutingTable(table.memory);
  table.publish(handleOf(1, 1), Target.Shared, 0);
  table.publish(handleOf(2, 1), Target.Builtin, 0);
  assert.deepEqual(
    [reader.target(handleOf(1, 1)), reader.target(handleOf(2, 1))],
    [Target.Shared, Target.Builtin],
  );
});

const FUNCTIONS = 8;

interface Churn {
  table: RoutingTable;
  handles: Int32Array;
  withdrawn: Int32Array;
}

/** One life of a function: registered, given to other targets, withdrawn, its index used again under the next generation. */
function live(churn: Churn, index: number, generation: number): void {
  const { table, handles, withdrawn } = churn;
  const handle = handleOf(index, generation);
  Atomics.store(handles, index, handle);
  for (let target = 1; target <= 5; target++) table.publish(handle, target, generationFor(handle, target));
  table.withdraw(handle);
  Atomics.store(withdrawn, index, generation);
}

/** Readers on two threads while `write` churns, for `forMs` or until a reader has caught it. */
async function race(
  forMs: number,
  write: (churn: Churn, index: number, generation: number) => void,
): Promise<{ lives: number; reports: ReaderReport[] }> {
  const table = new RoutingTable(FUNCTIONS);
  const data: ReaderData = {
    routes: table.memory,
    handles: new SharedArrayBuffer((FUNCTIONS + 1) * 4),
    withdrawn: new SharedArrayBuffer((FUNCTIONS + 1) * 4),
    flags: new SharedArrayBuffer(12),
    functions: FUNCTIONS,
  };
  const churn = { table, handles: new Int32Array(data.handles), withdrawn: new Int32Array(data.withdrawn) };
  const flags = new Int32Array(data.flags);
  const readers = [0, 1].map(
    () => new Worker(new URL("../support/route-reader.js", import.meta.url), { workerData: data }),
  );
  const reports = readers.map(
    (reader) =>
      new Promise<ReaderReport>((resolve, reject) => reader.once("message", resolve).once("error", reject)),
  );
  await eventually("both readers run", () => Atomics.load(flags, 1) === 2);
  let lives = 0;
  for (const until = performance.now() + forMs; performance.now() < until && Atomics.load(flags, 2) === 0; ) {
    for (let round = 0; round < 100; round++, lives++)
      write(churn, 1 + (lives % FUNCTIONS), 1 + (Math.floor(lives / FUNCTIONS) % 4_000));
    if (lives / FUNCTIONS > 3_900) {
      churn.withdrawn.fill(0); // generations start over; a reader that is between two reads may not be blamed for that
      await pauseReaders();
      lives = 0;
    }
  }
  Atomics.store(flags, 0, 1);
  return { lives, reports: await Promise.all(reports) };
}

/** Long enough for a reader to come round: it looks at the flags with every read. */
function pauseReaders(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

test("readers on other threads never take a torn or stale route while functions come, move and go", async () => {
  const { reports } = await race(1_200, live);
  for (const { reads, found, torn, stale } of reports) {
    assert.ok(reads > 10_000, `readers make progress: ${reads} reads`);
    assert.ok(found > 100, `and find routes: ${found}`);
    assert.deepEqual({ torn, stale }, { torn: 0, stale: 0 });
  }
});

test("the same readers catch a writer that leaves the sequence alone", async () => {
  const { reports } = await race(10_000, (churn, index, generation) => {
    const handle = handleOf(index, generation);
    Atomics.store(churn.handles, index, handle);
    const { words } = churn.table;
    for (let target = 1; target <= 5; target++) {
      Atomics.store(words, index * WORDS + 1, handle);
      Atomics.store(words, index * WORDS + 2, target);
      for (let wait = 0; wait < 50; wait++) Atomics.load(words, 0); // a writer can be interrupted here
      Atomics.store(words, index * WORDS + 3, generationFor(handle, target));
    }
  });
  assert.ok(reports.reduce((sum, report) => sum + report.torn, 0) > 0, "torn routes are seen");
});

test("the same readers catch a writer that says a function is gone before its route is", async () => {
  const { reports } = await race(10_000, (churn, index, generation) => {
    const handle = handleOf(index, generation);
    Atomics.store(churn.handles, index, handle);
    churn.table.publish(handle, 1, generationFor(handle, 1));
    Atomics.store(churn.withdrawn, index, generation);
    for (let wait = 0; wait < 50; wait++) Atomics.load(churn.withdrawn, 0);
    churn.table.withdraw(handle);
  });
  assert.ok(reports.reduce((sum, report) => sum + report.stale, 0) > 0, "stale routes are seen");
});
