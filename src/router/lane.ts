// Calls that wait for one worker, or for one of its functions that has a bound of its own.
//
// Each caller stands in a line of its own, and the lines take turns: whoever asks for much waits behind itself and not before others. Lines are
// doubly linked, so that a call that ends while it waits leaves at once and nothing of it stays.

export interface QueuedCall {
  readonly slot: number;
  readonly caller: number;
  /** Handle of the function. */
  readonly fn: number;
  /** Until then the caller waits; a tick of the deadlines' wheel. */
  readonly deadlineTick: number;
  /** The worker it waits for: a connection index. Another one when the first has left. */
  executor: number;
  /** What is to be sent; null until it has been written. */
  bytes: Uint8Array | null;
  lane: Lane | null;
  previous: QueuedCall | null;
  next: QueuedCall | null;
}

/** What one caller has waiting, oldest first. */
class Line {
  readonly caller: number;
  first: QueuedCall | null = null;
  last: QueuedCall | null = null;
  length = 0;
  bytes = 0;

  constructor(caller: number) {
    this.caller = caller;
  }
}

/** Of the time between two calls that left a lane, how much the latest counts. */
const LATEST_SHARE = 1 / 16;

export class Lane {
  /** Calls that may run at once. */
  max: number;
  /** How many run now; kept for lanes with a bound only. */
  running = 0;
  /** Calls that may wait. */
  queueCalls: number;
  /** How long one may wait, in milliseconds. */
  queueMs: number;
  length = 0;
  bytes = 0;
  /** Lines in the order of their turns: a map keeps the order of entry, and a line that had its turn enters again. */
  readonly #lines = new Map<number, Line>();
  #intervalMs = 0;
  #takenAtMs = 0;

  constructor(max: number, queueCalls: number, queueMs: number) {
    this.max = max;
    this.queueCalls = queueCalls;
    this.queueMs = queueMs;
  }

  /** Something waits, and may run. */
  get isReady(): boolean {
    return this.length > 0 && this.running < this.max;
  }

  /** Puts a call last in its caller's line. */
  add(call: QueuedCall, nowMs: number): void {
    if (this.length === 0) this.#takenAtMs = nowMs;
    const line = this.#lineOf(call.caller);
    call.lane = this;
    call.previous = line.last;
    call.next = null;
    if (line.last === null) line.first = call;
    else line.last.next = call;
    line.last = call;
    this.#count(line, 1, call.bytes?.length ?? 0);
  }

  /** What a call waits with has been written. */
  write(call: QueuedCall, bytes: Uint8Array): void {
    const line = this.#lines.get(call.caller);
    call.bytes = bytes;
    if (line !== undefined) this.#count(line, 0, bytes.length);
  }

  /** The oldest call of the line whose turn it is. Undefined when nothing waits. */
  next(): QueuedCall | undefined {
    for (const line of this.#lines.values()) return line.first ?? undefined;
    return undefined;
  }

  /** That call was removed to run: its line goes behind the others. */
  taken(caller: number, nowMs: number): void {
    const line = this.#lines.get(caller);
    if (line !== undefined) {
      this.#lines.delete(caller);
      this.#lines.set(caller, line);
    }
    this.#intervalMs += (nowMs - this.#takenAtMs - this.#intervalMs) * LATEST_SHARE;
    this.#takenAtMs = nowMs;
  }

  /** A call leaves, wherever it stands. */
  remove(call: QueuedCall): void {
    const line = this.#lines.get(call.caller);
    if (line === undefined || call.lane !== this) return;
    if (call.previous === null) line.first = call.next;
    else call.previous.next = call.next;
    if (call.next === null) line.last = call.previous;
    else call.next.previous = call.previous;
    call.lane = null;
    this.#count(line, -1, -(call.bytes?.length ?? 0));
    if (line.length === 0) this.#lines.delete(line.caller);
  }

  /**
   * Whom a full lane lets go in favour of a caller that has less waiting: the newest call of the longest line, in calls or in bytes. Undefined when the
   * caller itself has as much.
   */
  newestOfLongest(caller: number, by: "length" | "bytes"): QueuedCall | undefined {
    let longest: Line | undefined;
    for (const line of this.#lines.values())
      if (longest === undefined || line[by] > longest[by]) longest = line;
    const own = this.#lines.get(caller);
    const ownShare = (own?.[by] ?? 0) + (by === "length" ? 1 : 0);
    return longest === undefined || ownShare >= longest[by] ? undefined : (longest.last ?? undefined);
  }

  /** How long a further call of this caller would wait, in milliseconds, as far as the latest calls tell. */
  expectedWaitMs(caller: number): number {
    const own = (this.#lines.get(caller)?.length ?? 0) + 1;
    const lines = this.#lines.size + (own === 1 ? 1 : 0);
    return Math.min(this.length + 1, own * lines) * this.#intervalMs;
  }

  /** Until when most of what waits will have left, in milliseconds. */
  get drainMs(): number {
    return this.length * this.#intervalMs;
  }

  #lineOf(caller: number): Line {
    const known = this.#lines.get(caller);
    if (known !== undefined) return known;
    const line = new Line(caller);
    this.#lines.set(caller, line);
    return line;
  }

  #count(line: Line, calls: number, bytes: number): void {
    line.length += calls;
    line.bytes += bytes;
    this.length += calls;
    this.bytes += bytes;
  }
}
