// The engine's handle on its supervisor process: forks it, tells it who registers, carries its questions to the engine.
//
// Nothing here waits or works on the engine's thread beyond passing small messages. When the supervisor dies, another one is
// forked; it ends what the first one left and starts the declared workers anew.
import { type ChildProcess, fork } from "node:child_process";
import { EventEmitter } from "node:events";
import { fileURLToPath } from "node:url";
import type { Config } from "../config/load.js";
import type { Logger } from "../log.js";
import { Channel, ChannelError } from "./channel.js";
import { type EnginePort, emptyEngine } from "./engine-port.js";
import type {
  Draft,
  LogSettings,
  LogsQuery,
  ReloadOutcome,
  ToEngine,
  ToSupervisor,
  UnitLines,
} from "./messages.js";
import type { ProcessIdentity } from "./process-table.js";
import { hasProcess, type Transition, type UnitStatus } from "./transition.js";
import { newRun, type StopReport } from "./unit.js";

export interface SupervisorOptions {
  readonly log: Logger;
  readonly settings: LogSettings;
  /** The environment of the supervisor's process; workers inherit from it what they are allowed to. Default: the engine's. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface SupervisorStart {
  readonly config: Config;
  /** What workers are told as III_URL. */
  readonly url: string;
  readonly engine?: EnginePort;
  /** Takes over the keys of a reloaded configuration that are live. */
  readonly onConfig?: (config: Config) => void;
}

export interface SupervisorEvents {
  /** A declared process changed its state. */
  transition: [Transition];
  /** The configuration file changed, and this is what came of it. */
  reloaded: [ReloadOutcome];
  /** A supervisor that took the place of another has begun its work. */
  begun: [];
  /** Supervisors die faster than they can be replaced: the engine should end. */
  lost: [Error];
}

const REFORKS_MAX = 5; // within the window; a supervisor that dies at once has a defect no restart heals
const REFORK_WINDOW_MS = 60_000;

export class Supervisor extends EventEmitter<SupervisorEvents> {
  readonly #options: SupervisorOptions;
  readonly #run = newRun();
  #process: ChildProcess | undefined;
  #channel: Channel<ToSupervisor, ToEngine> | undefined;
  #start: SupervisorStart | undefined;
  #engine: EnginePort = emptyEngine();
  #unsubscribe: () => void = () => {};
  #isStopping = false;
  /** Processes that an operator stopped and nothing has started since: the next supervisor leaves them so. */
  readonly #held = new Set<string>();
  readonly #processes = new Map<string, ProcessIdentity>();
  #reforkTimes: number[] = [];

  private constructor(options: SupervisorOptions) {
    super();
    this.#options = options;
  }

  /** Forks the supervisor's process. Call it early, while the engine is small. */
  static fork(options: SupervisorOptions): Supervisor {
    const supervisor = new Supervisor(options);
    supervisor.#fork();
    return supervisor;
  }

  /** The supervisor's process id; undefined for the moment between two of them. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** The configuration that holds now. */
  get config(): Config | undefined {
    return this.#start?.config;
  }

