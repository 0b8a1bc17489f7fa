// The keys of maps, which come again and again: their bytes are looked up instead of decoded.
//
// A direct-mapped table by length and outer bytes; a collision replaces the entry. Only short keys come
// here, so the table stays below 100 kB whatever peers send.

import { utf8 } from "./bytes.js";

const ENTRIES = 1024;

interface Entry {
  bytes: Uint8Array;
  text: string;
}

export class KeyCache {
  readonly #entries: (Entry | undefined)[] = new Array<Entry | undefined>(ENTRIES).fill(undefined);

  /** The text of `length` bytes from `start`; 1 to 31 of them. */
  text(bytes: Uint8Array, start: number, length: number): string {
    const first = bytes[start]!;
    const last = bytes[start + length - 1]!;
    const index = (length * 131 + first * 31 + last * 7) & (ENTRIES - 1);
    const entry = this.#entries[index];
    if (entry !== undefined && same(entry.bytes, bytes, start, length)) return entry.text;
    return this.#remember(index, bytes, start, length);
  }

  #remember(index: number, bytes: Uint8Array, start: number, length: number): string {
    const own = new Uint8Array(length);
    own.set(bytes.subarray(start, start + length));
    const text = utf8.read(bytes, start, start + length);
    this.#entries[index] = { bytes: own, text };
    return text;
  }
}

function same(entry: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (entry.length !== length) return false;
  for (let index = 0; index < length; index++) if (entry[index] !== bytes[start + index]) return false;
  return true;
}
