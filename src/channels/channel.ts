// One channel: messages from one source to one sink, in order, each as it came.
//
//   source ── received ──> [ queue, bounded ] ── flush at the end of the turn ──> sink
//          <── pause/resume ──┘                                  <── drained ──┘
//
// Both ends are interfaces: a WebSocket each (socket-end.ts), or a stream of a msgpack call (stream-end.ts). The source may come, send and end before there is a
// sink. What a sink takes is its own affair: it says whether it has room. A channel is over when its sink has had everything, or is gone.

import { Metric } from "../metrics.js";
import type { ChannelShared } from "./channels.js";
import { MessageQueue } from "./message-queue.js";

/** From where messages come. */
export interface ChannelSource {
  /** Sends no more for now. False when it cannot be stopped. */
  pause(): boolean;
  resume(): void;
  /** Nobody will read: it should end. Comes at most once. */
  end(why: ChannelEnd): void;
}

/** To where messages go. */
export interface ChannelSink {
  /** Whether it takes a message now; when it says no, it calls {@link Channel.drained} later. */
  readonly hasRoom: boolean;
  /** `message` is valid until this returns. */
  write(message: Uint8Array, isText: boolean): void;
  /** What `write` writes should leave together. */
  cork(write: () => void): void;
  /** Everything was written. Comes at most once. */
  end(why: ChannelEnd): void;
}

/** Why a channel ends, as an end is told. */
export const ChannelEnd = {
  /** The writer said that this is all. */
  Complete: "complete",
  /** The other end went without a word. */
  Gone: "gone",
  /** An end was never taken. */
  Swept: "swept",
  /** The reader did not keep up, and the writer could not be stopped. */
  Overrun: "overrun",
} as const;
export type ChannelEnd = (typeof ChannelEnd)[keyof typeof ChannelEnd];

export type Direction = "read" | "write";

/** From this size on a message for a sink with room is written as it stands: copying it would cost more than a system call. */
const DIRECT_BYTES = 16_384;

export class Channel {
  readonly id: string;
  readonly key: string;
  readonly createdAtMs: number;
  readonly #shared: ChannelShared;
  readonly #messagesMax: number;
  readonly #queue = new MessageQueue();
  readonly #taken = { read: false, write: false };
  #source: ChannelSource | null = null;
  #sink: ChannelSink | null = null;
  #isPaused = false;
  /** Why the source sends no more; null while it does, or may. */
  #sourceEnd: ChannelEnd | null = null;
  #isOver = false;
  /** It stands in the list of this turn. */
  isListed = false;

  /** `messagesMax`: messages it holds before its source is stopped. */
  constructor(id: string, key: string, createdAtMs: number, messagesMax: number, shared: ChannelShared) {
    this.id = id;
    this.key = key;
    this.createdAtMs = createdAtMs;
    this.#messagesMax = messagesMax;
    this.#shared = shared;
  }

  /** Messages that wait in it. */
  get waiting(): number {
    return this.#queue.count;
  }

  /** An end was never taken. */
  get isHalfOpen(): boolean {
    return !this.#taken.read || !this.#taken.write;
  }

