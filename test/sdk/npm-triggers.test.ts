// Trigger types and triggers of the official npm SDK (iii-sdk 0.22.1, unmodified) on the real engine.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { IIIClient } from "iii-sdk";
import { eventually } from "../support/eventually.js";
import { type RunningEngine, runEngine } from "../support/running-engine.js";
import { iiiFor } from "./iii.js";

interface Binding {
  id: string;
  function_id: string;
  config: { path: string };
  metadata?: Record<string, unknown>;
}

/** A provider of the type `mailbox`: keeps what it was told, and refuses the path "taken". */
class Mailbox {
  readonly bound = new Map<string, Binding>();
  /** Every registration and its end, in the order told. */
  readonly told: string[] = [];
  readonly #iii: IIIClient;

  constructor(iii: IIIClient) {
    this.#iii = iii;
    iii.registerTriggerType<{ path: string }>(
      { id: "mailbox", description: "new mail" },
      {
        registerTrigger: async (binding) => this.#registered(binding),
        unregisterTrigger: async ({ id }) => this.#unregistered(id),
      },
    );
  }

  #registered(binding: Binding): void {
    if (binding.config.path === "taken") throw new Error("path conflict: taken");
    this.told.push(`+${binding.id}`);
    this.bound.set(binding.id, binding);
  }

  #unregistered(id: string): void {
    this.told.push(`-${id}`);
    this.bound.delete(id);
  }

  /** Fires every trigger of a path and gives what their functions answered. */
  fire(path: string, payload: unknown): Promise<unknown[]> {
    const due = [...this.bound.values()].filter(({ config }) => config.path === path);
    return Promise.all(due.map(({ function_id }) => this.#iii.trigger({ function_id, payload })));
  }
}

const states = async ({ engine }: RunningEngine): Promise<string[]> => {
  const answer = await engine.call("engine::registered-triggers::list", { include_parked: true });
  const { registered_triggers } = answer as { registered_triggers: { state: string }[] }; // its shape is tested elsewhere
  return registered_triggers.map(({ state }) => state);
};

function reader(t: TestContext, on: RunningEngine, workerName: string): IIIClient {
  const iii = iiiFor(t, on.url, { workerName });
  iii.registerFunction(`${workerName}::got`, async (mail: unknown) => ({ [workerName]: mail }));
  return iii;
}

test("a provider gets a trigger, fires it, and hears of its end", async (t) => {
  const on = await runEngine(t);
  const mailbox = new Mailbox(iiiFor(t, on.url, { workerName: "post" }));
  const iii = reader(t, on, "reader");
  const trigger = iii.registerTrigger({
    type: "mailbox",
    function_id: "reader::got",
    config: { path: "/in" },
    metadata: { team: "pay" },
  });
  await eventually("the trigger is bound", () => mailbox.bound.size === 1);
  const [binding] = [...mailbox.bound.values()];
  assert.deepEqual(binding?.metadata, { team: "pay" });
  assert.deepEqual(await mailbox.fire("/in", "hello"), [{ reader: "hello" }]);
  trigger.unregister();
  await eventually("the provider has heard of its end", () => mailbox.bound.size === 0);
  assert.deepEqual(await states(on), []);
});

test("a trigger that comes before its type is bound when the type comes; a refused one is told and does no harm", async (t) => {
  const on = await runEngine(t);
  const iii = reader(t, on, "early");
  const printed = t.mock.method(console, "error", () => undefined);
  iii.registerTrigger({ type: "mailbox", function_id: "early::got", config: { path: "/in" } });
  iii.registerTrigger({ type: "mailbox", function_id: "early::got", config: { path: "taken" } });
  await eventually("both are parked", async () => (await states(on)).join() === "parked,parked");
  const mailbox = new Mailbox(iiiFor(t, on.url, { workerName: "post" }));
  await eventually(
    "one is active, one rejected",
    async () => (await states(on)).sort().join() === "active,rejected",
  );
  await eventually("the refusal is printed", () =>
    printed.mock.calls.some(({ arguments: words }) => words.join(" ").includes("path conflict: taken")),
  );
  assert.deepEqual(await mailbox.fire("/in", 1), [{ early: 1 }]);
});

test("a provider restarts: every trigger is bound again, once, with its id", async (t) => {
  const on = await runEngine(t);
  const first = iiiFor(t, on.url, { workerName: "post" });
  const before = new Mailbox(first);
  const iii = reader(t, on, "reader");
  for (const path of ["/a", "/b", "/c"])
    iii.registerTrigger({ type: "mailbox", function_id: "reader::got", config: { path } });
  await eventually("all are bound", () => before.bound.size === 3);
  await first.shutdown();
  await eventually("all are parked", async () => (await states(on)).join() === "parked,parked,parked");
  const after = new Mailbox(iiiFor(t, on.url, { workerName: "post" }));
  await eventually("all are bound again", () => after.bound.size === 3);
  assert.deepEqual(after.told.toSorted(), before.told.toSorted());
  assert.deepEqual(await after.fire("/b", 2), [{ reader: 2 }]);
});

test("an owner leaves: its provider hears of the end of each of its triggers", async (t) => {
  const on = await runEngine(t);
  const mailbox = new Mailbox(iiiFor(t, on.url, { workerName: "post" }));
  const [leaving, staying] = [reader(t, on, "leaving"), reader(t, on, "staying")];
  for (const iii of [leaving, leaving, staying])
    iii.registerTrigger({ type: "mailbox", function_id: "staying::got", config: { path: "/in" } });
  await eventually("all are bound", () => mailbox.bound.size === 3);
  await leaving.shutdown();
  await eventually("two are gone", () => mailbox.bound.size === 1);
  assert.deepEqual(await states(on), ["active"]);
});

test("triggers through engine::register_trigger: the provider's word is awaited", async (t) => {
  const on = await runEngine(t);
  const mailbox = new Mailbox(iiiFor(t, on.url, { workerName: "post" }));
  const iii = reader(t, on, "reader");
  const register = (path: string) =>
    iii.trigger<unknown, { id: string }>({
      function_id: "engine::register_trigger",
      payload: { trigger_type: "mailbox", function_id: "reader::got", config: { path } },
    });
  await eventually(
    "the type is there",
    async () => (await register("/in").catch(() => undefined)) !== undefined,
  );
  await eventually("it is bound", () => mailbox.bound.size > 0);
  await assert.rejects(register("taken"), { code: "trigger_registration_failed" });
});
