// The outgoing bytes of one peer, gathered until the end of the turn of the event loop, bounded in bytes.
//
// A msgpack peer gets everything of a turn in one WebSocket message (records back to back); a JSON peer gets one text message per
// frame, corked together so that they leave in one system call. Gathered bytes lie in chunks of the arena: 4 KiB first, 64 KiB when that is too
// small; an idle connection owns none. What does not fit a chunk is sent at once, after what was gathered before it.
//
//   JSON chunk:  [length u32 LE][frame bytes][length][frame bytes] …

import type { Metrics } from "../metrics.js";
import { Metric } from "../metrics.js";
import { type Arena, LARGE_BYTES, SMALL_BYTES } from "./arena.js";

/** What the outbox needs of a WebSocket; uWebSockets' fits. */
export interface OutgoingSocket {
  send(message: Uint8Array, isBinary: boolean): number;
  cork(write: () => void): unknown;
  getBufferedAmount(): number;
}

/** uWebSockets' numbers for the outcome of a send. */
export const SendStatus = { Backpressure: 0, Sent: 1, Dropped: 2 } as const;

/** From this size on a run of records is sent as it stands instead of being gathered: copying it would cost more than a send of its own. */
const DIRECT_BYTES = 16_384;
const LENGTH_BYTES = 4;
const NONE: readonly number[] = [];

/** Everything that the outboxes of one engine share. */
export class Outboxes {
  readonly arena: Arena;
  readonly metrics: Metrics;
  readonly hardBytes: number;
  /** Turns so far in which something was sent. */
  turns = 0;
  #overrun: number[] = [];
  #dirty: Outbox[] = [];
  #spare: Outbox[] = [];
  #scheduled = false;
  readonly #afterFlush: () => void;
  readonly #beforeFlush: (() => void)[] = [];
  /** Bytes that uWebSockets holds for all peers because the kernel would not take them. */
  bufferedBytes = 0;
  /** Above so many of them, {@link alarm} is called with each that is added. */
  alarmBytes = Number.POSITIVE_INFINITY;
  alarm: () => void = () => undefined;

  /** `afterFlush` runs at the end of every turn in which something was sent or a connection overran: the place to close connections. */
  constructor(arena: Arena, metrics: Metrics, hardBytes: number, afterFlush: () => void) {
    this.arena = arena;
    this.metrics = metrics;
    this.hardBytes = hardBytes;
    this.#afterFlush = afterFlush;
  }

  /** `beforeFlush` runs at the end of every turn that is noticed: the place for what becomes possible by what happened in it. */
  attach(beforeFlush: () => void): void {
    this.#beforeFlush.push(beforeFlush);
  }

  /** Counts what uWebSockets holds for one peer more, or less, than before. */
  countBuffered(bytes: number): void {
    this.bufferedBytes += bytes;
    if (bytes > 0 && this.bufferedBytes > this.alarmBytes) this.alarm();
  }

  /** Has `outbox` flushed at the end of this turn. */
  list(outbox: Outbox): void {
    this.#dirty.push(outbox);
    this.schedule();
  }

  /**
   * A peer does not read: it is to be cut as soon as whoever sends has returned. Not later: a turn lasts as long as some socket gives faster than we take,
   * and a gigabyte can pile up meanwhile.
   */
  reportOverrun(owner: number): void {
    this.#overrun.push(owner);
    queueMicrotask(this.#afterFlush);
  }

  /** The connections reported since the last time. */
  takeOverrun(): number[] {
    return this.#overrun.length === 0 ? this.#overrun : this.#overrun.splice(0);
  }

  /** Makes sure that the end of this turn is noticed. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#endTurn);
  }

  /** Sends what every peer has waiting. */
  flush(): void {
    const dirty = this.#dirty;
    if (dirty.length === 0) return;
    this.#dirty = this.#spare;
    for (let at = 0; at < dirty.length; at++) dirty[at]!.endTurn();
    dirty.length = 0;
    this.#spare = dirty;
  }

  readonly #endTurn = (): void => {
    this.#scheduled = false;
    this.turns++;
    for (const look of this.#beforeFlush) look();
    this.flush();
    this.#afterFlush();
  };
}

export class Outbox {
  readonly #shared: Outboxes;
  readonly #owner: number;
  readonly #isText: boolean;
  #socket: OutgoingSocket | null = null;
  #chunk = 0;
  #capacity = 0;
  #length = 0;
  /** Full chunks of this turn, before the current one: where, how long, where, how long, … Only of JSON peers. */
  #full: number[] | null = null;
  #fullBytes = 0;
  /** It stands in the list of this turn. */
  #isListed = false;
  /** Bytes that uWebSockets holds because the kernel would not take them. */
  #buffered = 0;
  #isOverrun = false;

