// What JSON callers need back with their answer, by call slot: their own invocation id, and their traceparent.
//
// 128 bytes per slot in the arena, so that they are moved and not made:
//
//   0  length of the id     1  length of the traceparent     8  id (46)     56  traceparent (64)

import { type Arena, SIDE_BYTES } from "../transport/arena.js";

const ID_AT = 8;
const TRACE_AT = 56;
/** Longer ones are no W3C traceparent of version 00 (55 characters) and are dropped, as invalid ones are. */
export const TRACEPARENT_BYTES_MAX = 64;

export class SideTable {
  readonly #arena: Arena;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  setId(slot: number, start: number, end: number): void {
    const at = this.#at(slot);
    this.#arena.bytes[at] = end - start;
    this.#arena.move(at + ID_AT, start, end - start);
  }

  setTraceparent(slot: number, start: number, end: number): void {
    const at = this.#at(slot);
    this.#arena.bytes[at + 1] = end - start;
    this.#arena.move(at + TRACE_AT, start, end - start);
  }

  idStart(slot: number): number {
    return this.#at(slot) + ID_AT;
  }

  idEnd(slot: number): number {
    const at = this.#at(slot);
    return at + ID_AT + this.#arena.bytes[at]!;
  }

  traceparentStart(slot: number): number {
    return this.#at(slot) + TRACE_AT;
  }

  traceparentEnd(slot: number): number {
    const at = this.#at(slot);
    return at + TRACE_AT + this.#arena.bytes[at + 1]!;
  }

  #at(slot: number): number {
    return this.#arena.side + slot * SIDE_BYTES;
  }
}
