// Reading a configuration of which parts are wrong: what can be read is, so that one look finds every problem of a file.
import type { PlacedEntry } from "./entries.js";
import { type ConfigFile, configSchema, entrySchema } from "./schema.js";
import { readBySchema, type SchemaIssue } from "./schema-issues.js";

export interface ReadFile {
  /** Blocks that could not be read have their defaults; the problem is among `issues`. */
  readonly file: ConfigFile;
  /** Those of `workers` and `modules` that could be read. */
  readonly entries: readonly PlacedEntry[];
  /** Of every entry that has one. */
  readonly names: ReadonlySet<string>;
  readonly issues: readonly SchemaIssue[];
}

const LISTS = ["workers", "modules"] as const;

export function readWhatCanBe(value: unknown): ReadFile {
  const whole = readBySchema(configSchema, value);
  const issues = "issues" in whole ? whole.issues : [];
  const wrong = new Set(issues.map(({ path }) => String(path[0])));
  const file = "value" in whole ? whole.value : blocks(value, wrong);
  const lists = LISTS.flatMap((list) =>
    itemsOf(value, list).map((item, index) => ({ path: [list, index], item })),
  );
  const entries = lists.flatMap(({ path, item }) => {
    const read = readBySchema(entrySchema, item);
    return "value" in read ? [{ path, entry: read.value }] : [];
  });
  return { file, entries, names: new Set(lists.flatMap(({ item }) => nameOf(item))), issues };
}

/** Every block that is not wrong, without the lists. */
function blocks(value: unknown, wrong: ReadonlySet<string>): ConfigFile {
  const isMapping = typeof value === "object" && value !== null && !Array.isArray(value);
  const right = Object.entries(isMapping ? value : {}).filter(
    ([key]) => !wrong.has(key) && !LISTS.some((list) => list === key),
  );
  const read = readBySchema(configSchema, Object.fromEntries(right));
  if ("value" in read) return read.value;
  throw new Error(`blocks that were right one by one are wrong together: ${JSON.stringify(read.issues)}`);
}

function itemsOf(value: unknown, list: string): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  const items: unknown = Object.entries(value).find(([key]) => key === list)?.[1];
  return Array.isArray(items) ? items : [];
}

function nameOf(item: unknown): string[] {
  const isNamed =
    typeof item === "object" && item !== null && "name" in item && typeof item.name === "string";
  return isNamed ? [String(item.name)] : [];
}
