// An engine in a process of its own, for a test: started, watched, killed, stopped and started again from outside, its time moved.
//
// The process ends with the test's. Faults of the network are made by lines (line.ts), which stay when the engine is started again.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { EngineStats } from "../engine.js";
import type { Answer, Memory, Requests, Start, TestedOptions } from "./engine-messages.js";
import { eventually } from "./eventually.js";
import { freePort } from "./free-port.js";
import { Line, type LineOptions } from "./line.js";

const SCRIPT = fileURLToPath(new URL("./engine-process.js", import.meta.url));

export interface TestEngineOptions extends TestedOptions {
  /** Default 0: a free one, kept over `restart`. */
  readonly port?: number;
  /** Where the log goes, by a path: a file, or /dev/full for a disk without room. Default: nowhere. */
  readonly logTo?: string;
  /** Default "silent", with `logTo` "info". */
  readonly logLevel?: Start["logLevel"];
  /** The most file descriptors that the process may have open. Default: as the test's own. */
  readonly fileDescriptorsMax?: number;
}

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** Starts an engine and resolves when it serves. Rejects when it cannot listen. */
export async function startTestEngine(options: TestEngineOptions = {}): Promise<TestEngine> {
  const engine = new TestEngine(options);
  await engine.restart();
  return engine;
}

export class TestEngine {
  port: number;
  readonly #options: TestEngineOptions;
  readonly #lines: Line[] = [];
  readonly #waiting = new Map<number, Waiting>();
  #process: ChildProcess | null = null;
  #requests = 0;

  constructor(options: TestEngineOptions) {
    this.#options = options;
    this.port = options.port ?? 0;
  }

  /** Straight to the engine, past every line. */
  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  /** 0 while it does not run. */
  get pid(): number {
    return this.isRunning ? (this.#process?.pid ?? 0) : 0;
  }

  get isRunning(): boolean {
    return this.#process !== null && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** A new line to the engine: connections over its `url` can be disturbed. */
  async line(options: LineOptions = {}): Promise<Line> {
    const line = await Line.open(() => this.port, options);
    this.#lines.push(line);
    return line;
  }

  stats(): Promise<EngineStats> {
    return this.#ask("stats", null);
  }

  /** Calls a function from inside the engine. */
  call(functionId: string, data: unknown = null): Promise<unknown> {
    return this.#ask("call", { functionId, data });
  }

  /** Moves the engine's time on by `ms`: deadlines pass, timers fire. Sockets' own timeouts are the operating system's and stay. */
  async advance(ms: number): Promise<void> {
    await this.#ask("advance", ms);
  }

  /** Moves the engine's wall clock alone, by a negative `ms` backwards. */
  async jumpEpoch(ms: number): Promise<void> {
    await this.#ask("jumpEpoch", ms);
  }

  /** After a full garbage collection. */
  memory(): Promise<Memory> {
    return this.#ask("memory", null);
  }

  /** A sentence for each thing the engine still holds; meant for when everybody has left. */
  leftovers(): Promise<string[]> {
    return this.#ask("leftovers", null);
  }

  /** Has the engine's process keep `bytes` for ever: for seeing a check of memory fail. */
  async leak(bytes: number): Promise<void> {
    await this.#ask("leak", bytes);
  }

  /** Resolves when `isSo` holds of the engine's figures; rejects, naming `what`, after `boundMs`. */
  async until(what: string, isSo: (stats: EngineStats) => boolean, boundMs = 10_000): Promise<void> {
    await eventually(what, async () => isSo(await this.stats()), boundMs);
  }

  /** Ends the process as `kill -9` does. Resolves when it is gone. */
  async kill(): Promise<void> {
    if (!this.isRunning || this.#process === null) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }

  /** Stops the process (SIGSTOP): its sockets stay open and nobody answers, until `continue`. */
  stop(): void {
    this.#process?.kill("SIGSTOP");
  }

  /** Whether the operating system shows the process as stopped. Linux only. */
  isStopped(): boolean {
    return /^State:\s+T/m.test(readFileSync(`/proc/${this.pid}/status`, "utf8"));
  }

  continue(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Starts the engine, after killing one that runs, on the same port. Resolves when it serves. */
  async restart(): Promise<void> {
    await this.kill();
    if (this.port === 0) this.port = await freePort(); // a port that the engine's own sockets had picked stays busy for a while after a kill
    this.#process = this.#spawn();
    const { port: _port, logTo, logLevel, fileDescriptorsMax: _most, ...options } = this.#options;
    const level = logLevel ?? (logTo === undefined ? "silent" : "info");
    await this.#ask("start", { port: this.port, options, logLevel: level });
  }

  /** Drains the engine for at most `drainMs`, ends it, and closes its lines. */
  async close(drainMs = 0): Promise<void> {
    if (this.isRunning && this.#process !== null) {
      this.continue();
      const exited = once(this.#process, "exit");
      await this.#ask("close", drainMs);
      await exited;
    }
    for (const line of this.#lines) line.close();
  }

  #spawn(): ChildProcess {
    const { logTo, fileDescriptorsMax: most } = this.#options;
    const node = [process.execPath, "--expose-gc", SCRIPT];
    const command =
      most === undefined ? node : ["sh", "-c", `ulimit -n ${Number(most)} && exec "$0" "$@"`, ...node];
    const out = logTo === undefined ? "ignore" : openSync(logTo, "a");
    const [program = "", ...args] = command;
    const child = spawn(program, args, { stdio: ["ignore", out, "inherit", "ipc"] });
    if (typeof out === "number") closeSync(out);
    child.on("message", (answer: Answer) => this.#take(answer));
    child.once("error", (error) => this.#fail(error));
    child.once("exit", (code, signal) =>
      this.#fail(new Error(`the engine's process has ended with ${signal ?? code}`)),
    );
    return child;
  }

  #ask<Name extends keyof Requests>(
    name: Name,
    ask: Requests[Name]["ask"],
  ): Promise<Requests[Name]["answer"]> {
    if (!this.isRunning) return Promise.reject(new Error(`the engine does not run; asked for ${name}`));
    const id = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject }); // engine-process.ts pairs them
      this.#process?.send({ id, name, ask });
    });
  }

  #take({ id, answer, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(answer);
    else waiting?.reject(new Error(error));
  }

  #fail(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
