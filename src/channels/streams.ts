// The streams of every msgpack connection: the records open, chunk, credit and end.
//
// A stream is a number of the worker's choice that stands for one end of a channel. A chunk finds its end by connection and number, and from there the channel's
// other end; between two msgpack workers the received record is passed on with its number patched.

import { Metric, type Metrics } from "../metrics.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { CHANNEL_MESSAGES_MAX, STREAMS_OPEN_MAX } from "../protocol/limits.js";
import { type Cursor, ElementError } from "../protocol/msgpack/cursor.js";
import { pack } from "../protocol/msgpack/general.js";
import { ChunkOffset, Kind, MALFORMED, readU32 } from "../protocol/msgpack/records.js";
import type { Arena } from "../transport/arena.js";
import type { Connection } from "../transport/connection.js";
import { BROKEN, type Channel, COMPLETE, type Direction, type Ending, OVERRUN } from "./channel.js";
import type { Channels } from "./channels.js";
import { type StreamShared, StreamSink, StreamSource } from "./stream-end.js";

const OpenDirection = { Read: 0, Write: 1 } as const;
const OpenMode = { Existing: 0, New: 1 } as const;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export interface StreamsOptions {
  channels: Channels;
  arena: Arena;
  metrics: Metrics;
}

export class Streams implements StreamShared {
  readonly arena: Arena;
  readonly #channels: Channels;
  readonly #metrics: Metrics;
  /** By connection index: its streams by number. */
  readonly #byConnection: (Map<number, StreamSource | StreamSink> | undefined)[] = [];
  /** By connection index: sinks that wait for its socket, in the order in which they get their turn. */
  readonly #waiting = new Map<number, Set<StreamSink>>();

  constructor({ channels, arena, metrics }: StreamsOptions) {
    this.#channels = channels;
    this.arena = arena;
    this.#metrics = metrics;
  }

  /** How many streams a connection has open. */
  open(connection: Connection): number {
    return this.#byConnection[connection.index]?.size ?? 0;
  }

  /** Carries out a chunk in canonical form. Returns where the next record begins, or MALFORMED. */
  canonicalChunk(from: Connection, frame: Uint8Array, at: number, end: number): number {
    const length = readU32(frame, at + ChunkOffset.length);
    const start = at + ChunkOffset.bytes;
    const next = start + length;
    if (length < 0 || next > end) return MALFORMED;
    const bytes = frame.subarray(start, next);
    const record = frame.subarray(at, next);
    this.#chunk(from, readU32(frame, at + ChunkOffset.stream) >>> 0, frame[start - 6] ?? 0, bytes, record);
    return next;
  }

  /** Carries out one stream record in any encoding. Throws ElementError. False: it is none. */
  record(from: Connection, kind: number, cursor: Cursor): boolean {
    switch (kind) {
      case Kind.Chunk:
        this.#generalChunk(from, cursor);
        return true;
      case Kind.Credit:
        this.#credit(from, cursor);
        return true;
      case Kind.End:
        this.#end(from, cursor);
        return true;
      case Kind.Open:
        this.#open(from, cursor);
        return true;
      default:
        return false;
    }
  }

  /** A connection's socket has taken what it held: sinks that waited get a turn each. */
  drained(connection: Connection): void {
    const waiting = this.#waiting.get(connection.index);
    if (waiting === undefined) return;
    this.#waiting.delete(connection.index);
    for (const sink of waiting) sink.drained(); // those for which nothing is left stand in a new set, in this order
  }

  /** A connection is gone, and all its streams with it. */
  closed(connection: Connection): void {
    this.#waiting.delete(connection.index);
    const streams = this.#byConnection[connection.index];
    this.#byConnection[connection.index] = undefined;
    for (const stream of streams?.values() ?? []) stream.broken(BROKEN);
  }

  waitForSocket(connection: Connection, sink: StreamSink): void {
    const waiting = this.#waiting.get(connection.index);
    if (waiting === undefined) this.#waiting.set(connection.index, new Set([sink]));
    else waiting.add(sink);
  }

  sendEnd(connection: Connection, stream: number, { code, message }: Ending): void {
    this.#take(connection, stream);
    this.#sendEnd(connection, stream, code, code === null ? null : message);
  }

