// `tercet`: the server. Configuration, listeners, declared workers, ready; and the reverse when it ends.

import type { Config } from "../config/load.js";
import { openConfig, parseConfig } from "../config/load.js";
import { checkMachine } from "../config/machine.js";
import { formatProblem } from "../config/problem.js";
import type { Engine } from "../engine.js";
import { createLogger, type Logger } from "../log.js";
import {
  ConfigStatus,
  countProcesses,
  SupervisedEngine,
  serveControl,
  tellProcesses,
} from "../supervision.js";
import type { ReloadOutcome } from "../supervisor/messages.js";
import { Supervisor } from "../supervisor/supervisor.js";
import { type Command, type Io, type Line, UsageError } from "./command.js";
import { engineOptions, workerRules } from "./engine-options.js";
import { ExitCode } from "./exit-codes.js";

const DEFAULT_FILE = "config.yaml";
/** Functions whose calls were cut off, by name in one line of the log. */
const FUNCTIONS_NAMED_MAX = 5;

export const command: Command = {
  summary:
    "Runs the engine with its declared workers until it is told to stop (Ctrl-C, SIGTERM). SIGHUP reloads the configuration.",
  usage: "[--config FILE]",
  options: {
    config: {
      type: "string",
      short: "c",
      value: "FILE",
      about: `The configuration; default ${DEFAULT_FILE}, where there is one.`,
    },
  },
  run: serve,
};

async function serve(line: Line, io: Io): Promise<ExitCode> {
  if (line.rest.length > 0) throw new UsageError(`unexpected ${JSON.stringify(line.rest[0])}`);
  const config = await configuration(line.text("config"), io);
  const log = createLogger(config.log).child({ part: "engine" });
  for (const warning of config.warnings) log.warn(formatProblem(warning).split("\n")[0] ?? "");
  if (config.file === undefined)
    log.info(`no ${DEFAULT_FILE} here: running with the defaults, without workers`);
  const supervisor = Supervisor.fork({ log, settings: config.log }); // before the engine makes this process large
  const engine = await listening(config, log).catch(async (error: unknown) => {
    await supervisor.stop("the engine cannot listen", 0);
    throw error;
  });
  return new Server(config, engine, supervisor, log, io).run();
}

/** Throws ConfigError. Without a file and without a wish for one, everything is default. */
async function configuration(named: string | undefined, io: Io): Promise<Config> {
  const { existsSync } = await import("node:fs");
  if (named === undefined && !existsSync(DEFAULT_FILE)) return parseConfig("{}", { env: io.env });
  const open = openConfig(named ?? DEFAULT_FILE, io.env);
  await checkMachine(open, new Set(open.config.workers.map(({ name }) => name)), io.env);
  return open.config;
}

async function listening(config: Config, log: Logger): Promise<Engine> {
  const { startEngine } = await import("../engine.js");
  return startEngine(engineOptions(config, log));
}

