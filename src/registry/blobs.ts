// One byte string per slot of a table: configurations, metadata, cards. Many small ones in one buffer, without an object for each.

import { ByteStore } from "./byte-store.js";

export class Blobs {
  readonly #at: Int32Array;
  readonly #length: Int32Array;
  #store = new ByteStore();
  #end = 0;

  /** `capacity`: the highest slot. */
  constructor(capacity: number) {
    this.#at = new Int32Array(capacity + 1);
    this.#length = new Int32Array(capacity + 1);
  }

  /** Bytes of a slot's string; 0 when it has none. */
  length(slot: number): number {
    return this.#length[slot]!;
  }

  /** Stores a slot's string in place of the one before; an empty one stores nothing. */
  set(slot: number, bytes: Uint8Array): void {
    this.delete(slot);
    if (bytes.length === 0) return;
    this.#at[slot] = this.#store.add(bytes, 0, bytes.length);
    this.#length[slot] = bytes.length;
    if (slot > this.#end) this.#end = slot;
  }

  delete(slot: number): void {
    this.#store.remove(this.#length[slot]!);
    this.#length[slot] = 0;
    if (this.#store.shouldCompact) this.#compact();
  }

  /** A view of a slot's string: valid until the next change of any slot. */
  bytes(slot: number): Uint8Array {
    return this.#store.bytes.subarray(this.#at[slot]!, this.#at[slot]! + this.#length[slot]!);
  }

  /** A slot's string as text; undefined when it has none. */
  text(slot: number): string | undefined {
    return this.#length[slot] === 0 ? undefined : Buffer.from(this.bytes(slot)).toString("utf8");
  }

  #compact(): void {
    const store = new ByteStore(this.#store.length);
    for (let slot = 1; slot <= this.#end; slot++) {
      if (this.#length[slot] === 0) continue;
      const at = this.#at[slot]!;
      this.#at[slot] = store.add(this.#store.bytes, at, at + this.#length[slot]!);
    }
    this.#store = store;
  }
}
