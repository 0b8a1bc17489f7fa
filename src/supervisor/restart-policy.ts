// When an ended process is started again: pure, told the time and the dice.
//
//   ended ──> success, and only failures count ──────────────> end     (completed)
//         ──> fatal code, or the policy is never ────────────> end     (failed)
//         ──> more than max_restarts within window_ms ───────> probe   (crash_loop: one try every probe_ms)
//         ──> ran at least stable_after_ms ──────────────────> at once
//         ──> otherwise ─────────────────────────────────────> after random(0 … delay_ms × 2^failures), capped
//
// Full jitter: workers that died together do not come back together.
import type { RestartRules } from "../config/schema.js";

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly uptimeMs: number;
}

export type Verdict =
  | { readonly kind: "completed" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "backoff"; readonly delayMs: number }
  /** `delayMs` is undefined when only an operator starts it again. */
  | { readonly kind: "crash_loop"; readonly delayMs: number | undefined };

export class RestartPolicy {
  #rules: RestartRules;
  readonly #random: () => number;
  #failures = 0;
  #restartTimes: number[] = [];
  #isLooping = false;

  constructor(rules: RestartRules, random: () => number = Math.random) {
    this.#rules = rules;
    this.#random = random;
  }

  set rules(rules: RestartRules) {
    this.#rules = rules;
  }

  get isLooping(): boolean {
    return this.#isLooping;
  }

  /** Restarts that the window of the crash loop still remembers. */
  restartsInWindow(nowMs: number): number {
    return this.#restartTimes.filter((time) => time > nowMs - this.#rules.window_ms).length;
  }

  /** An operator started it: everything is forgotten. */
  reset(): void {
    this.#failures = 0;
    this.#restartTimes = [];
    this.#isLooping = false;
  }

  /** It has been ready for stable_after_ms: a crash loop is over. */
  stable(): void {
    this.reset();
  }

  /** What comes after this ending. A restart that is announced is counted. */
  after(ending: Ending, nowMs: number): Verdict {
    const rules = this.#rules;
    const isSuccess =
      ending.code !== null && (ending.code === 0 || rules.success_codes.includes(ending.code));
    if (isSuccess && rules.policy !== "always") return { kind: "completed" };
    if (ending.code !== null && rules.fatal_codes.includes(ending.code)) {
      return { kind: "failed", reason: `exit code ${ending.code} is one of restart.fatal_codes` };
    }
    if (rules.policy === "never")
      return { kind: "failed", reason: `${describeEnding(ending)}; restart is never` };
    return this.#again(ending.uptimeMs, nowMs);
  }

  #again(uptimeMs: number, nowMs: number): Verdict {
    const rules = this.#rules;
    if (uptimeMs >= rules.stable_after_ms) this.reset();
    this.#restartTimes = this.#restartTimes.filter((time) => time > nowMs - rules.window_ms);
    if (this.#isLooping || this.#restartTimes.length >= rules.max_restarts) return this.#probe();
    this.#restartTimes.push(nowMs);
    if (uptimeMs >= rules.stable_after_ms) return { kind: "backoff", delayMs: 0 };
    return { kind: "backoff", delayMs: this.#jittered() };
  }

  #probe(): Verdict {
    this.#isLooping = true;
    return { kind: "crash_loop", delayMs: this.#rules.probe_ms === 0 ? undefined : this.#rules.probe_ms };
  }

  #jittered(): number {
    const { delay_ms, max_delay_ms } = this.#rules;
    const bound = Math.min(max_delay_ms, delay_ms * 2 ** Math.min(this.#failures++, 40)); // 2^40 ms is beyond every cap
    return Math.floor(this.#random() * bound);
  }
}

/** "exit code 3" or "signal SIGKILL". */
export function describeEnding(ending: Pick<Ending, "code" | "signal">): string {
  return ending.signal === null ? `exit code ${ending.code}` : `signal ${ending.signal}`;
}
