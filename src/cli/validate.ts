// `tercet validate`: is this file a configuration? All problems at once, each at its place.
import { openConfig } from "../config/load.js";
import { checkMachine } from "../config/machine.js";
import { ConfigError, type ConfigProblem, formatProblem } from "../config/problem.js";
import { type Command, type Io, JSON_OPTION } from "./command.js";
import { ExitCode } from "./exit-codes.js";

export const command: Command = {
  summary: "Checks a configuration file.",
  usage: "validate [FILE]",
  details:
    "Also looks whether programs and directories exist here; --no-machine leaves that out, for a file that is meant for another machine.",
  options: {
    ...JSON_OPTION,
    "no-machine": { type: "boolean", about: "Do not look whether programs and directories exist." },
  },
  run: async (line, io) => {
    const { problems, warnings } = await check(line.rest[0] ?? "config.yaml", io, !line.flag("no-machine"));
    const isValid = problems.length === 0;
    if (line.flag("json")) io.out(`${JSON.stringify({ valid: isValid, problems, warnings }, null, 2)}\n`);
    else {
      for (const warning of warnings) io.err(`warning: ${formatProblem(warning)}\n`);
      for (const problem of problems) io.err(`${formatProblem(problem)}\n`);
      io.out(isValid ? "valid\n" : `${problems.length} problem${problems.length === 1 ? "" : "s"}\n`);
    }
    return isValid ? ExitCode.Ok : ExitCode.Failed;
  },
};

interface Findings {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

async function check(file: string, io: Io, withMachine: boolean): Promise<Findings> {
  try {
    const open = openConfig(file, io.env);
    // a port may be taken by the very engine this file is meant for: ports are the engine's to check
    if (withMachine)
      await checkMachine(open, new Set(open.config.workers.map(({ name }) => name)), io.env, "any port");
    open.throwProblems();
    return { problems: [], warnings: open.config.warnings };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { problems: error.problems, warnings: [] };
  }
}
