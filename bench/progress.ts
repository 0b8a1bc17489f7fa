// What is being measured now, and how long it will still take: one line of a terminal, rewritten in place; on anything
// else a line per case.

import { performance } from "node:perf_hooks";
import { clockTime, columns } from "./terminal.js";

const METER_WIDTH = 20;
const ERASE = "\r\x1b[K";

/** A case and about how long it takes. */
export interface Planned {
  name: string;
  takesS: number;
}

export class Progress {
  readonly #plan: readonly Planned[];
  readonly #startMs = performance.now();
  #done = 0;
  /** Planned seconds of what is done. */
  #doneS = 0;
  #caseStartMs = 0;

  constructor(plan: readonly Planned[]) {
    this.#plan = plan;
  }

  get totalS(): number {
    return this.#plan.reduce((sum, { takesS }) => sum + takesS, 0);
  }

  /** The next case of the plan. */
  begin(): void {
    this.#caseStartMs = performance.now();
    const { name, takesS } = this.#current;
    if (process.stderr.isTTY) this.step("");
    else
      process.stderr.write(
        `[${this.#done + 1}/${this.#plan.length}] ${name}, about ${Math.ceil(takesS)} s\n`,
      );
  }

  step(what: string): void {
    if (!process.stderr.isTTY) return;
    const full = Math.round(this.#share() * METER_WIDTH);
    const meter = "█".repeat(full) + "░".repeat(METER_WIDTH - full);
    const elapsed = clockTime((performance.now() - this.#startMs) / 1000);
    const count = `${this.#done + 1}/${this.#plan.length}`;
    const line = `${meter} ${elapsed} of about ${clockTime(this.totalS)}  ${count} ${this.#current.name}  ${what}`;
    // one that wraps could not be rewritten
    process.stderr.write(`${ERASE}${line.slice(0, columns(process.stderr) - 1)}`);
  }

  end(): void {
    this.#doneS += this.#current.takesS;
    this.#done++;
    if (process.stderr.isTTY) process.stderr.write(ERASE);
  }

  get #current(): Planned {
    return this.#plan[this.#done] ?? { name: "", takesS: 0 };
  }

  /** Of the plan: what is done, and the case that runs up to the length planned for it. */
  #share(): number {
    const caseS = Math.min((performance.now() - this.#caseStartMs) / 1000, this.#current.takesS);
    return this.totalS === 0 ? 0 : (this.#doneS + caseS) / this.totalS;
  }
}
