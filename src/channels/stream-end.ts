// The ends of a channel that are streams on the one socket of a msgpack worker. PROTOCOL.md, "Streams and channels".
//
// A writer's credit is what the engine still takes of it: its chunks wait in the channel until they are handed on, and are granted again then. A reader's
// credit is what the worker still takes. Both count a chunk with its head.

import { CHUNK_BYTES_MAX, STREAM_CREDIT_BYTES, STREAM_SOCKET_BYTES_MAX } from "../protocol/limits.js";
import {
  CHUNK_OVERHEAD,
  ChunkFlag,
  ChunkOffset,
  CREDIT_BYTES,
  writeChunkHead,
  writeCredit,
  writeU32,
} from "../protocol/msgpack/records.js";
import type { Arena } from "../transport/arena.js";
import type { Connection } from "../transport/connection.js";
import type { Channel, ChannelSink, ChannelSource, Ending } from "./channel.js";

/** What the streams of one engine share. */
export interface StreamShared {
  readonly arena: Arena;
  /** Tells the worker that the stream is over, and frees its number. */
  sendEnd(connection: Connection, stream: number, ending: Ending): void;
  /** The connection's socket holds too much: the sink wants to know when it does no more. */
  waitForSocket(connection: Connection, sink: StreamSink): void;
}

/** A stream that a worker writes. */
export class StreamSource implements ChannelSource {
  readonly #connection: Connection;
  readonly #stream: number;
  readonly #channel: Channel;
  readonly #shared: StreamShared;
  #creditBytes = STREAM_CREDIT_BYTES;
  /** Handed on and not granted again yet. */
  #handedOnBytes = 0;
  #isPaused = false;

  constructor(connection: Connection, stream: number, channel: Channel, shared: StreamShared) {
    this.#connection = connection;
    this.#stream = stream;
    this.#channel = channel;
    this.#shared = shared;
  }

  /** A chunk came; `record` is all of it, `bytes` what it carries. False: it was not allowed to, and the stream is to end. */
  chunk(bytes: Uint8Array, flags: number, record: Uint8Array | undefined): boolean {
    if (this.#creditBytes <= 0 || bytes.length > CHUNK_BYTES_MAX) return false;
    this.#creditBytes -= bytes.length + CHUNK_OVERHEAD;
    this.#channel.received(bytes, (flags & ChunkFlag.Text) !== 0, record);
    return true;
  }

  /** Grants nothing until it is resumed. */
  pause(): boolean {
    this.#isPaused = true;
    return true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#grant();
  }

  handedOn(bytes: number): void {
    this.#handedOnBytes += bytes + CHUNK_OVERHEAD;
    if (!this.#isPaused && this.#handedOnBytes >= STREAM_CREDIT_BYTES / 2) this.#grant();
  }

  end(ending: Ending): void {
    this.#shared.sendEnd(this.#connection, this.#stream, ending);
  }

  /** The worker ends it. */
  ended(ending: Ending): void {
    if (ending.code === null) this.#channel.sourceEnded(ending);
    else this.#channel.sourceFailed(ending);
  }

  /** Its connection is gone. */
  broken(ending: Ending): void {
    this.#channel.sourceEnded(ending);
  }

  #grant(): void {
    const bytes = this.#handedOnBytes;
    if (bytes === 0 || !this.#connection.isOpen) return;
    this.#handedOnBytes = 0;
    this.#creditBytes += bytes;
    const { outbox } = this.#connection;
    const at = outbox.reserve(CREDIT_BYTES);
    outbox.commit(at, writeCredit(this.#shared.arena.bytes, at, this.#stream, bytes));
  }
}

/** A stream that a worker reads. */
export class StreamSink implements ChannelSink {
  /** The outbox gathers small chunks by itself. */
  readonly directBytesMin = 0;
  readonly pieceBytesMax = CHUNK_BYTES_MAX;
  readonly #connection: Connection;
  readonly #stream: number;
  readonly #channel: Channel;
  readonly #shared: StreamShared;
  #creditBytes: number;

  constructor(
    connection: Connection,
    stream: number,
    channel: Channel,
    creditBytes: number,
    shared: StreamShared,
  ) {
    this.#connection = connection;
    this.#stream = stream;
    this.#channel = channel;
    this.#creditBytes = creditBytes;
    this.#shared = shared;
  }

  /** The worker takes so many bytes more. */
  credit(bytes: number): void {
    this.#creditBytes = Math.min(this.#creditBytes + bytes, CREDIT_BYTES_MAX);
    if (this.#creditBytes > 0) this.#channel.drained();
  }

  /** Its connection's socket has room again. */
  drained(): void {
    this.#channel.drained();
  }

  get hasRoom(): boolean {
    if (this.#creditBytes <= 0) return false;
    if (this.#connection.outbox.buffered < STREAM_SOCKET_BYTES_MAX) return true;
    this.#shared.waitForSocket(this.#connection, this);
    return false;
  }

  /** A chunk record is passed on as it is, with its number patched. */
  write(message: Uint8Array, isText: boolean, record?: Uint8Array): void {
    this.#creditBytes -= message.length + CHUNK_OVERHEAD;
    const { outbox } = this.#connection;
    if (record !== undefined) {
      writeU32(record, ChunkOffset.stream, this.#stream);
      outbox.append(record, 0, record.length);
      return;
    }
    const { arena } = this.#shared;
    const at = outbox.reserve(CHUNK_OVERHEAD + message.length);
    const behind = writeChunkHead(arena.bytes, at, this.#stream, isText ? ChunkFlag.Text : 0, message.length);
    arena.bytes.set(message, behind);
    outbox.commit(at, behind + message.length);
  }

  cork(write: () => void): void {
    write(); // the outbox gathers
  }

  end(ending: Ending): void {
    this.#shared.sendEnd(this.#connection, this.#stream, ending);
  }

  /** The worker wants no more, or its connection is gone. */
  ended(ending: Ending): void {
    this.#channel.sinkEnded(ending);
  }

  broken(ending: Ending): void {
    this.#channel.sinkEnded(ending);
  }
}

/** So that it stays a small integer. */
const CREDIT_BYTES_MAX = 2 ** 31 - 1;
