// What `tercet list` shows of each kind of thing: the engine function to ask, where its rows are, and the table for people.
import { type Row, text } from "./replies.js";
import { age, table } from "./table.js";

export interface Listing {
  functionId: string;
  /** The key of its answer that holds the rows. */
  key: string;
  /** What is asked besides the search. */
  input: Readonly<Record<string, unknown>>;
  show: (rows: readonly Row[]) => string;
}

export const LISTINGS: Readonly<Record<string, Listing>> = {
  functions: { functionId: "engine::functions::list", key: "functions", input: {}, show: functionTable },
  workers: { functionId: "engine::workers::list", key: "workers", input: {}, show: workerTable },
  triggers: {
    functionId: "engine::registered-triggers::list",
    key: "registered_triggers",
    input: { include_parked: true },
    show: triggerTable,
  },
  "trigger-types": {
    functionId: "engine::triggers::list",
    key: "triggers",
    input: {},
    show: triggerTypeTable,
  },
};

function functionTable(rows: readonly Row[]): string {
  return table(
    ["FUNCTION", "NAMESPACE", "WORKER", "DESCRIPTION"],
    rows.map((row) => cells(row, "function_id", "namespace", "worker_name", "description")),
  );
}

function workerTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const sinceMs = Number(row["connected_at_ms"] ?? Date.now());
    return [
      text(row, "name", text(row, "id")),
      ...cells(row, "namespace", "status", "function_count", "active_invocations"),
      age(sinceMs),
      ...cells(row, "runtime", "ip_address"),
    ];
  });
  return table(["WORKER", "NAMESPACE", "STATUS", "FUNCTIONS", "CALLS", "AGE", "RUNTIME", "ADDRESS"], lines);
}

function triggerTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    ...cells(row, "id", "trigger_type", "namespace", "function_id", "worker_name"),
    stateText(row),
    row["last_fired_at_ms"] === undefined ? "" : age(Number(row["last_fired_at_ms"])),
    text(row, "config_summary"),
  ]);
  return table(["TRIGGER", "TYPE", "NAMESPACE", "FUNCTION", "WORKER", "STATE", "FIRED", "CONFIG"], lines);
}

/** With why it is not active; of a refusal what its provider said, in one line. */
function stateText(row: Row): string {
  const error = row["last_error"];
  const isRejected = row["state"] === "rejected" && typeof error === "object" && error !== null;
  const said = isRejected && "message" in error ? String(error.message).replace(/\s+/g, " ") : undefined;
  const why = said ?? text(row, "reason").replaceAll("_", " ");
  const line = why.length > WHY_CHARS_MAX ? `${why.slice(0, WHY_CHARS_MAX)}…` : why;
  return [text(row, "state"), line].filter((word) => word !== "").join(": ");
}

/** Of the reason in a table's cell. */
const WHY_CHARS_MAX = 60;

function triggerTypeTable(rows: readonly Row[]): string {
  return table(
    ["TYPE", "NAMESPACE", "WORKER", "DESCRIPTION"],
    rows.map((row) => cells(row, "id", "namespace", "worker_name", "description")),
  );
}

function cells(row: Row, ...keys: string[]): string[] {
  return keys.map((key) => text(row, key));
}
