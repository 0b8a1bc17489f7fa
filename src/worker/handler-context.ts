// What a handler knows about the call it serves.
//
// One object per call, so it is kept small: the signal and its controller are made when asked for.

import { TimeoutError } from "./errors.js";
import type { Calling, CallOptions, Context } from "./options.js";
import type { CallContext } from "./record-writer.js";

export class HandlerContext implements Context {
  readonly caller: number;
  readonly deadline: number;
  readonly #passed: CallContext | undefined;
  readonly #calling: Calling;
  #controller: AbortController | undefined;
  #aborted = false;

  constructor(calling: Calling, caller: number, deadline: number, passed: CallContext | undefined) {
    this.#calling = calling;
    this.caller = caller;
    this.deadline = deadline;
    this.#passed = passed;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  get traceparent(): string | undefined {
    return this.#passed?.traceparent;
  }

  get baggage(): string | undefined {
    return this.#passed?.baggage;
  }

  get metadata(): unknown {
    return this.#passed?.metadata;
  }

  get key(): unknown {
    return this.#passed?.key;
  }

  // Handlers like to take their context apart, so these must work without it: made when asked for, not per call.

  get call(): Calling["call"] {
    return (id, data, options) => this.#call(id, data, options);
  }

  get cast(): Calling["cast"] {
    return (id, data, options) => this.#calling.cast(id, data, { ...this.#trace(), ...options });
  }

  get offer(): Calling["offer"] {
    return (stream) => this.#calling.offer(stream);
  }

  get readable(): Calling["readable"] {
    return (ref) => this.#calling.readable(ref);
  }

  get writable(): Calling["writable"] {
    return (ref) => this.#calling.writable(ref);
  }

  /** Nobody waits for the answer any more. */
  abort(): void {
    this.#aborted = true;
    this.#controller?.abort();
  }

  #call<Result>(id: string, data: unknown, options: CallOptions = {}): Promise<Result> {
    const remainingMs = Math.floor(this.deadline - Date.now());
    if (remainingMs <= 0) {
      return Promise.reject(new TimeoutError("deadline_exceeded", `No time is left to call ${id}`));
    }
    const timeoutMs = Math.min(options.timeoutMs ?? Number.POSITIVE_INFINITY, remainingMs);
    return this.#calling.call<Result>(id, data, {
      ...this.#trace(),
      signal: this.signal,
      ...options,
      ...(Number.isFinite(timeoutMs) ? { timeoutMs } : {}),
    });
  }

  #trace(): { traceparent?: string; baggage?: string } {
    const { traceparent, baggage } = this;
    return { ...(traceparent !== undefined && { traceparent }), ...(baggage !== undefined && { baggage }) };
  }
}
