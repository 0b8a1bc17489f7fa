// The documents that are written from the schema are those in the repository, and config.yaml shows every key.
import { strict as assert } from "node:assert";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { withBounds } from "../../src/config/bounds-document.js";
import { README_FILE, SCHEMA_FILE, schemaText, TABLE_FILE, withTables } from "../../src/config/documents.js";
import { parseConfig } from "../../src/config/load.js";
import { configJsonSchema, type JsonSchema } from "../../src/config/schema.js";

const EXAMPLE = readFileSync(new URL("../../../config.yaml", import.meta.url), "utf8");
/** Told only to be refused: the file would not be valid with them. */
const REFUSED = ["workers.image", "workers.worker_path"];

test("config.schema.json and the table of keys are up to date", () => {
  // The formatter folds short lists: what is compared is what the file says.
  const shipped: unknown = JSON.parse(readFileSync(SCHEMA_FILE, "utf8"));
  assert.deepEqual(shipped, JSON.parse(schemaText()), "run: npm run documents");
  const page = readFileSync(TABLE_FILE, "utf8");
  assert.equal(unpadded(page), unpadded(withTables(page)), "run: npm run documents");
});

test("the bounds in the README are up to date, and are all there", () => {
  const page = readFileSync(README_FILE, "utf8");
  assert.equal(unpadded(page), unpadded(withBounds(page)), "run: npm run documents");
  for (const name of ["JSON_DEPTH_MAX", "limits.handshakes_per_address", "server.max_message_bytes"])
    assert.ok(page.includes(`\`${name}\``), name);
  assert.ok(page.includes("| 127 "), "with values");
});

test("the tests that the README names to show a promise are there", () => {
  const named = [...readFileSync(README_FILE, "utf8").matchAll(/`(test\/[\w./-]+)`/g)].map(
    ([, path]) => path ?? "",
  );
  assert.ok(named.length > 8, named.join());
  for (const path of named) assert.ok(existsSync(new URL(path, README_FILE)), path);
});

test("config.yaml shows every key, with its default where it is not about the examples", () => {
  const shown = parseConfig(EXAMPLE, { file: "/x/config.yaml" });
  const { server, limits, functions, log, metrics, reload, registration_namespace_grace_ms } =
    parseConfig("{}");
  assert.deepEqual(
    { ...shown, file: 0, workers: 0, warnings: 0, listeners: 0 },
    {
      server,
      limits,
      functions,
      log,
      metrics,
      reload,
      registration_namespace_grace_ms,
      file: 0,
      workers: 0,
      warnings: 0,
      listeners: 0,
    },
  );
  const missing = keysOf(configJsonSchema(), "").filter((path) => !REFUSED.includes(path) && !hasKey(path));
  assert.deepEqual(missing, []);
});

test("config.yaml's commented entry is valid when it is no comment", () => {
  const from = EXAMPLE.indexOf("  # - name: worker");
  const to = EXAMPLE.indexOf("\n\n", from);
  const entry = EXAMPLE.slice(from, to).replace(/^ {2}# /gm, "  ");
  const oneWayToBeReady = entry
    .replace(/^ {6}(tcp|call): .*\n/m, "")
    .replace(/^ {6}call: worker::alive\n(?= {6}# How long the start)/m, "");
  const text = `workers:\n  - { name: math, command: [x] }\n${oneWayToBeReady.replace(/^ {4}env_file: .*$/m, "")}\n`;
  assert.equal(parseConfig(text, { file: "/x/config.yaml" }).workers[1]?.restart.max_restarts, 5);
});

/** A YAML 1.2 reader is not needed to see whether `key:` stands somewhere, as a key or in the commented entry. */
function hasKey(path: string): boolean {
  const key = path.split(".").at(-1) ?? "";
  return new RegExp(`^(?: *| {2}# +(?:- )?)${key}:`, "m").test(EXAMPLE);
}

function keysOf(schema: JsonSchema, path: string): string[] {
  const branches = [schema, ...(schema.anyOf ?? []), ...(schema.items === undefined ? [] : [schema.items])];
  return branches.flatMap(({ properties = {} }) =>
    Object.entries(properties).flatMap(([name, inner]) => {
      const own = path === "" ? name : `${path}.${name}`;
      return path === "modules" ? [] : [own, ...keysOf(inner, own)];
    }),
  );
}

/** The formatter pads the cells of a table. */
function unpadded(page: string): string {
  return page
    .replace(/ +/g, " ")
    .replace(/\| -+(?= \|)/g, "| ---")
    .replace(/\|(-+\|)+/g, (line) => line.replace(/-+/g, " --- "));
}
