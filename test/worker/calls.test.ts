// Calls, casts, errors, cancelling and deadlines between workers, over a scripted engine on a real socket.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CallError, CancelledError, PayloadError, TimeoutError } from "../../src/worker/index.js";
import { until } from "../support/eventually.js";
import { engineFor, eventLog, workerFor } from "./support.js";

test("call() resolves with what the handler returned, plain or promised", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine);
  const caller = await workerFor(t, engine);
  await worker.register("math::add", ({ a, b }: { a: number; b: number }) => a + b).ready();
  await worker.register("math::later", async (data) => ({ data })).ready();
  assert.equal(await caller.call("math::add", { a: 2, b: 3 }), 5);
  assert.deepEqual(await caller.call("math::later", ["x", null, 1.5]), { data: ["x", null, 1.5] });
  assert.equal(await worker.call("math::add", { a: -2, b: 3 }), 1);
});

test("undefined and null keep apart, both ways", async (t) => {
  const worker = await workerFor(t, await engineFor(t));
  const seen: unknown[] = [];
  worker.register("echo", (data) => {
    seen.push(data);
    return data;
  });
  assert.equal(await worker.call("echo"), undefined);
  assert.equal(await worker.call("echo", null), null);
  assert.deepEqual(seen, [undefined, null]);
});

test("a first call goes by name with a request to resolve it, later ones by handle", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine);
  worker.register("f", () => 1);
  await worker.call("f");
  await worker.call("f");
  await worker.call("f", 1, { namespace: "default" });
  const calls = engine.last.records.filter(([kind]) => kind === 1);
  assert.deepEqual([calls[0]?.[2], typeof calls[1]?.[2], calls[2]?.[2]], ["f", "number", ["default", "f"]]);
  assert.equal(engine.last.records.filter(([kind]) => kind === 22).length, 2);
});

test("the calls of one turn share one frame, and so do their answers", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine);
  const caller = await workerFor(t, engine);
  await worker.register("echo", async (data) => data).ready();
  await caller.call("echo", 0);
  const peer = engine.last;
  const framesBefore = peer.frames.length;
  const loops = Array.from({ length: 50 }, async (_, index) => {
    for (let round = 0; round < 4; round++) assert.equal(await caller.call("echo", index), index);
  });
  assert.equal(peer.frames.length, framesBefore);
  await Promise.all(loops);
  // The scripted engine answers one record a frame; the first round's calls still left together.
  assert.equal(peer.frames[framesBefore]?.length, 50);
});

test("registrations of one turn go in one frame, before calls of the same turn", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine);
  for (const name of ["a", "b", "c"]) worker.register(name, () => name);
  assert.equal(await worker.call("c"), "c");
  const [kind, , mode, entries] = engine.last.frames[1]?.[0] ?? [];
  assert.deepEqual([kind, mode, (entries as unknown[][]).map(([id]) => id)], [18, 0, ["a", "b", "c"]]);
});

test("a handler's error reaches the caller as invocation_failed with its stack", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine);
  worker.register("fails", () => {
    throw new TypeError("broken");
  });
  worker.register("rejects", async () => {
    throw new CallError("no_such_user", "Who?", { data: { id: 7 }, retryAfterMs: 50 });
  });
  await assert.rejects(worker.call("fails"), (error: CallError) => {
    assert.ok(error instanceof CallError);
    assert.deepEqual([error.code, error.message], ["invocation_failed", "broken"]);
    assert.match(error.stacktrace ?? "", /calls\.test/);
    return true;
  });
  await assert.rejects(worker.call("rejects"), {
    code: "no_such_user",
    message: "Who?",
    data: { id: 7 },
    retryAfterMs: 50,
  });
});

test("stacktraces: false keeps them at home", async (t) => {
  const worker = await workerFor(t, await engineFor(t), { stacktraces: false });
  worker.register("fails", () => {
    throw new Error("broken");
  });
  await assert.rejects(worker.call("fails"), { code: "invocation_failed", stacktrace: undefined });
});

