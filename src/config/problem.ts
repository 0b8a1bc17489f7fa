// What an operator is told about a configuration that cannot be used.
//
// A problem names file, line and column, shows the line with a caret under the place, says what is wrong
// and, where it is known, what would be right. A ConfigError carries all problems of a file at once: whoever
// corrects a file wants to correct it in one go.

export interface ConfigProblem {
  readonly file: string;
  /** 1-based; 0 when the problem belongs to no line (a file that is missing, a bad environment variable). */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** What would be right. */
  readonly hint?: string;
  /** The line as it stands in the file, and how many characters of it are meant. */
  readonly source?: string;
  readonly length?: number;
}

/** The configuration cannot be used. `message` is the readable form of all problems, in the order of the file. */
export class ConfigError extends Error {
  readonly code = "CONFIG_INVALID";
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const inOrder = [...problems].sort((one, other) => one.line - other.line || one.column - other.column);
    super(inOrder.map(formatProblem).join("\n"));
    this.name = "ConfigError";
    this.problems = inOrder;
  }
}

const SHOWN_COLUMNS_MAX = 120; // a caret is of use only while the line fits a terminal

/** `file:line:column: message`, the line, a caret, and what would be right. */
export function formatProblem(problem: ConfigProblem): string {
  const place = problem.line === 0 ? problem.file : `${problem.file}:${problem.line}:${problem.column}`;
  const lines = [`${place}: ${problem.message}`];
  if (problem.source !== undefined) lines.push(...caretLines(problem, problem.source));
  if (problem.hint !== undefined) lines.push(`  ${problem.hint}`);
  return lines.join("\n");
}

function caretLines(problem: ConfigProblem, source: string): string[] {
  const from = problem.column > SHOWN_COLUMNS_MAX ? problem.column - SHOWN_COLUMNS_MAX / 2 : 0;
  const shown = source.slice(from, from + SHOWN_COLUMNS_MAX).replaceAll("\t", " ");
  const before = Math.max(0, problem.column - 1 - from);
  const width = Math.max(1, Math.min(problem.length ?? 1, shown.length - before));
  const gutter = String(problem.line).length;
  const margin = " ".repeat(gutter);
  return [`  ${problem.line} | ${shown}`, `  ${margin} | ${" ".repeat(before)}${"^".repeat(width)}`];
}

/** Turns offsets of one text into problems with line, column and the line itself. */
export class ProblemWriter {
  readonly file: string;
  readonly problems: ConfigProblem[] = [];
  readonly #text: string;

  constructor(file: string, text: string) {
    this.file = file;
    this.#text = text;
  }

  /** `start` and `end` are offsets in the text; the caret stays within the line of `start`. */
  at(start: number, end: number, message: string, hint?: string): void {
    this.problems.push(this.describe(start, end, message, hint));
  }

  describe(start: number, end: number, message: string, hint?: string): ConfigProblem {
    const text = this.#text;
    const offset = Math.min(Math.max(0, start), text.length);
    const lineStart = text.lastIndexOf("\n", offset - 1) + 1;
    const newline = text.indexOf("\n", offset);
    const lineEnd = newline === -1 ? text.length : newline;
    const source = text.slice(lineStart, lineEnd).replace(/\r$/, "");
    const base = {
      file: this.file,
      line: lineNumber(text, lineStart),
      column: offset - lineStart + 1,
      message,
    };
    const length = Math.max(1, Math.min(end, lineEnd) - offset);
    return { ...base, source, length, ...(hint === undefined ? {} : { hint }) };
  }

  /** A problem of the file as a whole. */
  whole(message: string, hint?: string): void {
    this.problems.push({
      file: this.file,
      line: 0,
      column: 0,
      message,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

function lineNumber(text: string, lineStart: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < lineStart; at = text.indexOf("\n", at + 1)) line++;
  return line;
}
