// One stream that the user writes: a WritableStream in, chunks out, as credit allows. Mirror: stream-reader.ts.

import { utf8 } from "./bytes.js";
import { PayloadError } from "./errors.js";
import { CHUNK_OVERHEAD, ChunkFlag } from "./kind.js";
import type { StreamPart, Streams } from "./streams.js";

const UTF8_BYTES_PER_UNIT_MAX = 3;

export class StreamWriter {
  readonly stream: WritableStream<StreamPart>;
  readonly #number: number;
  readonly #chunkBytesMax: number;
  readonly #streams: Streams;
  #creditBytes: number;
  #controller: WritableStreamDefaultController | undefined;
  /** Ends the wait for credit. */
  #goOn: (() => void) | undefined;
  #error: Error | undefined;

  constructor(number: number, creditBytes: number, chunkBytesMax: number, streams: Streams) {
    this.#number = number;
    this.#creditBytes = creditBytes;
    this.#chunkBytesMax = chunkBytesMax;
    this.#streams = streams;
    this.stream = new WritableStream<StreamPart>({
      start: (controller) => {
        this.#controller = controller;
        controller.signal.addEventListener("abort", () => this.#goOn?.());
      },
      write: (part) => (typeof part === "string" ? this.#text(part) : this.#bytes(part)),
      close: () => this.#streams.end(this.#number),
      abort: (reason) => this.#streams.end(this.#number, reason ?? "The writer gave up"),
    });
  }

  credit(bytes: number): void {
    this.#creditBytes += bytes;
    if (this.#creditBytes > 0) this.#goOn?.();
  }

  /** Nobody reads, or the connection is gone. */
  fail(error: Error): void {
    this.#error = error;
    this.#controller?.error(error);
    this.#goOn?.();
  }

  /** A text is a message: it is not cut. */
  async #text(text: string): Promise<void> {
    const bytes = utf8.allocate(text.length * UTF8_BYTES_PER_UNIT_MAX);
    const length = utf8.write(bytes, text, 0);
    if (length > this.#chunkBytesMax)
      throw new PayloadError(
        "payload_too_large",
        `A text of ${length} bytes: a stream takes ${this.#chunkBytesMax} at once`,
      );
    await this.#send(ChunkFlag.Text, bytes.subarray(0, length));
  }

  async #bytes(part: Uint8Array): Promise<void> {
    for (let at = 0; at < part.length; at += this.#chunkBytesMax)
      await this.#send(0, part.subarray(at, at + this.#chunkBytesMax));
  }

  async #send(flags: number, bytes: Uint8Array): Promise<void> {
    while (this.#creditBytes <= 0 && this.#mayGoOn()) await this.#wait();
    if (this.#error !== undefined) throw this.#error;
    this.#creditBytes -= bytes.length + CHUNK_OVERHEAD;
    this.#streams.send(this.#number, flags, bytes);
  }

  #mayGoOn(): boolean {
    return this.#error === undefined && this.#controller?.signal.aborted !== true;
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#goOn = resolve;
    });
  }
}
