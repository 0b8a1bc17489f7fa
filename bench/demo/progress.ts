// How far the work is: a bar that is drawn over on a terminal, a line at each quarter otherwise.

const BAR_CHARS = 32;
const REDRAW_MS = 50;

export interface Screen {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export class Progress {
  readonly #screen: Screen;
  readonly #total: number;
  #drawnAtMs = Number.NEGATIVE_INFINITY;
  #quarter = 0;

  constructor(screen: Screen, total: number) {
    this.#screen = screen;
    this.#total = total;
  }

  show(done: number, bytes: number): void {
    const share = this.#total === 0 ? 1 : done / this.#total;
    const text = `${done.toLocaleString("en")} of ${this.#total.toLocaleString("en")} calls, ${sizeText(bytes)}`;
    if (this.#screen.isTTY === true) this.#draw(share, text);
    else this.#tell(share, text);
  }

  /** Leaves the last state standing, on a line of its own. */
  end(done: number, bytes: number): void {
    this.#drawnAtMs = Number.NEGATIVE_INFINITY;
    this.show(done, bytes);
    if (this.#screen.isTTY === true) this.#screen.write("\n");
  }

  #draw(share: number, text: string): void {
    const now = performance.now();
    if (now - this.#drawnAtMs < REDRAW_MS) return;
    this.#drawnAtMs = now;
    const filled = Math.round(share * BAR_CHARS);
    const bar = "█".repeat(filled) + "░".repeat(BAR_CHARS - filled);
    this.#screen.write(`\r\u001b[2K${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${text}`);
  }

  #tell(share: number, text: string): void {
    const quarter = Math.floor(share * 4);
    if (quarter <= this.#quarter) return;
    this.#quarter = quarter;
    this.#screen.write(`${text}\n`);
  }
}

/** A number of bytes as a person says it: `12 bytes`, `34.5 kB`, `1.2 MB`. */
export function sizeText(bytes: number): string {
  if (bytes < 1e3) return `${bytes} bytes`;
  return bytes < 1e6 ? `${oneDigit(bytes / 1e3)} kB` : `${oneDigit(bytes / 1e6)} MB`;
}

function oneDigit(value: number): string {
  return value.toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}
