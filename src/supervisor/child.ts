// One process of a worker: started as the leader of its own group, its output cut into lines, ended with everything it started.
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { pause } from "./deferred.js";
import { groupEnded, groupLives, sweep } from "./leftovers.js";
import { LineSplitter } from "./lines.js";
import { lookUp, type ProcessIdentity, signalGroup } from "./process-table.js";
import type { StreamName } from "./recent-lines.js";
import type { Exit } from "./transition.js";

export interface Launch {
  readonly command: readonly string[];
  readonly cwd: string;
  /** The whole environment of the process. */
  readonly env: Readonly<Record<string, string>>;
  /** The variable among them that marks this launch, as NAME=value. */
  readonly mark: string;
}

export type OnOutput = (stream: StreamName, text: string, droppedBytes: number) => void;

export interface StopRules {
  readonly signal: NodeJS.Signals;
  readonly grace_ms: number;
}

/** The process could not be started at all. */
export class LaunchError extends Error {
  readonly code = "LAUNCH_FAILED";
}

const OUTPUT_END_MS = 200; // after the process ended its pipes are usually closed at once, unless somebody else holds them

export class Child {
  readonly pid: number;
  readonly identity: ProcessIdentity;
  readonly startedMs = Date.now();
  /** Settles when the process has ended and its output is read. */
  readonly exited: Promise<Exit>;
  readonly #mark: string;
  #hasEnded = false;

  private constructor(child: ChildProcess, pid: number, mark: string, onOutput: OnOutput) {
    this.pid = pid;
    this.identity = { pid, startTime: lookUp(pid)?.startTime ?? "" };
    this.#mark = mark;
    groupLives(pid);
    const outputs = [follow(child.stdout, "stdout", onOutput), follow(child.stderr, "stderr", onOutput)];
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#hasEnded = true;
        groupEnded(pid);
        const exit = { code, signal, timeMs: Date.now() };
        void Promise.race([Promise.all(outputs), pause(OUTPUT_END_MS)]).then(() => {
          child.stdout?.destroy(); // a process that forked away may hold the pipe for ever
          child.stderr?.destroy();
          resolve(exit);
        });
      });
    });
  }

  /** Rejects with LaunchError when there is nothing to run. */
  static start(launch: Launch, onOutput: OnOutput): Promise<Child> {
    const [program = "", ...parameters] = launch.command;
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(new LaunchError(explain(error, program, launch.cwd)));
      try {
        const stdio = ["ignore", "pipe", "pipe"] as const;
        const child = spawn(program, parameters, {
          cwd: launch.cwd,
          env: launch.env,
          detached: true,
          stdio: [...stdio],
        });
        child.on("error", fail);
        const { pid } = child;
        if (pid !== undefined) resolve(new Child(child, pid, launch.mark, onOutput));
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  /**
   * Signal to the group, the grace, SIGKILL to the group, then whoever forked away. Settles when nothing is left.
   * Aborting `hurry` ends every waiting. True when something had to be killed.
   */
  async terminate(rules: StopRules, hurry: AbortSignal): Promise<boolean> {
    const deadline = performance.now() + rules.grace_ms;
    if (!this.#hasEnded) signalGroup(this.pid, rules.signal);
    const isOver = await Promise.race([
      this.exited.then(() => true),
      pause(rules.grace_ms, hurry).then(() => false),
    ]);
    if (!isOver && !this.#hasEnded) signalGroup(this.pid, "SIGKILL");
    await this.exited;
    const swept = await this.sweep(Math.max(0, deadline - performance.now()), hurry);
    return !isOver || swept;
  }

  /** After the process ended: ends what it left behind. */
  sweep(graceMs: number, hurry: AbortSignal): Promise<boolean> {
    return sweep({ ...this.identity, mark: this.#mark }, graceMs, hurry);
  }
}

function follow(stream: Readable | null, name: StreamName, onOutput: OnOutput): Promise<void> {
  return new Promise((resolve) => {
    if (stream === null) return resolve();
    const splitter = new LineSplitter((text, droppedBytes) => onOutput(name, text, droppedBytes));
    stream.on("data", (chunk: Buffer) => splitter.write(chunk));
    stream.on("error", () => stream.destroy()); // a broken pipe is the end of the output, which is told below
    stream.once("close", () => {
      splitter.end();
      resolve();
    });
  });
}

function explain(error: Error, program: string, cwd: string): string {
  const code = "code" in error ? error.code : undefined;
  if (code === "ENOENT")
    return `there is no program ${JSON.stringify(program)} (or no directory ${JSON.stringify(cwd)})`;
  if (code === "EACCES") return `${JSON.stringify(program)} is not executable`;
  return `${JSON.stringify(program)} cannot be started: ${error.message}`;
}
