// The last lines a worker printed, numbered, so that a reader can ask for what came after the last one it saw.

export type StreamName = "stdout" | "stderr";

export interface OutputLine {
  /** Counts up from 1 for each worker, across its restarts. */
  readonly sequence: number;
  readonly timeMs: number;
  readonly pid: number;
  readonly stream: StreamName;
  readonly text: string;
  /** Bytes of the line beyond what is kept. */
  readonly droppedBytes: number;
}

export class RecentLines {
  #lines: OutputLine[] = [];
  #next = 0; // where the ring is written next, once it is full
  #sequence = 0;
  #linesMax: number;

  constructor(linesMax: number) {
    this.#linesMax = linesMax;
  }

  push(line: Omit<OutputLine, "sequence">): OutputLine {
    const numbered = { ...line, sequence: ++this.#sequence };
    if (this.#lines.length < this.#linesMax) this.#lines.push(numbered);
    else this.#lines[this.#next] = numbered;
    this.#next = (this.#next + 1) % this.#linesMax;
    return numbered;
  }

  /** Oldest first: at most `count` lines with a sequence beyond `after`. */
  read(count: number, after = 0): OutputLine[] {
    const isFull = this.#lines.length === this.#linesMax;
    const ordered = isFull
      ? [...this.#lines.slice(this.#next), ...this.#lines.slice(0, this.#next)]
      : this.#lines;
    const newer = ordered.filter((line) => line.sequence > after);
    return count > 0 ? newer.slice(-count) : [];
  }

  get lastSequence(): number {
    return this.#sequence;
  }

  resize(linesMax: number): void {
    if (linesMax === this.#linesMax) return;
    this.#lines = this.read(linesMax);
    this.#linesMax = linesMax;
    this.#next = this.#lines.length % linesMax;
  }
}
