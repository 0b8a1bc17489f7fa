// `tercet list functions|workers`: what is registered with a running engine.
import { type Command, ENGINE_OPTIONS, UsageError } from "./command.js";
import { withEngine } from "./engine-client.js";
import { ExitCode } from "./exit-codes.js";
import { type Row, rowsOf, text } from "./replies.js";
import { age, table } from "./table.js";

export const command: Command = {
  summary: "Lists the functions or the workers that are registered.",
  usage: "list functions|workers [SEARCH]",
  options: {
    ...ENGINE_OPTIONS,
    all: { type: "boolean", short: "a", about: "The engine's own functions, too." },
  },
  run: async (line, io) => {
    const [what, search] = line.rest;
    if (what !== "functions" && what !== "workers")
      throw new UsageError("list what? write: tercet list functions, or tercet list workers");
    const input = {
      ...(search === undefined ? {} : { search }),
      ...(line.flag("all") ? { include_internal: true } : {}),
    };
    const rows = await withEngine(line, io, async (engine) =>
      rowsOf(await engine.call(`engine::${what}::list`, input), what),
    );
    if (line.flag("json")) io.out(`${JSON.stringify(rows, null, 2)}\n`);
    else
      io.out(
        rows.length === 0 ? `no ${what}\n` : what === "functions" ? functionTable(rows) : workerTable(rows),
      );
    return ExitCode.Ok;
  },
};

function functionTable(rows: readonly Row[]): string {
  return table(
    ["FUNCTION", "NAMESPACE", "WORKER", "DESCRIPTION"],
    rows.map((row) => [
      text(row, "function_id"),
      text(row, "namespace"),
      text(row, "worker_name"),
      text(row, "description"),
    ]),
  );
}

function workerTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const sinceMs = Number(row["connected_at_ms"] ?? Date.now());
    return [
      text(row, "name", text(row, "id")),
      text(row, "namespace"),
      text(row, "status"),
      text(row, "function_count"),
      text(row, "active_invocations"),
      age(sinceMs),
      text(row, "runtime"),
      text(row, "ip_address"),
    ];
  });
  return table(["WORKER", "NAMESPACE", "STATUS", "FUNCTIONS", "CALLS", "AGE", "RUNTIME", "ADDRESS"], cells);
}
