// Trigger types, triggers and the engine's own events with a worker of any official SDK that has them.

import assert from "node:assert/strict";
import type { ProvidedTrigger } from "../../src/worker/index.js";
import { eventually } from "../support/eventually.js";
import { type RunningEngine, runEngine } from "../support/running-engine.js";
import { iiiFor, workerRows } from "./iii.js";
import { msgpackFor } from "./sdk-calls.js";
import { type OfficialSdk, SOON_MS, sdkTest, started } from "./worker-program.js";

interface TriggerRow {
  readonly id: string;
  readonly function_id: string;
  readonly state: string;
}

export async function triggerRows({ engine }: RunningEngine): Promise<TriggerRow[]> {
  const answer = await engine.call("engine::registered-triggers::list", { include_parked: true });
  return (answer as { registered_triggers: TriggerRow[] }).registered_triggers; // its shape is tested elsewhere
}

const become = (on: RunningEngine, ...states: readonly string[]): Promise<unknown> => {
  const are = async () => (await triggerRows(on)).map(({ state }) => state).sort();
  return eventually(
    `the triggers are ${states}`,
    async () => (await are()).join() === states.join(),
    SOON_MS,
  );
};

export function testTriggers(sdk: OfficialSdk): void {
  sdkTest(sdk, "provides a trigger type: binds, fires, refuses, hears of each end", async (t, spawn) => {
    const on = await runEngine(t);
    const far = await started(spawn, t, on);
    await far.ask({ do: "provide", type: "mailbox" });
    const iii = iiiFor(t, on.url, { workerName: "json" });
    iii.registerFunction("json::got", async (mail: unknown) => ({ json: mail }));
    const msgpack = await msgpackFor(t, on);
    await msgpack.register("msgpack::got", (mail) => ({ msgpack: mail })).ready();

    const request = { type: "mailbox", function_id: "json::got", metadata: { team: "pay" } };
    const trigger = iii.registerTrigger({ ...request, config: { path: "/in" } });
    msgpack.registerTrigger({ type: "mailbox", function: "msgpack::got", config: { path: "/in" } });
    iii.registerTrigger({ ...request, config: { path: "taken" } });
    await become(on, "active", "active", "rejected");

    await far.hears("both triggers", "bound ", (line) => line.includes("msgpack::got"));
    const ofJson = JSON.parse(await far.hears("its trigger", "bound ", (line) => line.includes("json::got")));
    assert.deepEqual([ofJson.config, ofJson.metadata], [{ path: "/in" }, { team: "pay" }]);
    assert.deepEqual(await far.call("json::got", "hello"), { result: { json: "hello" } });
    assert.deepEqual(await far.call("msgpack::got", "hello"), { result: { msgpack: "hello" } });
    trigger.unregister();
    await far.hears("the end of one", "unbound ", (id) => id === ofJson.id);
    await msgpack.close();
    await eventually("the end of the other", () => far.said("unbound ").length === 2, SOON_MS);
  });

  sdkTest(
    sdk,
    "its triggers: parked until the type is there, fired, taken back, gone with it",
    async (t, spawn) => {
      const on = await runEngine(t);
      const far = await started(spawn, t, on);
      const request = {
        type: "mailbox",
        function_id: "far::echo",
        config: { path: "/in" },
        metadata: { m: 1 },
      };
      for (let count = 0; count < 2; count++) await far.ask({ do: "bind", ...request });
      await become(on, "parked", "parked");

      const msgpack = await msgpackFor(t, on);
      const has = new Map<string, ProvidedTrigger<unknown>>();
      const handler = {
        register: (trigger: ProvidedTrigger<unknown>) => void has.set(trigger.id, trigger),
        unregister: ({ id }: { id: string }) => void has.delete(id),
      };
      await msgpack.registerTriggerType("mailbox", handler).ready();
      await become(on, "active", "active");
      const [given] = [...has.values()];
      assert.deepEqual([given?.config, given?.metadata], [{ path: "/in" }, { m: 1 }]);
      assert.equal(await given?.call("fired"), "fired");
      await far.ask({ do: "unbind" });
      await eventually("one is taken back", () => has.size === 1);
      await far.child.end("SIGKILL");
      await eventually("the other is gone with its owner", () => has.size === 0);
      await become(on);
    },
  );

  sdkTest(
    sdk,
    "a provider is killed and comes again: the same trigger is bound again, once",
    async (t, spawn) => {
      const on = await runEngine(t);
      const first = await started(spawn, t, on);
      await first.ask({ do: "provide", type: "mailbox" });
      const iii = iiiFor(t, on.url, { workerName: "json" });
      iii.registerTrigger({ type: "mailbox", function_id: "json::got", config: { path: "/in" } });
      const before = JSON.parse(await first.hears("the trigger", "bound "));
      await first.child.end("SIGKILL");
      await become(on, "parked");
      const second = await started(spawn, t, on);
      await second.ask({ do: "provide", type: "mailbox" });
      await become(on, "active");
      const again = JSON.parse(await second.hears("the trigger", "bound "));
      assert.equal(again.id, before.id);
      await second.call("far::echo", 1); // whatever was sent before has come
      assert.equal(second.said("bound ").length, 1);
    },
  );

  sdkTest(sdk, "hears of workers and functions that come and go", async (t, spawn) => {
    const on = await runEngine(t);
    const far = await started(spawn, t, on);
    for (const type of ["engine::workers-available", "engine::functions-available"])
      await far.ask({ do: "bind", type, function_id: "far::event", config: {} });
    await become(on, "active", "active");
    const worker = await msgpackFor(t, on, "newcomer");
    const id = (await workerRows(on.engine)).find(({ name }) => name === "newcomer")?.id;
    await far.hears(
      "the newcomer",
      "event ",
      (event) => event.includes(`"worker_connected"`) && event.includes(`${id}`),
    );
    await worker.register("new::function", () => 1).ready();
    const lists = (event: string, listed: string) =>
      JSON.parse(event).functions?.some((row: { function_id: string }) => row.function_id === listed) ??
      false;
    await far.hears("its function", "event ", (event) => lists(event, "new::function"));
    const heard = far.said("event ").length;
    await worker.close();
    await far.hears(
      "its end",
      "event ",
      (event) => event.includes(`"worker_disconnected"`) && event.includes(`${id}`),
    );
    const isWithout = () =>
      far
        .said("event ")
        .slice(heard)
        .some((event) => lists(event, "far::echo") && !lists(event, "new::function"));
    await eventually("the function's end", isWithout, SOON_MS);
  });
}
