// Workers in a page of real Chromium: one written by hand on the browser's WebSocket (JSON), and our own SDK (msgpack). Both do the same work.

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { TestContext } from "node:test";
import { createChannel } from "iii-sdk/helpers";
import type { Page } from "playwright-core";
import { digestOf } from "../../src/access/tokens.js";
import { freePort } from "../../src/testing/free-port.js";
import { exposes } from "../access/support.js";
import { iiiFor, offered, settled, withdrawn } from "../sdk/iii.js";
import { msgpackFor } from "../sdk/sdk-calls.js";
import { eventually } from "../support/eventually.js";
import { type RunningEngine, runEngine } from "../support/running-engine.js";
import { FOREIGN_HOST, pageFor, pageTest } from "./chromium.js";
import { STATUS } from "./page-worker.js";

const SECRET = "the-token-of-a-page";
const PART_BYTES = 70_000;
const PARTS = 10;

type Wire = "json" | "msgpack";

/** Without what an engine adds to an object that a worker sends to or from JSON, and only there. */
function bare(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== "_caller_worker_id"));
}

/** A page whose worker is connected and offers its functions. */
async function pageOf(t: TestContext, wire: Wire, { engine }: RunningEngine, url: string): Promise<Page> {
  const page = await pageFor(t);
  const errors: Error[] = [];
  page.on("pageerror", (error) => errors.push(error));
  await page.evaluate(
    `import("/test/browser/${wire}-page.js").then((page) => page.start(${JSON.stringify(url)}))`,
  );
  await offered(engine, "page::stream");
  t.after(() => assert.deepEqual(errors, [], "nothing went wrong in the page"));
  return page;
}

for (const wire of ["json", "msgpack"] as const) {
  pageTest(`${wire}: a page is called, calls and casts; leaving, it takes its functions along`, async (t) => {
    const running = await runEngine(t);
    const { engine, url } = running;
    const iii = iiiFor(t, url, { workerName: "iii" });
    const msgpack = await msgpackFor(t, running);
    const told: unknown[] = [];
    iii.registerFunction("json::echo", async (data: object) => bare(data));
    await msgpack.register("msgpack::echo", (data: object) => bare(data)).ready();
    await msgpack.register("msgpack::note", (data: object) => told.push(bare(data))).ready();
    await offered(engine, "json::echo");
    const page = await pageOf(t, wire, running, url);

    assert.equal(await engine.call("page::add", { a: 2, b: 3 }), 5);
    const value = { text: "häuser 🙂\u2028", list: [1, -2.5, true, null], big: 2 ** 45 };
    for (const caller of [
      () => iii.trigger<object, object>({ function_id: "page::echo", payload: value }),
      () => msgpack.call<object>("page::echo", value),
    ])
      assert.deepEqual(bare(await caller()), value);
    for (const id of ["json::echo", "msgpack::echo"])
      assert.deepEqual(await engine.call("page::ask", { id, data: value }), { result: value }, id);
    assert.deepEqual(await engine.call("page::ask", { id: "no::body", data: 1 }), {
      code: "function_not_found",
    });
    await assert.rejects(engine.call("page::fails", {}), {
      code: "invocation_failed",
      message: /the page cannot/,
    });
    await engine.call("page::tell", { id: "msgpack::note", data: { n: 1 } });
    await eventually("the cast came", () => told.length === 1);
    assert.deepEqual(told, [{ n: 1 }]);
    await page.goto("about:blank");
    await withdrawn(engine, "page::add", "page::stream");
    await settled(running);
  });

  pageTest(`${wire}: a page reads and writes streams`, async (t) => {
    const running = await runEngine(t);
    const { engine, url } = running;
    const iii = iiiFor(t, url, { workerName: "iii" });
    await pageOf(t, wire, running, url);
    const up = await createChannel(iii);
    const answer = iii.trigger({ function_id: "page::sum", payload: { body: up.readerRef } });
    const parts = Array.from({ length: PARTS }, (_, part) => Buffer.alloc(PART_BYTES, part));
    await pipeline(Readable.from(parts), up.writer.stream);
    const sum = (PART_BYTES * PARTS * (PARTS - 1)) / 2;
    assert.deepEqual(await answer, { bytes: PART_BYTES * PARTS, sum });

    const down = await createChannel(iii);
    const messages: string[] = [];
    down.reader.onMessage((message) => messages.push(message));
    const all = down.reader.readAll();
    await iii.trigger({ function_id: "page::stream", payload: { response: down.writerRef } });
    assert.equal((await all).toString(), "got it");
    assert.deepEqual(messages, [STATUS]);
    await eventually("no channel is left", () => engine.stats().channelsOpen === 0);
  });

  pageTest(`${wire}: a page comes back after the engine was stopped and started again`, async (t) => {
    const first = await runEngine(t, { port: await freePort() });
    await pageOf(t, wire, first, first.url);
    await first.engine.close();
    const second = await runEngine(t, { port: first.port });
    await offered(second.engine, "page::stream");
    assert.equal(await second.engine.call("page::add", { a: 1, b: 1 }), 2);
  });

  pageTest(`${wire}: a page shows its token in the query, where browsers can`, async (t) => {
    const rights = { registerFunctions: true, call: exposes("inside::open") };
    const access = { tokens: [{ name: "page", sha256: digestOf(SECRET), rights }] };
    const open = { host: "127.0.0.1", port: 0 };
    const running = await runEngine(t, { listeners: [open, { ...open, access }] });
    const msgpack = await msgpackFor(t, running);
    await msgpack.register("inside::open", () => "come in").ready();
    await msgpack.register("inside::closed", () => "never").ready();
    const guarded = `ws://127.0.0.1:${running.engine.listeners[1]?.port}/?access_token=${SECRET}`;
    await pageOf(t, wire, running, guarded);
    const ask = (id: string) => running.engine.call("page::ask", { id, data: {} });
    assert.deepEqual(await ask("inside::open"), { result: "come in" });
    assert.deepEqual(await ask("inside::closed"), { code: "FORBIDDEN" });
  });
}

