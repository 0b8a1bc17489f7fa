// A real supervisor process over a configuration in a directory of its own, with an engine that a test scripts.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { loadConfig } from "../../src/config/load.js";
import { createLogger } from "../../src/log.js";
import type { DrainResult, EnginePort, RegistrationChange } from "../../src/supervisor/engine-port.js";
import type { ReloadOutcome } from "../../src/supervisor/messages.js";
import { lookUp } from "../../src/supervisor/process-table.js";
import { Supervisor } from "../../src/supervisor/supervisor.js";
import type { Transition, UnitState, UnitStatus } from "../../src/supervisor/transition.js";
import { eventually } from "./eventually.js";

/** An engine whose registrations, drains and calls are the test's. */
export class ScriptedEngine implements EnginePort {
  readonly drained: { workerId: string; boundMs: number }[] = [];
  readonly calls: string[] = [];
  onDrain: (workerId: string) => Promise<DrainResult> = async () => ({ callsLeft: 0 });
  onCall: (functionId: string) => Promise<unknown> = async () => null;
  #listener: (change: RegistrationChange) => void = () => {};
  #count = 0;

  onRegistration(listener: (change: RegistrationChange) => void): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = () => {};
    };
  }

  drain(workerId: string, boundMs: number): Promise<DrainResult> {
    this.drained.push({ workerId, boundMs });
    return this.onDrain(workerId);
  }

  standsBy(): readonly string[] {
    return [];
  }

  /** Functions that only this worker serves. */
  sole: (workerId: string) => readonly string[] = () => [];

  /** Worker ids for which {@link sole} was asked. */
  readonly asked: string[] = [];

  solelyServed(workerId: string): readonly string[] {
    this.asked.push(workerId);
    return this.sole(workerId);
  }

  call(functionId: string): Promise<unknown> {
    this.calls.push(functionId);
    return this.onCall(functionId);
  }

  /** A worker registers; returns what makes it leave. */
  join(name: string, about: { pid?: number; namespace?: string; isLocal?: boolean } = {}): () => void {
    const { pid, namespace = "default", isLocal = true } = about;
    const registration = { workerId: `w${++this.#count}`, name, namespace, pid, isLocal };
    this.#listener({ kind: "joined", registration });
    return () => this.#listener({ kind: "left", registration });
  }
}

export class Supervised {
  readonly directory = mkdtempSync(join(tmpdir(), "tercet-supervised-"));
  readonly file = join(this.directory, "config.yaml");
  readonly engine = new ScriptedEngine();
  readonly transitions: Transition[] = [];
  readonly outcomes: ReloadOutcome[] = [];
  readonly supervisor = Supervisor.fork({
    log: createLogger({ level: "silent" }),
    settings: { level: "silent", format: "json" },
  });
  readonly #seen = new Set<number>();

  constructor() {
    this.supervisor.on("transition", (transition) => {
      this.transitions.push(transition);
      if (transition.pid !== undefined) this.#seen.add(transition.pid);
    });
    this.supervisor.on("reloaded", (outcome) => this.outcomes.push(outcome));
  }

  write(text: string): void {
    writeFileSync(this.file, text);
  }

  async start(text: string): Promise<this> {
    this.write(text);
    await this.supervisor.start({
      config: loadConfig(this.file),
      url: "ws://127.0.0.1:1",
      engine: this.engine,
    });
    return this;
  }

  /** The nth transition of a worker into a state, counted from 1. */
  entered(worker: string, state: UnitState, nth = 1, boundMs = 10_000): Promise<Transition> {
    const matching = (): Transition | undefined =>
      this.transitions.filter((each) => each.worker === worker && each.state === state)[nth - 1];
    return eventually(`${worker} is ${state} (${nth})`, matching, boundMs).catch((error: unknown) => {
      const seen = this.transitions
        .map((each) => `${each.worker} ${each.state} ${each.reason ?? ""}`)
        .join("\n  ");
      throw new Error(`${String(error)}\nseen:\n  ${seen}`);
    });
  }

  async statusOf(name: string): Promise<UnitStatus> {
    const found = (await this.supervisor.status()).find((each) => each.name === name);
    if (found === undefined) throw new Error(`no status of ${name}`);
    return found;
  }

  states(worker: string): UnitState[] {
    return this.transitions.filter((each) => each.worker === worker).map(({ state }) => state);
  }

  async linesOf(name: string): Promise<string[]> {
    const found = await this.supervisor.logs({ name, count: 1000 });
    return found.flatMap(({ lines }) => lines.map(({ text }) => text));
  }

  /** Process ids that were told of and still run. */
  alive(): number[] {
    return [...this.#seen].filter((pid) => lookUp(pid)?.isZombie === false);
  }

  async close(): Promise<void> {
    this.supervisor.killNow();
    await this.supervisor.stop("the test is over", 1_000);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A supervisor that is stopped with the test. */
export function supervised(t: TestContext): Supervised {
  const made = new Supervised();
  t.after(() => made.close());
  return made;
}