test("a function nobody offers is function_not_found", async (t) => {
  const worker = await workerFor(t, await engineFor(t));
  await assert.rejects(worker.call("nobody"), { code: "function_not_found", name: "CallError" });
});

test("a stale handle is resolved again and the call repeated", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine);
  let served = 0;
  await worker.register("f", () => ++served).ready();
  await worker.call("f");
  engine.refuseHandles = true;
  assert.equal(await worker.call("f"), 2);
  const names = engine.last.records.filter(([kind]) => kind === 1).map(([, , name]) => typeof name);
  assert.deepEqual(names, ["string", "number", "string"]);
});

test("a value that cannot be sent rejects its call and disturbs no other in the frame", async (t) => {
  const worker = await workerFor(t, await engineFor(t));
  worker.register("echo", (data) => data);
  const [first, second, third] = await Promise.allSettled([
    worker.call("echo", 1),
    worker.call("echo", { deep: [1, () => 2] }),
    worker.call("echo", 3),
  ]);
  assert.deepEqual(first, { status: "fulfilled", value: 1 });
  assert.deepEqual(third, { status: "fulfilled", value: 3 });
  assert.equal(second?.status, "rejected");
  assert.ok(second.reason instanceof PayloadError);
  assert.equal(worker.stats.callsOpen, 0);
});

test("a payload above the engine's frame limit is payload_too_large; smaller ones share frames below it", async (t) => {
  const engine = await engineFor(t, { limits: { frame_bytes_max: 10_000 } });
  const worker = await workerFor(t, engine);
  worker.register("size", (data: string) => data.length);
  worker.register("big", () => "x".repeat(20_000));
  await assert.rejects(worker.call("size", "x".repeat(10_001)), { code: "payload_too_large" });
  await assert.rejects(worker.call("big"), { code: "invocation_failed", message: /payload_too_large/ });
  const sizes = await Promise.all(Array.from({ length: 20 }, () => worker.call("size", "x".repeat(3_000))));
  assert.deepEqual(sizes, new Array(20).fill(3_000));
  assert.ok(Math.max(...engine.last.frameSizes) <= 10_000);
});

test("aborting the signal ends the call with CancelledError and the handler's signal", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine);
  let seen: AbortSignal | undefined;
  worker.register("hangs", (_, context) => {
    seen = context.signal;
    return new Promise((resolve) => context.signal.addEventListener("abort", () => resolve("late")));
  });
  const controller = new AbortController();
  const call = worker.call("hangs", null, { signal: controller.signal });
  await until(() => seen !== undefined);
  controller.abort(new Error("changed my mind"));
  await assert.rejects(call, (error: CancelledError) => {
    assert.ok(error instanceof CancelledError);
    assert.equal((error.cause as Error).message, "changed my mind");
    return error.code === "cancelled";
  });
  await until(() => seen?.aborted === true);
  await until(() => worker.stats.handlersRunning === 0);
  await assert.rejects(worker.call("hangs", null, { signal: controller.signal }), { code: "cancelled" });
});

test("timeoutMs travels and comes back as TimeoutError; the handler knows its deadline", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine);
  let deadline = 0;
  worker.register("hangs", (_, context) => {
    deadline = context.deadline;
    return new Promise((resolve) => context.signal.addEventListener("abort", resolve));
  });
  const startMs = Date.now();
  await assert.rejects(
    worker.call("hangs", null, { timeoutMs: 60 }),
    (error: Error) => error instanceof TimeoutError,
  );
  assert.ok(
    deadline >= startMs && deadline <= startMs + 1_000,
    `deadline ${deadline - startMs} ms after the start`,
  );
  await until(() => worker.stats.handlersRunning === 0);
});

test("an engine that never answers does not hold a call for ever", async (t) => {
  const engine = await engineFor(t, { intercept: (_, [kind]) => kind === 1 });
  const worker = await workerFor(t, engine);
  await assert.rejects(worker.call("lost", null, { timeoutMs: 10 }), {
    name: "TimeoutError",
    code: "deadline_exceeded",
  });
  assert.equal(worker.stats.callsOpen, 0);
});

