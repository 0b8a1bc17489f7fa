// engine::top is for those who may control the engine: it names what lives in every namespace.
import assert from "node:assert/strict";
import { test } from "node:test";
import { top } from "../../src/builtin/top.js";
import { Connection } from "../../src/transport/connection.js";
import { testEngine } from "../support/test-engine.js";

test("a caller on this machine is answered, one from elsewhere and without rules is not", async (t) => {
  const { engine, json, keep } = await testEngine(t);
  const peer = keep(await json({ name: "front" }));
  await peer.settle();
  const builtin = top(engine, 0);
  const here = engine.workers.byName("default", "front");
  assert.ok(here !== undefined);
  const { handle, index, wire, listener } = here.connection;
  const connection = new Connection(handle, index, wire, engine.server.outboxes, "10.0.0.7", listener);
  const elsewhere = Object.assign(Object.create(here), { connection });
  const text = (): string => "{}";
  assert.throws(() => builtin.handle({}, elsewhere, text), { code: "FORBIDDEN" });
  const answer = await builtin.handle({}, here, text);
  assert.match(answer ?? "", /"name":"front"/);
  const { result } = await peer.call("engine::top", {});
  assert.equal(typeof (result as { counters?: unknown }).counters, "object");
});
