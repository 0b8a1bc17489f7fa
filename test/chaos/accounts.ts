// The account of one caller: every call it made, and whether each ended exactly once and with its own value.
//
// Where messages are doubled on the way, a call that was sent once is several calls to the engine, and each is answered: such a caller's account lets an end
// come again, and the witness (witness.ts) counts what the engine itself received and sent.

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
const FAULTS_MAX = 20;

export interface Report {
  sent: number;
  /** Calls without an end when the report was made. */
  open: number;
  /** Calls that were open when their connection was cut: nobody can answer them. */
  lost: number;
  /** Ends that came again, where that is allowed. */
  again: number;
  /** Ends by code; results are `result`. */
  ends: Record<string, number>;
  /** Sentences about what must not happen: a second end, a wrong value, an unknown code. */
  faults: string[];
}

export class Account {
  readonly #mayEndAgain: boolean;
  readonly #open = new Map<string, number>();
  readonly #known = new Map<string, number>();
  readonly #report: Report = { sent: 0, open: 0, lost: 0, again: 0, ends: {}, faults: [] };

  constructor(mayEndAgain = false) {
    this.#mayEndAgain = mayEndAgain;
  }

  /** A call leaves; an answer must echo `value`. */
  sent(call: string, value: number): void {
    this.#report.sent++;
    this.#open.set(call, value);
    if (this.#mayEndAgain) this.#known.set(call, value);
  }

  get open(): number {
    return this.#open.size;
  }

  /** A call that is still open, for cancelling. */
  anyOpen(): string | undefined {
    return this.#open.keys().next().value;
  }

  /** The connection is gone, and with it whatever was open. */
  connectionLost(): void {
    this.#report.lost += this.#open.size;
    this.#open.clear();
    this.#known.clear();
  }

  /** An end arrives: "result" with its value, or an error's code. */
  ended(call: string, code: string, value?: unknown): void {
    const expected = this.#open.get(call) ?? this.#known.get(call);
    if (expected === undefined) return this.#fault(`call ${call} ended twice, or never began: ${code}`);
    if (!this.#open.delete(call)) this.#report.again++;
    this.#report.ends[code] = (this.#report.ends[code] ?? 0) + 1;
    if (!CODES.has(code)) this.#fault(`call ${call} ended with ${code}`);
    if (code === "result" && value !== expected)
      this.#fault(`call ${call} asked for ${expected} and got ${JSON.stringify(value)}`);
  }

  report(): Report {
    return { ...this.#report, open: this.#open.size };
  }

  #fault(sentence: string): void {
    if (this.#report.faults.length < FAULTS_MAX) this.#report.faults.push(sentence);
  }
}
