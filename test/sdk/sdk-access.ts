// Listeners with rules, met by a worker of any official SDK: tokens, an auth function, and every way to refuse a registration.
// No refusal may end a worker: each SDK takes a `registrationrejected` of any code but one as the end of its life.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { AccessOptions } from "../../src/access/options.js";
import { digestOf } from "../../src/access/tokens.js";
import type { Worker } from "../../src/worker/index.js";
import { exposes } from "../access/support.js";
import { eventually } from "../support/eventually.js";
import { type RunningEngine, runEngine } from "../support/running-engine.js";
import { functionRows, offered, workerRows } from "./iii.js";
import { msgpackFor } from "./sdk-calls.js";
import { triggerRows } from "./sdk-triggers.js";
import { type Command, type OfficialSdk, SOON_MS, sdkTest, started } from "./worker-program.js";

const SECRET = "a-token-of-the-far-worker";
const FUNCTIONS_OF_A_PROGRAM = 9;
const LONGER_THAN_AN_ID = "x".repeat(5_000);

interface Guarded {
  readonly running: RunningEngine;
  /** The listener with rules. */
  readonly at: RunningEngine;
  /** A worker behind the trusted listener, which offers inside::echo and inside::secret. */
  readonly inside: Worker;
}

async function guarded(t: TestContext, access: AccessOptions, limits: object = {}): Promise<Guarded> {
  const open = { host: "127.0.0.1", port: 0 };
  const running = await runEngine(t, { listeners: [open, { ...open, access }], limits });
  const port = running.engine.listeners[1]?.port ?? 0;
  const inside = await msgpackFor(t, running, "inside");
  await inside.register("inside::echo", (data) => data).ready();
  await inside.register("inside::secret", () => "told").ready();
  return { running, at: { ...running, port, url: `ws://127.0.0.1:${port}` }, inside };
}

const counter = ({ engine }: RunningEngine, name: string): number =>
  engine.stats().counters[name] ?? Number.NaN;
const isHere = async ({ engine }: RunningEngine, wanted: string) =>
  (await workerRows(engine)).some(({ name }) => name === wanted);

export function testAccess(sdk: OfficialSdk): void {
  testTokens(sdk);
  sdkTest(
    sdk,
    "an auth function lets it in, by what its token says; its prefix is the engine's affair",
    async (t, spawn) => {
      const rbac = { authFunctionId: "auth::check", exposeFunctions: exposes("inside::echo") };
      const { at, inside, running } = await guarded(t, { rbac });
      const asked: string[] = [];
      await inside
        .register("auth::check", ({ headers }: { headers: Record<string, string> }) => {
          asked.push(headers["authorization"] ?? "");
          if (headers["authorization"] !== `Bearer ${SECRET}`) throw new Error("not you");
          return { function_registration_prefix: "team", allowed_functions: ["inside::secret"] };
        })
        .ready();
      const far = spawn(t, at, { TOKEN: SECRET });
      await far.offered(running, "team::far");
      assert.equal(await running.engine.call("team::far::echo", 1), 1);
      assert.deepEqual(await far.call("inside::secret", null), { result: "told" });
      assert.equal((await far.call("auth::check", {})).code, "FORBIDDEN");
      const stranger = spawn(t, at, { III_WORKER_NAME: "stranger", PREFIX: "stranger" });
      await eventually(
        "the stranger was asked twice",
        () => asked.filter((shown) => shown === "").length >= 2,
        SOON_MS,
      );
      assert.ok(stranger.isAlive);
      assert.ok(!(await isHere(running, "stranger")));
    },
  );
  testRefusals(sdk);
}

function testTokens(sdk: OfficialSdk): void {
  const token = (rights: object) => ({ tokens: [{ name: "far", sha256: digestOf(SECRET), rights }] });

  sdkTest(
    sdk,
    "a token opens a guarded listener, and its rights hold; a wrong one stays out",
    async (t, spawn) => {
      const rights = {
        registerFunctions: true,
        call: exposes("inside::*", "far::*"),
        deny: exposes("inside::secret"),
      };
      const { at, running } = await guarded(t, token(rights));
      const far = spawn(t, at, { TOKEN: SECRET });
      await far.offered(running);
      assert.equal(await running.engine.call("far::echo", 1), 1);
      assert.deepEqual(await far.call("inside::echo", 2), { result: 2 });
      assert.equal((await far.call("inside::secret", 3)).code, "FORBIDDEN");
      assert.equal((await far.call("engine::functions::list", {})).code, "FORBIDDEN");
      const pumped = await far.ask({ do: "pump", function_id: "far::sum", bytes: 200_000, fill: 2 });
      assert.deepEqual(
        pumped,
        { result: { bytes: 200_000, sum: 400_000 } },
        "a channel through the same listener",
      );

      const before = counter(running, "sessions_refused");
      const stranger = spawn(t, at, { TOKEN: "wrong", III_WORKER_NAME: "stranger", PREFIX: "stranger" });
      const isRefusedAgain = () => counter(running, "sessions_refused") >= before + 2;
      await eventually("it is refused, and comes again", isRefusedAgain, SOON_MS);
      assert.ok(stranger.isAlive);
      assert.ok(!(await isHere(running, "stranger")));
    },
  );

  sdkTest(
    sdk,
    "a token that registers nothing: everything it offers is refused, and it calls all the same",
    async (t, spawn) => {
      const { at, running } = await guarded(t, token({ call: exposes("inside::*") }));
      const far = spawn(t, at, { TOKEN: SECRET });
      const areRefused = () => counter(running, "registrations_refused") >= FUNCTIONS_OF_A_PROGRAM;
      await eventually("all its functions are refused", areRefused, SOON_MS);
      assert.deepEqual(await far.call("inside::echo", 1), { result: 1 });
      assert.ok(await isHere(running, "far"));
      assert.ok(
        (await functionRows(running.engine)).every(({ function_id }) => !function_id.startsWith("far::")),
      );
    },
  );

  if (!sdk.knowsNamespaces) return;
  sdkTest(
    sdk,
    "a namespace that its token does not name: nothing of it is registered, and it lives",
    async (t, spawn) => {
      const rights = { registerFunctions: true, call: exposes("inside::*"), namespaces: ["shop"] };
      const { at, running } = await guarded(t, token(rights), { registrationNamespaceGraceMs: 50 });
      const far = spawn(t, at, { TOKEN: SECRET, III_NAMESPACE: "elsewhere" });
      const isWaiting = () => running.logged.some(({ msg }) => `${msg}`.endsWith("its registrations wait"));
      await eventually("its registrations wait for good", isWaiting, SOON_MS);
      assert.deepEqual(await far.call("inside::echo", 1, { namespace: "default" }), { result: 1 });
      assert.ok(
        (await functionRows(running.engine)).every(({ function_id }) => !function_id.startsWith("far::")),
      );
      const near = spawn(t, at, {
        TOKEN: SECRET,
        III_NAMESPACE: "shop",
        III_WORKER_NAME: "near",
        PREFIX: "near",
      });
      await near.offered(running, "near");
      assert.ok(far.isAlive);
    },
  );
}

