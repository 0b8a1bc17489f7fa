// The official npm SDK (iii-sdk 0.22.1, unmodified) on the real engine: what its users do, and what befalls them.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { InvocationError, TriggerAction } from "iii-sdk";
import { freePort } from "../../src/testing/free-port.js";
import { CallError, connect, type Worker } from "../../src/worker/index.js";
import { type Child, startChild } from "../support/child.js";
import { proxyFor } from "../support/cuttable-proxy.js";
import { eventually } from "../support/eventually.js";
import { type RunningEngine, runEngine } from "../support/running-engine.js";
import { functionRows, iiiFor, offered, settled, withdrawn, withoutCaller, workerRows } from "./iii.js";

async function msgpackFor(t: TestContext, { url }: RunningEngine, name: string): Promise<Worker> {
  const worker = await connect({ url, name });
  t.after(() => worker.close({ timeoutMs: 0 }));
  return worker;
}

/** The worker of npm-victim.ts. */
function startVictim(t: TestContext, { url }: RunningEngine, env: Record<string, string> = {}): Child {
  const path = fileURLToPath(new URL("npm-victim.js", import.meta.url));
  return startChild(t, [process.execPath, path], {
    env: { III_URL: url, III_WORKER_NAME: "victim", ...env },
  });
}

const TEXT = 'quotes " \\ / \b\f\n\r\t control \u0001 é 世界 🙂 \u2028';
const VALUES: readonly unknown[] = [
  0,
  -1,
  1.5,
  1e300,
  Number.MAX_SAFE_INTEGER,
  true,
  "",
  TEXT,
  [],
  [1, [2, [3]]],
  { [TEXT]: TEXT, nested: { deep: [{}, { a: null }] } },
];

test("a worker announces itself and is listed with what it said", async (t) => {
  const { engine, url } = await runEngine(t);
  const iii = iiiFor(t, url, { workerName: "greeter", workerDescription: "says hello" });
  iii.registerFunction("hello::greet", async () => "hello", { description: "Greets" });
  await offered(engine, "hello::greet");
  const [row] = (await workerRows(engine)).filter(({ name }) => name === "greeter");
  assert.equal(row?.description, "says hello");
  assert.equal(row?.runtime, "node");
  assert.equal(row?.version, "0.22.1");
  assert.equal(row?.namespace, "default");
  assert.equal(row?.function_count, 1);
  const [fn] = (await functionRows(engine)).filter(({ function_id }) => function_id === "hello::greet");
  assert.equal(fn?.worker_name, "greeter");
  assert.equal(fn?.description, "Greets");
});

test("two workers call each other, and every value arrives as it was sent", async (t) => {
  const running = await runEngine(t);
  const left = iiiFor(t, running.url, { workerName: "left" });
  const right = iiiFor(t, running.url, { workerName: "right" });
  left.registerFunction("left::echo", async (data) => withoutCaller(data));
  right.registerFunction("right::ask_left", async ({ value }: { value: unknown }) =>
    right.trigger({ function_id: "left::echo", payload: value }),
  );
  await offered(running.engine, "left::echo", "right::ask_left");
  for (const value of VALUES) {
    const answer = await left.trigger({ function_id: "right::ask_left", payload: { value } });
    assert.deepEqual(answer, value);
  }
  await settled(running);
});

test("it calls a msgpack worker, and is called by one, and every value arrives as it was sent", async (t) => {
  const running = await runEngine(t);
  const iii = iiiFor(t, running.url, { workerName: "json" });
  const worker = await msgpackFor(t, running, "msgpack");
  iii.registerFunction("json::echo", async (data) => withoutCaller(data));
  await worker.register("msgpack::echo", (data) => withoutCaller(data)).ready();
  await offered(running.engine, "json::echo");
  for (const value of VALUES) {
    assert.deepEqual(await iii.trigger({ function_id: "msgpack::echo", payload: value }), value);
    assert.deepEqual(await worker.call("json::echo", value), value);
  }
  await settled(running);
});

test("a worker sees its own id in _caller_worker_id, whatever it claims", async (t) => {
  const { engine, url } = await runEngine(t);
  const iii = iiiFor(t, url, { workerName: "caller" });
  iii.registerFunction("who::called", async (data: { _caller_worker_id: string }) => data._caller_worker_id);
  await offered(engine, "who::called");
  const seen = await iii.trigger({ function_id: "who::called", payload: { _caller_worker_id: "forged" } });
  const [row] = (await workerRows(engine)).filter(({ name }) => name === "caller");
  assert.equal(seen, row?.id);
});

