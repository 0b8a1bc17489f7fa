// The package's two doors, by the names under which users import them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CodedError, createLogger, ListenError, startEngine } from "tercet";
import { connect } from "tercet/worker";

test("an embedded engine serves a worker, and calls it from inside the process", async (t) => {
  const log = createLogger({ level: "silent" });
  const engine = await startEngine({ listeners: [{ host: "127.0.0.1", port: 0 }], log });
  t.after(() => engine.close());
  const port = engine.listeners[0]?.port ?? 0;
  const worker = await connect({ url: `ws://127.0.0.1:${port}` });
  t.after(() => worker.close());
  await worker.register<{ a: number; b: number }, number>("math::add", ({ a, b }) => a + b).ready();
  assert.equal(await worker.call("math::add", { a: 2, b: 3 }), 5);
  assert.equal(await engine.call("math::add", { a: 20, b: 22 }), 42);
  await assert.rejects(engine.call("math::none", {}), CodedError);
  await assert.rejects(startEngine({ listeners: [{ host: "127.0.0.1", port }], log }), ListenError);
});
