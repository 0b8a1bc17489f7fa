// The faults of chaos beside those that lines make by themselves: drawn one by one, done to processes, connections, the engine, its clock and its descriptors.
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestEngine } from "../../src/testing/index.js";
import type { Random } from "../support/random.js";
import type { Actor } from "./stage.js";

export type FaultKind =
  | "processes killed"
  | "processes stopped"
  | "connections cut"
  | "lines stalled"
  | "clock forwards"
  | "wall clock jumps"
  | "engine stopped"
  | "descriptors exhausted";

const HOUR_MS = 3_600_000;
/** How often each is drawn, against the others. */
const WEIGHTS: readonly [FaultKind, number][] = [
  ["processes killed", 8],
  ["processes stopped", 6],
  ["connections cut", 6],
  ["lines stalled", 5],
  ["clock forwards", 2],
  ["wall clock jumps", 2],
  ["engine stopped", 2],
  ["descriptors exhausted", 1],
];

export class Faults {
  readonly counts: Record<FaultKind, number>;
  readonly #engine: TestEngine;
  readonly #random: Random;
  readonly #actors: readonly Actor[];
  readonly #descriptorsMax: number;
  /** Each kind once before chance decides: a short run has them all. */
  readonly #first = WEIGHTS.map(([kind]) => kind);
  readonly #pending = new Set<Promise<void>>();

  constructor(engine: TestEngine, random: Random, actors: readonly Actor[], descriptorsMax: number) {
    this.#engine = engine;
    this.#random = random;
    this.#actors = actors;
    this.#descriptorsMax = descriptorsMax;
    this.counts = Object.fromEntries(WEIGHTS.map(([kind]) => [kind, 0])) as Record<FaultKind, number>; // all of them
  }

  /** Does one, drawn at random; what lasts goes on meanwhile. */
  async inject(): Promise<void> {
    const bag = WEIGHTS.flatMap(([kind, weight]) => Array<FaultKind>(weight).fill(kind));
    const kind = this.#first.pop() ?? this.#random.pick(bag);
    this.counts[kind]++;
    await this.#do(kind);
  }

  /** Resolves when nothing that lasts is going on. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  async #do(kind: FaultKind): Promise<void> {
    const actor = this.#random.pick(this.#actors);
    switch (kind) {
      case "processes killed": {
        const victim = this.#random.pick(this.#actors.filter(({ part }) => !part.isSpared));
        victim.kill();
        return victim.start();
      }
      case "processes stopped":
        actor.stop();
        return this.#later(50 + this.#random.below(1_500), () => actor.isStopped && actor.calmProcess());
      case "connections cut":
        return actor.line.cut();
      case "lines stalled":
        actor.line.stall();
        return this.#later(50 + this.#random.below(800), () => actor.line.resume());
      case "clock forwards":
        return this.#engine.advance(this.#random.pick([30, 900, 400_000]));
      case "wall clock jumps":
        return this.#engine.jumpEpoch(this.#random.pick([-HOUR_MS, HOUR_MS, -1, 86_400_000, -86_400_000]));
      case "engine stopped":
        this.#engine.stop();
        return this.#later(20 + this.#random.below(300), () => this.#engine.continue());
      case "descriptors exhausted":
        return this.#later(0, () => this.#exhaust());
    }
  }

  /** More connections than the engine has descriptors for, held for a moment. */
  async #exhaust(): Promise<void> {
    const sockets: Socket[] = [];
    for (let at = 0; at < this.#descriptorsMax; at++)
      sockets.push(connect(this.#engine.port, "127.0.0.1").on("error", () => undefined)); // refused or reset: what this is for
    await sleep(300);
    for (const socket of sockets) socket.destroy();
  }

  #later(afterMs: number, act: () => unknown): void {
    const done: Promise<void> = sleep(afterMs)
      .then(act)
      .then(() => void this.#pending.delete(done));
    this.#pending.add(done);
  }
}
