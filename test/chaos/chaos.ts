// Chaos: an engine in a process, workers and callers of both wires in processes of their own, each on a line that cuts, delays and splits bytes or doubles and
// reorders messages; they are killed, stopped, cut off, the clock jumps, descriptors run out, and the log's disk is full all the while. In rounds: faults for
// some seconds, then calm, in which everything must come right again.
//
//   npm run chaos -- --minutes 10 --seed 7
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import {
  eventually,
  type LineOptions,
  type Memory,
  startTestEngine,
  type TestEngine,
} from "../../src/testing/index.js";
import { Random } from "../support/random.js";
import type { Report } from "./accounts.js";
import { Faults } from "./faults.js";
import { RULES } from "./functions.js";
import * as invariants from "./invariants.js";
import { Actor, PARTS, type Part } from "./stage.js";

export const FULL_DISK = "/dev/full";
const DESCRIPTORS_MAX = 128;
const CALM_MS = 20_000;

/** What a test does to prove that a checker sees it. */
export interface Sabotage {
  /** Added to the lines of callers of messages. */
  readonly callerLines?: Partial<LineOptions>;
  /** Bytes that the engine's process leaks at each calm. */
  readonly leakBytes?: number;
  /** A worker that is believed to live. */
  readonly ghost?: string;
}

export interface ChaosOptions {
  readonly seed: number;
  readonly forMs: number;
  /** Of faults, between two calms. Default 8,000. */
  readonly roundMs?: number;
  /** From one fault to the next, on average. Default 120. */
  readonly faultEveryMs?: number;
  /** How long calm may take to come. Default 20,000. */
  readonly calmMs?: number;
  readonly sabotage?: Sabotage;
  /** Told at each calm. */
  readonly onCalm?: (sofar: ChaosResult) => void;
}

export interface ChaosResult {
  /** The engine's own figures. */
  readonly opened: number;
  readonly ended: number;
  readonly answeredOnce: number;
  /** Ends as callers that lived saw them, by code. */
  readonly ends: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly memory: readonly Memory[];
  readonly calms: number;
  readonly violations: readonly string[];
}

/** Runs chaos; everything that does not hold is among the violations. */
export async function chaos(options: ChaosOptions): Promise<ChaosResult> {
  const hasFullDisk = existsSync(FULL_DISK);
  if (!hasFullDisk) console.warn(`skipped: the full disk for logs (there is no ${FULL_DISK} here)`);
  const engine = await startTestEngine({
    limits: { callTimeoutMs: 1_000 },
    functions: RULES,
    fileDescriptorsMax: DESCRIPTORS_MAX,
    ...(hasFullDisk ? { logTo: FULL_DISK, logLevel: "debug" as const } : {}),
  });
  const run = new Run(engine, options, hasFullDisk);
  const killAll = (): void => run.close(); // one that is stopped would not notice that we are gone
  process.once("exit", killAll);
  try {
    await run.play();
    return run.result;
  } finally {
    process.off("exit", killAll);
    run.close();
    await engine.kill();
    await engine.close();
  }
}

class Run {
  readonly #engine: TestEngine;
  readonly #options: ChaosOptions;
  readonly #random: Random;
  readonly #hasFullDisk: boolean;
  readonly #actors: Actor[] = [];
  readonly #violations: string[] = [];
  readonly #memory: Memory[] = [];
  #faults: Faults | null = null;
  #calms = 0;
  #opened = 0;
  #ended = 0;

  constructor(engine: TestEngine, options: ChaosOptions, hasFullDisk: boolean) {
    this.#engine = engine;
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#hasFullDisk = hasFullDisk;
  }

