// A process that a test starts, watches and ends: its lines of output, its end, and its death with the test.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { TestContext } from "node:test";
import { eventually } from "./eventually.js";

export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** "pipe": standard input stays open until the process is ended; default: none. */
  readonly stdin?: "ignore" | "pipe";
}

export class Child {
  readonly process: ChildProcess;
  /** Lines of standard output and standard error, as they came. */
  readonly lines: string[] = [];
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(command: readonly string[], options: ChildOptions) {
    const [program = "", ...args] = command;
    const child = spawn(program, args, {
      stdio: [options.stdin ?? "ignore", "pipe", "pipe"],
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
    });
    this.process = child;
    this.#read(child.stdout);
    this.#read(child.stderr);
    this.ended = new Promise((resolve, reject) => {
      child.once("close", (code, signal) => resolve({ code, signal }));
      child.once("error", reject);
    });
  }

  get output(): string {
    return this.lines.join("\n");
  }

  /** The first line that matches; rejects with all lines when none did in time. */
  line(pattern: RegExp, boundMs = 10_000): Promise<string> {
    const found = (): string | undefined => this.lines.find((line) => pattern.test(line));
    return eventually(`a line like ${pattern}`, found, boundMs).catch((cause: Error) => {
      throw new Error(`${cause.message}; it wrote:\n${this.output}`, { cause });
    });
  }

  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<{ code: number | null; signal: string | null }> {
    this.process.kill(signal);
    return this.ended;
  }

  #read(stream: Readable | null): void {
    if (stream === null) return; // never: both are pipes
    createInterface({ input: stream }).on("line", (line) => this.lines.push(line));
  }
}

/** Starts a process that is killed, at the latest, when its test ends. */
export function startChild(t: TestContext, command: readonly string[], options: ChildOptions = {}): Child {
  const child = new Child(command, options);
  t.after(async () => {
    const { exitCode, signalCode } = child.process;
    if (exitCode !== null || signalCode !== null) return;
    child.process.kill("SIGKILL");
    await once(child.process, "exit");
  });
  return child;
}
