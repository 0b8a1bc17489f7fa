// A stream of bytes as lines of text, in bounded memory.
//
// A line longer than LINE_BYTES_MAX is cut there and the rest of it is counted, not kept: a worker that prints a gigabyte
// without a newline costs one buffer. Invalid UTF-8 becomes replacement characters. Control characters other than
// tab are shown as such marks, so that output cannot steer the terminal of whoever reads the log.
export const LINE_BYTES_MAX = 16 << 10; // a log line of a program; JSON lines of stack traces fit

export type OnLine = (line: string, droppedBytes: number) => void;

const NEWLINE = 0x0a;

export class LineSplitter {
  readonly #onLine: OnLine;
  #parts: Uint8Array[] = [];
  #heldBytes = 0;
  #droppedBytes = 0;

  constructor(onLine: OnLine) {
    this.#onLine = onLine;
  }

  write(chunk: Uint8Array): void {
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, start)) {
      this.#hold(chunk.subarray(start, at));
      this.#emit();
      start = at + 1;
    }
    this.#hold(chunk.subarray(start));
  }

  /** The stream ended: what is held is a line too. */
  end(): void {
    if (this.#heldBytes > 0 || this.#droppedBytes > 0) this.#emit();
  }

  #hold(part: Uint8Array): void {
    const room = LINE_BYTES_MAX - this.#heldBytes;
    const kept = part.subarray(0, room);
    if (kept.length > 0) this.#parts.push(kept.slice()); // the stream's chunk may be larger than what is kept of it
    this.#heldBytes += kept.length;
    this.#droppedBytes += part.length - kept.length;
  }

  #emit(): void {
    const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    const line = new TextDecoder().decode(bytes).replace(/\r$/, "").replace(CONTROLS, "\ufffd");
    const dropped = this.#droppedBytes;
    this.#parts = [];
    this.#heldBytes = 0;
    this.#droppedBytes = 0;
    this.#onLine(line, dropped);
  }
}

// C0 without tab and escape, DEL and C1, and every escape that is not a colour: colours are part of what people print.
const CONTROLS = /[\u0000-\u0008\u000a-\u001a\u001c-\u001f\u007f-\u009f]|\u001b(?!\[[0-9;]*m)/g;
