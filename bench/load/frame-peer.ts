// A connection whose frames are handed on one by one, whatever is in them.

import type { Connection } from "./connection.js";
import { Reader, type Sink } from "./reader.js";

export class FramePeer implements Sink {
  readonly connection: Connection;
  /** `length` is the frame's; when it came in pieces only its head is in `bytes`, unless whole frames were asked for. */
  onFrame: (bytes: Buffer, view: DataView, at: number, length: number) => void = () => {};
  readonly #keepsWhole: boolean;

  constructor(connection: Connection, keepsWhole = false) {
    this.connection = connection;
    this.#keepsWhole = keepsWhole;
    const reader = new Reader(this);
    connection.feed = (bytes, view, from, to) => reader.feed(bytes, view, from, to);
  }

  recordBytes(_bytes: Buffer, _at: number, frameLeft: number): number {
    return frameLeft;
  }

  wanted(): boolean {
    return this.#keepsWhole;
  }

  record(bytes: Buffer, view: DataView, at: number, length: number): void {
    this.onFrame(bytes, view, at, length);
  }

  ping(body: Buffer): void {
    this.connection.pong(body);
  }

  /** The next frame for which `pick` gives something; everything else is passed over. */
  next<Found>(pick: (frame: Buffer) => Found | undefined): Promise<Found> {
    return new Promise((resolve) => {
      this.onFrame = (bytes, _view, at, length) => {
        const found = pick(bytes.subarray(at, at + length));
        if (found === undefined) return;
        this.onFrame = () => {};
        resolve(found);
      };
    });
  }
}
