// One WebSocket connection to the engine: frames in and out.
//
// Records are written into the outgoing buffer and leave at the end of the turn, so that everything a turn
// brings forth shares one frame. It knows nothing of functions and calls; those are the session's.

import { RecordError } from "./errors.js";
import { SUBPROTOCOL } from "./kind.js";
import { CLOSE_HANDSHAKE_MS_MAX, FRAME_BYTES_ENOUGH } from "./limits.js";
import { RecordReader, type RecordReceiver } from "./record-reader.js";
import { RecordWriter } from "./record-writer.js";
import { afterTurn, type OpenSocket, type Socket, type SocketOptions } from "./socket.js";

/** Who is told. `onClosed` comes once, last. */
export interface ConnectionEvents extends RecordReceiver {
  onOpen(): void;
  /** The turn is over and a frame is about to leave: the last chance to add to it. */
  onFlush(): void;
  onClosed(code: number, reason: string): void;
}

const PROTOCOL_ERROR = 1002;

export class Connection {
  readonly writer = new RecordWriter();
  /** When the frame that is being read came, in epoch milliseconds. */
  receivedAtMs = 0;
  #state: "opening" | "open" | "closing" | "closed" = "opening";
  #flushing = false;
  readonly #events: ConnectionEvents;
  readonly #reader: RecordReader;
  readonly #socket: Socket;
  readonly #flushLater = (): void => this.flush();
  #closeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(openSocket: OpenSocket, url: string, options: SocketOptions, events: ConnectionEvents) {
    this.#events = events;
    this.#reader = new RecordReader(events);
    this.#socket = openSocket(
      url,
      SUBPROTOCOL,
      {
        onOpen: () => this.#opened(),
        onFrame: (frame) => this.#read(frame),
        onText: () => this.#broken(new RecordError("A text message")),
        onClosed: (code, reason) => this.#closed(code, reason),
      },
      options,
    );
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Call it after writing records: they leave at the end of the turn, or now when they are many. */
  written(): void {
    const { start, position } = this.writer.out;
    if (position - start >= FRAME_BYTES_ENOUGH) this.flush();
    else if (!this.#flushing) {
      this.#flushing = true;
      afterTurn(this.#flushLater);
    }
  }

  /** Sends what was written, as one frame, or as few as the engine's frame limit allows. */
  flush(): void {
    this.#flushing = false;
    if (this.#state !== "open") return;
    this.#events.onFlush();
    for (const frame of this.writer.out.take()) this.#socket.send(frame);
  }

  /** The polite end. `onClosed` follows, at the latest when the other side has had its time to answer. */
  close(code: number, reason: string): void {
    if (this.#state === "closed") return;
    this.flush();
    this.#state = "closing";
    this.#socket.close(code, reason);
    this.#closeTimer = setTimeout(() => this.#socket.terminate(), CLOSE_HANDSHAKE_MS_MAX);
  }

  /** The end at once. */
  terminate(): void {
    this.#socket.terminate();
  }

  #opened(): void {
    this.#state = "open";
    this.#events.onOpen();
    this.flush();
  }

  #read(frame: Uint8Array): void {
    this.receivedAtMs = Date.now();
    try {
      this.#reader.read(frame);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.#broken(error);
    }
  }

  #broken(error: RecordError): void {
    this.close(PROTOCOL_ERROR, error.message);
  }

  #closed(code: number, reason: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearTimeout(this.#closeTimer);
    this.#events.onClosed(code, reason);
  }
}
