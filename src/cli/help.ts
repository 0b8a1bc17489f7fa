// The help of `tercet` and of each command, written from the commands themselves.
import type { Command, Options } from "./command.js";

export function helpOf({ summary, usage, options, details }: Command): string {
  const parts = [
    `usage: tercet ${usage}`.trimEnd(),
    summary,
    ...(details === undefined ? [] : [details]),
    optionLines(options),
  ];
  return `${parts.join("\n\n")}\n`;
}

export function overview(commands: ReadonlyMap<string, Command>): string {
  const server = commands.get("");
  const rows = [...commands]
    .filter(([name]) => name !== "")
    .map(([, command]) => [command.usage, command.summary] as const);
  const width = Math.max(...rows.map(([usage]) => usage.length));
  const lines = rows.map(([usage, summary]) => `  ${usage.padEnd(width)}  ${summary}`);
  return [
    `tercet: an engine for workers, functions and triggers\n\nusage: tercet ${server?.usage ?? ""}`,
    server?.summary ?? "",
    optionLines(server?.options ?? {}),
    `commands:\n${lines.join("\n")}`,
    EXIT_CODES,
    "tercet help COMMAND tells more about one of them.\n",
  ].join("\n\n");
}

function optionLines(options: Options): string {
  const all: Options = { ...options, help: { type: "boolean", short: "h", about: "Show this help." } };
  const rows = Object.entries(all).map(([name, { short, value, about }]) => {
    const long = `--${name}${value === undefined ? "" : ` ${value}`}`;
    return [`${short === undefined ? "    " : `-${short}, `}${long}`, about] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length));
  return `options:\n${rows.map(([left, about]) => `  ${left.padEnd(width)}  ${about}`).join("\n")}`;
}

const EXIT_CODES = `exit codes:
  0    done
  1    it did not work: a wrong configuration, a taken port, a failed call, no engine
  2    the command line is wrong
  3    server: the configuration became invalid while it ran (reload.on_invalid: exit)
  4    server, drain: calls were cut off, or workers had to be killed
  130  server: ended at once by a second Ctrl-C`;
