// The ends of a channel that are WebSockets: /ws/channels/{id}?key=…&dir=read|write.

import { Metric } from "../metrics.js";
import { ErrorCode } from "../protocol/error.js";
import {
  type Refusal,
  RouteCloseCode,
  type RouteEnd,
  type RouteSocket,
  type SocketRoute,
} from "../transport/socket-route.js";
import {
  BROKEN,
  type Channel,
  type ChannelSink,
  type ChannelSource,
  COMPLETE,
  type Direction,
  type Ending,
  OVERRUN,
} from "./channel.js";
import type { Channels } from "./channels.js";

/** The route under which SDKs reach their channels. */
export class ChannelRoute implements SocketRoute {
  readonly pattern = "/ws/channels/:id";
  readonly frameBytesMax: number;
  readonly #channels: Channels;

  constructor(channels: Channels, frameBytesMax: number) {
    this.#channels = channels;
    this.frameBytesMax = frameBytesMax;
  }

  admit(id: string, query: string): RouteEnd | Refusal {
    const asked = new URLSearchParams(query);
    const key = asked.get("key");
    const direction = asked.get("dir");
    if (key === null || (direction !== "read" && direction !== "write"))
      return this.#refuse("400 Bad Request", "key and dir=read or dir=write are wanted");
    const channel = this.#channels.find(id, key);
    if (channel === undefined) return this.#refuse("404 Not Found", "no such channel");
    return endOf(channel, direction, this.#channels.limits.channelSinkBytesMax);
  }

  #refuse(status: Refusal["status"], message: string): Refusal {
    this.#channels.metrics.add(Metric.channel_sockets_refused);
    return { status, message };
  }
}

function endOf(channel: Channel, direction: Direction, sinkBytesMax: number): RouteEnd {
  if (!channel.take(direction)) return new TakenEnd();
  return direction === "write" ? new WriterEnd(channel) : new ReaderEnd(channel, sinkBytesMax);
}

/** An end that was taken before: closed at once, without a code. */
class TakenEnd implements RouteEnd {
  opened(socket: RouteSocket): void {
    socket.end(RouteCloseCode.None);
  }

  received(): void {}

  drained(): void {}

  closed(): void {}
}

/** The writer's socket: its messages go into the channel. */
class WriterEnd implements RouteEnd, ChannelSource {
  readonly #channel: Channel;
  #socket: RouteSocket | null = null;
  #isPaused = false;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  opened(socket: RouteSocket): void {
    this.#socket = socket;
    this.#channel.attachSource(this);
  }

  received(message: Uint8Array, isText: boolean): void {
    this.#channel.received(message, isText);
  }

  drained(): void {}

  closed(isPolite: boolean): void {
    this.#socket = null;
    this.#channel.sourceEnded(isPolite ? COMPLETE : BROKEN);
  }

  pause(): boolean {
    this.#isPaused = this.#socket?.pause() ?? false;
    return this.#isPaused;
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket?.resume();
  }

  handedOn(): void {}

  end(ending: Ending): void {
    if (ending === OVERRUN) return this.#socket?.cut();
    if (this.#isPaused) this.resume();
    this.#socket?.end(RouteCloseCode.None);
  }
}

/** What a writer is told when its reader said goodbye. */
const READER_LEFT: Ending = { code: ErrorCode.StreamCancelled, message: "The reader wants no more" };

/** From this size on copying a message, to send it with others, would cost more than a system call. */
const DIRECT_BYTES_MIN = 16_384;

/** The reader's socket: gets what the channel has, as fast as it reads. */
class ReaderEnd implements RouteEnd, ChannelSink {
  readonly directBytesMin = DIRECT_BYTES_MIN;
  /** Frame borders are kept. */
  readonly pieceBytesMax = Number.POSITIVE_INFINITY;
  readonly #channel: Channel;
  readonly #bytesMax: number;
  #socket: RouteSocket | null = null;

  /** `bytesMax`: how much may wait for the kernel before the channel holds back. */
  constructor(channel: Channel, bytesMax: number) {
    this.#channel = channel;
    this.#bytesMax = bytesMax;
  }

  opened(socket: RouteSocket): void {
    this.#socket = socket;
    this.#channel.attachSink(this);
  }

  /** Readers have nothing to say. */
  received(): void {}

  drained(): void {
    this.#channel.drained();
  }

  closed(isPolite: boolean): void {
    this.#socket = null;
    this.#channel.sinkEnded(isPolite ? READER_LEFT : BROKEN);
  }

  get hasRoom(): boolean {
    return this.#socket !== null && this.#socket.getBufferedAmount() < this.#bytesMax;
  }

  write(message: Uint8Array, isText: boolean): void {
    this.#socket?.send(message, !isText);
  }

  cork(write: () => void): void {
    this.#socket?.cork(write);
  }

  end({ code }: Ending): void {
    if (code === null) this.#socket?.end(RouteCloseCode.Done, "stream_complete");
    else this.#socket?.end(RouteCloseCode.None);
  }
}
