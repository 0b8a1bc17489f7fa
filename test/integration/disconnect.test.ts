// A worker process is killed with calls in flight: what its callers get, in which order things are gone, and what it costs.
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Worker } from "../../src/registry/workers.js";
import { eventually } from "../support/eventually.js";
import { errorOf, type MsgpackPeer, pack } from "../support/msgpack-peer.js";
import { testEngine } from "../support/test-engine.js";
import { canonicalCall } from "../support/wire.js";

const VICTIM = fileURLToPath(new URL("../support/victim.js", import.meta.url));

async function victim(
  t: TestContext,
  wire: string,
  port: number,
  name: string,
  ...ids: string[]
): Promise<ChildProcess> {
  const child = fork(VICTIM, [wire, String(port), name, ...ids]);
  t.after(() => child.kill("SIGKILL"));
  await once(child, "message");
  return child;
}

for (const wire of ["json", "msgpack"]) {
  test(`kill -9 of a ${wire} worker: each call ends once with invocation_stopped, a retry is function_not_found, its name is free`, async (t) => {
    const { engine, port, json, jsonOffering, msgpack } = await testEngine(t);
    const child = await victim(t, wire, port, "billing", "pay", "other");
    const jsonCaller = await jsonOffering();
    const packedCaller = await msgpack();
    const [pay] = (await packedCaller.resolve("pay")) as [number];
    const ids = new Set(Array.from({ length: 50 }, () => jsonCaller.invoke("pay", { a: 1 })));
    for (let call = 0; call < 50; call++) packedCaller.sendBytes(canonicalCall(call, pay, pack(call)));
    await packedCaller.settle();
    await jsonCaller.settle();
    assert.equal(engine.stats().callsOpen, 100);
    child.kill("SIGKILL");
    for (let n = 0; n < 50; n++) {
      const answer = await jsonCaller.next();
      assert.equal(answer.error?.code, "invocation_stopped");
      assert.equal(answer.function_id, "pay");
      assert.ok(ids.delete(answer.invocation_id ?? ""), "each call once");
      if (n === 0) assert.equal((await retry(jsonCaller, 49)).error?.code, "function_not_found");
      if (n === 0) break;
    }
    const calls = new Set<number>();
    for (let n = 0; n < 50; n++) {
      const record = await packedCaller.next();
      assert.equal(errorOf(record).code, "invocation_stopped");
      calls.add(record[1] as number);
    }
    assert.equal(calls.size, 50);
    assert.deepEqual(await packedCaller.resolve("pay", "other"), [0, 0]);
    assert.equal(engine.stats().callsOpen, 0);
    const successor = await json({ name: "billing" });
    successor.register("pay");
    await successor.settle();
    const waiting = jsonCaller.call("pay", 1);
    successor.answer(await successor.next(), "again");
    assert.equal((await waiting).result, "again");
  });

  /** Calls again after the first stopped call was seen; the other stopped ones come before the answer. */
  async function retry(
    caller: Awaited<ReturnType<Awaited<ReturnType<typeof testEngine>>["jsonOffering"]>>,
    others: number,
  ) {
    const id = caller.invoke("pay", 2);
    for (let n = 0; n < others; n++) assert.equal((await caller.next()).error?.code, "invocation_stopped");
    const answer = await caller.next();
    assert.equal(answer.invocation_id, id);
    return answer;
  }

  test(`kill -9 of a ${wire} worker disturbs nobody else: other calls go on, its standby takes over under the same handle`, async (t) => {
    const { engine, port, msgpackOffering, msgpack } = await testEngine(t);
    const child = await victim(t, wire, port, "first", "pay");
    const [standby, [pay]] = (await msgpackOffering(["pay"])) as [MsgpackPeer, [number]];
    const [worker, [mine]] = (await msgpackOffering(["mine"])) as [MsgpackPeer, [number]];
    const caller = await msgpack();
    caller.sendBytes(canonicalCall(1, mine, pack("mine")));
    caller.sendBytes(canonicalCall(2, pay, pack("pay")));
    const open = await worker.next();
    child.kill("SIGKILL");
    assert.deepEqual([(await caller.next())[1], engine.stats().callsOpen], [2, 1]);
    caller.sendBytes(canonicalCall(3, pay, pack("again")));
    assert.equal((await standby.next())[2], pay);
    worker.send([2, open[1], pack("done")]);
    assert.deepEqual((await caller.next()).slice(0, 2), [2, 1]);
  });
}

test("observers hear of a departure when everything of the worker is gone already", async (t) => {
  const { engine, port } = await testEngine(t);
  const seen: { functions: number; calls: number; name: Worker | undefined; byId: Worker | undefined }[] = [];
  const builtins = engine.stats().functions;
  engine.observe({
    connected: () => undefined,
    metadataUpdated: () => undefined,
    disconnected: (worker) =>
      seen.push({
        functions: engine.stats().functions - builtins,
        calls:
          engine.calls.inFlight.executing(worker.connection.index) +
          engine.calls.inFlight.calling(worker.connection.index),
        name: engine.workers.byName("default", "gone"),
        byId: engine.workers.byId(worker.id),
      }),
  });
  const child = await victim(t, "json", port, "gone", "f");
  void engine.call("f", 1).catch(() => undefined);
  await eventually("the call is open", () => engine.stats().callsOpen === 1);
  child.kill("SIGKILL");
  await eventually("the departure is told", () => seen.length === 1);
  assert.deepEqual(seen, [{ functions: 0, calls: 0, name: undefined, byId: undefined }]);
});

test("a departure costs what the connection owned, whatever else there is: counted, not timed", async (t) => {
  const { engine, msgpackOffering, msgpack } = await testEngine(t);
  const many = Array.from({ length: 5_000 }, (_, n) => `many::${n}`);
  const [crowd, handles] = await msgpackOffering(many);
  const caller = await msgpack();
  for (let n = 0; n < 5_000; n++) caller.sendBytes(canonicalCall(n, handles[n] ?? 0, pack(null)));
  const [leaving, [few]] = (await msgpackOffering(["few::0", "few::1", "few::2"])) as [MsgpackPeer, number[]];
  for (let n = 0; n < 7; n++) caller.sendBytes(canonicalCall(10_000 + n, few ?? 0, pack(null)));
  leaving.sendBytes(canonicalCall(1, handles[0] ?? 0, pack(null)));
  await caller.settle();
  await leaving.drain();
  const { inFlight } = engine.calls;
  const { names, offers } = engine.functions;
  const counts = { calls: 0, names: 0, offers: 0, offersRead: 0 };
  const { leave } = inFlight;
  const { remove } = names;
  const { free, get } = offers;
  inFlight.leave = (slot) => {
    counts.calls++;
    leave.call(inFlight, slot);
  };
  names.remove = (index) => {
    counts.names++;
    remove.call(names, index);
  };
  offers.free = (offer) => {
    counts.offers++;
    free.call(offers, offer);
  };
  offers.get = (offer, word) => {
    counts.offersRead++;
    return get.call(offers, offer, word);
  };
  leaving.socket.terminate();
  await eventually("its calls have ended", () => counts.calls === 8);
  await caller.drain();
  assert.deepEqual(
    { ...counts, offersRead: counts.offersRead < 100 },
    { calls: 8, names: 3, offers: 3, offersRead: true },
    `${counts.offersRead} words of offers were read`,
  );
  assert.equal(engine.stats().callsOpen, 5_000);
  assert.equal(crowd.socket.readyState, crowd.socket.OPEN);
});