/** What workers on this machine are told: the first listener, by an address that can be connected to. */
function urlOf({ host, port, tls = false }: { host: string; port: number; tls?: boolean }): string {
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `${tls ? "wss" : "ws"}://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

/** A running engine with its supervisor, from ready to the end. */
class Server {
  readonly #engine: Engine;
  readonly #supervisor: Supervisor;
  readonly #log: Logger;
  readonly #io: Io;
  readonly #status: ConfigStatus;
  #end: ((code: ExitCode) => void) | undefined;
  #isEnding = false;
  #isEndingNow = false;
  #isReady = false;

  constructor(config: Config, engine: Engine, supervisor: Supervisor, log: Logger, io: Io) {
    this.#status = new ConfigStatus(config);
    this.#engine = engine;
    this.#supervisor = supervisor;
    this.#log = log;
    this.#io = io;
  }

  /** Settles with the exit code when everything has ended. */
  async run(): Promise<ExitCode> {
    const ended = new Promise<ExitCode>((resolve) => {
      this.#end = resolve;
    });
    this.#followSignals();
    this.#followConfiguration();
    const url = urlOf(this.#engine.listeners[0] ?? { host: "127.0.0.1", port: 0 });
    const engine = new SupervisedEngine(this.#engine);
    const onConfig = (config: Config): void => this.#takeOver(config);
    const start = { config: this.#status.config, url, engine, onConfig };
    const started = this.#supervisor.start(start).then(
      () => this.#sayReady(url),
      (error: unknown) => {
        if (!this.#isEnding) throw error; // told to end while still starting: the supervisor went before it had answered
      },
    );
    await Promise.race([started, ended]);
    return ended;
  }

  #sayReady(url: string): void {
    if (this.#isEnding) return;
    this.#isReady = true;
    const { listeners, metricsListener } = this.#engine;
    this.#log.info(
      {
        listeners: listeners.map(urlOf),
        ...(metricsListener === null
          ? {}
          : { metrics: `${urlOf(metricsListener).replace("ws:", "http:")}/metrics` }),
      },
      `ready on ${url}; try: npx tercet list functions`,
    );
  }

  #followSignals(): void {
    const interrupt = (signal: NodeJS.Signals): void => {
      if (this.#isEndingNow) this.#finish(ExitCode.Interrupted);
      else if (this.#isEnding) void this.#endNow(signal);
      else void this.#endInOrder(signal, ExitCode.Ok);
    };
    process.on("SIGINT", interrupt);
    process.on("SIGTERM", interrupt);
    process.on("SIGHUP", () => {
      this.#engine.server.renewals.renewNow();
      void this.#supervisor.reload().then((outcome) => this.#onReloaded(outcome));
    });
  }

  #followConfiguration(): void {
    const onReloaded = (outcome: ReloadOutcome): void => this.#onReloaded(outcome);
    this.#supervisor.on("reloaded", onReloaded);
    this.#supervisor.on("lost", (error) => {
      this.#log.fatal({ err: error }, "cannot go on without a supervisor");
      void this.#endInOrder("no supervisor", ExitCode.Failed);
    });
    serveControl({
      engine: this.#engine,
      supervisor: this.#supervisor,
      status: this.#status,
      drain: (drainMs) => this.#drain(drainMs),
      onReloaded,
    });
    tellProcesses(this.#engine, this.#supervisor);
    countProcesses(this.#engine, this.#supervisor);
    this.#engine.probes.reportReadiness(() => (this.#isReady ? null : "the engine is starting"));
    this.#engine.probes.reportHealth(() => ({ config: this.#status.state.state }));
  }

  #takeOver(config: Config): void {
    this.#status.config = config;
    this.#log.setLevel(config.log.level);
    this.#engine.endedCalls.logSlow(config.log.slow_call_ms);
    this.#engine.concurrencies.replaceWorkers(workerRules(config), this.#engine.workers.all());
  }

  #onReloaded(outcome: ReloadOutcome): void {
    this.#status.took(outcome);
    switch (outcome.kind) {
      case "unchanged":
        return this.#log.info("configuration unchanged");
      case "applied":
        return this.#log.info({ keys: outcome.keys, ...outcome.workers }, "configuration applied");
      case "restart_needed":
        return this.#log.warn(
          { keys: outcome.keys },
          `configuration not applied: restart the engine to change ${outcome.keys.join(", ")}`,
        );
      case "invalid":
        return this.#onInvalid(outcome.text);
    }
  }

  #onInvalid(text: string): void {
    this.#io.err(`${text}\n`);
    if (this.#status.config.reload.on_invalid === "keep") {
      this.#log.error(
        { problems: text.split("\n") },
        "configuration invalid: going on with the last good one",
      );
      return;
    }
    this.#log.fatal(
      { problems: text.split("\n") },
      "configuration invalid: stopping (reload.on_invalid is exit)",
    );
    if (!this.#isEnding) void this.#endInOrder("the configuration became invalid", ExitCode.ConfigInvalid);
  }

  /** Ends the engine behind the answer to whoever asked for it. */
  #drain(askedMs: number | undefined): number {
    const drainMs = askedMs ?? this.#status.config.server.drain_ms;
    setImmediate(() => {
      if (!this.#isEnding) void this.#endInOrder("drained by an operator", ExitCode.Ok, drainMs);
    });
    return drainMs;
  }

  /** Stop accepting, drain, stop workers in reverse order, close connections. A drain that was asked for has its time beside that of the shutdown. */
  async #endInOrder(reason: string, code: ExitCode, askedMs?: number): Promise<void> {
    this.#isEnding = true;
    const { drain_ms, shutdown_timeout_ms } = this.#status.config.server;
    const drainMs = askedMs ?? Math.min(drain_ms, shutdown_timeout_ms);
    const deadline = performance.now() + shutdown_timeout_ms + (askedMs ?? 0);
    this.#log.info(`stopping: ${reason}`);
    const { callsOpen } = await this.#engine.drain(drainMs);
    const open = this.#engine.drains.openCalls();
    const ended = this.#engine.metrics.get("calls_stopped");
    const reports = await this.#supervisor.stop(reason, Math.max(0, deadline - performance.now()));
    const stopped = this.#engine.metrics.get("calls_stopped") - ended; // before the close, which stops the rest
    const { callsLost } = await this.#engine.close();
    const cutOff = callsOpen === 0 ? 0 : stopped + callsLost;
    const killed = reports.filter(({ wasKilled }) => wasKilled).map(({ name }) => name);
    this.#sayLost(cutOff, open, killed, drainMs);
    this.#log.info("stopped");
    this.#finish(code === ExitCode.Ok && cutOff + killed.length > 0 ? ExitCode.Lost : code);
  }

  #sayLost(
    cutOff: number,
    open: readonly { functionId: string; calls: number }[],
    killed: readonly string[],
    drainMs: number,
  ): void {
    const functions = open
      .slice(0, FUNCTIONS_NAMED_MAX)
      .map(({ functionId, calls }) => `${functionId} (${calls})`);
    const more =
      open.length > functions.length ? ` and ${open.length - functions.length} functions more` : "";
    if (cutOff > 0)
      this.#log.error(
        { callsLost: cutOff },
        `${cutOff} calls were cut off: they did not end within ${drainMs} ms (server.drain_ms); open were ${functions.join(", ")}${more}`,
      );
    if (killed.length > 0)
      this.#log.error({ killed }, `killed, because they did not end in time: ${killed.join(", ")}`);
  }

  async #endNow(signal: NodeJS.Signals): Promise<void> {
    this.#isEndingNow = true;
    const { open } = this.#engine.calls.inFlight;
    const lost = open === 0 ? "" : `; ${open} calls are cut off`;
    this.#log.warn(`${signal} again: killing the workers and ending at once${lost}`);
    this.#supervisor.killNow();
    await this.#supervisor.stop("killed", 0);
    this.#finish(ExitCode.Interrupted);
  }

  #finish(code: ExitCode): void {
    this.#end?.(code);
    this.#log.flush();
  }
}
