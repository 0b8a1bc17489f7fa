// What a worker of any official SDK can do with functions, and what befalls it: the same tests for each of them.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { freePort } from "../../src/testing/free-port.js";
import { connect, type Worker } from "../../src/worker/index.js";
import { proxyFor } from "../support/cuttable-proxy.js";
import { eventually } from "../support/eventually.js";
import { type RunningEngine, runEngine } from "../support/running-engine.js";
import { functionRows, iiiFor, offered, settled, withdrawn, withoutCaller, workerRows } from "./iii.js";
import { type Ended, type OfficialSdk, SOON_MS, sdkTest, started } from "./worker-program.js";

const TEXT = 'é世界🙂\u0001 "quotes" \\ / \u2028';

export function testCalls(sdk: OfficialSdk): void {
  sdkTest(sdk, "registers, is called from both protocols, and every value arrives", async (t, spawn) => {
    const running = await runEngine(t);
    await started(spawn, t, running);
    const [row] = (await workerRows(running.engine)).filter(({ name }) => name === "far");
    assert.deepEqual([row?.runtime, row?.version, row?.function_count], [sdk.runtime, sdk.version, 9]);
    assert.match(row?.description ?? "", /^a \w+ worker$/);

    const iii = iiiFor(t, running.url);
    const msgpack = await msgpackFor(t, running);
    for (const value of [0, -1.5, 2 ** 45, true, "", TEXT, [1, [true]], { a: null, [TEXT]: { c: [] } }]) {
      const fromJson = await iii.trigger({ function_id: "far::echo", payload: value });
      assert.deepEqual(withoutCaller(fromJson), value);
      assert.deepEqual(withoutCaller(await msgpack.call("far::echo", value)), value);
    }
    assert.equal(await iii.trigger({ function_id: "far::nothing", payload: {} }), undefined);
    assert.deepEqual(await msgpack.call("far::metadata", {}, { metadata: { tenant: "t" } }), { tenant: "t" });
    const failures = [
      iii.trigger({ function_id: "far::fails", payload: {} }),
      msgpack.call("far::fails", {}),
    ];
    const isExpected = { code: "invocation_failed", message: /no such order/ };
    await Promise.all(failures.map((failure) => assert.rejects(failure, isExpected)));
    await settled(running);
  });

  sdkTest(sdk, "calls both protocols, and gets results, errors and timeouts", async (t, spawn) => {
    const running = await runEngine(t);
    const far = await started(spawn, t, running);
    const iii = iiiFor(t, running.url);
    const msgpack = await msgpackFor(t, running);
    const noted: unknown[] = [];
    iii.registerFunction("json::echo", async (data) => data);
    iii.registerFunction("json::fails", async () => Promise.reject(new Error("not today")));
    await msgpack.register("msgpack::echo", (data) => data).ready();
    await msgpack.register("msgpack::note", (data) => noted.push(withoutCaller(data))).ready();
    await offered(running.engine, "json::echo", "json::fails");

    for (const function_id of ["json::echo", "msgpack::echo"]) {
      const { result } = await far.call(function_id, { n: [1, "two"] });
      assert.deepEqual(withoutCaller(result), { n: [1, "two"] }, function_id);
    }
    const inside = { function_id: "msgpack::echo", payload: "from a handler" };
    assert.deepEqual(await running.engine.call("far::call", inside), { result: "from a handler" });
    await far.call("msgpack::note", { n: 1 }, { void: true });
    await eventually("the void call ran", () => noted.length === 1);
    assert.deepEqual(noted, [{ n: 1 }]);
    const failed = await far.call("json::fails", {});
    assert.equal(failed.code, "invocation_failed");
    assert.match(failed.text ?? "", /not today/);
    assert.equal((await far.call("nobody::offers", {})).code, "function_not_found");
    let release = (): void => undefined;
    iii.registerFunction("json::slow", () => new Promise<void>((resolve) => (release = resolve)));
    await offered(running.engine, "json::slow");
    assert.equal((await far.call("json::slow", {}, { timeout_ms: 50 })).code, "TIMEOUT");
    release();
    await settled(running);
  });

  sdkTest(sdk, "a function more, and one less", async (t, spawn) => {
    const running = await runEngine(t);
    const far = await started(spawn, t, running);
    await far.ask({ do: "offer", id: "far::late" });
    await offered(running.engine, "far::late");
    assert.equal(await running.engine.call("far::late", 5), 5);
    await far.ask({ do: "withdraw", id: "far::late" });
    await withdrawn(running.engine, "far::late");
  });

  if (sdk.knowsNamespaces) testNamespaces(sdk);
  testBreaks(sdk);
}

