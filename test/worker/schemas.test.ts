// Schemas: checked values, types in the handler, JSON Schema in the registry.

import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import type { StandardSchema } from "../../src/worker/index.js";
import { engineFor, workerFor } from "./support.js";

const Sum = z.object({ a: z.number(), b: z.number().default(1) });

test("a zod schema types the handler, fills in defaults, and refuses what does not fit", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine);
  worker.register("add", ({ a, b }) => a + b, { request: Sum, response: z.number() });
  assert.equal(await worker.call("add", { a: 2 }), 3);
  await assert.rejects(worker.call("add", { a: "x" }), {
    code: "request_invalid",
    message: /^a: .*number/,
    data: [{ path: "a", message: "Invalid input: expected number, received string" }],
  });
});

test("the registry gets both JSON Schemas, description, metadata and share", async (t) => {
  const engine = await engineFor(t);
  const worker = await workerFor(t, engine);
  const request = { type: "object" };
  worker.register("add", ({ a, b }) => a + b, {
    request: Sum,
    response: z.number(),
    description: "Adds",
    share: "hash",
  });
  await worker.register("plain", (data) => data, { request, metadata: { tag: 1 } }).ready();
  const entries = engine.last.records.find(([kind]) => kind === 18)?.[3] as unknown[][];
  const [, description, requestFormat, responseFormat, , share] = entries[0] ?? [];
  assert.deepEqual([description, share], ["Adds", "hash"]);
  assert.deepEqual(requestFormat, z.toJSONSchema(Sum, { io: "input" }));
  assert.deepEqual(responseFormat, z.toJSONSchema(z.number()));
  assert.deepEqual(entries[1], ["plain", null, request, null, { tag: 1 }, null]);
});

test("a response that does not fit its schema fails the call", async (t) => {
  const worker = await workerFor(t, await engineFor(t));
  // The types would not allow it; data from elsewhere can.
  worker.register("wrong", () => JSON.parse('"text"'), { response: z.object({ n: z.number() }) });
  await assert.rejects(worker.call("wrong"), { code: "response_invalid" });
});

test("the types of handler and schemas must agree", async (t) => {
  const worker = await workerFor(t, await engineFor(t));
  // @ts-expect-error: the response is a number
  worker.register("wrong::response", () => "text", { response: z.number() });
  // @ts-expect-error: the request has no member c
  worker.register("wrong::request", ({ c }) => c, { request: Sum });
  await assert.rejects(worker.call("wrong::response"), { code: "response_invalid" });
});

test("asynchronous schemas are awaited", async (t) => {
  const worker = await workerFor(t, await engineFor(t));
  const even = z.number().refine(async (value) => value % 2 === 0, "not even");
  worker.register("half", (value) => value / 2, { request: even });
  assert.equal(await worker.call("half", 4), 2);
  await assert.rejects(worker.call("half", 3), { code: "request_invalid", message: "not even" });
});

test("toJSONSchema serves libraries that cannot make one by themselves", async (t) => {
  const engine = await engineFor(t);
  const bare: StandardSchema<unknown, string> = {
    "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: String(value) }) },
  };
  const worker = await workerFor(t, engine, { toJSONSchema: (_, side) => ({ title: side }) });
  const plain = await workerFor(t, engine);
  await worker.register("a", (text) => text.length, { request: bare, response: z.number() }).ready();
  await plain.register("b", (text) => text.length, { request: bare }).ready();
  const [first, second] = engine.peers.map(
    (peer) => peer.records.find(([kind]) => kind === 18)?.[3] as unknown[][],
  );
  assert.deepEqual(first?.[0]?.slice(2, 4), [{ title: "input" }, { title: "output" }]);
  assert.deepEqual(second?.[0]?.slice(2, 4), [null, null]);
  assert.equal(await worker.call("b", 12345), 5);
});
