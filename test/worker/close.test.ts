// The graceful end: nothing new comes, what runs ends, everything is sent, the close code is 1000.

import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../support/eventually.js";
import { engineFor, workerFor } from "./support.js";

test("close() takes the functions away, lets the handler finish, delivers its answer, closes with 1000", async (t) => {
  const engine = await engineFor(t);
  const caller = await workerFor(t, engine);
  const worker = await workerFor(t, engine);
  const { promise: released, resolve: release } = promiseAndResolve();
  await worker.register("slow", () => released.then(() => "done")).ready();
  const peer = engine.last;
  let code = 0;
  peer.socket.on("close", (closeCode) => {
    code = closeCode;
  });
  const answer = caller.call("slow");
  await until(() => worker.stats.handlersRunning === 1);
  const closing = worker.close();
  await until(() => peer.records.some(([kind, , mode]) => kind === 18 && mode === 1));
  await assert.rejects(caller.call("slow"), { code: "function_not_found" });
  assert.equal(worker.state, "closing");
  release();
  assert.equal(await answer, "done");
  await closing;
  assert.deepEqual([worker.state, worker.stats.handlersRunning, code], ["closed", 0, 1000]);
});

test("close() waits for calls of its own, and a handler may still call", async (t) => {
  const engine = await engineFor(t);
  const other = await workerFor(t, engine);
  const worker = await workerFor(t, engine);
  const { promise: released, resolve: release } = promiseAndResolve();
  await other.register("step", () => released.then(() => "stepped")).ready();
  const outer = worker.register("outer", async (_, context) => [
    await context.call("step"),
    await context.call("step"),
  ]);
  await outer.ready();
  const answer = other.call("outer");
  await until(() => worker.stats.callsOpen === 1 && other.stats.handlersRunning === 1);
  const closing = worker.close();
  release();
  assert.deepEqual(await answer, ["stepped", "stepped"]);
  await closing;
});

test("close({ timeoutMs }) gives up what does not end: the signal is aborted, calls are worker_closed", async (t) => {
  const engine = await engineFor(t, { intercept: (_, [kind, , name]) => kind === 1 && name === "void" });
  const worker = await workerFor(t, engine);
  const caller = await workerFor(t, engine);
  let signal: AbortSignal | undefined;
  await worker
    .register("hangs", (_, context) => {
      signal = context.signal;
      return new Promise(() => {});
    })
    .ready();
  const hanging = assert.rejects(caller.call("hangs"), { code: "invocation_stopped" });
  const own = assert.rejects(worker.call("void"), { code: "worker_closed" });
  await until(() => signal !== undefined);
  await worker.close({ timeoutMs: 20 });
  await Promise.all([hanging, own]);
  assert.equal(signal?.aborted, true);
});

test("a connection that breaks while close() waits ends it at once", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine);
  worker.register("hangs", () => new Promise(() => {}));
  const call = assert.rejects(worker.call("hangs"), { code: "connection_lost" });
  await until(() => worker.stats.handlersRunning === 1);
  const closing = worker.close({ timeoutMs: 60_000 });
  await until(() => engine.last.records.some(([kind, , mode]) => kind === 18 && mode === 1));
  engine.cut();
  await Promise.all([closing, call]);
  assert.equal(worker.state, "closed");
});

test("close() without a connection, twice, and by `await using` all end it", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine, { reconnect: { baseMs: 60_000 } });
  engine.cut();
  await until(() => worker.state === "reconnecting");
  await Promise.all([worker.close(), worker.close()]);
  assert.equal(worker.state, "closed");
  const disposed = await workerFor(t, engine);
  await disposed[Symbol.asyncDispose]();
  assert.equal(disposed.state, "closed");
});

test("what was sent in the turn of close() still leaves", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine);
  const seen: unknown[] = [];
  const other = await workerFor(t, engine);
  await other.register("log", (data) => void seen.push(data)).ready();
  worker.cast("log", "last words");
  await worker.close();
  await until(() => seen.length === 1);
  assert.deepEqual(seen, ["last words"]);
});

function promiseAndResolve(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
