// The demo's books: every call that was made, how often it was answered, and whether the answer was right.
//
// It knows nothing of sockets. Nothing is taken on trust: an answer counts only when number, length, words and hash are the
// caller's own; a call is missing until then, and doubled as soon as a second answer comes.

import type { Document } from "./documents.js";

/** How a call ended, as it came over the wire. */
export type Outcome =
  | { readonly kind: "result"; readonly value: unknown }
  | { readonly kind: "error"; readonly code: string; readonly message: string };

interface Call {
  readonly caller: string;
  readonly document: Document;
  answers: number;
  isGivenUp: boolean;
}

const WRONG_TOLD_MAX = 10; // sentences kept; the count goes on

export class Ledger {
  /** Calls that were answered before they were given up. */
  answered = 0;
  /** Answers beyond the first of a call, and answers that came to somebody who never asked. */
  doubled = 0;
  /** Answers that are errors, or do not say what the caller knows to be so. */
  wrong = 0;
  /** Of the documents sent. */
  bytes = 0;
  /** The first few things that went wrong, a sentence each. */
  readonly told: string[] = [];
  readonly #calls: Call[] = [];
  readonly #served = new Map<string, number>();

  get calls(): number {
    return this.#calls.length;
  }

  get missing(): number {
    return this.#calls.length - this.answered;
  }

  get isClean(): boolean {
    return this.missing === 0 && this.doubled === 0 && this.wrong === 0;
  }

  /** Books a call that is about to be made; returns its number. */
  open(caller: string, document: Document): number {
    this.bytes += document.bytes;
    return this.#calls.push({ caller, document, answers: 0, isGivenUp: false }) - 1;
  }

  /** Books an answer that `caller` got. Returns the document when it is the first one of its call. */
  close(caller: string, number: number, outcome: Outcome): Document | undefined {
    const call = this.#calls[number];
    if (call?.caller !== caller) {
      this.doubled++;
      this.#tell(`the ${caller} caller got an answer to call ${number}, which it never made`);
      return undefined;
    }
    call.answers++;
    if (call.answers > 1) {
      this.doubled++;
      this.#tell(`${call.document.path}: answered ${call.answers} times`);
      return undefined;
    }
    if (call.isGivenUp) return undefined; // too late: it stays missing
    this.answered++;
    this.#check(number, call, outcome);
    return call.document;
  }

  /** How many right answers of a worker a caller got. */
  served(caller: string, worker: string): number {
    return this.#served.get(`${caller} ${worker}`) ?? 0;
  }

  /** Nobody waits any longer: what has no answer now is missing, whatever comes. */
  giveUp(): void {
    for (const call of this.#calls) call.isGivenUp = call.answers === 0;
  }

  /** The documents of calls that were given up. */
  missingPaths(): string[] {
    return this.#calls.filter(({ isGivenUp }) => isGivenUp).map(({ document }) => document.path);
  }

  #check(number: number, { caller, document }: Call, outcome: Outcome): void {
    if (outcome.kind === "error") return this.#wrong(`${document.path}: ${outcome.code}: ${outcome.message}`);
    const { worker, ...said } = fieldsOf(outcome.value);
    const { bytes, words, sha256 } = document;
    for (const [name, right] of Object.entries({ number, bytes, words, sha256 })) {
      if (said[name] !== right)
        return this.#wrong(`${document.path}: ${name} is ${String(said[name])}, but should be ${right}`);
    }
    if (typeof worker !== "string") return this.#wrong(`${document.path}: no worker signed the answer`);
    const pair = `${caller} ${worker}`;
    this.#served.set(pair, (this.#served.get(pair) ?? 0) + 1);
  }

  #wrong(sentence: string): void {
    this.wrong++;
    this.#tell(sentence);
  }

  #tell(sentence: string): void {
    if (this.told.length < WRONG_TOLD_MAX) this.told.push(sentence);
  }
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