function testNamespaces(sdk: OfficialSdk): void {
  sdkTest(sdk, "a worker in a namespace is found there only, and calls from there", async (t, spawn) => {
    const running = await runEngine(t);
    await started(spawn, t, running, { III_NAMESPACE: "shop" });
    await started(spawn, t, running, { III_WORKER_NAME: "plain", PREFIX: "plain" });
    const rows = await functionRows(running.engine);
    const namespaceOf = (id: string) => rows.find((row) => row.function_id === id)?.namespace;
    assert.deepEqual([namespaceOf("far::echo"), namespaceOf("plain::echo")], ["shop", "default"]);

    const inShop = { namespace: "shop" };
    await assert.rejects(running.engine.call("far::echo", 1), { code: "function_not_found" });
    assert.equal(await running.engine.call("far::echo", 1, inShop), 1);
    const call = (request: Record<string, unknown>) =>
      running.engine.call("far::call", request, inShop) as Promise<Ended>; // as every program answers
    assert.equal((await call({ function_id: "far::echo", payload: 2 })).result, 2);
    assert.equal((await call({ function_id: "plain::echo", payload: 3 })).code, "function_not_found");
    assert.equal((await call({ function_id: "plain::echo", payload: 4, namespace: "default" })).result, 4);
  });

  sdkTest(
    sdk,
    "a second worker under a taken name is refused for good; the first serves on",
    async (t, spawn) => {
      const running = await runEngine(t);
      const first = await started(spawn, t, running);
      const second = spawn(t, running, { PREFIX: "second" });
      await second.child.line(/WORKER_NAMESPACE_CONFLICT/, SOON_MS);
      const rows = await functionRows(running.engine);
      assert.ok(rows.every(({ function_id }) => !function_id.startsWith("second::")));
      assert.equal(await running.engine.call("far::echo", "still"), "still");
      assert.ok(first.isAlive);
      // The same name in another namespace is fine.
      await started(spawn, t, running, { III_NAMESPACE: "elsewhere", PREFIX: "third" });
    },
  );
}

function testBreaks(sdk: OfficialSdk): void {
  for (const way of ["cut", "loseClients"] as const) {
    sdkTest(sdk, `comes back after its connection broke (${way})`, async (t, spawn) => {
      const running = await runEngine(t);
      const proxy = await proxyFor(t, running.port);
      await started(spawn, t, { ...running, url: proxy.url });
      const idOf = async () => (await workerRows(running.engine)).find(({ name }) => name === "far")?.id;
      const before = await idOf();
      proxy[way]();
      const isBack = async () => {
        const id = await idOf();
        return id !== undefined && id !== before;
      };
      await eventually("it is back", isBack, SOON_MS);
      await offered(running.engine, "far::echo");
      assert.equal(await running.engine.call("far::echo", "back"), "back");
      assert.equal((await workerRows(running.engine)).filter(({ name }) => name === "far").length, 1);
    });
  }

  sdkTest(sdk, "comes back after the engine was stopped and started again", async (t, spawn) => {
    const first = await runEngine(t, { port: await freePort() });
    const far = await started(spawn, t, first);
    await first.engine.close();
    const second = await runEngine(t, { port: first.port });
    await far.offered(second);
    assert.equal(await second.engine.call("far::echo", "back"), "back");
  });

  sdkTest(
    sdk,
    "after kill -9 its functions are gone and a call in flight ends with invocation_stopped",
    async (t, spawn) => {
      const running = await runEngine(t);
      const far = await started(spawn, t, running);
      const call = running.engine.call("far::hang", {});
      const ended = assert.rejects(call, { code: "invocation_stopped" });
      await far.child.line(/^hanging$/, SOON_MS);
      await far.child.end("SIGKILL");
      await ended;
      await withdrawn(running.engine, "far::echo", "far::hang");
      await settled(running);
    },
  );
}

export async function msgpackFor(t: TestContext, { url }: RunningEngine, name = "msgpack"): Promise<Worker> {
  const worker = await connect({ url, name });
  t.after(() => worker.close({ timeoutMs: 0 }));
  return worker;
}