test("a failed handler is an InvocationError with code, message and stack trace", async (t) => {
  const running = await runEngine(t);
  const iii = iiiFor(t, running.url);
  const worker = await msgpackFor(t, running, "msgpack");
  iii.registerFunction("json::fails", async () => {
    throw new Error("no such order");
  });
  await worker
    .register("msgpack::refuses", () => {
      throw new CallError("out_of_stock", "nothing left");
    })
    .ready();
  await worker
    .register("msgpack::fails", () => {
      throw new Error("broken");
    })
    .ready();
  await offered(running.engine, "json::fails");
  const failure = (id: string) =>
    iii.trigger({ function_id: id, payload: {} }).then(
      () => assert.fail("it must fail"),
      (error: unknown) => {
        assert.ok(error instanceof InvocationError);
        return error;
      },
    );
  const json = await failure("json::fails");
  assert.deepEqual([json.code, json.message], ["invocation_failed", "invocation_failed: no such order"]);
  assert.match(json.stacktrace ?? "", /no such order\n\s+at /);
  assert.equal(json.function_id, "json::fails");
  assert.equal((await failure("msgpack::refuses")).message, "out_of_stock: nothing left");
  assert.equal((await failure("msgpack::fails")).code, "invocation_failed");
  const missing = await failure("nobody::offers");
  assert.equal(
    missing.message,
    "function_not_found: Function nobody::offers not found in namespace default.",
  );
  await assert.rejects(worker.call("json::fails"), { code: "invocation_failed", message: "no such order" });
  await settled(running);
});

test("a call runs into the caller's own timeout; the late answer disturbs nobody", async (t) => {
  const running = await runEngine(t, { limits: { callTimeoutMs: 60_000 } });
  const iii = iiiFor(t, running.url);
  let release = (_: string): void => undefined;
  iii.registerFunction("slow::answer", () => new Promise<string>((resolve) => (release = resolve)));
  iii.registerFunction("quick::answer", async () => "quick");
  await offered(running.engine, "slow::answer", "quick::answer");
  const call = iii.trigger({ function_id: "slow::answer", payload: null, timeoutMs: 30 });
  await assert.rejects(call, { code: "TIMEOUT" });
  assert.equal(running.engine.stats().callsOpen, 1, "the engine still waits: the SDK tells nobody");
  release("late");
  await settled(running);
  assert.equal(await iii.trigger({ function_id: "quick::answer", payload: null }), "quick");
});

test("a call that nobody answers ends at the engine's deadline with deadline_exceeded", async (t) => {
  const running = await runEngine(t, { limits: { callTimeoutMs: 50 } });
  const iii = iiiFor(t, running.url);
  iii.registerFunction("never::answers", () => new Promise(() => undefined));
  await offered(running.engine, "never::answers");
  const call = iii.trigger({ function_id: "never::answers", payload: null });
  await assert.rejects(
    call,
    (error) => error instanceof InvocationError && error.code === "deadline_exceeded",
  );
  await settled(running);
});

test("null and undefined results arrive as undefined", async (t) => {
  const running = await runEngine(t);
  const iii = iiiFor(t, running.url);
  const worker = await msgpackFor(t, running, "msgpack");
  iii.registerFunction("json::null", async () => null);
  iii.registerFunction("json::nothing", async () => undefined);
  await worker.register("msgpack::null", () => null).ready();
  await worker.register("msgpack::nothing", () => undefined).ready();
  await offered(running.engine, "json::null", "json::nothing");
  for (const id of ["json::null", "json::nothing", "msgpack::null", "msgpack::nothing"])
    assert.equal(await iii.trigger({ function_id: id, payload: {} }), undefined, id);
});

test("a call without a payload arrives as null", async (t) => {
  const { engine, url } = await runEngine(t);
  const iii = iiiFor(t, url);
  iii.registerFunction("what::came", async (data) => ({ isNull: data === null }));
  await offered(engine, "what::came");
  assert.deepEqual(await iii.trigger({ function_id: "what::came", payload: undefined }), { isNull: true });
});

test("metadata travels beside the payload, across the protocols too", async (t) => {
  const running = await runEngine(t);
  const iii = iiiFor(t, running.url);
  const worker = await msgpackFor(t, running, "msgpack");
  iii.registerFunction("json::metadata", async (_data, metadata) => metadata);
  await worker.register("msgpack::metadata", (_data, context) => context.metadata).ready();
  await offered(running.engine, "json::metadata");
  const metadata = { tenant: "t", big: [1, 2.5, TEXT] };
  for (const id of ["json::metadata", "msgpack::metadata"])
    assert.deepEqual(await iii.trigger({ function_id: id, payload: {}, metadata }), metadata, id);
  assert.deepEqual(await worker.call("json::metadata", {}, { metadata }), metadata);
});

test("a void call runs and is not answered", async (t) => {
  const running = await runEngine(t);
  const iii = iiiFor(t, running.url);
  const worker = await msgpackFor(t, running, "msgpack");
  const seen: unknown[] = [];
  iii.registerFunction("json::note", async (data: { n: number }) => seen.push(data.n));
  await worker.register<{ n: number }>("msgpack::note", (data) => seen.push(data.n)).ready();
  await offered(running.engine, "json::note");
  for (const function_id of ["json::note", "msgpack::note"])
    await iii.trigger({ function_id, payload: { n: seen.length }, action: TriggerAction.Void() });
  await eventually("both ran", () => seen.length === 2);
  await settled(running);
});

