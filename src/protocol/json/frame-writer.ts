// Writes the engine's own JSON envelopes into the arena, around values that are moved there as they came.
//
// Fixed pieces of text are placed in the arena once and moved from there: a move inside one memory needs no view and no string.

import { writeHex32 } from "./uuid.js";

/** The memory frames are written to, as far as this file needs it. */
export interface FrameMemory {
  readonly bytes: Uint8Array;
  readonly move: (to: number, from: number, length: number) => void;
  /** Keeps `bytes` for ever and returns where. */
  keep(bytes: Uint8Array): number;
}

/** A fixed piece of text in the arena. */
export interface Piece {
  readonly at: number;
  readonly length: number;
}

export class FrameWriter {
  readonly #memory: FrameMemory;
  /** Where the next byte goes. */
  at = 0;

  constructor(memory: FrameMemory) {
    this.#memory = memory;
  }

  piece(text: string): Piece {
    const bytes = Buffer.from(text, "utf8");
    return { at: this.#memory.keep(bytes), length: bytes.length };
  }

  fixed(piece: Piece): void {
    this.#memory.move(this.at, piece.at, piece.length);
    this.at += piece.length;
  }

  /** Bytes of the arena, `[start, end)`. */
  span(start: number, end: number): void {
    this.#memory.move(this.at, start, end - start);
    this.at += end - start;
  }

  /** Bytes from elsewhere. */
  bytes(source: Uint8Array): void {
    this.#memory.bytes.set(source, this.at);
    this.at += source.length;
  }

  byte(value: number): void {
    this.#memory.bytes[this.at++] = value;
  }

  hex32(value: number): void {
    writeHex32(this.#memory.bytes, this.at, value);
    this.at += 8;
  }
}
