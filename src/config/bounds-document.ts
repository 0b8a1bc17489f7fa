// The table of bounds in the README: those of config.yaml with their defaults and what happens beyond them, and the fixed ones with their reasons.
//
// The sentences are the schema's and those of protocol/limits.ts; what happens beyond a bound is said here, for every key or this does not compile.
import { readFileSync } from "node:fs";
import * as bounds from "../protocol/limits.js";
import type { ConfigFile } from "./schema.js";
import { configJsonSchema } from "./schema.js";

const SOURCE = new URL("../../../src/protocol/limits.ts", import.meta.url);
const BEGIN = "<!-- bounds: written by `npm run documents` -->";
const END = "<!-- end of bounds -->";

const CUT = "the connection is closed";
const OVERLOADED = "`overloaded`";
const LIMIT_REACHED = "`limit_reached`";

/** What happens beyond each bound of the file. */
const BEYOND: Readonly<Record<keyof ConfigFile["limits"], string>> & Readonly<Record<ServerBound, string>> = {
  max_message_bytes: CUT,
  idle_timeout_s: CUT,
  handshake_timeout_ms: CUT,
  calls_in_flight: OVERLOADED,
  calls_in_flight_per_connection: OVERLOADED,
  calls_executing_per_worker: "further calls wait, or are `overloaded`",
  queued_bytes_per_caller: OVERLOADED,
  queued_bytes_per_worker: OVERLOADED,
  queued_bytes: OVERLOADED,
  memory_bytes: "`overloaded`; at it the connections with most waiting are cut",
  call_timeout_ms: "`deadline_exceeded`",
  outbox_soft_bytes: "new calls to it are `overloaded`",
  outbox_hard_bytes: "it is cut",
  held_bytes: CUT,
  connections: "refused with 503",
  connections_per_address: "refused with 429, or at accept",
  handshakes_per_address: "refused at accept",
  functions_per_connection: LIMIT_REACHED,
  function_bytes_per_connection: LIMIT_REACHED,
  triggers_per_connection: LIMIT_REACHED,
  trigger_bytes_per_connection: LIMIT_REACHED,
  trigger_types_per_connection: LIMIT_REACHED,
  channels: LIMIT_REACHED,
  channel_queue_bytes: "its writer is stopped",
  channels_queued_bytes: "writers are stopped",
  channel_overrun_bytes: "the channel is cut",
  channel_ttl_ms: "the channel is swept",
};

type ServerBound = "max_message_bytes" | "idle_timeout_s" | "handshake_timeout_ms";
const SERVER_BOUNDS: readonly ServerBound[] = ["max_message_bytes", "idle_timeout_s", "handshake_timeout_ms"];

/** `page` with the tables of bounds between its two marks. */
export function withBounds(page: string): string {
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before === -1 || after === -1)
    throw new Error(`the page has no place for the bounds: ${BEGIN} … ${END}`);
  return `${page.slice(0, before + BEGIN.length)}\n\n${tables()}\n${page.slice(after)}`;
}

function tables(): string {
  const fixed = `<details>\n<summary>Bounds that are fixed, with their reasons</summary>\n\n${fixedTable()}\n</details>\n`;
  return `${fileTable()}\n${fixed}`;
}

function fileTable(): string {
  const { properties = {} } = configJsonSchema();
  const rows = [
    ...SERVER_BOUNDS.map((key) => fileRow("server", key, properties)),
    // keys forgets which they are
    ...(Object.keys(properties["limits"]?.properties ?? {}) as (keyof ConfigFile["limits"])[]).map((key) =>
      fileRow("limits", key, properties),
    ),
  ];
  return `| bound | default | beyond it | what it bounds |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`;
}

function fileRow(
  block: "server" | "limits",
  key: keyof typeof BEYOND,
  properties: NonNullable<ReturnType<typeof configJsonSchema>["properties"]>,
): string {
  const { default: fallback, description = "" } = properties[block]?.properties?.[key] ?? {};
  return `| \`${block}.${key}\` | ${grouped(fallback)} | ${BEYOND[key]} | ${description} |`;
}

/** Every number that limits.ts exports under a name in capitals, with the comment that stands before it. */
function fixedTable(): string {
  const values = new Map<string, unknown>(Object.entries(bounds));
  const rows = [...readFileSync(SOURCE, "utf8").matchAll(COMMENTED)].flatMap(
    ([, comment = "", name = ""]) => {
      const value = values.get(name);
      return typeof value === "number" ? [`| \`${name}\` | ${grouped(value)} | ${oneLine(comment)} |`] : [];
    },
  );
  return `| bound | value | what it bounds, and why |\n| --- | --- | --- |\n${rows.join("\n")}\n`;
}

const COMMENTED = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport const ([A-Z_]+) =/g;

function oneLine(comment: string): string {
  return comment
    .replace(/\s*\n \* /g, " ")
    .replaceAll("|", "\\|")
    .trim();
}

function grouped(value: unknown): string {
  return typeof value === "number" ? value.toLocaleString("en-US") : String(value);
}