  /** Takes an end, which can be done once. False when it was taken before. */
  take(direction: Direction): boolean {
    if (this.#isOver || this.#taken[direction]) return false;
    this.#taken[direction] = true;
    return true;
  }

  /** The source stands. */
  attachSource(source: ChannelSource): void {
    this.#source = source;
    if (this.#isOver) source.end(ChannelEnd.Gone);
  }

  /** The sink stands, and gets what waits. */
  attachSink(sink: ChannelSink): void {
    this.#sink = sink;
    if (this.#isOver) sink.end(ChannelEnd.Gone);
    else this.#list();
  }

  /** The source sent a message; valid until this returns. */
  received(message: Uint8Array, isText: boolean): void {
    if (this.#isOver || this.#sourceEnd !== null) return;
    const counts = this.#shared.metrics.counts;
    counts[Metric.channel_messages]!++;
    counts[Metric.channel_bytes]! += message.length;
    const sink = this.#sink;
    if (sink !== null && message.length >= DIRECT_BYTES && this.#queue.count === 0 && sink.hasRoom)
      return sink.write(message, isText);
    const before = this.#queue.bytes;
    this.#queue.push(message, isText);
    this.#shared.queuedBytes += this.#queue.bytes - before;
    this.#list();
  }

  /** The source sends no more. */
  sourceEnded(why: ChannelEnd): void {
    this.#source = null;
    this.#sourceEnd ??= why;
    this.#list();
  }

  /** The sink has room again. */
  drained(): void {
    if (this.#queue.count > 0 || this.#sourceEnd !== null) this.#list();
  }

  /** The sink is gone: what waits is for nobody, and the source need not go on. */
  sinkEnded(): void {
    this.#sink = null;
    this.#finish(ChannelEnd.Gone);
  }

  /** Ends it whatever its ends do. */
  sweep(): void {
    this.#finish(ChannelEnd.Swept);
  }

  /** At the end of a turn: hands on what the sink takes, stops or starts the source, ends when all is done. */
  flush(): void {
    this.isListed = false;
    if (this.#isOver) return;
    this.#handOn();
    if (this.#isOver) return;
    if (this.#queue.count === 0 && this.#sourceEnd !== null && this.#sink?.hasRoom === true)
      return this.#finish(this.#sourceEnd);
    this.#steer();
  }

  #handOn(): void {
    const sink = this.#sink;
    if (sink === null || this.#queue.count === 0 || !sink.hasRoom) return;
    const before = this.#queue.bytes;
    sink.cork(() => {
      while (this.#queue.count > 0 && sink.hasRoom) {
        sink.write(this.#queue.peek(), this.#queue.isText);
        if (this.#queue.count > 0) this.#queue.shift();
      }
    });
    this.#shared.queuedBytes -= before - this.#queue.bytes;
  }

  #steer(): void {
    if (this.#isFull) return this.#pause();
    const { limits } = this.#shared;
    const isLow =
      this.#queue.count <= this.#messagesMax / 2 && this.#queue.bytes <= limits.channelQueueBytesMax / 2;
    if (!this.#isPaused || !isLow) return;
    this.#isPaused = false;
    this.#source?.resume();
  }

  get #isFull(): boolean {
    const { limits, queuedBytes } = this.#shared;
    return (
      this.#queue.count >= this.#messagesMax ||
      this.#queue.bytes >= limits.channelQueueBytesMax ||
      (this.#queue.count > 0 && queuedBytes >= limits.channelsQueuedBytesMax)
    );
  }

  #pause(): void {
    if (this.#isPaused || this.#source === null) return;
    this.#isPaused = this.#source.pause();
    if (this.#isPaused) this.#shared.metrics.add(Metric.channels_paused);
    else if (this.#queue.bytes >= this.#shared.limits.channelOverrunBytesMax) this.#overrun();
  }

  /** The source cannot be stopped and the sink does not take: the channel ends before it takes the engine's memory. */
  #overrun(): void {
    this.#shared.metrics.add(Metric.channels_overrun);
    this.#shared.log.warn(
      { channel: this.id, waitingBytes: this.#queue.bytes },
      "channel cut: its reader does not keep up",
    );
    this.#finish(ChannelEnd.Overrun);
  }

  /** Once. Both ends are told; either may call back while it is. */
  #finish(why: ChannelEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#shared.queuedBytes -= this.#queue.bytes;
    this.#queue.clear();
    this.#shared.forget(this);
    const source = this.#source;
    const sink = this.#sink;
    this.#source = null;
    this.#sink = null;
    source?.end(why);
    sink?.end(why);
  }

  #list(): void {
    if (this.isListed || this.#isOver) return;
    this.isListed = true;
    this.#shared.list(this);
  }
}