  #sendEnd(to: Connection, stream: number, code: string | null, message: string | null): void {
    if (!to.isOpen) return;
    const record = pack([Kind.End, stream, code, message]);
    to.outbox.append(record, 0, record.length);
  }

  /** The stream of that number, which is free from here on. */
  #take(connection: Connection, stream: number): StreamSource | StreamSink | undefined {
    const streams = this.#byConnection[connection.index];
    const found = streams?.get(stream);
    streams?.delete(stream);
    if (found instanceof StreamSink) this.#waiting.get(connection.index)?.delete(found);
    return found;
  }

  #generalChunk(from: Connection, cursor: Cursor): void {
    const stream = cursor.uint("stream");
    const flags = cursor.uint("flags");
    const hasBytes = cursor.blob("bytes");
    const bytes = hasBytes ? cursor.bytes.subarray(cursor.start, cursor.end) : NOTHING;
    this.#chunk(from, stream, flags, bytes, undefined);
  }

  #chunk(
    from: Connection,
    stream: number,
    flags: number,
    bytes: Uint8Array,
    record: Uint8Array | undefined,
  ): void {
    const source = this.#byConnection[from.index]?.get(stream);
    if (!(source instanceof StreamSource)) return this.#unmatched();
    if (source.chunk(bytes, flags, record)) return;
    this.sendEnd(from, stream, OVERRUN);
    source.ended(OVERRUN);
  }

  #credit(from: Connection, cursor: Cursor): void {
    const stream = cursor.uint("stream");
    const bytes = cursor.uint("bytes");
    const sink = this.#byConnection[from.index]?.get(stream);
    if (sink instanceof StreamSink) sink.credit(bytes);
    else this.#unmatched();
  }

  #end(from: Connection, cursor: Cursor): void {
    const number = cursor.uint("stream");
    const code = cursor.nil() ? null : textOf(cursor, "code");
    const message = cursor.nil() ? "" : textOf(cursor, "message");
    const stream = this.#take(from, number);
    if (stream === undefined) return this.#unmatched();
    if (stream instanceof StreamSource) stream.ended(code === null ? COMPLETE : { code, message });
    else
      stream.ended({
        code: code ?? ErrorCode.StreamCancelled,
        message: message || "The reader wants no more",
      });
  }

  #open(from: Connection, cursor: Cursor): void {
    const stream = cursor.uint("stream");
    const id = textOf(cursor, "channel_id");
    const key = textOf(cursor, "access_key");
    const direction = cursor.uint("direction");
    const creditBytes = cursor.uint("credit");
    const mode = cursor.uint("mode");
    const streams = this.#of(from);
    if (streams.has(stream)) throw new ElementError(`stream ${stream} is open`);
    try {
      if (streams.size >= STREAMS_OPEN_MAX)
        throw new CodedError(
          ErrorCode.LimitReached,
          `A connection has at most ${STREAMS_OPEN_MAX} streams open`,
        );
      const channel = this.#channel(id, key, mode);
      this.#attach(from, stream, channel, direction === OpenDirection.Write ? "write" : "read", creditBytes);
    } catch (cause) {
      if (!(cause instanceof CodedError)) throw cause;
      this.#metrics.add(Metric.streams_refused);
      this.#sendEnd(from, stream, cause.code, cause.message);
    }
  }

  #of(connection: Connection): Map<number, StreamSource | StreamSink> {
    const streams = this.#byConnection[connection.index] ?? new Map<number, StreamSource | StreamSink>();
    this.#byConnection[connection.index] = streams;
    return streams;
  }

  #channel(id: string, key: string, mode: number): Channel {
    if (mode === OpenMode.New) {
      if (!UUID.test(id) || !UUID.test(key))
        throw new CodedError(
          ErrorCode.InvalidRecord,
          "channel_id and access_key must be UUIDs in small letters",
        );
      return this.#channels.createAs(id, key, CHANNEL_MESSAGES_MAX);
    }
    const channel = this.#channels.find(id, key);
    if (channel === undefined)
      throw new CodedError(ErrorCode.ChannelNotFound, "No channel has this id and this key");
    return channel;
  }

  #attach(
    connection: Connection,
    stream: number,
    channel: Channel,
    direction: Direction,
    creditBytes: number,
  ): void {
    if (!channel.take(direction))
      throw new CodedError(ErrorCode.ChannelEndTaken, `The ${direction} end of the channel was taken before`);
    this.#metrics.add(Metric.streams_opened);
    const streams = this.#byConnection[connection.index];
    if (direction === "write") {
      const source = new StreamSource(connection, stream, channel, this);
      streams?.set(stream, source);
      channel.attachSource(source);
      return;
    }
    const sink = new StreamSink(connection, stream, channel, creditBytes | 0, this);
    streams?.set(stream, sink);
    channel.attachSink(sink);
  }

  #unmatched(): void {
    this.#metrics.add(Metric.stream_records_unmatched);
  }
}

const NOTHING = new Uint8Array(0);

function textOf(cursor: Cursor, what: string): string {
  cursor.str(what);
  return Buffer.from(cursor.bytes.subarray(cursor.start, cursor.end)).toString("utf8");
}
