// The processes of one worker are replaced one after the other: the next is touched only when those before are ready, so that the rest serves meanwhile.
//
// A process that does not become ready holds the rollout up, and thereby keeps the others: what is wrong is seen before the last good one is gone.
import type { EventEmitter } from "node:events";
import { hasProcess } from "./transition.js";
import type { Unit } from "./unit.js";

export interface RolloutWorld {
  /** Settles when no process of the unit is left. */
  stop(unit: Unit): Promise<unknown>;
  /** Starts it as it is declared now. */
  start(unit: Unit): void;
  /** Tells every change of any unit's state. */
  readonly changes: EventEmitter<{ change: [] }>;
}

export class Rollout {
  readonly #world: RolloutWorld;
  readonly #left: Set<Unit>;
  /** Stopped by this, or started and not yet seen to be ready. */
  readonly #current = new Set<Unit>();
  readonly #stopping = new Set<Unit>();
  #isOver = false;

  /** Begins at once. Those that do not run come first, all together: nobody misses them. */
  constructor(units: readonly Unit[], world: RolloutWorld) {
    this.#world = world;
    this.#left = new Set(units);
    void this.#run();
  }

  /** Under way, and not held up by a process that does not become ready. */
  get isMoving(): boolean {
    if (this.#isOver) return false;
    return (
      this.#stopping.size > 0 ||
      [...this.#current].every((unit) => hasProcess(unit.state) || unit.state === "waiting")
    );
  }

  /** Whether this unit runs as it was before, until its turn. */
  awaits(unit: Unit): boolean {
    return !this.#isOver && this.#left.has(unit);
  }

  /** Somebody else decides about these from here on. */
  drop(units: readonly Unit[]): void {
    for (const unit of units) {
      this.#left.delete(unit);
      this.#current.delete(unit);
    }
    this.#world.changes.emit("change");
  }

  /** Ends it where it is. Gives those that it was stopping: nobody starts them unless the caller does. */
  abort(): Unit[] {
    const interrupted = this.#isOver ? [] : [...this.#stopping];
    this.#isOver = true;
    this.#world.changes.emit("change");
    return interrupted;
  }

  async #run(): Promise<void> {
    await Promise.all(
      [...this.#left].filter(({ state }) => !hasProcess(state)).map((unit) => this.#replace(unit)),
    );
    await this.#settled();
    for (const unit of this.#left) {
      if (this.#isOver) return;
      await this.#replace(unit);
      await this.#settled();
    }
    this.#isOver = true;
  }

  async #replace(unit: Unit): Promise<void> {
    this.#left.delete(unit);
    this.#current.add(unit);
    this.#stopping.add(unit);
    await this.#world.stop(unit);
    this.#stopping.delete(unit);
    if (!this.#isOver && this.#current.has(unit)) this.#world.start(unit);
  }

  /** Settles when everything that was replaced is ready, or this is over. */
  #settled(): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        for (const unit of this.#current)
          if (unit.state === "ready" || unit.state === "completed") this.#current.delete(unit);
        if (this.#current.size > 0 && !this.#isOver) return;
        this.#world.changes.off("change", look);
        resolve();
      };
      this.#world.changes.on("change", look);
      look();
    });
  }
}
