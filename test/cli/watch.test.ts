// `tercet list triggers`, `tercet list trigger-types` and `tercet watch` as processes against a running engine, and over its restart.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { TriggerState } from "../../src/registry/triggers.js";
import { freePort } from "../../src/testing/free-port.js";
import { Child, startChild } from "../support/child.js";
import { until } from "../support/eventually.js";
import { runEngine } from "../support/running-engine.js";
import { SOON, workerFor } from "../worker/support.js";

const MAIN = fileURLToPath(new URL("../../src/main.js", import.meta.url));

async function run(url: string, ...words: string[]): Promise<string> {
  const child = new Child([process.execPath, MAIN, ...words, "--url", url], {});
  const { code } = await child.ended;
  assert.equal(code, 0, child.output);
  return child.output;
}

test("list triggers shows each with its state, list trigger-types who provides what", async (t) => {
  const on = await runEngine(t);
  const worker = await workerFor(t, on, { name: "post" });
  const nothing = { register: () => undefined, unregister: () => undefined };
  await worker.registerTriggerType("mail", nothing, { description: "new mail" }).ready();
  await worker
    .registerTrigger({ id: "t1", type: "mail", function: "post::got", config: { path: "/in" } })
    .ready();
  await worker.registerTrigger({ id: "t2", type: "clock", function: "post::got" }).ready();
  const refusing = {
    register: () => {
      throw new Error("the path /in is taken,\n by somebody");
    },
    unregister: () => undefined,
  };
  await worker.registerTriggerType("taken", refusing, { description: "refuses" }).ready();
  const refused = worker.registerTrigger({ id: "t3", type: "taken", function: "post::got" }).ready();
  await refused.catch(() => undefined); // the state says it
  const { triggers: table } = on.engine.triggers;
  await until(() => table.state(table.find("t3")) === TriggerState.Rejected);
  await worker.register("post::got", () => null).ready();
  await worker
    .registerTrigger({ id: "t4", type: "engine::workers-available", function: "post::got" })
    .ready();
  const [triggers, types] = await Promise.all([
    run(on.url, "list", "triggers"),
    run(on.url, "list", "trigger-types"),
  ]);
  assert.match(triggers, /^TRIGGER +TYPE +NAMESPACE +FUNCTION +WORKER +STATE +FIRED +CONFIG\n/);
  assert.match(triggers, /\nt1 +mail +default +post::got +post +active +\{"path":"\/in"\}/);
  assert.match(
    triggers,
    /\nt3 +taken +default +post::got +post +rejected: the path \/in is taken, by somebody +null/,
    "what its provider said, in one line",
  );
  assert.match(triggers, /\nt4 +engine::workers-available +default +post::got +post +active +\d+s +null/);
  assert.match(triggers, /\nt2 +clock +default +post::got +post +parked: no provider +null/);
  assert.match(
    types,
    /^TYPE +NAMESPACE +WORKER +DESCRIPTION\nmail +default +post +new mail\ntaken +default +post +refuses/,
  );
});

test("watch shows what comes, changes and goes, and what went while the engine was away", async (t) => {
  const first = await runEngine(t, { port: await freePort() });
  const watch = startChild(t, [process.execPath, MAIN, "watch", "shop", "--url", first.url]);
  await watch.line(/^watching nothing yet \(revision \d+\)$/);
  const worker = await workerFor(t, first, { name: "shop", reconnect: SOON });
  await watch.line(/^\+ worker +shop {2}in default/);
  await worker.register("shop::sell", () => null).ready();
  await watch.line(/^\+ function +shop::sell {2}in default, of shop$/);
  const trigger = worker.registerTrigger({ id: "t1", type: "mail", function: "shop::sell" });
  await watch.line(/^\+ trigger +t1 {2}mail calls shop::sell in default, parked: no provider$/);
  const provider = await workerFor(t, first);
  provider.registerTriggerType("mail", { register: () => undefined, unregister: () => undefined });
  await watch.line(/^~ trigger +t1 {2}mail calls shop::sell in default, active$/);
  worker.unregisterTrigger(trigger.id);
  await watch.line(/^- trigger +t1 {2}mail calls shop::sell in default, active$/);
  assert.ok(!watch.output.includes("mail  in default"), "the prefix filters");
  await worker.close();
  await watch.line(/^- function +shop::sell/);
  const { port } = first;
  await first.engine.close();
  await runEngine(t, { port });
  await watch.line(/^watching nothing yet \(revision 0\)$/, 20_000);
  assert.deepEqual(await watch.end("SIGINT"), { code: null, signal: "SIGINT" });
});