  /** Starts the declared workers. Settles when every start that has to wait for nothing is under way. */
  async start(start: SupervisorStart): Promise<void> {
    this.#start = start;
    this.#engine = start.engine ?? emptyEngine();
    this.#unsubscribe = this.#engine.onRegistration((change) =>
      this.#channel?.notify("registration", change),
    );
    await this.#begin().catch((error: unknown) => {
      if (this.#isStopping || !isClosed(error)) throw error;
      return this.#begunByNext(); // it died while it was told; the one after it is told the same
    });
  }

  status(): Promise<UnitStatus[]> {
    return this.#ask((channel) => channel.request("status", null));
  }

  logs(query: LogsQuery): Promise<UnitLines[]> {
    return this.#ask((channel) => channel.request("logs", query));
  }

  startWorker(name: string): Promise<UnitStatus[]> {
    return this.#ask((channel) => channel.request("start", { name }));
  }

  async stopWorker(name: string): Promise<StopReport[]> {
    const reports = await this.#ask((channel) => channel.request("stop", { name }));
    for (const report of reports) this.#held.add(report.name);
    return reports;
  }

  restartWorker(name: string): Promise<UnitStatus[]> {
    return this.#ask((channel) => channel.request("restart", { name }));
  }

  /** Settles when no process of the worker is on its way up or down, or after `boundMs`. */
  settled(name: string, boundMs: number): Promise<UnitStatus[]> {
    return this.#ask((channel) => channel.request("settled", { name, boundMs }));
  }

  /** Reads the configuration file again and makes it true. */
  reload(): Promise<ReloadOutcome> {
    return this.#ask((channel) => channel.request("reload", null));
  }

  /** What `reload` would do now, were the draft its file. */
  plan(draft?: Draft): Promise<ReloadOutcome> {
    return this.#ask((channel) => channel.request("plan", { draft }));
  }

  /** Stops every worker, dependants first, and lets go of the supervisor. Past `deadlineMs` what is left is killed. */
  async stop(reason: string, deadlineMs: number): Promise<StopReport[]> {
    this.#isStopping = true;
    this.#unsubscribe();
    const isGone = (error: unknown): StopReport[] => {
      if (isClosed(error)) return [];
      throw error;
    };
    const reports = await this.#ask((channel) => channel.request("shutdown", { reason, deadlineMs })).catch(
      isGone,
    );
    const ended = new Promise<void>((resolve) => {
      if (this.#process === undefined) resolve();
      else this.#process.once("exit", () => resolve());
    });
    if (this.#process?.connected) this.#process.disconnect();
    await ended;
    return reports;
  }

  /** A stop that is under way ends now: every process group gets SIGKILL. */
  killNow(): void {
    this.#channel?.notify("kill", null);
  }

  #ask<T>(question: (channel: Channel<ToSupervisor, ToEngine>) => Promise<T>): Promise<T> {
    const channel = this.#channel;
    return channel === undefined
      ? Promise.reject(new ChannelError("CHANNEL_CLOSED", "the supervisor is being replaced"))
      : question(channel);
  }

  #fork(): void {
    const { settings, env = process.env } = this.#options;
    const child = fork(
      fileURLToPath(new URL("./main.js", import.meta.url)),
      [settings.level, settings.format],
      {
        env,
        execArgv: [],
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      },
    );
    this.#process = child;
    const pipe = {
      send: (frame: unknown): void => {
        if (child.connected) child.send(frame as object, () => {}); // a channel that broke meanwhile tells so by "exit"
      },
      onFrame: (listener: (frame: unknown) => void): void => void child.on("message", listener),
    };
    this.#channel = new Channel<ToSupervisor, ToEngine>(
      pipe,
      {
        drain: ({ workerId, boundMs }) => this.#engine.drain(workerId, boundMs),
        standsBy: ({ workerIds }) => workerIds.flatMap((workerId) => this.#engine.standsBy(workerId)),
        solelyServed: ({ workerIds }) => workerIds.flatMap((workerId) => this.#engine.solelyServed(workerId)),
        call: ({ functionId, timeoutMs, namespace }) =>
          this.#engine.call(functionId, {}, timeoutMs, namespace),
        configure: (config) => this.#configure(config),
      },
      {
        transition: ({ transition, identity }) => this.#onTransition(transition, identity),
        reloaded: (outcome) => void this.emit("reloaded", outcome),
      },
    );
    child.once("exit", (code, signal) => this.#onExit(code, signal));
  }

  async #begin(): Promise<void> {
    const start = this.#start;
    if (start === undefined) return;
    const leftovers = [...this.#processes.values()];
    this.#processes.clear();
    const { config, url } = start;
    const held = [...this.#held];
    await this.#ask((channel) =>
      channel.request("begin", { run: this.#run, enginePid: process.pid, url, config, leftovers, held }),
    );
  }

  #configure(config: Config): null {
    if (this.#start !== undefined) this.#start = { ...this.#start, config };
    for (const name of this.#held)
      if (!config.workers.some((spec) => spec.name === name.split("#")[0])) this.#held.delete(name);
    this.#start?.onConfig?.(config);
    return null;
  }

  #onTransition(transition: Transition, identity: ProcessIdentity | undefined): void {
    if (identity !== undefined && hasProcess(transition.state))
      this.#processes.set(transition.worker, identity);
    else this.#processes.delete(transition.worker);
    if (transition.state === "starting" || transition.state === "waiting")
      this.#held.delete(transition.worker);
    this.emit("transition", transition);
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    this.#channel?.close();
    this.#channel = undefined;
    this.#process = undefined;
    if (this.#isStopping) return;
    const now = Date.now();
    this.#reforkTimes = [...this.#reforkTimes.filter((time) => time > now - REFORK_WINDOW_MS), now];
    this.#options.log.error({ code, signal }, "the supervisor ended unexpectedly: starting another one");
    if (this.#reforkTimes.length > REFORKS_MAX) {
      this.emit(
        "lost",
        new Error(`the supervisor ended ${this.#reforkTimes.length} times within ${REFORK_WINDOW_MS} ms`),
      );
      return;
    }
    this.#fork();
    void this.#begin().then(
      () => this.emit("begun"),
      (error: unknown) => {
        if (!isClosed(error)) throw error; // its own exit starts the next one
      },
    );
  }

  #begunByNext(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.once("begun", resolve);
      this.once("lost", reject);
    });
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof ChannelError && error.code === "CHANNEL_CLOSED";
}