  async play(): Promise<void> {
    const { forMs, roundMs = 8_000 } = this.#options;
    for (const part of PARTS) this.#actors.push(await this.#enter(part));
    const faults = new Faults(this.#engine, this.#random, this.#actors, DESCRIPTORS_MAX);
    this.#faults = faults;
    await this.#holdRegistry(); // on a busy machine processes take their time to be there
    for (const until = performance.now() + forMs; performance.now() < until; ) {
      await this.#disturb(faults, Math.min(roundMs, until - performance.now()));
      await this.#calm(faults);
      this.#options.onCalm?.(this.result);
      for (const actor of this.#actors) actor.disturb();
    }
    await this.#leave();
  }

  close(): void {
    for (const actor of this.#actors) actor.kill();
  }

  get result(): ChaosResult {
    const reports = this.#actors.flatMap(({ report }) => report ?? []);
    const ends: Record<string, number> = {};
    for (const report of reports)
      for (const [code, count] of Object.entries(report.ends)) ends[code] = (ends[code] ?? 0) + count;
    return {
      opened: this.#opened,
      ended: this.#ended,
      answeredOnce: reports.reduce((sum, { sent, open, lost }) => sum + sent - open - lost, 0),
      ends,
      faults: this.#faultCounts(reports),
      memory: this.#memory,
      calms: this.#calms,
      violations: this.#violations,
    };
  }

  #enter(part: Part): Promise<Actor> {
    const { callerLines } = this.#options.sabotage ?? {};
    const spoil = part.role === "caller" && part.messages ? callerLines : undefined;
    return Actor.enter(this.#engine, this.#random, part, spoil);
  }

  async #disturb(faults: Faults, forMs: number): Promise<void> {
    const { faultEveryMs = 120 } = this.#options;
    for (const until = performance.now() + forMs; performance.now() < until; ) {
      await sleep(faultEveryMs / 2 + this.#random.below(faultEveryMs));
      await faults.inject();
    }
  }

  /** Everything goes on, callers make no calls: now every sentence must hold. */
  async #calm(faults: Faults): Promise<void> {
    await faults.settled();
    for (const actor of this.#actors) actor.calm();
    await this.#holdRegistry();
    const callers = this.#actors.filter(({ part }) => part.role === "caller");
    const reports = await Promise.all(callers.map((caller) => caller.pause(this.#options.calmMs ?? CALM_MS)));
    callers.forEach((caller, at) => {
      this.#note(invariants.answers(caller.name, reports[at] as Report)); // one each
    });
    await this.#hold("calm", async () => invariants.calm(await this.#engine.stats()));
    for (const { witness, connections, name, hasDied } of this.#actors) {
      this.#note(
        [...witness.faults, ...witness.unanswered(connections)].map((sentence) => `${name}: ${sentence}`),
      );
      if (hasDied) this.#note([`${name} has ended by itself`]);
    }
    await this.#weigh();
    this.#calms++;
  }

  async #weigh(): Promise<void> {
    const { leakBytes = 0 } = this.#options.sabotage ?? {};
    if (leakBytes > 0 && this.#memory.length > 0) await this.#engine.leak(leakBytes);
    const { callsOpened, callsEnded } = await this.#engine.stats();
    [this.#opened, this.#ended] = [callsOpened, callsEnded];
    this.#memory.push(await this.#engine.memory());
  }

  /** Everybody goes: nothing may be left, and memory is back. */
  async #leave(): Promise<void> {
    this.close();
    await this.#hold("nothing is left", () => this.#engine.leftovers());
    await this.#weigh();
    const [base, last] = [this.#memory[0], this.#memory.at(-1)];
    if (base !== undefined && last !== undefined) this.#note(invariants.memory(base, last));
  }

  #holdRegistry(): Promise<void> {
    return this.#hold("registry", async () => invariants.registry(await this.#listed(), this.#living()));
  }

  /** Notes what `check` finds when it goes on finding it. */
  async #hold(what: string, check: () => Promise<string[]>): Promise<void> {
    let found: string[] = [];
    const isHeld = async (): Promise<boolean> => {
      found = await check();
      return found.length === 0;
    };
    await eventually(what, isHeld, this.#options.calmMs ?? CALM_MS).catch(() => this.#note(found));
  }

  async #listed(): Promise<string[]> {
    const { workers } = (await this.#engine.call("engine::workers::list", {})) as {
      workers: { name: string }[];
    }; // its response_format says so
    return workers.map(({ name }) => name);
  }

  #living(): string[] {
    const { ghost } = this.#options.sabotage ?? {};
    const living = this.#actors.filter(({ isAlive }) => isAlive).map(({ name }) => name);
    return ghost === undefined ? living : [...living, ghost];
  }

  #note(sentences: readonly string[]): void {
    for (const sentence of sentences)
      if (!this.#violations.includes(sentence)) this.#violations.push(sentence);
  }

  #faultCounts(reports: readonly Report[]): Record<string, number> {
    const total = { cut: 0, delayed: 0, split: 0, duplicated: 0, reordered: 0 };
    for (const { line } of this.#actors)
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += line.counts[key];
    return {
      ...this.#faults?.counts,
      "connections cut": total.cut,
      "pieces delayed": total.delayed,
      "pieces split": total.split,
      "messages duplicated": total.duplicated,
      "messages reordered": total.reordered,
      "calls cut off": reports.reduce((sum, { lost }) => sum + lost, 0),
      "log on a full disk": this.#hasFullDisk ? 1 : 0,
    };
  }
}
