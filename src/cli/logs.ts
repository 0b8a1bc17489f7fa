// `tercet logs`: recent output of a declared worker, and on request what comes after.
import { type Command, ENGINE_OPTIONS, type Io, UsageError } from "./command.js";
import { withEngine } from "./engine-client.js";
import { ExitCode } from "./exit-codes.js";
import { number, type Row, rowsOf, text } from "./replies.js";
import { plain } from "./table.js";

const FOLLOW_MS = 20_000; // one question waits this long for the next line; then the same is asked again

export const command: Command = {
  summary: "Shows what a declared worker printed.",
  usage: "logs NAME",
  options: {
    ...ENGINE_OPTIONS,
    follow: { type: "boolean", short: "f", about: "Go on with what comes; ends with Ctrl-C." },
    tail: { type: "string", value: "N", about: "How many lines; default 100, at most 1000." },
  },
  run: async (line, io) => {
    const [name] = line.rest;
    if (name === undefined) throw new UsageError("which worker? tercet ps shows them");
    const tail = tailOf(line.text("tail"));
    await withEngine(line, io, async (engine) => {
      let after: Record<string, number> | undefined;
      do {
        const question = {
          name,
          tail: after === undefined ? tail : 1000,
          ...(after === undefined ? {} : { after, wait_ms: FOLLOW_MS }),
        };
        const units = rowsOf(await engine.call("worker::logs", question), "processes");
        print(units, line.flag("json"), io);
        after = Object.fromEntries(units.map((unit) => [text(unit, "name"), number(unit, "last_sequence")]));
      } while (line.flag("follow"));
    });
    return ExitCode.Ok;
  },
};

function tailOf(written: string | undefined): number {
  if (written === undefined) return 100;
  if (!/^\d{1,4}$/.test(written)) throw new UsageError(`--tail ${written}: write a number of lines`);
  return Number(written);
}

function print(units: readonly Row[], isJson: boolean, io: Io): void {
  const lines = units.flatMap((unit) =>
    rowsOf(unit, "lines").map((line) => ({ ...line, process: text(unit, "name") }) as Row),
  );
  lines.sort((one, other) => number(one, "time_ms") - number(other, "time_ms"));
  for (const line of lines) {
    if (isJson) io.out(`${JSON.stringify(line)}\n`);
    else
      io.out(
        `${new Date(number(line, "time_ms")).toISOString().slice(11, 23)} [${text(line, "process")} ${text(line, "pid")} ${text(line, "stream")}] ${plain(text(line, "text"))}\n`,
      );
  }
}
