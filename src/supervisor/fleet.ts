// All declared workers: their replicas, the order among them, what one's end means for others.
//
// A worker is one entry of the configuration, a unit one of its processes. The fleet decides who starts when and who
// stops before whom; what happens to one process is the unit's business.
import { EventEmitter } from "node:events";
import { changeOf, diffWorkers, type WorkersDiff } from "../config/diff.js";
import type { Condition, WorkerSpec } from "../config/entries.js";
import { pause } from "./deferred.js";
import type { RegistrationChange } from "./engine-port.js";
import { dependantsOf, inReverseOrder } from "./order.js";
import { listProcesses } from "./process-table.js";
import { Rollout } from "./rollout.js";
import { hasProcess, type Transition, type UnitStatus } from "./transition.js";
import { type StopReport, Unit, type UnitWorld } from "./unit.js";

export interface Declared {
  spec: WorkerSpec;
  units: Unit[];
  /** Ends the waiting for dependencies when the worker is stopped meanwhile. */
  waiting: AbortController | undefined;
  /** Its processes are being replaced one after the other. */
  rollout: Rollout | undefined;
  /** It was down without anybody's wish: who depends on it is restarted when it is back. */
  isBroken: boolean;
}

const MEMORY_EVERY_MS = 1_000;
/** In a rollout: how long others may take to offer what only the next one serves, before it is replaced all the same. */
const COVER_MS = 5_000;
const COVER_POLL_MS = 20;
const BY_OPERATOR = "stopped by an operator";

export interface FleetWorld extends UnitWorld {
  /** Ids of functions that nobody beside these connections serves, or would. */
  solelyServed(workerIds: readonly string[]): Promise<readonly string[]>;
}

export class Fleet {
  readonly #workers = new Map<string, Declared>();
  readonly #world: FleetWorld;
  readonly #changes = new EventEmitter<{ change: [] }>();
  #memoryTimer: NodeJS.Timeout | undefined;
  #isClosing = false;

