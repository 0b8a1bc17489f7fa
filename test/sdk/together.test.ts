// Our own SDK and every official one that is to be had here, all at once on the engine that the README's first command brings up, with the example
// workers beside them: each calls each, sends each a channel, and binds a trigger of each.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect, type Worker } from "../../src/worker/index.js";
import { startChild } from "../support/child.js";
import { eventually } from "../support/eventually.js";
import { tercet } from "../support/tercet.js";
import { NPM_SDK, OWN_SDK, PYTHON_SDKS, RUST_SDKS } from "./official-sdks.js";
import { type OfficialSdk, SOON_MS, WorkerProgram } from "./worker-program.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const BYTES = 150_000;

interface Member {
  readonly sdk: OfficialSdk;
  /** Its name, and the prefix of its functions. */
  readonly name: string;
  readonly program: WorkerProgram;
}

/** The repository's own configuration, on a port of its own. */
function configuration(): string {
  const text = readFileSync(`${ROOT}config.yaml`, "utf8");
  return text.replace("port: 49134", "port: 0").replaceAll(" dist/src/", ` ${ROOT}dist/src/`);
}

async function members(t: TestContext, url: string): Promise<Member[]> {
  const all: Member[] = [];
  for (const sdk of [OWN_SDK, NPM_SDK, ...PYTHON_SDKS, ...RUST_SDKS]) {
    const command = await sdk.command();
    if ("missing" in command) {
      t.diagnostic(`without ${sdk.label}: ${command.missing}`);
      continue;
    }
    const name = sdk.label.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
    const env = { III_URL: url, III_WORKER_NAME: name, PREFIX: name, OTEL_ENABLED: "false" };
    all.push({ sdk, name, program: new WorkerProgram(startChild(t, command, { stdin: "pipe", env })) });
  }
  return all;
}

async function offered(control: Worker, id: string): Promise<void> {
  const isOffered = async () => {
    const { functions } = await control.call<{ functions: { function_id: string }[] }>(
      "engine::functions::list",
      {},
    );
    return functions.some(({ function_id }) => function_id === id);
  };
  await eventually(`${id} is offered`, isOffered, SOON_MS);
}

async function callsEach(from: Member, all: readonly Member[]): Promise<void> {
  for (const to of all) {
    const what = `${from.name} to ${to.name}`;
    assert.deepEqual(
      await from.program.call(`${to.name}::echo`, ["hello", 1]),
      { result: ["hello", 1] },
      what,
    );
    const pumped = await from.program.ask({
      do: "pump",
      function_id: `${to.name}::sum`,
      bytes: BYTES,
      fill: 2,
    });
    assert.deepEqual(pumped, { result: { bytes: BYTES, sum: 2 * BYTES } }, what);
  }
  assert.deepEqual(await from.program.call("math::add", { a: 2, b: 3 }), { result: 5 });
  const { result } = await from.program.call("text::measure", { text: "hello wörld" });
  assert.deepEqual(result, { words: 2, letters: 10 });
}

async function bindsEach(all: readonly Member[]): Promise<void> {
  for (const provider of all) await provider.program.ask({ do: "provide", type: `of::${provider.name}` });
  for (const owner of all)
    for (const provider of all) {
      const bind = { type: `of::${provider.name}`, function_id: `${owner.name}::echo`, config: {} };
      await owner.program.ask({ do: "bind", ...bind });
    }
  for (const provider of all)
    for (const owner of all) {
      const isMeant = (line: string) => JSON.parse(line).function_id === `${owner.name}::echo`;
      await provider.program.hears(`the trigger of ${owner.name} at ${provider.name}`, "bound ", isMeant);
    }
}

test("all SDKs on one engine: each calls each, each sends each a channel, each binds a trigger of each", async (t) => {
  const it = tercet(t).spawn(configuration());
  const url = await it.url();
  const control = await connect({ url, name: "control" });
  t.after(() => control.close({ timeoutMs: 0 }));
  const all = await members(t, url);
  assert.ok(all.length > 0);
  for (const id of ["math::add", "text::measure", ...all.map(({ name }) => `${name}::call`)])
    await offered(control, id);
  await Promise.all(all.map((member) => callsEach(member, all)));
  await bindsEach(all.filter(({ sdk }) => sdk.knowsTriggers));
  t.diagnostic(`${all.map(({ name }) => name).join(", ")} with each other`);
});
