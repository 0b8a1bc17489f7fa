// `tercet ps`: the declared workers and what each of their processes is doing.
import { type Command, ENGINE_OPTIONS } from "./command.js";
import { withEngine } from "./engine-client.js";
import { ExitCode } from "./exit-codes.js";
import { number, type Row, rowOf, rowsOf, text } from "./replies.js";
import { age, bytes, table } from "./table.js";

export const command: Command = {
  summary: "Shows the declared workers and what each is doing.",
  usage: "ps",
  options: ENGINE_OPTIONS,
  run: async (line, io) => {
    const rows = await withEngine(line, io, async (engine) =>
      rowsOf(await engine.call("worker::list", {}), "workers"),
    );
    if (line.flag("json")) io.out(`${JSON.stringify(rows, null, 2)}\n`);
    else io.out(rows.length === 0 ? "no workers are declared\n" : processTable(rows));
    return ExitCode.Ok;
  },
};

export function processTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    text(row, "name"),
    text(row, "state"),
    text(row, "pid", "-"),
    age(number(row, "since_ms")),
    text(row, "restarts"),
    row["memory_bytes"] === null || row["memory_bytes"] === undefined
      ? "-"
      : bytes(number(row, "memory_bytes")),
    note(row),
  ]);
  return table(["WORKER", "STATE", "PID", "SINCE", "RESTARTS", "MEMORY", "NOTE"], cells);
}

function note(row: Row): string {
  const next = row["next_start_ms"];
  const due =
    typeof next === "number" ? `next start in ${Math.max(0, Math.ceil((next - Date.now()) / 1000))}s` : "";
  const exit =
    row["last_exit"] === null || row["last_exit"] === undefined ? "" : exitText(rowOf(row["last_exit"]));
  const reason = text(row, "reason", exit);
  return [reason, due].filter((part) => part !== "").join("; ");
}

function exitText(exit: Row): string {
  const how = exit["signal"] === null ? `code ${text(exit, "code")}` : text(exit, "signal");
  return `last exit ${how} ${age(number(exit, "at_ms"))} ago`;
}
