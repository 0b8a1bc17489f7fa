// The account of one caller: every call it made, and whether each ended exactly once.

/** Ends that a call under chaos may have. */
const CODES = new Set([
  "result",
  "function_not_found",
  "invocation_stopped",
  "deadline_exceeded",
  "cancelled",
  "overloaded",
  "answer_invalid",
  "invocation_failed",
]);

export interface Report {
  sent: number;
  /** Calls without an end when the report was made. */
  open: number;
  /** Ends by code; results are `result`. */
  ends: Record<string, number>;
  /** Sentences about what must not happen: a second end, a wrong value, an unknown code. */
  faults: string[];
}

export class Account {
  readonly #open = new Map<string, number>();
  readonly #report: Report = { sent: 0, open: 0, ends: {}, faults: [] };

  /** A call leaves; an answer must echo `value`. */
  sent(call: string, value: number): void {
    this.#report.sent++;
    this.#open.set(call, value);
  }

  get open(): number {
    return this.#open.size;
  }

  /** A call that is still open, for cancelling. */
  anyOpen(): string | undefined {
    return this.#open.keys().next().value;
  }

  /** An end arrives: "result" with its value, or an error's code. */
  ended(call: string, code: string, value?: unknown): void {
    const expected = this.#open.get(call);
    if (expected === undefined) return this.#fault(`call ${call} ended twice, or never began: ${code}`);
    this.#open.delete(call);
    this.#report.ends[code] = (this.#report.ends[code] ?? 0) + 1;
    if (!CODES.has(code)) this.#fault(`call ${call} ended with ${code}`);
    if (code === "result" && value !== expected)
      this.#fault(`call ${call} asked for ${expected} and got ${JSON.stringify(value)}`);
  }

  report(): Report {
    return { ...this.#report, open: this.#open.size };
  }

  #fault(sentence: string): void {
    if (this.#report.faults.length < 20) this.#report.faults.push(sentence);
  }
}
