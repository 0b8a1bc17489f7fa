// What changed in the registry, in order and numbered, as far back as is kept: which thing, not how. What it is now is looked up when it is told.
//
// Nothing is noted before somebody wants to know: until `start` a change costs one comparison.

import { FEED_CHANGES_MAX } from "../protocol/limits.js";

export type Thing = "function" | "worker" | "trigger_type" | "trigger";

export interface Change {
  what: Thing;
  /** Empty for workers and triggers, whose ids are unique in the engine. */
  keyNamespace: string;
  id: string;
  /** What filters look at: where it lives (a trigger: its function), and the text that a prefix is compared with. */
  namespace: string;
  text: string;
}

export class ChangeLog {
  /** Number of the latest change. */
  revision = 0;
  #isStarted = false;
  readonly #kept: Change[] = [];
  #dropped = 0;

  get isStarted(): boolean {
    return this.#isStarted;
  }

  start(): void {
    this.#isStarted = true;
  }

  note(change: Change): void {
    this.revision++;
    this.#kept.push(change);
    if (this.#kept.length < 2 * FEED_CHANGES_MAX) return;
    this.#dropped += FEED_CHANGES_MAX; // half at a time, so that a change costs no shift
    this.#kept.splice(0, FEED_CHANGES_MAX);
  }

  /** Everything that changed after `revision` is still known. */
  reaches(revision: number): boolean {
    return revision >= this.#dropped && revision <= this.revision;
  }

  /** The changes after `revision`, each thing once, at its latest change, with the number of that. */
  since(revision: number): Map<string, { change: Change; revision: number }> {
    const latest = new Map<string, { change: Change; revision: number }>();
    for (let at = revision - this.#dropped; at < this.#kept.length; at++) {
      const change = this.#kept[at];
      if (change === undefined) continue;
      const key = `${change.what}\0${change.keyNamespace}\0${change.id}`;
      latest.delete(key); // so that it moves to the end
      latest.set(key, { change, revision: this.#dropped + at + 1 });
    }
    return latest;
  }
}
