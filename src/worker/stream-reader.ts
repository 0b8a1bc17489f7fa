// One stream that the user reads: chunks in, a ReadableStream out.
//
// What is granted and has not come, plus what came and was not read, never exceeds the credit that it began with. Mirror: stream-writer.ts.

import { utf8 } from "./bytes.js";
import { CHUNK_OVERHEAD, ChunkFlag } from "./kind.js";
import type { StreamPart, Streams } from "./streams.js";

export class StreamReader {
  readonly stream: ReadableStream<StreamPart>;
  readonly #number: number;
  readonly #windowBytes: number;
  readonly #streams: Streams;
  /** Granted and not received. */
  #grantedBytes: number;
  #controller: ReadableStreamDefaultController<StreamPart> | undefined;

  constructor(number: number, windowBytes: number, streams: Streams) {
    this.#number = number;
    this.#windowBytes = windowBytes;
    this.#streams = streams;
    this.#grantedBytes = windowBytes;
    this.stream = new ReadableStream<StreamPart>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#grant(),
        cancel: (reason) => this.#streams.end(this.#number, reason ?? "The reader wants no more"),
      },
      { highWaterMark: windowBytes, size: (part) => part.length + CHUNK_OVERHEAD },
    );
  }

  chunk(flags: number, bytes: Uint8Array): void {
    this.#grantedBytes -= bytes.length + CHUNK_OVERHEAD;
    const isText = (flags & ChunkFlag.Text) !== 0;
    this.#controller?.enqueue(isText ? utf8.read(bytes, 0, bytes.length) : bytes);
  }

  /** The writer said that this was all. */
  complete(): void {
    this.#controller?.close();
  }

  fail(error: Error): void {
    this.#controller?.error(error);
  }

  /** Half of the window at a time, so that there are few credit records. */
  #grant(): void {
    const bytes = (this.#controller?.desiredSize ?? 0) - this.#grantedBytes;
    if (bytes < this.#windowBytes / 2) return;
    this.#grantedBytes += bytes;
    this.#streams.grant(this.#number, bytes);
  }
}