test("context carries caller, trace, baggage and metadata, and calls made through it pass them on", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine);
  const caller = await workerFor(t, engine);
  const trace = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", baggage: "a=1" };
  worker.register("inner", (_, { traceparent, baggage, metadata, deadline }) => ({
    traceparent,
    baggage,
    metadata, // not passed on
    leftMs: deadline - Date.now(),
  }));
  await worker
    .register("outer", async (_, context) => ({
      caller: context.caller,
      metadata: context.metadata,
      key: context.key,
      inner: await context.call<{ leftMs: number }>("inner"),
    }))
    .ready();
  const answer = await caller.call<{ inner: { leftMs: number } }>("outer", null, {
    ...trace,
    timeoutMs: 5_000,
    metadata: { tenant: "t" },
    key: "k",
  });
  const { leftMs, ...inner } = answer.inner;
  assert.deepEqual(
    { ...answer, inner },
    {
      caller: caller.number,
      metadata: { tenant: "t" },
      key: "k",
      inner: trace,
    },
  );
  assert.ok(leftMs > 0 && leftMs <= 5_000, `${leftMs} ms left`);
});

test("cancelling a call cancels what its handler called through the context", async (t) => {
  const worker = await workerFor(t, await engineFor(t));
  let inner: AbortSignal | undefined;
  worker.register("inner", (_, { signal }) => {
    inner = signal;
    return new Promise((resolve) => signal.addEventListener("abort", resolve));
  });
  worker.register("outer", (_, context) => context.call("inner"));
  await assert.rejects(worker.call("outer", null, { timeoutMs: 50 }), { code: "deadline_exceeded" });
  await until(() => inner?.aborted === true);
  await until(() => worker.stats.handlersRunning === 0 && worker.stats.callsOpen === 0);
});

test("cast() reaches the handler, which has no deadline and nobody to answer; its failure is an event", async (t) => {
  const engine = await engineFor(t);
  const { events, onEvent } = eventLog();
  const worker = await workerFor(t, engine, { onEvent });
  const seen: unknown[] = [];
  worker.register("log", (data, { deadline, metadata }) => {
    seen.push([data, deadline, metadata]);
    throw new Error("nobody hears this");
  });
  assert.equal(worker.cast("log", "one", { metadata: 1 }), true);
  assert.equal(worker.cast("log", "two", { all: true }), true);
  await until(() => seen.length === 2);
  assert.deepEqual(seen, [
    ["one", Number.POSITIVE_INFINITY, 1],
    ["two", Number.POSITIVE_INFINITY, undefined],
  ]);
  const casts = engine.last.records.filter(([kind]) => kind === 5);
  assert.deepEqual(
    casts.map(([, , mode]) => mode),
    [0, 1],
  );
  assert.equal(engine.last.records.filter(([kind]) => kind === 3).length, 0);
  const failed = events.flatMap((event) =>
    event.type === "cast_failed" ? [event.function, String(event.error)] : [],
  );
  assert.deepEqual(failed, ["log", "Error: nobody hears this", "log", "Error: nobody hears this"]);
});

test("more open calls than the engine allows are overloaded at once", async (t) => {
  const engine = await engineFor(t, { limits: { calls_open_max: 3 }, intercept: (_, [kind]) => kind === 1 });
  const worker = await workerFor(t, engine);
  const calls = Promise.allSettled([1, 2, 3].map(() => worker.call("f")));
  await assert.rejects(worker.call("f"), { code: "overloaded" });
  await worker.close({ timeoutMs: 0 });
  const codes = (await calls).map((call) => call.status === "rejected" && (call.reason as CallError).code);
  assert.deepEqual(codes, new Array(3).fill("worker_closed"));
});

test("unregister() takes a function away", async (t) => {
  const worker = await workerFor(t, await engineFor(t));
  const registration = worker.register("f", () => 1);
  assert.equal(await worker.call("f"), 1);
  assert.equal(worker.unregister("f"), true);
  await assert.rejects(worker.call("f"), { code: "function_not_found" });
  assert.deepEqual([worker.unregister("f"), registration.state], [false, "unregistered"]);
});
