// Workers on another host: a network namespace of their own, an address that is not loopback, and a token.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { digestOf } from "../../src/access/tokens.js";
import { exposes } from "../access/support.js";
import { functionRows, offered, withdrawn, workerRows } from "../sdk/iii.js";
import { msgpackFor } from "../sdk/sdk-calls.js";
import { WorkerProgram } from "../sdk/worker-program.js";
import { type Child, startChild } from "../support/child.js";
import { eventually } from "../support/eventually.js";
import { type Host, hostFor } from "../support/network-namespace.js";
import { type RunningEngine, runEngine } from "../support/running-engine.js";

const SECRET = "the-token-of-another-host";
const NPM_WORKER = fileURLToPath(new URL("../sdk/npm-worker.js", import.meta.url));
const OWN_WORKER = fileURLToPath(new URL("../sdk/own-worker.js", import.meta.url));

interface Rig {
  readonly host: Host;
  /** `url` is that of the listener which the other host reaches. */
  readonly running: RunningEngine;
  start(program: string, env?: Record<string, string>): Child;
}

/** An engine with a listener that the other host reaches, for those with a token, and one on loopback for the test. */
function remoteTest(name: string, body: (t: TestContext, rig: Rig) => Promise<void>): void {
  test(name, async (t) => {
    const host = await hostFor(t);
    if ("missing" in host) return t.skip(host.missing);
    const rights = { registerFunctions: true, call: exposes("near::echo", "far::sum") };
    const access = { tokens: [{ name: "far", sha256: digestOf(SECRET), rights }] };
    const inside = { host: "127.0.0.1", port: 0 };
    const running = await runEngine(t, { listeners: [inside, { host: host.near, port: 0, access }] });
    const near = await msgpackFor(t, running, "near");
    await near.register("near::echo", (data) => data).ready();
    await near.register("near::secret", () => "never").ready();
    const url = `ws://${host.near}:${running.engine.listeners[1]?.port}`;
    const start = (program: string, env: Record<string, string> = {}): Child => {
      const common = { III_URL: url, TOKEN: SECRET, PREFIX: "far", III_WORKER_NAME: "far" };
      const command = [...host.command, process.execPath, program];
      return startChild(t, command, { stdin: "pipe", env: { ...common, ...env } });
    };
    return body(t, { host, running: { ...running, url }, start });
  });
}

for (const [wire, program] of [
  ["JSON", NPM_WORKER],
  ["msgpack", OWN_WORKER],
] as const) {
  remoteTest(
    `a ${wire} worker on another host serves, calls, streams, and is gone with its process`,
    async (_t, rig) => {
      const { engine } = rig.running;
      const far = new WorkerProgram(rig.start(program));
      await far.offered(rig.running);
      assert.equal(await engine.call("far::echo", "over there"), "over there");
      assert.deepEqual(await far.call("near::echo", "over here"), { result: "over here" });
      assert.equal((await far.call("near::secret", {})).code, "FORBIDDEN");
      const pumped = await far.ask({ do: "pump", function_id: "far::sum", bytes: 300_000, fill: 2 });
      assert.deepEqual(pumped, { result: { bytes: 300_000, sum: 600_000 } });
      await far.ask({ do: "offer", id: "far::late" });
      await offered(engine, "far::late");
      const [row] = (await workerRows(engine)).filter(({ name }) => name === "far");
      assert.equal((row as { ip_address?: string } | undefined)?.ip_address, rig.host.far); // the row has more keys than tests read
      await far.child.end("SIGKILL");
      await withdrawn(engine, "far::echo", "far::late");
    },
  );
}

remoteTest("without its token neither gets in, and both stay out", async (_t, rig) => {
  const { engine } = rig.running;
  const refused = (): number => engine.stats().counters["sessions_refused"] ?? 0;
  const json = rig.start(NPM_WORKER, { TOKEN: "guessed" });
  await eventually("the JSON worker is refused, and comes again", () => refused() >= 2);
  assert.equal(json.process.exitCode, null, "its SDK goes on trying");
  await json.end("SIGKILL");
  const before = refused();
  rig.start(OWN_WORKER, { TOKEN: "guessed" });
  await eventually("the msgpack worker is refused", () => refused() > before);
  const ids = (await functionRows(engine)).map(({ function_id }) => function_id);
  assert.ok(ids.every((id) => !id.startsWith("far::")));
});