/** Connects, and does what needs random ids: a trigger, and a stream in a payload. */
const IN_THE_PAGE = `async (url) => {
  const { connect } = await import("tercet/worker");
  const worker = await connect({ url, connectTimeoutMs: 500, reconnect: false });
  await worker.register("page::count", async ({ body }, { readable }) => {
    let parts = 0;
    for (const reader = readable(body).getReader(); !(await reader.read()).done; ) parts++;
    return parts;
  }).ready();
  await worker.registerTriggerType("page-type", { register() {}, unregister() {} }).ready();
  const state = await worker.registerTrigger({ type: "page-type", function: "page::count" }).ready();
  const body = new ReadableStream({ start(it) { it.enqueue("one"); it.close(); } });
  return { isSecureContext, state, parts: await worker.call("page::count", {}, { streams: { body } }) };
}`;

pageTest(
  "a page of another host is refused, unless it is named; there our SDK does without what only secure pages have",
  async (t) => {
    const page = await pageFor(t, undefined, FOREIGN_HOST);
    const strict = await runEngine(t);
    const inPage = (url: string) => page.evaluate(`(${IN_THE_PAGE})(${JSON.stringify(url)})`);
    await assert.rejects(inPage(strict.url), /ConnectError/);
    assert.ok((strict.engine.stats().counters["origins_refused"] ?? 0) > 0);

    const origins = [{ scheme: "http", host: FOREIGN_HOST, port: "*" }];
    const open = await runEngine(t, { listeners: [{ host: "127.0.0.1", port: 0, origins }] });
    assert.deepEqual(await inPage(open.url), { isSecureContext: false, state: "active", parts: 1 });
  },
);
