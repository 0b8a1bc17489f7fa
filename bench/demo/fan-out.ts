// One caller's work: every document, so many rounds, a bounded number of calls and bytes under way at once.

import type { Caller } from "./caller.js";
import { DIGEST_FUNCTION, type Question } from "./digest.js";
import type { Document } from "./documents.js";
import type { Ledger, Outcome } from "./ledger.js";

const CALLS_OPEN_MAX = 64;
const BYTES_OPEN_MAX = 4 << 20; // far below what the engine lets wait for one worker

export class FanOut {
  readonly #caller: Caller;
  readonly #ledger: Ledger;
  readonly #queue: readonly Document[];
  #next = 0;
  #callsOpen = 0;
  #bytesOpen = 0;

  constructor(caller: Caller, ledger: Ledger, documents: readonly Document[], rounds: number) {
    this.#caller = caller;
    this.#ledger = ledger;
    this.#queue = Array.from({ length: rounds }, () => documents).flat();
  }

  /** How many calls it will make in all. */
  get size(): number {
    return this.#queue.length;
  }

  /** Sends what may be under way. To be called at the start; afterwards each answer makes room. */
  send(): void {
    for (let document = this.#queue[this.#next]; document !== undefined; document = this.#queue[this.#next]) {
      const isIdle = this.#callsOpen === 0; // a document above the bound still goes, alone
      const isFull = this.#callsOpen >= CALLS_OPEN_MAX || this.#bytesOpen + document.bytes > BYTES_OPEN_MAX;
      if (isFull && !isIdle) return;
      this.#call(document);
    }
  }

  onOutcome(number: number, outcome: Outcome): void {
    const document = this.#ledger.close(this.#caller.protocol, number, outcome);
    if (document === undefined) return;
    this.#callsOpen--;
    this.#bytesOpen -= document.bytes;
    this.send();
  }

  #call(document: Document): void {
    this.#next++;
    this.#callsOpen++;
    this.#bytesOpen += document.bytes;
    const number = this.#ledger.open(this.#caller.protocol, document);
    const question: Question = { number, path: document.path, text: document.text };
    this.#caller.call(number, DIGEST_FUNCTION, question);
  }
}
