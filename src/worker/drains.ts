// The worker takes no more calls: said to the engine, confirmed by it, and said again on every connection that follows.
//
// Also hears when the engine says it first, because an operator drains the worker.

import type { Connection } from "./connection.js";
import { type ControlPart, FirstRequest } from "./control-part.js";
import { Kind } from "./kind.js";

/** An operator drains functions of this worker; `functions` undefined: all of it, and it should leave within `timeoutMs`. */
export interface DrainNotice {
  readonly functions: readonly string[] | undefined;
  readonly timeoutMs: number;
}

export class Drains implements ControlPart {
  /** What drains; null: everything. */
  #wanted: Set<string> | null = new Set();
  #asked: (() => void)[] = [];
  #request: number = FirstRequest.drains;
  #unsent = false;
  readonly #told: (notice: DrainNotice) => void;

  /** `told`: the engine drains something. */
  constructor(told: (notice: DrainNotice) => void) {
    this.#told = told;
  }

  get unsent(): boolean {
    return this.#unsent;
  }

  /** Takes no more calls of these functions, with null of any. Resolves when the engine has confirmed it, or no connection will come any more. */
  ask(functions: readonly string[] | null): Promise<void> {
    if (functions === null) this.#wanted = null;
    else for (const id of functions) this.#wanted?.add(id);
    this.#unsent = true;
    return new Promise((resolve) => this.#asked.push(resolve));
  }

  /** A function is registered anew: it serves again. */
  forget(id: string): void {
    this.#wanted?.delete(id);
  }

  write(connection: Connection): void {
    this.#unsent = false;
    connection.writer.control([
      Kind.Drain,
      ++this.#request,
      this.#wanted === null ? null : [...this.#wanted],
    ]);
  }

  writeAll(connection: Connection): void {
    if (this.#wanted === null || this.#wanted.size > 0) this.write(connection);
  }

  onRecord([kind, first, second, third]: readonly unknown[]): boolean {
    if (kind === Kind.Draining) this.#confirmed(Number(first));
    else if (kind === Kind.Drain)
      this.#told({
        functions: Array.isArray(second) ? second.map(String) : undefined,
        timeoutMs: Number(third ?? 0),
      });
    else return false;
    return true;
  }

  onRefused(request: number): boolean {
    if (request !== this.#request) return false;
    this.end(); // an id that is none: nothing of that name is called
    return true;
  }

  /** What was asked is asked again. */
  disconnect(): void {}

  end(): void {
    for (const resolve of this.#asked.splice(0)) resolve();
  }

  #confirmed(request: number): void {
    if (request === this.#request) this.end();
  }
}
