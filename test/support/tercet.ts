// The real `tercet` command as a process: its log read line by line, its end awaited, its workers known.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { listMarked, lookUp } from "../../src/supervisor/process-table.js";
import { eventually } from "./eventually.js";

const MAIN = fileURLToPath(new URL("../../src/main.js", import.meta.url));
/** For scripts of workers that import the SDK of this build. */
export const WORKER_SDK = new URL("../../src/worker/index.js", import.meta.url).href;

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly part?: string;
  readonly worker?: string;
  readonly state?: string;
  readonly pid?: number;
  readonly stream?: string;
  readonly [key: string]: unknown;
}

export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export class Tercet {
  readonly directory = mkdtempSync(join(tmpdir(), "tercet-cli-"));
  readonly file = join(this.directory, "config.yaml");
  readonly lines: LogLine[] = [];
  err = "";
  code: number | null | undefined;
  #process: ChildProcess | undefined;
  #rest = "";

  write(text: string): void {
    writeFileSync(this.file, text);
  }

  /** Starts the server over a configuration; does not wait for anything. */
  spawn(text: string): this {
    this.write(text);
    const child = spawn(process.execPath, [MAIN, "--config", this.file], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, TERCET_TEST: this.directory },
    });
    this.#process = child;
    child.stdout.on("data", (chunk: Buffer) => this.#read(String(chunk)));
    child.stderr.on("data", (chunk: Buffer) => {
      this.err += String(chunk);
    });
    child.once("close", (code) => {
      this.code = code;
    });
    return this;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Where it listens; settles when it has said so. */
  async url(): Promise<string> {
    const ready = await this.logged((line) => line.msg.startsWith("ready on"));
    return String((ready["listeners"] as string[])[0]); // the ready line carries the list it listens on
  }

  logged(isMeant: (line: LogLine) => boolean, boundMs = 40_000): Promise<LogLine> {
    return eventually("the line in the log", () => this.lines.find(isMeant) ?? this.#ended(), boundMs).catch(
      (error: unknown) => {
        throw new Error(
          `${String(error)}\n${this.lines.map((line) => JSON.stringify(line)).join("\n")}\n${this.err}`,
        );
      },
    );
  }

  /** The nth time a worker entered a state. */
  entered(worker: string, state: string, nth = 1): Promise<LogLine> {
    const matching = (): LogLine | undefined =>
      this.lines.filter((line) => line.worker === worker && line.state === state)[nth - 1];
    return this.logged((line) => line === matching());
  }

  /** Nobody reads the log from here on. */
  closeOutput(): void {
    this.#process?.stdout?.destroy();
    this.#process?.stderr?.destroy();
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  async exited(boundMs = 20_000): Promise<number | null> {
    await eventually("the end", () => this.code !== undefined, boundMs);
    return this.code ?? null;
  }

  /** Another `tercet` command, against this server. */
  async run(...words: string[]): Promise<Finished> {
    return runTercet(words, { III_URL: await this.url() });
  }

  /** Pids of everything this server started: workers carry the mark, whatever became of their parents. */
  workers(): number[] {
    return listMarked(`TERCET_TEST_WORKER=${this.directory}`).map(({ pid }) => pid);
  }

  supervisorPid(): number {
    return (
      listMarked(`TERCET_TEST=${this.directory}`).find(
        ({ pid }) => pid !== this.pid && lookUp(pid)?.isZombie === false,
      )?.pid ?? 0
    );
  }

  /** What an entry needs so that `workers` finds its processes. */
  get mark(): string {
    return `env: { TERCET_TEST_WORKER: ${this.directory} }`;
  }

  async close(): Promise<void> {
    if (this.code === undefined && this.#process !== undefined) {
      this.signal("SIGKILL");
      await this.exited();
    }
    await eventually("no worker is left", () => this.workers().length === 0);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #ended(): undefined {
    if (this.code !== undefined) throw new Error(`it ended with ${this.code}`);
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.lines.push(JSON.parse(line));
  }
}

export function tercet(t: TestContext): Tercet {
  const made = new Tercet();
  t.after(() => made.close());
  return made;
}

/** Runs a command to its end. */
export function runTercet(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd = tmpdir(),
): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...words], {
      env: { ...process.env, ...env },
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => {
      out += String(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => {
      err += String(chunk);
    });
    child.once("close", (code) => resolve({ code, out, err }));
  });
}