/** Registrations that are refused, each with the counter that tells. */
function refusals(sdk: OfficialSdk): [Command, string][] {
  const functions: Command[] = [
    { do: "offer", id: "far::hooked" },
    { do: "offer", id: "engine::functions::list" },
    { do: "offer", id: LONGER_THAN_AN_ID },
  ];
  if (sdk.speaksJson)
    functions.push(
      { do: "offer", id: "inside::echo" },
      { do: "offer_http", id: "far::http", url: "http://127.0.0.1:9/hook" },
    );
  const bind = { do: "bind", type: "mailbox", function_id: "far::echo", config: {} } as const;
  const triggers: [Command, string][] = [
    [{ do: "provide", type: "hooked" }, "registrations_refused"],
    [{ do: "provide", type: LONGER_THAN_AN_ID }, "registrations_refused"],
    [{ ...bind, type: "unlisted" }, "triggers_refused"],
    [{ ...bind, function_id: "closed::f" }, "triggers_refused"],
    [{ ...bind, config: { hooked: true } }, "triggers_refused"],
  ];
  const ofFunctions = functions.map((command): [Command, string] => [command, "registrations_refused"]);
  return sdk.knowsTriggers ? [...ofFunctions, ...triggers] : ofFunctions;
}

function testRefusals(sdk: OfficialSdk): void {
  sdkTest(
    sdk,
    "registrations refused in every way there is: it lives, serves and calls on",
    async (t, spawn) => {
      const hooks = {
        onFunctionRegistrationFunctionId: "hook::function",
        onTriggerRegistrationFunctionId: "hook::trigger",
      };
      const rbac = {
        authFunctionId: "auth::check",
        exposeFunctions: exposes("inside::*", "far::*"),
        ...hooks,
      };
      const { at, inside, running } = await guarded(t, {
        rbac: { ...rbac, onTriggerTypeRegistrationFunctionId: "hook::type" },
      });
      await serveRules(inside);
      await inside.registerTriggerType("mailbox", providerThatRefuses()).ready();
      const far = await started(spawn, t, { ...running, url: at.url });
      const before = (await workerRows(running.engine)).find(({ name }) => name === "far")?.id;

      for (const [command, name] of refusals(sdk)) {
        const count = counter(running, name);
        await far.ask(command);
        const what = `${JSON.stringify(command).slice(0, 100)} is refused`;
        await eventually(what, () => counter(running, name) === count + 1);
      }
      if (sdk.knowsTriggers) {
        await far.ask({ do: "bind", type: "mailbox", function_id: "far::echo", config: { path: "taken" } });
        await far.ask({ do: "bind", type: "nobodys", function_id: "far::echo", config: {} });
        const states = async () =>
          (await triggerRows(running))
            .map(({ state }) => state)
            .sort()
            .join();
        await eventually("one is rejected, one parked", async () => (await states()) === "parked,rejected");
      }

      await far.ask({ do: "offer", id: "far::fine" });
      await offered(running.engine, "far::fine");
      assert.equal(await running.engine.call("far::fine", 1), 1);
      assert.deepEqual(await far.call("inside::echo", 2), { result: 2 });
      assert.equal(
        (await workerRows(running.engine)).find(({ name }) => name === "far")?.id,
        before,
        "it never left",
      );
    },
  );
}

/** Who may come, and what the hooks refuse: whatever is called "hooked". */
async function serveRules(inside: Worker): Promise<void> {
  const types = { allow_trigger_type_registration: true, allowed_trigger_types: ["mailbox", "nobodys"] };
  await inside.register("auth::check", () => types).ready();
  for (const id of ["hook::function", "hook::trigger", "hook::type"])
    await inside
      .register(id, (asked: unknown) => {
        if (JSON.stringify(asked).includes("hooked")) throw new Error("not this one");
        return {};
      })
      .ready();
}

function providerThatRefuses() {
  return {
    register: ({ config }: { config: unknown }) => {
      if (JSON.stringify(config).includes("taken")) throw new Error("path conflict: taken");
    },
    unregister: () => undefined,
  };
}
