// Frames that wait: of a connection whose access is being decided, or whose registration is being looked at by somebody else.
//
// They are handled later in the order in which they came, as if they had come then. Bounded in bytes per connection; whoever sends more
// meanwhile is closed.

import { CloseCode } from "../protocol/error.js";
import type { CloseCodeValue, Connection } from "./connection.js";

export interface WaitingFrame {
  frame: Uint8Array;
  isText: boolean;
}

interface Queue {
  frames: WaitingFrame[];
  /** Position of the oldest frame: taking one must not cost what waits behind it. */
  next: number;
  bytes: number;
}

export interface WaitingOptions {
  /** Bytes that may wait for an admitted connection. */
  bytesMax: number;
  /** Bytes that may wait for one that has not been let in yet. */
  unadmittedBytesMax: number;
  deliver: (connection: Connection, frame: Uint8Array, isText: boolean) => void;
  end: (connection: Connection, code: CloseCodeValue, reason: string) => void;
}

export class Waiting {
  readonly #options: WaitingOptions;
  readonly #queues = new Map<number, Queue>();
  /** Bytes of all frames that wait. */
  bytes = 0;

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  /** How many connections have frames waiting. */
  get count(): number {
    return this.#queues.size;
  }

  /** Adds a frame at the end; `frame` may be reused at once. What an ending connection sends is dropped. */
  hold(connection: Connection, frame: Uint8Array, isText: boolean): void {
    if (connection.isEnding) return;
    const queue = this.#queueOf(connection);
    if (this.#overflows(connection, queue, frame.length)) return;
    queue.frames.push({ frame: frame.slice(), isText });
  }

  /** Puts frames before those that wait already: they came earlier. The arrays are kept. */
  holdFirst(connection: Connection, frames: readonly Uint8Array[], isText: boolean): void {
    if (connection.isEnding || frames.length === 0) return;
    const queue = this.#queueOf(connection);
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    if (this.#overflows(connection, queue, bytes)) return;
    const rest = queue.frames.slice(queue.next);
    queue.frames = [...frames.map((frame) => ({ frame, isText })), ...rest];
    queue.next = 0;
  }

  /** Handles what waits, until it is all handled or the connection waits again. */
  resume(connection: Connection): void {
    connection.resume();
    const queue = this.#queues.get(connection.index);
    if (queue === undefined) return;
    while (connection.isReading) {
      const next = queue.frames[queue.next++];
      if (next === undefined) break;
      queue.bytes -= next.frame.length;
      this.bytes -= next.frame.length;
      this.#options.deliver(connection, next.frame, next.isText);
    }
    if (queue.next >= queue.frames.length) this.drop(connection);
  }

  /** The connection is gone. */
  drop(connection: Connection): void {
    this.bytes -= this.#queues.get(connection.index)?.bytes ?? 0;
    this.#queues.delete(connection.index);
  }

  #queueOf(connection: Connection): Queue {
    const known = this.#queues.get(connection.index);
    if (known !== undefined) return known;
    const queue: Queue = { frames: [], next: 0, bytes: 0 };
    this.#queues.set(connection.index, queue);
    return queue;
  }

  #overflows(connection: Connection, queue: Queue, bytes: number): boolean {
    const { bytesMax, unadmittedBytesMax } = this.#options;
    const max = connection.isAdmitted ? bytesMax : unadmittedBytesMax;
    queue.bytes += bytes;
    this.bytes += bytes;
    if (queue.bytes <= max) return false;
    this.drop(connection);
    this.#options.end(connection, CloseCode.HeldTooMuch, `more than ${max} bytes while earlier frames wait`);
    return true;
  }
}
