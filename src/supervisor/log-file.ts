// A worker's output in a file that is rotated by size: file, file.1 (the one before), … up to a number of files.
//
// Written synchronously in the supervisor's process, so that a line that was printed is a line in the file. A file that
// cannot be written is reported once and left alone until the next rotation or restart; the log itself goes on.
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

export interface LogFileRules {
  readonly path: string;
  readonly bytesMax: number;
  readonly filesMax: number;
}

export class LogFile {
  readonly #rules: LogFileRules;
  readonly #onTrouble: (error: Error) => void;
  #descriptor: number | undefined;
  #bytes = 0;
  #isBroken = false;

  constructor(rules: LogFileRules, onTrouble: (error: Error) => void) {
    this.#rules = rules;
    this.#onTrouble = onTrouble;
  }

  write(line: string): void {
    if (this.#isBroken) return;
    try {
      const bytes = Buffer.from(`${line}\n`);
      this.#open();
      if (this.#bytes > 0 && this.#bytes + bytes.length > this.#rules.bytesMax) this.#rotate();
      writeSync(this.#open(), bytes);
      this.#bytes += bytes.length;
    } catch (error) {
      this.#isBroken = true;
      this.close();
      this.#onTrouble(error instanceof Error ? error : new Error(String(error)));
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #open(): number {
    if (this.#descriptor !== undefined) return this.#descriptor;
    mkdirSync(dirname(this.#rules.path), { recursive: true });
    const descriptor = openSync(this.#rules.path, "a", 0o600);
    this.#descriptor = descriptor;
    this.#bytes = fstatSync(descriptor).size;
    return descriptor;
  }

  /** file.3 goes, file.2 becomes file.3, …, file becomes file.1. */
  #rotate(): void {
    this.close();
    const { path, filesMax } = this.#rules;
    const nth = (index: number): string => (index === 0 ? path : `${path}.${index}`);
    rmSync(nth(filesMax - 1), { force: true });
    for (let index = filesMax - 2; index >= 0; index--) renameIfThere(nth(index), nth(index + 1));
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}
