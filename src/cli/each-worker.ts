// One function of worker::* for every name on the command line: all are tried, each failure is told.
import { type Io, type Line, UsageError } from "./command.js";
import { withEngine } from "./engine-client.js";
import { EngineError } from "./engine-error.js";
import { ExitCode } from "./exit-codes.js";
import { rowOf } from "./replies.js";

export async function eachWorker(
  functionId: string,
  line: Line,
  io: Io,
  bodyFor: (name: string) => unknown,
): Promise<ExitCode> {
  if (line.rest.length === 0) throw new UsageError("which worker? tercet ps shows them");
  let code: ExitCode = ExitCode.Ok;
  await withEngine(line, io, async (engine) => {
    for (const name of line.rest) {
      try {
        const reply = rowOf(await engine.call(functionId, bodyFor(name)));
        io.out(line.flag("json") ? `${JSON.stringify(reply)}\n` : `${describe(functionId, name, reply)}\n`);
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        code = ExitCode.Failed;
        io.err(
          line.flag("json")
            ? `${JSON.stringify({ name, code: error.code, message: error.message })}\n`
            : `${name}: ${error.message} (${error.code})\n`,
        );
      }
    }
  });
  return code;
}

function describe(functionId: string, name: string, reply: Readonly<Record<string, unknown>>): string {
  if (functionId !== "worker::stop")
    return `${name}: ${functionId === "worker::start" ? "started" : "restarted"}${reply["pid"] === undefined ? "" : `, pid ${String(reply["pid"])}`}`;
  const killed =
    Array.isArray(reply["killed"]) && reply["killed"].length > 0
      ? `, killed: ${reply["killed"].join(", ")}`
      : "";
  const cut = Number(reply["calls_left"] ?? 0) > 0 ? `, ${String(reply["calls_left"])} calls cut off` : "";
  return `${name}: stopped${killed}${cut}`;
}
