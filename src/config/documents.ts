// What is written from the schema: the JSON Schema for editors, the table of keys, and the bounds in the README. Run it to bring them up to date:
//
//   npm run documents
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { withBounds } from "./bounds-document.js";
import { EFFECT, ENTRY_EFFECT } from "./diff.js";
import { configJsonSchema, type JsonSchema } from "./schema.js";

const ROOT = new URL("../../../", import.meta.url);
export const SCHEMA_FILE = new URL("src/config/config.schema.json", ROOT);
export const README_FILE = new URL("README.md", ROOT);
export const TABLE_FILE = new URL("src/config/README.md", ROOT);

const BEGIN = "<!-- keys: written by `npm run documents` -->";
const END = "<!-- end of keys -->";

/** The JSON Schema of config.yaml, as it is shipped. */
export function schemaText(): string {
  const title = "config.yaml of tercet";
  return `${JSON.stringify({ title, ...configJsonSchema() }, null, 2)}\n`;
}

/** `page` with the tables of keys between its two marks. */
export function withTables(page: string): string {
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before === -1 || after === -1)
    throw new Error(`the page has no place for the tables: ${BEGIN} … ${END}`);
  return `${page.slice(0, before + BEGIN.length)}\n\n${tables()}\n${page.slice(after)}`;
}

function tables(): string {
  const { properties = {} } = configJsonSchema();
  const top = Object.entries(properties).flatMap(([name, schema]) => rows(name, schema, effectOf));
  const entry = Object.entries(properties["workers"]?.items?.properties ?? {}).flatMap(([name, schema]) =>
    rows(name, schema, entryEffectOf),
  );
  return `### The file\n\n${table(top)}\n### An entry of \`workers\`\n\n${table(entry)}`;
}

interface KeyRow {
  readonly path: string;
  readonly type: string;
  readonly fallback: string;
  readonly change: string;
  readonly about: string;
}

function table(found: readonly KeyRow[]): string {
  const lines = found.map(
    ({ path, type, fallback, change, about }) =>
      `| \`${path}\` | ${type} | ${fallback} | ${change} | ${about} |`,
  );
  return `| key | type | default | a change takes | what it is |\n| --- | --- | --- | --- | --- |\n${lines.join("\n")}\n`;
}

/** A row for the key, and one for each key below it. */
function rows(path: string, schema: JsonSchema, change: (path: string) => string): KeyRow[] {
  const about = (schema.description ?? "").replaceAll("|", "\\|");
  const below = [schema, ...(schema.anyOf ?? [])].flatMap((branch) =>
    Object.entries(branch.properties ?? {}),
  );
  const hasDefault = schema.default !== undefined && below.length === 0;
  const own = {
    path,
    type: typeOf(schema).replaceAll("|", "\\|"),
    fallback: hasDefault ? `\`${JSON.stringify(schema.default)}\`` : "",
    change: change(path),
    about,
  };
  const inList = path === "functions" ? Object.entries(schema.items?.properties ?? {}) : [];
  return [
    own,
    ...[...below, ...inList].flatMap(([name, inner]) =>
      rows(`${path}${inList.length > 0 ? "[]" : ""}.${name}`, inner, change),
    ),
  ];
}

export function typeOf(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.enum !== undefined) return schema.enum.map(String).join(" \\| ").replaceAll("\\|", "|");
  if (schema.const !== undefined) return String(schema.const);
  if (schema.type === "array") return `list of ${typeOf(schema.items ?? {})}`;
  if (schema.type === "object") return "mapping";
  if (schema.type === "integer") return `integer${rangeOf(schema)}`;
  return { string: "text", boolean: "true or false" }[schema.type ?? ""] ?? schema.type ?? "anything";
}

function rangeOf({ minimum, maximum }: JsonSchema): string {
  return minimum === undefined || maximum === undefined ? "" : ` ${minimum} to ${maximum}`;
}

const ENGINE = "a restart of the engine";
const WORKER = "new processes";
const NOTHING = "nothing";

function effectOf(path: string): string {
  const own = Object.entries(EFFECT).find(([key]) => key === path || path.startsWith(`${key}[`))?.[1];
  return own === undefined ? "" : own === "live" ? NOTHING : ENGINE;
}

/** Keys of an entry that become part of another one there. */
const BECOMES: Readonly<Record<string, keyof typeof ENTRY_EFFECT>> = { config: "env", env_file: "env" };

function entryEffectOf(path: string): string {
  const [key = ""] = path.split(".");
  const own = Object.entries(ENTRY_EFFECT).find(([name]) => name === (BECOMES[key] ?? key))?.[1];
  return own === undefined || path === "name" ? "" : own === "live" ? NOTHING : WORKER;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(SCHEMA_FILE, schemaText());
  writeFileSync(TABLE_FILE, withTables(readFileSync(TABLE_FILE, "utf8")));
  writeFileSync(README_FILE, withBounds(readFileSync(README_FILE, "utf8")));
}
