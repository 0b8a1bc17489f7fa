// The two example workers as processes of their own on a real engine: they call each other, end on SIGTERM with code 0,
// and come back under their names after any end.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Engine } from "../../src/engine.js";
import { type Child, startChild } from "../support/child.js";
import { eventually } from "../support/eventually.js";
import { runEngine } from "../support/running-engine.js";

const NAMES = ["math", "text"] as const;
type Name = (typeof NAMES)[number];

function startExample(t: TestContext, name: Name, url: string): Child {
  const path = fileURLToPath(new URL(`../../src/examples/${name}.js`, import.meta.url));
  return startChild(t, [process.execPath, path], { env: { III_URL: url, III_WORKER_NAME: name } });
}

async function functionIds(engine: Engine): Promise<string[]> {
  // engine::functions::list answers {functions: rows}
  const { functions } = (await engine.call("engine::functions::list", {})) as {
    functions: { function_id: string }[];
  };
  return functions.map((row) => row.function_id);
}

const offers = (engine: Engine, id: string) =>
  eventually(`${id} is offered`, async () => (await functionIds(engine)).includes(id));

test("the examples call each other, across the protocols", async (t) => {
  const { engine, url } = await runEngine(t);
  for (const name of NAMES) startExample(t, name, url);
  await offers(engine, "math::add_words");
  await offers(engine, "text::measure");
  assert.equal(await engine.call("math::add", { a: 2, b: 3 }), 5);
  assert.equal(await engine.call("math::add_words", { text: "1 apple, 20 pears and 21 plums" }), 42);
  assert.deepEqual(await engine.call("text::words", { text: "Grüße, 世界!" }), { words: ["Grüße", "世界"] });
  assert.deepEqual(await engine.call("text::measure", { text: "hello wörld" }), { words: 2, letters: 10 });
  await assert.rejects(engine.call("math::add", { a: 2 }), { code: "invalid_input" });
});

for (const name of NAMES) {
  test(`the ${name} example ends on SIGTERM, and comes back under its name after SIGTERM and SIGKILL`, async (t) => {
    const { engine, url } = await runEngine(t);
    const id = name === "math" ? "math::add" : "text::words";
    const gone = () => eventually(`${id} is gone`, async () => !(await functionIds(engine)).includes(id));

    const first = startExample(t, name, url);
    await offers(engine, id);
    assert.deepEqual(await first.end("SIGTERM"), { code: 0, signal: null }, first.output);
    await gone();
    assert.ok(first.lines.length <= 3, `it writes little:\n${first.output}`);

    const second = startExample(t, name, url);
    await offers(engine, id);
    await second.end("SIGKILL");
    await gone();

    const third = startExample(t, name, url);
    await offers(engine, id);
    assert.deepEqual(await third.end("SIGTERM"), { code: 0, signal: null }, third.output);
  });

  test(`the ${name} example ends on SIGTERM while the engine is away`, async (t) => {
    const { engine, url } = await runEngine(t);
    const child = startExample(t, name, url);
    await offers(engine, name === "math" ? "math::add" : "text::words");
    await engine.close();
    assert.deepEqual(await child.end("SIGTERM"), { code: 0, signal: null }, child.output);
  });
}
