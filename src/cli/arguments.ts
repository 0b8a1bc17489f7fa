// From the words of a command line to a command and its options, or a sentence about what would be right.
import { parseArgs } from "node:util";
import { nearest } from "../config/nearest.js";
import { type Command, type Line, type Options, UsageError } from "./command.js";

export type CommandTable = Readonly<Record<string, () => Promise<{ command: Command }>>>;

export type Request =
  | { readonly kind: "run"; readonly name: string; readonly words: readonly string[] }
  | { readonly kind: "help"; readonly name: string | undefined }
  | { readonly kind: "version" };

/** Which command is meant. `names` are the known ones; "" is the server. Throws UsageError. */
export function chooseCommand(words: readonly string[], names: readonly string[]): Request {
  const [first, second] = words;
  if (first === "help") return { kind: "help", name: named(second, names) };
  if (first === "--help" || first === "-h") return { kind: "help", name: undefined };
  if (first === "--version" || first === "-v" || first === "version") return { kind: "version" };
  if (first === undefined || first.startsWith("-")) return { kind: "run", name: "", words };
  const two = second === undefined ? first : `${first} ${second}`;
  const name = names.includes(two) ? two : (named(first, names) ?? first);
  return { kind: "run", name, words: words.slice(name.split(" ").length) };
}

function named(word: string | undefined, names: readonly string[]): string | undefined {
  if (word === undefined || names.includes(word)) return word;
  const family = names.filter((name) => name.startsWith(`${word} `));
  if (family.length > 0)
    throw new UsageError(
      `${word} needs one of: ${family.map((name) => name.slice(word.length + 1)).join(", ")}`,
    );
  const near = nearest(word, names);
  throw new UsageError(
    `there is no command ${JSON.stringify(word)}${near === undefined ? "; tercet --help lists them" : `; did you mean ${near}?`}`,
  );
}

/** Reads the options of one command. Throws UsageError. */
export function readLine(words: readonly string[], options: Options): Line & { readonly wantsHelp: boolean } {
  const known = { help: { type: "boolean", short: "h" } as const, ...parseable(options) };
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      options: known,
      allowPositionals: true,
      strict: true,
    });
    const read: Readonly<Record<string, unknown>> = values;
    const text = (option: string): string | undefined =>
      typeof read[option] === "string" ? read[option] : undefined;
    return {
      text,
      flag: (option) => read[option] === true,
      rest: positionals,
      wantsHelp: read["help"] === true,
    };
  } catch (error) {
    if (error instanceof TypeError && "code" in error) throw new UsageError(explain(error, words, options));
    throw error;
  }
}

function parseable(options: Options): Record<string, { type: "string" | "boolean"; short?: string }> {
  return Object.fromEntries(
    Object.entries(options).map(([name, { type, short }]) => [
      name,
      { type, ...(short === undefined ? {} : { short }) },
    ]),
  );
}

function explain(error: TypeError, words: readonly string[], options: Options): string {
  const unknown = words.find(
    (word) => /^--[^=]/.test(word) && !(word.slice(2).split("=")[0]! in options) && word !== "--help",
  );
  const near =
    unknown === undefined ? undefined : nearest(unknown.slice(2).split("=")[0]!, Object.keys(options));
  const [sentence = ""] = error.message.split(". ");
  return near === undefined ? sentence : `${sentence}; did you mean --${near}?`;
}

/** A number of milliseconds an option gives. Throws UsageError. */
export function milliseconds(line: Line, option: string, fallback: number): number {
  const written = line.text(option);
  if (written === undefined) return fallback;
  if (!/^[1-9]\d{0,8}$/.test(written))
    throw new UsageError(`--${option} ${written}: write whole milliseconds, for example 30000`);
  return Number(written);
}
