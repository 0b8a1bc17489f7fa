#!/usr/bin/env node
// The `tercet` command: finds the command that is meant, runs it, ends with its exit code.
import { type CommandTable, chooseCommand, readLine } from "./cli/arguments.js";
import { type Command, type Io, UsageError } from "./cli/command.js";
import { EngineError } from "./cli/engine-error.js";
import { ExitCode } from "./cli/exit-codes.js";
import { helpOf, overview } from "./cli/help.js";
import { ConfigError } from "./config/problem.js";
import { ENGINE_VERSION } from "./version.js";

/** Each command is loaded when it is asked for: `tercet ps` needs neither the engine nor its sockets. */
const COMMANDS: CommandTable = {
  "": () => import("./cli/serve.js"),
  call: () => import("./cli/call.js"),
  list: () => import("./cli/list.js"),
  watch: () => import("./cli/watch.js"),
  top: () => import("./cli/top.js"),
  status: () => import("./cli/status.js"),
  ps: () => import("./cli/ps.js"),
  start: () => import("./cli/start.js"),
  stop: () => import("./cli/stop.js"),
  restart: () => import("./cli/restart.js"),
  drain: () => import("./cli/drain.js"),
  logs: () => import("./cli/logs.js"),
  validate: () => import("./cli/validate.js"),
  reload: () => import("./cli/reload.js"),
  "config diff": () => import("./cli/config-diff.js"),
  "config print": () => import("./cli/config-print.js"),
};

const io: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  env: process.env,
  isTerminal: process.stdout.isTTY === true,
};

async function main(words: readonly string[]): Promise<ExitCode> {
  const request = chooseCommand(words, Object.keys(COMMANDS));
  if (request.kind === "version") return say(`${ENGINE_VERSION}\n`);
  if (request.kind === "help")
    return say(request.name === undefined ? overview(await all()) : helpOf(await load(request.name)));
  const command = await load(request.name);
  const line = readLine(request.words, command.options);
  return line.wantsHelp
    ? say(request.name === "" ? overview(await all()) : helpOf(command))
    : command.run(line, io);
}

function say(text: string): ExitCode {
  io.out(text);
  return ExitCode.Ok;
}

async function load(name: string): Promise<Command> {
  const found = COMMANDS[name];
  if (found === undefined)
    throw new UsageError(`there is no command ${JSON.stringify(name)}; tercet --help lists them`);
  return (await found()).command;
}

async function all(): Promise<Map<string, Command>> {
  const loaded = Object.keys(COMMANDS).map(async (name) => [name, await load(name)] as const);
  return new Map(await Promise.all(loaded));
}

/** An operator's mistake is one message; anything else is ours and shows its stack. */
function explain(error: unknown): ExitCode {
  if (error instanceof UsageError) {
    io.err(`tercet: ${error.message}\n`);
    return ExitCode.Usage;
  }
  if (error instanceof EngineError) {
    io.err(`${error.message} (${error.code})\n`);
    return ExitCode.Failed;
  }
  const isExpected =
    error instanceof ConfigError ||
    (error instanceof Error && "code" in error && error.code === "EADDRINUSE");
  if (isExpected) io.err(`${error.message}\n`);
  else io.err(`${error instanceof Error ? error.stack : String(error)}\n`);
  return ExitCode.Failed;
}

process.exitCode = await main(process.argv.slice(2)).catch(explain);
// Whatever is still open now (a keep-alive socket, a watcher) must not keep a finished command alive; output is written first.
process.stdout.write("", () => process.exit());
