// The supervisor as the engine sees it: answers requests, tells transitions, and never outlives the engine.
import type { Config } from "../config/load.js";
import type { Logger, LogLevel } from "../log.js";
import { Channel, type Pipe } from "./channel.js";
import { Fleet } from "./fleet.js";
import { sweepRun } from "./leftovers.js";
import type { Begin, LogsQuery, ToEngine, ToSupervisor, UnitLines } from "./messages.js";
import { Output } from "./output.js";
import { Reloader } from "./reloader.js";
import { ReplicaCheck } from "./replica-check.js";
import type { UnitStatus } from "./transition.js";
import { logTransition } from "./transition-log.js";
import type { StopReport, Unit } from "./unit.js";
import { WorkerWatch } from "./worker-watch.js";

const LEFTOVER_GRACE_MS = 2_000;
const ORPHANED_MS = 20_000; // the engine is gone: workers get their graces, but no longer than this in all

interface Running {
  readonly fleet: Fleet;
  readonly reloader: Reloader;
  readonly watch: WorkerWatch;
}

export class SupervisorService {
  readonly #channel: Channel<ToEngine, ToSupervisor>;
  readonly #log: Logger;
  readonly #output: Output;
  #running: Running | undefined;
  #lineWaiters = new Set<() => void>();
  #ending: Promise<StopReport[]> | undefined;

  constructor(pipe: Pipe, log: Logger) {
    this.#log = log;
    this.#output = new Output(log);
    this.#channel = new Channel<ToEngine, ToSupervisor>(
      pipe,
      {
        begin: (body) => this.#begin(body),
        start: ({ name }) => this.#act(name, (fleet) => fleet.start(name)),
        stop: ({ name }) => this.#fleet().stop(name),
        restart: ({ name }) => this.#act(name, (fleet) => fleet.restart(name)),
        settled: ({ name, boundMs }) => this.#settled(name, boundMs),
        status: () => this.#status(),
        logs: (query) => this.#logs(query),
        reload: () => this.#begun().reloader.reload(),
        plan: ({ draft }) => this.#begun().reloader.plan(draft),
        shutdown: ({ reason, deadlineMs }) => this.#shutdown(reason, deadlineMs),
      },
      {
        registration: (change) => this.#running?.fleet.onRegistration(change),
        kill: () => this.#running?.fleet.killNow(),
      },
    );
  }

  /** The engine is gone, however it went: every worker is stopped. */
  async engineIsGone(): Promise<void> {
    this.#channel.close();
    if (this.#running !== undefined && this.#ending === undefined) {
      this.#log.warn("the engine is gone: stopping its workers");
      await this.#shutdown("the engine is gone", ORPHANED_MS);
    }
    await this.#ending;
    this.#output.close();
  }

  async #begin({ run, enginePid, url, config, leftovers, held }: Begin): Promise<{ swept: number }> {
    const swept = await sweepRun(run, leftovers, LEFTOVER_GRACE_MS);
    if (swept > 0) this.#log.warn({ swept }, "ended processes of the supervisor before this one");
    const replicas = new ReplicaCheck(this.#log, (workerIds) =>
      this.#channel.request("standsBy", { workerIds }).catch(() => []),
    );
    const fleet = new Fleet({
      run,
      env: { III_URL: url, III_ENGINE_PID: String(enginePid) },
      inherited: process.env,
      engine: {
        drain: (workerId, boundMs) =>
          this.#channel.request("drain", { workerId, boundMs }).catch(() => ({ callsLeft: 0 })),
        call: (functionId, _data, timeoutMs, namespace) =>
          this.#channel.request("call", { functionId, timeoutMs, namespace }),
      },
      solelyServed: (workerIds) => this.#channel.request("solelyServed", { workerIds }).catch(() => []),
      onTransition: (transition, unit) => {
        logTransition(this.#log, transition);
        if (transition.state === "ready") replicas.onReady(unit);
        this.#channel.notify("transition", { transition, identity: unit.child?.identity });
      },
      onLine: (unit, line) => {
        this.#output.write(unit.name, unit.spec, line);
        for (const wake of this.#lineWaiters) wake();
      },
    });
    const watch = new WorkerWatch((worker, reason) => fleet.restart(worker, reason));
    const reloader = new Reloader(config, {
      fleet: { apply: async (specs) => this.#applied(fleet, watch, await fleet.apply(specs)) },
      env: process.env,
      configure: (next) => this.#configure(next),
      onReloaded: (outcome) => this.#channel.notify("reloaded", outcome),
    });
    this.#running = { fleet, reloader, watch };
    await fleet.apply(config.workers, new Set(held));
    await Promise.all([watch.follow(config.workers), reloader.watch()]);
    return { swept };
  }

  async #applied<T>(fleet: Fleet, watch: WorkerWatch, diff: T): Promise<T> {
    await watch.follow(fleet.specs);
    return diff;
  }

  #configure(config: Config): Promise<null> {
    this.#log.setLevel(config.log.level satisfies LogLevel);
    return this.#channel.request("configure", config);
  }

  #begun(): Running {
    if (this.#running === undefined) throw new Error("the supervisor has not begun");
    return this.#running;
  }

  #fleet(): Fleet {
    return this.#begun().fleet;
  }

  #act(name: string, action: (fleet: Fleet) => void): UnitStatus[] {
    action(this.#fleet());
    return this.#statusOf(name);
  }

  #status(): UnitStatus[] {
    const { fleet } = this.#begun();
    fleet.measureMemory();
    return fleet.status();
  }

  #units(name: string): Unit[] {
    return this.#fleet().find(name)?.units ?? [];
  }

  #statusOf(name: string): UnitStatus[] {
    return this.#units(name).map((unit) => unit.status());
  }

  async #settled(name: string, boundMs: number): Promise<UnitStatus[]> {
    const deadline = Date.now() + boundMs;
    const isOpen = ({ state }: UnitStatus): boolean =>
      state === "starting" || state === "waiting" || state === "stopping";
    const isUnderWay = (): boolean => this.#statusOf(name).some(isOpen) || this.#fleet().isRolling(name);
    while (Date.now() < deadline && isUnderWay()) await new Promise((resolve) => setTimeout(resolve, 20));
    return this.#statusOf(name);
  }

  async #logs({ name, count, after, waitMs = 0 }: LogsQuery): Promise<UnitLines[]> {
    const read = (): UnitLines[] =>
      this.#units(name).map((unit) => {
        const lines = unit.lines.read(count, after?.[unit.name]);
        return { name: unit.name, file: unit.spec.log.file, lastSequence: unit.lines.lastSequence, lines };
      });
    const deadline = Date.now() + waitMs;
    for (;;) {
      const found = read();
      const leftMs = deadline - Date.now();
      if (leftMs <= 0 || found.some(({ lines }) => lines.length > 0)) return found;
      await this.#nextLine(leftMs);
    }
  }

  #nextLine(boundMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#lineWaiters.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, boundMs);
      this.#lineWaiters.add(wake);
    });
  }

  #shutdown(reason: string, deadlineMs: number): Promise<StopReport[]> {
    this.#ending ??= this.#end(reason, deadlineMs);
    return this.#ending;
  }

  async #end(reason: string, deadlineMs: number): Promise<StopReport[]> {
    const running = this.#running;
    if (running === undefined) return [];
    await Promise.all([running.reloader.close(), running.watch.close()]);
    return running.fleet.shutdown(reason, deadlineMs);
  }
}