  /** `owner`: the index of the connection it belongs to. */
  constructor(shared: Outboxes, owner: number, isText: boolean) {
    this.#shared = shared;
    this.#owner = owner;
    this.#isText = isText;
  }

  open(socket: OutgoingSocket): void {
    this.#socket = socket;
  }

  /** Forgets what waits: the socket is gone. */
  close(): void {
    this.#socket = null;
    this.#release();
    this.#setBuffered(0);
  }

  /** Bytes waiting for this peer: gathered here plus held by uWebSockets. */
  get load(): number {
    return this.#fullBytes + this.#length + this.#buffered;
  }

  /** Bytes that uWebSockets holds because the kernel would not take them. */
  get buffered(): number {
    return this.#buffered;
  }

  /** Asks uWebSockets what it still holds, when that changed without a send of ours (drain, publish). */
  refresh(): void {
    if (this.#socket !== null) this.#setBuffered(this.#socket.getBufferedAmount());
  }

  /** uWebSockets dropped a published message for this peer: it is too far behind. */
  dropped(): void {
    this.#shared.metrics.counts[Metric.sends_dropped]!++;
    this.overrun();
  }

  /** Adds whole records, `frame[start, end)`; `frame` may be reused at once. For msgpack peers. */
  append(frame: Uint8Array, start: number, end: number): void {
    const bytes = end - start;
    if (bytes >= DIRECT_BYTES) {
      this.flush();
      this.#sendNow(start === 0 && end === frame.length ? frame : frame.subarray(start, end));
      return;
    }
    const at = this.reserve(bytes);
    this.#shared.arena.bytes.set(
      start === 0 && end === frame.length ? frame : frame.subarray(start, end),
      at,
    );
    this.#length += bytes;
    this.#shared.metrics.counts[Metric.bytes_copied]! += bytes;
  }

