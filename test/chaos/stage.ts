// Who is on stage under chaos: processes of workers and callers of both wires, each on a line of its own to the engine; started, killed, stopped, asked.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Line, LineFaults, LineOptions, TestEngine } from "../../src/testing/index.js";
import type { Random } from "../support/random.js";
import type { Report } from "./accounts.js";
import type { Wire } from "./actor-peer.js";
import { Witness } from "./witness.js";

export type Role = "worker" | "caller";

export interface Part {
  readonly role: Role;
  readonly wire: Wire;
  /** Faults of whole messages instead of bytes. */
  readonly messages: boolean;
  /** Never killed: its account is of the whole run. */
  readonly isSpared: boolean;
}

/** Of each wire and each kind of line: workers and callers that may die, and callers that are spared to tell. */
export const PARTS: readonly Part[] = (["json", "msgpack"] as const).flatMap((wire) =>
  [true, false].flatMap((messages) => [
    { role: "worker" as const, wire, messages, isSpared: false },
    { role: "caller" as const, wire, messages, isSpared: true },
    ...(messages ? [] : [{ role: "caller" as const, wire, messages, isSpared: false }]),
  ]),
);

const BYTE_FAULTS: LineFaults = { delayMs: [0, 4], split: 0.2, cut: 0.000_2 };
const MESSAGE_FAULTS: LineFaults = { delayMs: [0, 2], duplicate: 0.05, reorder: 0.05, cut: 0.000_2 };
/** For a process that has a busy machine to itself last. */
const REPORT_MS = 20_000;

export class Actor {
  readonly part: Part;
  readonly line: Line;
  readonly witness: Witness;
  name = "";
  report: Report | null = null;
  isStopped = false;
  /** It ended and nobody had killed it. */
  hasDied = false;
  #process: ChildProcess | null = null;
  #incarnations = 0;
  readonly #seed: number;
  readonly #faults: LineFaults;

  private constructor(part: Part, line: Line, witness: Witness, seed: number, faults: LineFaults) {
    this.part = part;
    this.line = line;
    this.witness = witness;
    this.#seed = seed;
    this.#faults = faults;
  }

  /** On a line of its own. `spoil`: what a test adds to the line. `faults`: instead of the usual ones. */
  static async enter(
    engine: TestEngine,
    random: Random,
    part: Part,
    spoil: Partial<LineOptions> = {},
  ): Promise<Actor> {
    const witness = new Witness();
    const faults = spoil.faults ?? (part.messages ? MESSAGE_FAULTS : BYTE_FAULTS);
    const line = await engine.line({
      messages: part.messages,
      random: () => random.next(),
      ...(part.messages ? { onMessage: witness.see } : {}),
      ...spoil,
      faults,
    });
    const actor = new Actor(part, line, witness, random.below(1_000_000), faults);
    actor.start();
    return actor;
  }

  get isAlive(): boolean {
    return this.#process !== null && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  get connections(): readonly number[] {
    return this.line.connections;
  }

  start(): void {
    const { role, wire, messages } = this.part;
    const mode = messages && (this.#faults.duplicate ?? 0) > 0 ? "again" : "strict";
    this.name = `${role}-${wire}-${messages ? "messages" : "bytes"}-${this.#seed}-${this.#incarnations++}`;
    const script = fileURLToPath(new URL(`./${role}.js`, import.meta.url));
    const args = [wire, String(this.line.port), this.name, String(this.#seed + this.#incarnations), mode];
    const child = fork(script, args, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    child.once("exit", () => {
      if (this.#process === child) this.hasDied = true;
    });
    this.#process = child;
  }

  kill(): void {
    const child = this.#process;
    this.#process = null;
    this.isStopped = false;
    child?.kill("SIGKILL");
  }

  stop(): void {
    this.isStopped = true;
    this.#process?.kill("SIGSTOP");
  }

  calmProcess(): void {
    this.isStopped = false;
    this.#process?.kill("SIGCONT");
  }

  /** Everything that is held up goes on: the process, its line, and the line has no faults. */
  calm(): void {
    this.calmProcess();
    this.line.faults = {};
    this.line.resume();
  }

  disturb(): void {
    this.line.faults = this.#faults;
    if (this.part.role === "caller") this.#process?.send("go");
  }

  /** A caller makes no more calls, waits for those that are open for at most `boundMs`, and reports. */
  async pause(boundMs: number): Promise<Report> {
    const child = this.#process;
    if (child === null) throw new Error(`${this.name} is not there`);
    const told = once(child, "message", { signal: AbortSignal.timeout(boundMs + REPORT_MS) });
    child.send(boundMs);
    const [report] = await told;
    this.report = report as Report; // what caller.ts sends
    return this.report;
  }
}