test("an enqueued call is told that there is no queue", async (t) => {
  const { engine, url } = await runEngine(t);
  const iii = iiiFor(t, url);
  iii.registerFunction("queue::target", async () => "ran");
  await offered(engine, "queue::target");
  const call = iii.trigger({
    function_id: "queue::target",
    payload: {},
    action: TriggerAction.Enqueue({ queue: "q" }),
  });
  await assert.rejects(call, (error) => error instanceof InvocationError && error.code === "enqueue_error");
});

test("unregister takes a function away; shutdown takes all of them", async (t) => {
  const { engine, url } = await runEngine(t);
  const iii = iiiFor(t, url, { workerName: "leaver" });
  const ref = iii.registerFunction("leaver::one", async () => 1);
  iii.registerFunction("leaver::two", async () => 2);
  await offered(engine, "leaver::one", "leaver::two");
  ref.unregister();
  await withdrawn(engine, "leaver::one");
  await offered(engine, "leaver::two");
  await iii.shutdown();
  await withdrawn(engine, "leaver::two");
  assert.deepEqual(
    (await workerRows(engine)).filter(({ name }) => name === "leaver"),
    [],
  );
});

test("after kill -9 its functions are gone and calls in flight end with invocation_stopped", async (t) => {
  const running = await runEngine(t);
  const iii = iiiFor(t, running.url, { workerName: "caller" });
  const worker = await msgpackFor(t, running, "msgpack");
  const victim = startVictim(t, running);
  await offered(running.engine, "victim::echo", "victim::hang");
  assert.equal(await iii.trigger({ function_id: "victim::echo", payload: 7 }), 7);
  const calls = [
    iii.trigger({ function_id: "victim::hang", payload: 1 }),
    iii.trigger({ function_id: "victim::hang", payload: 2 }),
    worker.call("victim::hang", 3),
  ].map((call) => call.catch((error: { code: string }) => error.code));
  await eventually(
    "all three calls are with the victim",
    () => victim.lines.filter((line) => line === "hanging").length === 3,
  );
  await victim.end("SIGKILL");
  assert.deepEqual(await Promise.all(calls), Array(3).fill("invocation_stopped"));
  await withdrawn(running.engine, "victim::echo", "victim::hang");
  assert.ok((await workerRows(running.engine)).every(({ name }) => name !== "victim"));
  await settled(running);
});

for (const way of ["cut", "loseClients"] as const) {
  test(`it comes back after its connection broke (${way}) and serves again`, async (t) => {
    const running = await runEngine(t);
    const proxy = await proxyFor(t, running.port);
    const iii = iiiFor(t, proxy.url, { workerName: "phoenix" });
    const caller = iiiFor(t, running.url, { workerName: "caller" });
    iii.registerFunction("phoenix::echo", async (data) => data);
    await offered(running.engine, "phoenix::echo");
    const idOf = async () => (await workerRows(running.engine)).find(({ name }) => name === "phoenix")?.id;
    const before = await idOf();
    proxy[way]();
    await eventually("it is back", async () => {
      const id = await idOf();
      return id !== undefined && id !== before;
    });
    await offered(running.engine, "phoenix::echo");
    assert.equal(await caller.trigger({ function_id: "phoenix::echo", payload: 1 }), 1);
    assert.equal((await workerRows(running.engine)).filter(({ name }) => name === "phoenix").length, 1);
    await settled(running);
  });
}

test("a call whose executor was cut off ends with invocation_stopped", async (t) => {
  const running = await runEngine(t);
  const proxy = await proxyFor(t, running.port);
  const executor = iiiFor(t, proxy.url, { workerName: "executor" });
  const caller = iiiFor(t, running.url, { workerName: "caller" });
  let isRunning = false;
  executor.registerFunction("cut::hang", () => {
    isRunning = true;
    return new Promise(() => undefined);
  });
  await offered(running.engine, "cut::hang");
  const call = caller.trigger({ function_id: "cut::hang", payload: null });
  const ended = assert.rejects(call, { code: "invocation_stopped" });
  await eventually("the call is with the executor", () => isRunning);
  proxy.cut();
  await ended;
  await settled(running);
});

test("it comes back after the engine was stopped and started again", async (t) => {
  const first = await runEngine(t, { port: await freePort() });
  const iii = iiiFor(t, first.url, { workerName: "faithful" });
  iii.registerFunction("faithful::echo", async (data) => data);
  await offered(first.engine, "faithful::echo");
  await first.engine.close();
  const second = await runEngine(t, { port: first.port });
  await offered(second.engine, "faithful::echo");
  assert.equal(await iii.trigger({ function_id: "faithful::echo", payload: "again" }), "again");
});

test("its telemetry socket is accepted, and calls go on beside it", async (t) => {
  const running = await runEngine(t);
  const caller = iiiFor(t, running.url, { workerName: "caller" });
  startVictim(t, running, { OTEL_ENABLED: "true" });
  await offered(running.engine, "victim::echo");
  assert.equal(await caller.trigger({ function_id: "victim::echo", payload: 5 }), 5);
  await eventually("its spans arrive", () => running.engine.metrics.get("telemetry_frames") > 0);
  assert.equal(await caller.trigger({ function_id: "victim::echo", payload: 6 }), 6);
});