  /** Adds one frame, or whole records, that were written elsewhere; `bytes` may be reused at once. */
  add(bytes: Uint8Array): void {
    if (!this.#isText) return this.append(bytes, 0, bytes.length);
    const at = this.reserve(bytes.length);
    this.#shared.arena.bytes.set(bytes, at);
    this.commit(at, at + bytes.length);
  }

  /** Room for a frame or records of at most `bytes`, to be written to the arena and ended by {@link commit} before anything else is added. */
  reserve(bytes: number): number {
    const needed = this.#isText ? bytes + LENGTH_BYTES : bytes;
    if (needed > LARGE_BYTES) {
      this.flush();
      return this.#shared.arena.scratch(bytes);
    }
    if (this.#length + needed > this.#capacity) this.#makeRoom(needed);
    if (!this.#isListed) this.#list();
    return this.#chunk + this.#length + (this.#isText ? LENGTH_BYTES : 0);
  }

  /** Ends what {@link reserve} began: `at` as returned, `end` = one behind the last byte written. */
  commit(at: number, end: number): void {
    const { arena, metrics } = this.#shared;
    metrics.counts[Metric.bytes_copied]! += end - at;
    const isGathered = at >= this.#chunk && at < this.#chunk + this.#capacity;
    if (!isGathered) return this.#sendNow(arena.bytes.subarray(at, end));
    if (this.#isText) arena.view.setUint32(at - LENGTH_BYTES, end - at, true);
    this.#length = end - this.#chunk;
  }

  /** Sends `[start, end)` of the arena as one message, now, behind what was gathered: for what many peers get, laid out once. */
  sendFrom(start: number, end: number): void {
    this.flush();
    this.#sendNow(this.#shared.arena.bytes.subarray(start, end));
  }

  endTurn(): void {
    this.#isListed = false;
    this.flush();
  }

  /** Sends what was gathered, now. */
  flush(): void {
    if (this.#length === 0 && this.#fullBytes === 0) return this.#release();
    if (this.#socket !== null) this.#sendGathered(this.#socket);
    this.#release();
  }

  #sendGathered(socket: OutgoingSocket): void {
    const start = this.#chunk;
    const end = start + this.#length;
    if (!this.#isText) return this.#send(this.#shared.arena.bytes.subarray(start, end));
    const full = this.#full ?? NONE;
    for (let at = 0; at < full.length; at += 2) this.#sendChunk(socket, full[at]!, full[at]! + full[at + 1]!);
    this.#sendChunk(socket, start, end);
  }

  /** Sends the text frames of one chunk together. */
  #sendChunk(socket: OutgoingSocket, start: number, end: number): void {
    if (start === end) return;
    const isOne = start + LENGTH_BYTES + this.#shared.arena.view.getUint32(start, true) === end;
    if (isOne) return this.#send(this.#shared.arena.bytes.subarray(start + LENGTH_BYTES, end));
    corked.outbox = this;
    corked.start = start;
    corked.end = end;
    socket.cork(sendCorked);
  }

  /** Sends each frame of `[start, end)`; called with the socket corked. */
  sendFrames(start: number, end: number): void {
    const arena = this.#shared.arena;
    for (let at = start; at < end; ) {
      const next = at + LENGTH_BYTES + arena.view.getUint32(at, true);
      this.#send(arena.bytes.subarray(at + LENGTH_BYTES, next));
      at = next;
    }
  }

  /** Sends what is too large to gather; the turn is counted all the same, for it is a turn of the clock too. */
  #sendNow(bytes: Uint8Array): void {
    this.#shared.schedule();
    this.#send(bytes);
  }

  #send(bytes: Uint8Array): void {
    const socket = this.#socket;
    if (socket === null) return;
    const counts = this.#shared.metrics.counts;
    if (this.#buffered > 0 && this.#isOverrun) {
      counts[Metric.sends_dropped]!++; // it is about to be cut: nothing more piles up until then
      return;
    }
    const status = socket.send(bytes, !this.#isText);
    counts[Metric.frames_sent]!++;
    counts[Metric.bytes_sent]! += bytes.length;
    if (status === SendStatus.Sent && this.#buffered === 0) return;
    this.#setBuffered(socket.getBufferedAmount());
    if (status === SendStatus.Dropped) counts[Metric.sends_dropped]!++;
    if (status === SendStatus.Dropped || this.#buffered > this.#shared.hardBytes) this.overrun();
  }

  #setBuffered(bytes: number): void {
    const more = bytes - this.#buffered;
    this.#buffered = bytes;
    if (more !== 0) this.#shared.countBuffered(more);
  }

  /** It is to be cut at the end of this turn. */
  get isOverrun(): boolean {
    return this.#isOverrun;
  }

  /** Has it cut at the end of this turn: too much waits for it. */
  overrun(): void {
    if (this.#isOverrun) return;
    this.#isOverrun = true;
    this.#shared.reportOverrun(this.#owner);
  }

  #list(): void {
    this.#isListed = true;
    this.#shared.list(this);
  }

  #makeRoom(bytes: number): void {
    const arena = this.#shared.arena;
    if (arena.isScarce) this.#shared.flush();
    if (this.#capacity === LARGE_BYTES) this.#chunkIsFull();
    const needed = this.#length + bytes;
    const isSmall = needed <= SMALL_BYTES;
    const chunk = isSmall ? arena.takeSmall() : arena.takeLarge();
    if (this.#length > 0) arena.move(chunk, this.#chunk, this.#length);
    this.#releaseChunk();
    this.#chunk = chunk;
    this.#capacity = isSmall ? SMALL_BYTES : LARGE_BYTES;
  }

  /**
   * Records leave now. Text frames wait for the end of the turn: inside of a message handler the sender holds the only cork, so each would be a system call of
   * its own (9.8 µs a call instead of 3 with 1,024 JSON calls outstanding).
   */
  #chunkIsFull(): void {
    if (!this.#isText) return this.flush();
    this.#full ??= [];
    this.#full.push(this.#chunk, this.#length);
    this.#fullBytes += this.#length;
    this.#length = 0;
    this.#capacity = 0;
  }

  #release(): void {
    this.#length = 0;
    const full = this.#full ?? NONE;
    for (let at = 0; at < full.length; at += 2) this.#shared.arena.giveLarge(full[at]!);
    this.#full = null;
    this.#fullBytes = 0;
    this.#releaseChunk();
  }

  #releaseChunk(): void {
    if (this.#capacity === SMALL_BYTES) this.#shared.arena.giveSmall(this.#chunk);
    else if (this.#capacity === LARGE_BYTES) this.#shared.arena.giveLarge(this.#chunk);
    this.#chunk = 0;
    this.#capacity = 0;
  }
}

/** What {@link sendCorked} sends: kept here so that corking needs no closure. */
const corked: { outbox: Outbox | null; start: number; end: number } = { outbox: null, start: 0, end: 0 };

function sendCorked(): void {
  corked.outbox?.sendFrames(corked.start, corked.end);
}
