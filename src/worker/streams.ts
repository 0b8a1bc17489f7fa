// Streams on the worker's one socket: ends of channels as web streams. PROTOCOL.md, "Streams and channels".
//
// A ref is what a payload carries; whoever has it takes that end. Here refs are made for streams that others shall read or write (`offer`), and taken
// (`readable`, `writable`). All streams of a connection end with it.

import type { Connection } from "./connection.js";
import { CallError, ConnectionLostError, WorkerError } from "./errors.js";
import { Kind } from "./kind.js";
import { CHUNK_BYTES_MAX_DEFAULT, STREAM_CREDIT_BYTES_DEFAULT } from "./limits.js";
import { StreamReader } from "./stream-reader.js";
import { StreamWriter } from "./stream-writer.js";
import { randomUuid } from "./uuid.js";
import type { WelcomeLimits } from "./welcome.js";

/** What stands in a payload for one end of a channel: whoever gets it may take that end, once. */
export interface ChannelRef {
  readonly channel_id: string;
  readonly access_key: string;
  /** What its taker does: "read" or "write". */
  readonly direction: "read" | "write";
}

/** What streams are made of: bytes, whose borders mean nothing, and texts, each a message. */
export type StreamPart = Uint8Array | string;

/** A stream of the user's that somebody else writes or reads. */
export interface Offered {
  readonly ref: ChannelRef;
  /** Ends it on both sides. */
  fail(error: unknown): void;
}

const Direction = { Read: 0, Write: 1 } as const;
const Mode = { Existing: 0, New: 1 } as const;

export class Streams {
  readonly #ended: () => void;
  readonly #open = new Map<number, StreamReader | StreamWriter>();
  #connection: Connection | undefined;
  #creditBytes = STREAM_CREDIT_BYTES_DEFAULT;
  #chunkBytesMax = CHUNK_BYTES_MAX_DEFAULT;
  #last = 0;

  /** `ended` is called whenever a stream has ended. */
  constructor(ended: () => void) {
    this.#ended = ended;
  }

  /** How many are open. */
  get open(): number {
    return this.#open.size;
  }

  /** Makes a channel, joins the user's stream to one end of it, and gives the ref of the other. Throws ConnectionLostError. */
  offer(stream: ReadableStream<StreamPart> | WritableStream<StreamPart>): Offered {
    const drawn = { channel_id: randomUuid(), access_key: randomUuid() };
    const stop = new AbortController();
    const { signal } = stop;
    const isReadable = stream instanceof ReadableStream;
    const joined = isReadable
      ? stream.pipeTo(this.#writer({ ...drawn, direction: "write" }, Mode.New).stream, { signal })
      : this.#reader({ ...drawn, direction: "read" }, Mode.New).stream.pipeTo(stream, { signal });
    joined.catch(() => {}); // pipeTo has told both streams, and with them everybody who is concerned
    return {
      ref: { ...drawn, direction: isReadable ? "read" : "write" },
      fail: (error) => stop.abort(error),
    };
  }

  /** Takes the reading end of a channel. The stream fails with the code of what ended it early. Throws for a ref that is none, and ConnectionLostError. */
  readable(ref: ChannelRef): ReadableStream<StreamPart> {
    return this.#reader(checked(ref, "read"), Mode.Existing).stream;
  }

  /** Takes the writing end of a channel. Throws as {@link readable}. */
  writable(ref: ChannelRef): WritableStream<StreamPart> {
    return this.#writer(checked(ref, "write"), Mode.Existing).stream;
  }

  connect(connection: Connection, limits: WelcomeLimits): void {
    this.#connection = connection;
    this.#creditBytes = limits.streamCreditBytes;
    this.#chunkBytesMax = limits.chunkBytesMax;
  }

  disconnect(reason: string): void {
    this.#connection = undefined;
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const stream of open) stream.fail(new ConnectionLostError(`The connection was lost: ${reason}`));
    this.#ended();
  }

  onChunk(stream: number, flags: number, bytes: Uint8Array): void {
    const reader = this.#open.get(stream);
    if (reader instanceof StreamReader) reader.chunk(flags, bytes);
  }

  onCredit(stream: number, bytes: number): void {
    const writer = this.#open.get(stream);
    if (writer instanceof StreamWriter) writer.credit(bytes);
  }

  onEnd(number: number, code: string | null, message: string): void {
    const stream = this.#open.get(number);
    if (stream === undefined) return;
    this.#forget(number);
    if (code !== null) stream.fail(new CallError(code, message));
    else if (stream instanceof StreamReader) stream.complete();
    else stream.fail(new CallError("stream_cancelled", "The reader wants no more"));
  }

  /** Grants a writer elsewhere more. */
  grant(stream: number, bytes: number): void {
    this.#connection?.writer.credit(stream, bytes);
    this.#connection?.written();
  }

  send(stream: number, flags: number, bytes: Uint8Array): void {
    this.#connection?.writer.chunk(stream, flags, bytes);
    this.#connection?.written();
  }

  /** Ends a stream from here: `error` undefined = that was all. */
  end(stream: number, error?: unknown): void {
    if (!this.#open.has(stream)) return;
    this.#connection?.writer.control(
      error === undefined ? [Kind.End, stream] : [Kind.End, stream, codeOf(error), messageOf(error)],
    );
    this.#connection?.written();
    this.#forget(stream);
  }

  #forget(stream: number): void {
    this.#open.delete(stream);
    this.#ended();
  }

  #reader(ref: ChannelRef, mode: number): StreamReader {
    const stream = this.#take(ref, Direction.Read, mode);
    const reader = new StreamReader(stream, this.#creditBytes, this);
    this.#open.set(stream, reader);
    return reader;
  }

  #writer(ref: ChannelRef, mode: number): StreamWriter {
    const stream = this.#take(ref, Direction.Write, mode);
    const writer = new StreamWriter(stream, this.#creditBytes, this.#chunkBytesMax, this);
    this.#open.set(stream, writer);
    return writer;
  }

  /** Sends `open` and gives the number. */
  #take(ref: ChannelRef, direction: number, mode: number): number {
    const connection = this.#connection;
    if (connection?.isOpen !== true)
      throw new ConnectionLostError("A stream needs a connection: it does not wait for one");
    this.#last = (this.#last + 1) >>> 0;
    const credit = direction === Direction.Read ? this.#creditBytes : 0;
    const { channel_id, access_key } = ref;
    connection.writer.control([Kind.Open, this.#last, channel_id, access_key, direction, credit, mode]);
    connection.written();
    return this.#last;
  }
}

function checked(ref: ChannelRef, direction: ChannelRef["direction"]): ChannelRef {
  // What a payload holds has the type that its reader hopes for; so it is looked at here.
  const { channel_id, access_key, direction: given } = (ref ?? {}) as Partial<ChannelRef>;
  if (typeof channel_id !== "string" || typeof access_key !== "string" || given !== direction)
    throw new WorkerError("stream_ref_invalid", `This is not a ref of a channel to ${direction}`);
  return { channel_id, access_key, direction };
}

function codeOf(error: unknown): string {
  return error instanceof WorkerError ? error.code : "stream_cancelled";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
