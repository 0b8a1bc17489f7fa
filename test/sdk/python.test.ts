// The official Python SDK (PyPI iii-sdk, unmodified, two versions) on the real engine. It knows what the npm release does not:
// namespaces, and that a worker's name may be taken; and its receive loop is the most easily lost of all.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect, type Worker } from "../../src/worker/index.js";
import { type Child, startChild } from "../support/child.js";
import { proxyFor } from "../support/cuttable-proxy.js";
import { eventually } from "../support/eventually.js";
import { freePort } from "../support/free-port.js";
import { type RunningEngine, runEngine } from "../support/running-engine.js";
import { functionRows, iiiFor, offered, settled, withdrawn, withoutCaller, workerRows } from "./iii.js";
import { pythonWith } from "./python-venv.js";

const SCRIPT = fileURLToPath(new URL("../../../test/sdk/python_worker.py", import.meta.url));
const SOON_MS = 20_000; // Python takes a second to start, more on a busy machine

interface Ended {
  readonly result?: unknown;
  readonly kind?: string;
  readonly code?: string;
  readonly text?: string;
}

for (const version of ["0.23.0", "0.25.0"]) {
  const venv = pythonWith(version);

  const pythonTest = (name: string, body: (t: TestContext, python: string) => Promise<void>): void => {
    test(`Python ${version}: ${name}`, async (t) => {
      const found = await venv;
      if ("missing" in found) return t.skip(found.missing);
      return body(t, found.python);
    });
  };

  pythonTest("registers, is called from both protocols, and every value arrives", async (t, python) => {
    const running = await runEngine(t);
    await startPython(t, running, python);
    const [row] = (await workerRows(running.engine)).filter(({ name }) => name === "snake");
    assert.equal(row?.runtime, "python");
    assert.equal(row?.description, "a Python worker");
    assert.equal(row?.function_count, 7);

    const iii = iiiFor(t, running.url);
    const msgpack = await msgpackFor(t, running);
    for (const value of [0, -1.5, "é世界🙂\u0001", [1, [true]], { a: null, b: { c: [] } }]) {
      const fromJson = await iii.trigger({ function_id: "py::echo", payload: value });
      assert.deepEqual(withoutCaller(fromJson), value);
      assert.deepEqual(withoutCaller(await msgpack.call("py::echo", value)), value);
    }
    assert.equal(await iii.trigger({ function_id: "py::nothing", payload: {} }), undefined);
    assert.deepEqual(await msgpack.call("py::metadata", {}, { metadata: { tenant: "t" } }), { tenant: "t" });
    const failures = [iii.trigger({ function_id: "py::fails", payload: {} }), msgpack.call("py::fails", {})];
    const isExpected = { code: "invocation_failed", message: /no such order/ };
    await Promise.all(failures.map((failure) => assert.rejects(failure, isExpected)));
    await settled(running);
  });

  pythonTest("calls both protocols, and gets results, errors and timeouts", async (t, python) => {
    const running = await runEngine(t);
    await startPython(t, running, python);
    const iii = iiiFor(t, running.url);
    const msgpack = await msgpackFor(t, running);
    iii.registerFunction("json::echo", async (data) => data);
    iii.registerFunction("json::fails", async () => Promise.reject(new Error("not today")));
    await msgpack.register("msgpack::echo", (data) => data).ready();
    await offered(running.engine, "json::echo", "json::fails");
    const call = (request: Record<string, unknown>) =>
      running.engine.call("py::call", request) as Promise<Ended>;

    for (const function_id of ["json::echo", "msgpack::echo"]) {
      const { result } = await call({ function_id, payload: { n: [1, "two"] } });
      assert.deepEqual(withoutCaller(result), { n: [1, "two"] }, function_id);
    }
    const failed = await call({ function_id: "json::fails", payload: {} });
    assert.deepEqual(failed, {
      kind: "InvocationError",
      code: "invocation_failed",
      text: "invocation_failed: not today",
    });
    const missing = await call({ function_id: "nobody::offers", payload: {} });
    assert.equal(missing.code, "function_not_found");
    let release = (): void => undefined;
    iii.registerFunction("json::slow", () => new Promise<void>((resolve) => (release = resolve)));
    await offered(running.engine, "json::slow");
    assert.equal((await call({ function_id: "json::slow", payload: {}, timeout_ms: 50 })).code, "TIMEOUT");
    release();
    await settled(running);
  });

  pythonTest(
    "a payload or a result with NaN ends its call with a coded error, and nothing else",
    async (t, python) => {
      const running = await runEngine(t);
      await startPython(t, running, python);
      const iii = iiiFor(t, running.url);
      iii.registerFunction("json::echo", async (data) => data);
      await offered(running.engine, "json::echo");
      const call = (request: Record<string, unknown>) =>
        running.engine.call("py::call", request) as Promise<Ended>;
      assert.equal((await call({ function_id: "json::echo", nan: true })).code, "payload_invalid");
      await assert.rejects(
        iii.trigger({ function_id: "py::nan", payload: {} }),
        /^InvocationError: answer_invalid/,
      );
      assert.equal(await iii.trigger({ function_id: "py::echo", payload: 1 }), 1);
      await settled(running);
    },
  );

  pythonTest("a worker in a namespace is found there only, and calls from there", async (t, python) => {
    const running = await runEngine(t);
    await startPython(t, running, python, { III_NAMESPACE: "shop" });
    await startPython(t, running, python, { III_WORKER_NAME: "plain", PREFIX: "plain" });
    const rows = await functionRows(running.engine);
    const namespaceOf = (id: string) => rows.find((row) => row.function_id === id)?.namespace;
    assert.deepEqual([namespaceOf("py::echo"), namespaceOf("plain::echo")], ["shop", "default"]);

    const inShop = { namespace: "shop" };
    await assert.rejects(running.engine.call("py::echo", 1), { code: "function_not_found" });
    assert.equal(await running.engine.call("py::echo", 1, inShop), 1);
    const call = (request: Record<string, unknown>) =>
      running.engine.call("py::call", request, inShop) as Promise<Ended>;
    assert.equal((await call({ function_id: "py::echo", payload: 2 })).result, 2);
    assert.equal((await call({ function_id: "plain::echo", payload: 3 })).code, "function_not_found");
    assert.equal((await call({ function_id: "plain::echo", payload: 4, namespace: "default" })).result, 4);
  });

  pythonTest(
    "a second worker under a taken name is refused for good; the first serves on",
    async (t, python) => {
      const running = await runEngine(t);
      const first = await startPython(t, running, python);
      const second = spawnPython(t, running, python, { PREFIX: "second" });
      await second.line(/^state failed$|^rejected WORKER_NAMESPACE_CONFLICT$/, SOON_MS);
      await second.line(/WORKER_NAMESPACE_CONFLICT/, SOON_MS);
      const rows = await functionRows(running.engine);
      assert.ok(rows.every(({ function_id }) => !function_id.startsWith("second::")));
      assert.equal(await running.engine.call("py::echo", "still"), "still");
      assert.equal(first.process.exitCode, null);
      // The same name in another namespace is fine.
      await startPython(t, running, python, { III_NAMESPACE: "elsewhere", PREFIX: "third" });
    },
  );

  for (const way of ["cut", "loseClients"] as const) {
    pythonTest(`comes back after its connection broke (${way})`, async (t, python) => {
      const running = await runEngine(t);
      const proxy = await proxyFor(t, running.port);
      await startPython(t, { ...running, url: proxy.url }, python);
      const idOf = async () => (await workerRows(running.engine)).find(({ name }) => name === "snake")?.id;
      const before = await idOf();
      proxy[way]();
      await eventually(
        "it is back",
        async () => {
          const id = await idOf();
          return id !== undefined && id !== before;
        },
        SOON_MS,
      );
      await offered(running.engine, "py::echo");
      assert.equal(await running.engine.call("py::echo", "back"), "back");
    });
  }

  pythonTest("comes back after the engine was stopped and started again", async (t, python) => {
    const first = await runEngine(t, { port: await freePort() });
    await startPython(t, first, python);
    await first.engine.close();
    const second = await runEngine(t, { port: first.port });
    await eventually(
      "it is back",
      async () => (await functionRows(second.engine)).some((row) => row.function_id === "py::echo"),
      SOON_MS,
    );
    assert.equal(await second.engine.call("py::echo", "back"), "back");
  });

  pythonTest(
    "after kill -9 its functions are gone and a call in flight ends with invocation_stopped",
    async (t, python) => {
      const running = await runEngine(t);
      const child = await startPython(t, running, python);
      const call = running.engine.call("py::hang", {});
      const ended = assert.rejects(call, { code: "invocation_stopped" });
      await child.line(/^hanging$/);
      await child.end("SIGKILL");
      await ended;
      await withdrawn(running.engine, "py::echo", "py::hang");
      await settled(running);
    },
  );
}

function spawnPython(
  t: TestContext,
  { url }: { readonly url: string },
  python: string,
  env: Record<string, string> = {},
): Child {
  return startChild(t, [python, SCRIPT], {
    stdin: "pipe",
    env: { III_URL: url, III_WORKER_NAME: "snake", OTEL_ENABLED: "false", ...env },
  });
}

/** Starts the script and waits until the engine has its functions. */
async function startPython(
  t: TestContext,
  running: RunningEngine,
  python: string,
  env: Record<string, string> = {},
): Promise<Child> {
  const child = spawnPython(t, running, python, env);
  const last = `${env["PREFIX"] ?? "py"}::call`;
  const isOffered = async () => (await functionRows(running.engine)).some((row) => row.function_id === last);
  await eventually(`${last} is offered`, isOffered, SOON_MS).catch((cause: Error) => {
    throw new Error(`${cause.message}; it wrote:\n${child.output}`, { cause });
  });
  return child;
}

async function msgpackFor(t: TestContext, { url }: RunningEngine): Promise<Worker> {
  const worker = await connect({ url, name: "msgpack" });
  t.after(() => worker.close({ timeoutMs: 0 }));
  return worker;
}