  constructor(world: FleetWorld) {
    this.#changes.setMaxListeners(0); // one for each worker that waits for another
    this.#world = {
      ...world,
      onTransition: (transition, unit) => {
        world.onTransition(transition, unit);
        this.#onTransition(transition, unit);
        this.#changes.emit("change");
      },
    };
  }

  get specs(): WorkerSpec[] {
    return [...this.#workers.values()].map(({ spec }) => spec);
  }

  get units(): Unit[] {
    return [...this.#workers.values()].flatMap(({ units }) => units);
  }

  /** The worker of this name and all its units, or the one unit of this name. */
  find(name: string): { worker: Declared; units: Unit[] } | undefined {
    const worker = this.#workers.get(name);
    if (worker !== undefined) return { worker, units: worker.units };
    for (const each of this.#workers.values()) {
      const unit = each.units.find((candidate) => candidate.name === name);
      if (unit !== undefined) return { worker: each, units: [unit] };
    }
    return undefined;
  }

  /**
   * Makes the declarations true: removed and changed workers are stopped (dependants first), then added and changed ones
   * are started (dependencies first). Settles when everything is stopped that had to be and every start is under way.
   * A changed worker of several processes is not stopped: they are replaced one after the other, which goes on afterwards.
   * Processes named in `held` are declared, but not started: an operator stopped them before.
   */
  async apply(specs: readonly WorkerSpec[], held: ReadonlySet<string> = new Set()): Promise<WorkersDiff> {
    const diff = diffWorkers(this.specs, specs);
    const rolling = new Set(diff.changed.filter((name) => this.#rolls(name, specs)));
    const changed = diff.changed.filter((name) => !rolling.has(name));
    const stopping = new Set([...diff.removed, ...changed]);
    await this.#stopInOrder(stopping, "the configuration changed");
    for (const name of diff.removed) this.#workers.delete(name);
    for (const spec of specs) await this.#declare(spec);
    for (const unit of this.units) if (held.has(unit.name)) unit.hold(BY_OPERATOR);
    this.#watchMemory();
    if (!this.#isClosing) {
      this.#startInOrder([...diff.added, ...changed], held);
      for (const name of rolling) this.#rollChanged(name);
    }
    this.#changes.emit("change"); // whoever waits may wait for less now
    return diff;
  }

  /** Starts a worker or a unit; earlier failures are forgotten. Settles when it may start: its dependencies are met. */
  start(name: string): void {
    const found = this.#found(name);
    this.#launch(found.worker, found.units, true);
  }

  async stop(name: string, reason = BY_OPERATOR): Promise<StopReport[]> {
    const { worker, units } = this.#found(name);
    if (units.length === worker.units.length) worker.waiting?.abort();
    worker.rollout?.drop(units);
    return Promise.all(units.map((unit) => unit.stop(reason)));
  }

  /** Several processes are replaced one after the other. */
  restart(name: string, reason = "restarted by an operator"): void {
    const { worker, units } = this.#found(name);
    if (units.length > 1) return this.#roll(worker, units, reason);
    for (const unit of units) unit.restart(reason);
  }

  /** Processes of this worker are being replaced, and nothing holds that up. */
  isRolling(name: string): boolean {
    return this.find(name)?.worker.rollout?.isMoving === true;
  }

  onRegistration(change: RegistrationChange): void {
    for (const unit of this.units) unit.onRegistration(change);
  }

  status(): UnitStatus[] {
    return this.units.map((unit) => unit.status());
  }

  /** Stops everything, dependants first; after `deadlineMs` whatever is left is killed. */
  async shutdown(reason: string, deadlineMs: number): Promise<StopReport[]> {
    this.#isClosing = true;
    clearInterval(this.#memoryTimer);
    const reports: StopReport[] = [];
    const deadline = setTimeout(() => this.killNow(), deadlineMs);
    await this.#stopInOrder(new Set(this.#workers.keys()), reason, reports);
    clearTimeout(deadline);
    return reports;
  }

  /** Nobody waits any longer: every process that is being stopped is killed now, and those whose turn comes as well. */
  killNow(): void {
    for (const unit of this.units) {
      void unit.stop("killed");
      unit.killNow();
    }
  }

  #found(name: string): { worker: Declared; units: Unit[] } {
    const found = this.find(name);
    if (found === undefined)
      throw new UnknownWorkerError(
        name,
        this.specs.map((spec) => spec.name),
      );
    return found;
  }

  /** Brings the record of one worker in line with its declaration; units that go are stopped. */
  async #declare(spec: WorkerSpec): Promise<void> {
    const worker = this.#workers.get(spec.name) ?? {
      spec,
      units: [],
      waiting: undefined,
      rollout: undefined,
      isBroken: false,
    };
    const isNew = !this.#workers.has(spec.name);
    const mustRestart =
      isNew || (changeOf(worker.spec, spec) === "changed" && !this.#rolls(spec.name, [spec]));
    this.#workers.set(spec.name, worker);
    worker.spec = spec;
    const names = unitNames(spec);
    const gone = worker.units.filter((unit) => !names.includes(unit.name));
    const stopped = Promise.all(gone.map((unit) => unit.stop("fewer replicas")));
    const kept = names.map(
      (name) => worker.units.find((unit) => unit.name === name) ?? new Unit(name, spec, this.#world),
    );
    const fresh = kept.filter((unit) => !worker.units.includes(unit));
    worker.units = kept;
    worker.rollout?.drop(gone);
    for (const unit of kept) if (!this.#isOutdated(worker, unit)) unit.update(spec);
    await stopped;
    if (!mustRestart && fresh.length > 0 && !this.#isClosing) this.#launch(worker, fresh, true);
  }

  /** Whether a change of this worker is made to its processes one after the other: several before, several afterwards. */
  #rolls(name: string, specs: readonly WorkerSpec[]): boolean {
    const running = this.#workers.get(name)?.units.length ?? 0;
    return running > 1 && (specs.find((spec) => spec.name === name)?.replicas ?? 0) > 1;
  }

  /** Its process is of an earlier declaration and will be replaced. */
  #isOutdated({ spec, rollout }: Declared, unit: Unit): boolean {
    return rollout?.awaits(unit) === true || changeOf(unit.spec, spec) === "changed";
  }

  #rollChanged(name: string): void {
    const worker = this.#workers.get(name);
    if (worker === undefined) return;
    const outdated = worker.units.filter((unit) => changeOf(unit.spec, worker.spec) === "changed");
    this.#roll(worker, outdated, "the configuration changed");
  }

  #roll(worker: Declared, units: readonly Unit[], reason: string): void {
    const interrupted = worker.rollout?.abort() ?? [];
    worker.rollout = new Rollout([...interrupted, ...units], {
      stop: async (unit) => {
        await this.#covered(unit);
        await unit.stop(reason);
      },
      start: (unit) => this.#launch(worker, [unit], true),
      changes: this.#changes,
    });
  }

  /** Settles when others would take over what this process serves: a fresh one is ready when it is connected, and registers behind that. */
  async #covered(unit: Unit): Promise<void> {
    for (const deadline = Date.now() + COVER_MS; Date.now() < deadline && !this.#isClosing; ) {
      if (unit.workerIds.length === 0 || (await this.#world.solelyServed(unit.workerIds)).length === 0)
        return;
      await pause(COVER_POLL_MS);
    }
  }

  #startInOrder(names: readonly string[], held: ReadonlySet<string> = new Set()): void {
    for (const name of names) {
      const worker = this.#workers.get(name);
      const units = worker?.units.filter((unit) => !held.has(unit.name)) ?? [];
      if (worker !== undefined && units.length > 0) this.#launch(worker, units, true);
    }
  }

  /** Starts units once the dependencies of their worker are met. */
  #launch(worker: Declared, units: readonly Unit[], isFresh: boolean): void {
    for (const unit of units) unit.update(worker.spec);
    const missing = this.#unmet(worker.spec);
    if (missing === undefined) {
      for (const unit of units) unit.start(isFresh);
      return;
    }
    worker.waiting?.abort();
    const waiting = new AbortController();
    worker.waiting = waiting;
    for (const unit of units) unit.wait(missing);
    void this.#met(worker, waiting.signal).then((isMet) => {
      if (isMet && !this.#isClosing) for (const unit of units) unit.start(isFresh);
    });
  }

  #met(worker: Declared, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (isMet: boolean): void => {
        this.#changes.off("change", look);
        signal.removeEventListener("abort", giveUp);
        resolve(isMet);
      };
      const look = (): void => {
        if (this.#unmet(worker.spec) === undefined) finish(true);
      };
      const giveUp = (): void => finish(false);
      this.#changes.on("change", look);
      signal.addEventListener("abort", giveUp);
    });
  }

  /** What is still waited for, in words; undefined when nothing is. */
  #unmet(spec: WorkerSpec): string | undefined {
    const open = spec.depends_on.filter(({ name, until }) => !this.#holds(name, until));
    return open.length === 0
      ? undefined
      : `waits for ${open.map(({ name, until }) => `${name} (${until})`).join(", ")}`;
  }

  #holds(name: string, until: Condition): boolean {
    const units = this.#workers.get(name)?.units ?? [];
    if (until === "completed") return units.every(({ state }) => state === "completed");
    if (until === "ready") return units.every(({ state }) => state === "ready" || state === "completed");
    return units.every(({ state }) => state === "completed" || (hasProcess(state) && state !== "stopping"));
  }

  async #stopInOrder(names: ReadonlySet<string>, reason: string, reports: StopReport[] = []): Promise<void> {
    for (const name of names) {
      this.#workers.get(name)?.waiting?.abort();
      this.#workers.get(name)?.rollout?.abort();
    }
    await inReverseOrder(names, this.specs, async (name) => {
      const units = this.#workers.get(name)?.units ?? [];
      reports.push(...(await Promise.all(units.map((unit) => unit.stop(reason)))));
    });
  }

  #onTransition({ state }: Transition, unit: Unit): void {
    const worker = this.#workers.get(unit.spec.name);
    if (worker === undefined || this.#isClosing) return;
    const isDown = (each: Unit): boolean => each.state === "backoff" || each.state === "crash_loop";
    if (worker.units.every(isDown)) worker.isBroken = true;
    if (state !== "ready" || !worker.isBroken || this.#holds(unit.spec.name, "ready") === false) return;
    worker.isBroken = false;
    if (worker.spec.restart.dependants) this.#restartDependants(worker.spec.name);
  }

  /** Those that run, dependants first down, dependencies first up. */
  #restartDependants(name: string): void {
    const dependants = dependantsOf(new Set([name]), this.specs);
    const running = new Set(
      [...dependants].filter((each) => this.#workers.get(each)?.units.some(({ state }) => hasProcess(state))),
    );
    if (running.size === 0) return;
    void this.#stopInOrder(running, `${name} was restarted`).then(() => {
      if (!this.#isClosing) this.#startInOrder([...running]);
    });
  }

  #watchMemory(): void {
    clearInterval(this.#memoryTimer);
    if (!this.specs.some(({ limits }) => limits.memory_bytes !== undefined)) return;
    this.#memoryTimer = setInterval(() => this.measureMemory(), MEMORY_EVERY_MS);
  }

  /** Reads the resident memory of every unit's process group. */
  measureMemory(): void {
    const byGroup = new Map<number, number>();
    for (const { group, residentBytes } of listProcesses())
      byGroup.set(group, (byGroup.get(group) ?? 0) + residentBytes);
    for (const unit of this.units) if (unit.pid !== undefined) unit.setMemory(byGroup.get(unit.pid) ?? 0);
  }
}

/** `name` alone, or name#0 … name#n-1 for several. */
function unitNames({ name, replicas }: Pick<WorkerSpec, "name" | "replicas">): string[] {
  return replicas === 1 ? [name] : Array.from({ length: replicas }, (_, index) => `${name}#${index}`);
}

class UnknownWorkerError extends Error {
  readonly code = "W110";

  constructor(name: string, known: readonly string[]) {
    super(`there is no declared worker ${JSON.stringify(name)}; declared: ${known.join(", ") || "none"}`);
  }
}
