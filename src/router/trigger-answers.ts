// Callers of engine::register_trigger who wait for a provider's answer, each for a bounded time.

import type { Clock } from "../clock.js";
import type { CodedError } from "../protocol/error.js";
import { TRIGGER_ANSWER_MS } from "../protocol/limits.js";

interface Waiter {
  resolve: (id: string) => void;
  reject: (error: CodedError) => void;
  stopTimer: () => void;
}

export class TriggerAnswers {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiter>();
  readonly #tooLate: (trigger: number) => void;

  /** `tooLate`: nobody has answered in time; the trigger still awaits. */
  constructor(clock: Clock, tooLate: (trigger: number) => void) {
    this.#clock = clock;
    this.#tooLate = tooLate;
  }

  get open(): number {
    return this.#waiting.size;
  }

  /** Resolves with the trigger's id when {@link accept} is called, rejects when {@link refuse} is. */
  await(trigger: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const stopTimer = this.#clock.after(TRIGGER_ANSWER_MS, () => this.#tooLate(trigger));
      this.#waiting.set(trigger, { resolve, reject, stopTimer });
    });
  }

  accept(trigger: number, id: string): void {
    this.#take(trigger)?.resolve(id);
  }

  refuse(trigger: number, error: CodedError): void {
    this.#take(trigger)?.reject(error);
  }

  #take(trigger: number): Waiter | undefined {
    const waiter = this.#waiting.get(trigger);
    this.#waiting.delete(trigger);
    waiter?.stopTimer();
    return waiter;
  }
}
