// One channel: messages from one source to one sink, in order, each as it came.
//
//   source ── received ──> [ queue, bounded ] ── flush at the end of the turn ──> sink
//          <── pause/resume ──┘                                  <── drained ──┘
//
// Both ends are interfaces: a WebSocket each (socket-end.ts), or a stream of a msgpack call (stream-end.ts). The source may come, send and end before there is a
// sink. What a sink takes is its own affair: it says whether it has room. A channel is over when its sink has had everything, or is gone.

import { Metric } from "../metrics.js";
import { ErrorCode } from "../protocol/error.js";
import type { ChannelShared } from "./channels.js";
import { MessageQueue } from "./message-queue.js";

/** From where messages come. */
export interface ChannelSource {
  /** Sends no more for now. False when it cannot be stopped. */
  pause(): boolean;
  resume(): void;
  /** A message of so many bytes was handed on. */
  handedOn(bytes: number): void;
  /** Nobody will read: it should end. Comes at most once. */
  end(ending: Ending): void;
}

/** To where messages go. */
export interface ChannelSink {
  /** Whether it takes a message now; when it says no, it calls {@link Channel.drained} later. */
  readonly hasRoom: boolean;
  /** From this size on a message that nothing waits before is written as it comes; smaller ones wait for the end of the turn, to leave together. */
  readonly directBytesMin: number;
  /** Binary messages longer than this are written in pieces. */
  readonly pieceBytesMax: number;
  /** `message` is valid until this returns; `record`: the chunk record that it came in, which may be written to. */
  write(message: Uint8Array, isText: boolean, record?: Uint8Array): void;
  /** What `write` writes should leave together. */
  cork(write: () => void): void;
  /** Everything was written. Comes at most once. */
  end(ending: Ending): void;
}

/** How a channel ends, as its ends are told. */
export interface Ending {
  /** Null: the writer said that this is all. */
  readonly code: string | null;
  readonly message: string;
}

export const COMPLETE: Ending = { code: null, message: "" };
export const BROKEN: Ending = {
  code: ErrorCode.StreamBroken,
  message: "The other end's connection ended before the stream did",
};
const EXPIRED: Ending = {
  code: ErrorCode.ChannelExpired,
  message: "An end of the channel was not taken in time",
};
export const OVERRUN: Ending = {
  code: ErrorCode.StreamOverrun,
  message: "More was sent than the reader takes",
};

export type Direction = "read" | "write";

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
  #sourceEnd: Ending | null = null;
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
    if (this.#isOver) source.end(BROKEN);
  }

  /** The sink stands, and gets what waits. */
  attachSink(sink: ChannelSink): void {
    this.#sink = sink;
    if (this.#isOver) sink.end(BROKEN);
    else this.flush();
  }

  /** The source sent a message; valid until this returns. `record`: the chunk record that it came in. */
  received(message: Uint8Array, isText: boolean, record?: Uint8Array): void {
    if (this.#isOver || this.#sourceEnd !== null) return;
    const counts = this.#shared.metrics.counts;
    counts[Metric.channel_messages]!++;
    counts[Metric.channel_bytes]! += message.length;
    const sink = this.#sink;
    if (sink !== null && this.#queue.count === 0 && goesDirectly(sink, message, isText)) {
      sink.write(message, isText, record);
      this.#source?.handedOn(message.length);
      return;
    }
    const before = this.#queue.bytes;
    this.#queue.push(message, isText);
    this.#shared.queuedBytes += this.#queue.bytes - before;
    this.#list();
  }

  /** The source sends no more. */
  sourceEnded(ending: Ending): void {
    this.#source = null;
    this.#sourceEnd ??= ending;
    this.#list();
  }

  /** The source ends with an error of its own: as {@link sourceEnded}, but a reader that has not come is kept the error only. */
  sourceFailed(ending: Ending): void {
    this.sourceEnded(ending);
    if (this.#taken.read || this.#isOver) return;
    this.#dropQueue();
    this.#shared.keepFailed(this);
  }

  /** The sink has room again: it gets what waits at once. */
  drained(): void {
    if (this.#queue.count > 0 || this.#sourceEnd !== null) this.flush();
  }

  /** The sink is gone: what waits is for nobody, and the source need not go on. */
  sinkEnded(ending: Ending): void {
    this.#sink = null;
    this.#finish(ending);
  }

  /** Ends it whatever its ends do. */
  sweep(): void {
    this.#finish(EXPIRED);
  }

  /** Hands on what the sink takes, stops or starts the source, ends when all is done. */
  flush(): void {
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
      while (this.#queue.count > 0 && sink.hasRoom) this.#writeFirst(sink);
    });
    this.#shared.queuedBytes -= before - this.#queue.bytes;
  }

  #writeFirst(sink: ChannelSink): void {
    const queue = this.#queue;
    const { isText } = queue;
    const message = isText ? queue.peek() : queue.peek().subarray(0, sink.pieceBytesMax);
    sink.write(message, isText);
    queue.drop(message.length);
    this.#source?.handedOn(message.length);
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
    this.#finish(OVERRUN);
  }

  /** Once. Both ends are told; either may call back while it is. */
  #finish(ending: Ending): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#dropQueue();
    this.#shared.forget(this);
    const source = this.#source;
    const sink = this.#sink;
    this.#source = null;
    this.#sink = null;
    source?.end(ending);
    sink?.end(ending);
  }

  #dropQueue(): void {
    this.#shared.queuedBytes -= this.#queue.bytes;
    this.#queue.clear();
  }

  #list(): void {
    if (this.isListed || this.#isOver) return;
    this.isListed = true;
    this.#shared.list(this);
  }
}

function goesDirectly(sink: ChannelSink, message: Uint8Array, isText: boolean): boolean {
  return (
    message.length >= sink.directBytesMin && (isText || message.length <= sink.pieceBytesMax) && sink.hasRoom
  );
}
