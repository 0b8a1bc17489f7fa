// What changes between two configurations, with the reference's cases of a reload.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import { diffConfig, diffWorkers, EFFECT, isEmptyDiff } from "../../src/config/diff.js";
import { type Config, parseConfig } from "../../src/config/load.js";
import { configJsonSchema } from "../../src/config/schema.js";

const config = (text: string): Config => parseConfig(text, { file: "/x/config.yaml" });
const workers = (...entries: string[]): Config =>
  config(`workers: [${entries.map((entry) => `{ command: [x], ${entry} }`).join(", ")}]`);

test("diffWorkers() tells added, removed, changed, adjusted and unchanged apart", () => {
  const from = workers("name: same", "name: gone", "name: env, env: { A: 1 }", "name: tuned").workers;
  const to = workers(
    "name: tuned, restart: never",
    "name: new",
    "name: env, env: { A: 2 }",
    "name: same",
  ).workers;
  assert.deepEqual(diffWorkers(from, to), {
    added: ["new"],
    removed: ["gone"],
    changed: ["env"],
    adjusted: ["tuned"],
    unchanged: ["same"],
  });
  assert.deepEqual(diffWorkers([], []), { added: [], removed: [], changed: [], adjusted: [], unchanged: [] });
});

test("diffConfig() sees no change in comments, order of keys, anchors or the other list", () => {
  const one = config("workers:\n  - name: a\n    command: [x]\n    env: { A: 1, B: 2 }\n");
  const other = config("# c\nmodules:\n  - env: &e { B: '2', A: 1 }\n    command: [x]\n    name: a\n");
  assert.equal(isEmptyDiff(diffConfig(one, other)), true);
});

test("diffConfig() names each key with what its change takes", () => {
  const { keys } = diffConfig(
    config("{}"),
    config("server: { port: 1 }\nlog: { level: debug }\nfunctions: [{ match: a }]\n"),
  );
  assert.deepEqual(
    keys.map(({ key, effect }) => [key, effect]),
    [
      ["server.port", "restart"],
      ["log.level", "live"],
      ["functions", "restart"],
    ],
  );
});

test("diffConfig() sees a listener that comes or changes", () => {
  const listener = (port: number): string =>
    `workers: [{ name: iii-worker-manager, config: { port: ${port} } }]`;
  for (const [from, to] of [
    ["{}", listener(1)],
    [listener(1), listener(2)],
  ] as const) {
    assert.deepEqual(
      diffConfig(config(from), config(to)).keys.map(({ key }) => key),
      ["listeners"],
    );
  }
});

test("EFFECT has an entry for every key of the file and no other", () => {
  const { properties = {} } = configJsonSchema();
  const keys = Object.entries(properties).flatMap(([name, { properties: inner }]) =>
    inner === undefined
      ? name === "workers" || name === "modules"
        ? []
        : [name]
      : Object.keys(inner).map((key) => `${name}.${key}`),
  );
  assert.deepEqual(
    Object.keys(EFFECT).sort(),
    [...keys, "listeners", "http_functions", "observability"].sort(),
  );
});
