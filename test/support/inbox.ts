// What a scripted peer has received and not looked at yet, and waiting for the next of it, with a deadline.

const WAIT_MS = 5_000;

export class Inbox<T> {
  readonly #waiting: T[] = [];
  readonly #takers: ((item: T) => void)[] = [];
  #ended: string | null = null;

  put(item: T): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#waiting.push(item);
    else taker(item);
  }

  /** Nothing more will come. */
  end(why: string): void {
    this.#ended = why;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** The next item, in order; rejects when none comes in time. */
  next(what = "the next message", waitMs = WAIT_MS): Promise<T> {
    if (this.#waiting.length > 0) return Promise.resolve(this.#waiting.shift() as T); // it has one
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new Error(`not within ${waitMs} ms: ${what}${this.#ended === null ? "" : ` (${this.#ended})`}`),
          ),
        waitMs,
      );
      this.#takers.push((item) => {
        clearTimeout(timer);
        resolve(item);
      });
    });
  }
}
