// What a command of `tercet` is, and where it reads and writes: one file per command, all of this shape.
import type { ExitCode } from "./exit-codes.js";

export interface OptionSpec {
  readonly type: "string" | "boolean";
  readonly short?: string;
  /** What stands for the value in the help: FILE, MS. */
  readonly value?: string;
  readonly about: string;
}

export type Options = Readonly<Record<string, OptionSpec>>;

/** A command line after reading: options by name, and what was no option. */
export interface Line {
  text(option: string): string | undefined;
  flag(option: string): boolean;
  readonly rest: readonly string[];
}

export interface Io {
  /** Standard output: what was asked for. */
  out(text: string): void;
  /** Standard error: what went wrong. */
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isTerminal: boolean;
}

export interface Command {
  readonly summary: string;
  /** How it is called, without `tercet`. */
  readonly usage: string;
  readonly options: Options;
  /** More lines for its help. */
  readonly details?: string;
  run(line: Line, io: Io): Promise<ExitCode>;
}

/** The command line is wrong; `message` says what would be right. */
export class UsageError extends Error {}

export const JSON_OPTION = { json: { type: "boolean", about: "Write JSON." } } as const satisfies Options;

/** Options of a command that stays with a running engine. */
export const ENGINE_URL_OPTIONS = {
  url: {
    type: "string",
    short: "u",
    value: "URL",
    about:
      "The engine; default III_URL, else ws://127.0.0.1:49134. TERCET_TOKEN is shown to it where it is set.",
  },
  ca: {
    type: "string",
    value: "FILE",
    about: "With wss://: the authorities to believe, PEM.",
  },
  cert: { type: "string", value: "FILE", about: "With wss://: the client certificate to show, PEM." },
  "cert-key": { type: "string", value: "FILE", about: "The key of --cert, PEM." },
  ...JSON_OPTION,
} as const satisfies Options;

/** Options of every command that asks a running engine something. */
export const ENGINE_OPTIONS = {
  ...ENGINE_URL_OPTIONS,
  timeout: {
    type: "string",
    short: "t",
    value: "MS",
    about: "Bound on the call, in milliseconds; default 30000.",
  },
} as const satisfies Options;
