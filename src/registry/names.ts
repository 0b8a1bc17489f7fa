// Names become numbers here: (namespace, id), as bytes, to an index, without making a string of them.
//
// A hash table with linear probing over the indexes of functions; the names themselves lie in a ByteStore as `namespace NUL id`. Removal shifts
// back what probed past the gap, so there are no tombstones and a long life does not slow it down.

import { ByteStore } from "./byte-store.js";

export const DEFAULT_NAMESPACE = "default";

const FNV_OFFSET = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

/** FNV-1a over bytes, begun with `hash`. */
function hashBytes(hash: number, bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME);
  return hash;
}

/** The namespace half of a name, hashed once. */
export interface NamespaceKey {
  readonly name: string;
  /** UTF-8 of the name and a NUL. */
  readonly bytes: Uint8Array;
  readonly hash: number;
}

export function namespaceKey(name: string): NamespaceKey {
  const bytes = new TextEncoder().encode(name + "\0");
  return { name, bytes, hash: hashBytes(FNV_OFFSET, bytes, 0, bytes.length) };
}

export const DEFAULT_KEY = namespaceKey(DEFAULT_NAMESPACE);

export class Names {
  #store = new ByteStore();
  readonly #at: Int32Array;
  readonly #length: Int32Array;
  readonly #namespaceLength: Int32Array;
  readonly #hash: Int32Array;
  #table = new Int32Array(1_024);
  #count = 0;
  /** Bytes of all names. */
  bytes = 0;

  /** `capacity`: the highest index a name can stand for. */
  constructor(capacity: number) {
    this.#at = new Int32Array(capacity + 1);
    this.#length = new Int32Array(capacity + 1);
    this.#namespaceLength = new Int32Array(capacity + 1);
    this.#hash = new Int32Array(capacity + 1);
  }

  get count(): number {
    return this.#count;
  }

  /** The index of `bytes[start, end)` in a namespace, or 0. */
  find(namespace: NamespaceKey, bytes: Uint8Array, start: number, end: number): number {
    const hash = hashBytes(namespace.hash, bytes, start, end);
    const mask = this.#table.length - 1;
    for (let probe = spread(hash) & mask; ; probe = (probe + 1) & mask) {
      const index = this.#table[probe]!;
      if (index === 0) return 0;
      if (this.#hash[index] === hash && this.#isName(index, namespace, bytes, start, end)) return index;
    }
  }

  /** Enters a name that {@link find} did not find. */
  add(index: number, namespace: NamespaceKey, bytes: Uint8Array, start: number, end: number): void {
    const prefix = namespace.bytes;
    const length = prefix.length + end - start;
    const at = this.#store.reserve(length);
    this.bytes += length;
    const stored = this.#store.bytes;
    let to = at; // byte by byte: both halves are short, and a native call costs more than they do
    for (let from = 0; from < prefix.length; from++) stored[to++] = prefix[from]!;
    for (let from = start; from < end; from++) stored[to++] = bytes[from]!;
    this.#at[index] = at;
    this.#length[index] = length;
    this.#namespaceLength[index] = prefix.length - 1;
    this.#hash[index] = hashBytes(namespace.hash, bytes, start, end);
    this.#count++;
    if (this.#count * 2 > this.#table.length) this.#rehash(this.#table.length * 2);
    this.#enter(index);
  }

  remove(index: number): void {
    const mask = this.#table.length - 1;
    let gap = spread(this.#hash[index]!) & mask;
    while (this.#table[gap] !== index) gap = (gap + 1) & mask;
    this.#close(gap);
    this.#store.remove(this.#length[index]!);
    this.bytes -= this.#length[index]!;
    this.#length[index] = 0;
    this.#count--;
    if (this.#store.shouldCompact) this.#compact();
  }

  /** Bytes of an id. */
  idLength(index: number): number {
    return this.#length[index]! - this.#namespaceLength[index]! - 1;
  }

  /** Is `bytes[start, end)` the id of this index? */
  isId(index: number, bytes: Uint8Array, start: number, end: number): boolean {
    const at = this.#at[index]! + this.#namespaceLength[index]! + 1;
    if (end - start !== this.idLength(index)) return false;
    for (let from = start, to = at; from < end; from++, to++)
      if (this.#store.bytes[to] !== bytes[from]) return false;
    return true;
  }

  /** Does the id of this index begin with these bytes? */
  startsWith(index: number, head: Uint8Array): boolean {
    if (head.length > this.idLength(index)) return false;
    const at = this.#at[index]! + this.#namespaceLength[index]! + 1;
    for (let from = 0; from < head.length; from++)
      if (this.#store.bytes[at + from] !== head[from]) return false;
    return true;
  }

  id(index: number): string {
    const at = this.#at[index]! + this.#namespaceLength[index]! + 1;
    return this.#text(at, this.#at[index]! + this.#length[index]!);
  }

  namespace(index: number): string {
    return this.#text(this.#at[index]!, this.#at[index]! + this.#namespaceLength[index]!);
  }

  /** The bytes of an id, for writing it into a frame; valid until the next name is added or removed. */
  idBytes(index: number): Uint8Array {
    const at = this.#at[index]!;
    return this.#store.bytes.subarray(at + this.#namespaceLength[index]! + 1, at + this.#length[index]!);
  }

  #text(start: number, end: number): string {
    return Buffer.from(this.#store.bytes.buffer, start, end - start).toString("utf8");
  }

  #isName(index: number, namespace: NamespaceKey, bytes: Uint8Array, start: number, end: number): boolean {
    const prefix = namespace.bytes;
    if (this.#length[index] !== prefix.length + end - start) return false;
    if (this.#namespaceLength[index] !== prefix.length - 1) return false; // both halves may hold a NUL of their own
    const stored = this.#store.bytes;
    let at = this.#at[index]!;
    for (let from = 0; from < prefix.length; from++, at++) if (stored[at] !== prefix[from]) return false;
    for (let from = start; from < end; from++, at++) if (stored[at] !== bytes[from]) return false;
    return true;
  }

  #enter(index: number): void {
    const mask = this.#table.length - 1;
    let probe = spread(this.#hash[index]!) & mask;
    while (this.#table[probe] !== 0) probe = (probe + 1) & mask;
    this.#table[probe] = index;
  }

  /** Fills the gap with whatever probed past it, so that no search stops early. */
  #close(gap: number): void {
    const table = this.#table;
    const mask = table.length - 1;
    for (let probe = (gap + 1) & mask; table[probe] !== 0; probe = (probe + 1) & mask) {
      const home = spread(this.#hash[table[probe]!]!) & mask;
      if (((probe - home) & mask) < ((probe - gap) & mask)) continue;
      table[gap] = table[probe]!;
      gap = probe;
    }
    table[gap] = 0;
  }

  #rehash(size: number): void {
    const old = this.#table;
    this.#table = new Int32Array(size);
    for (const index of old) if (index !== 0) this.#enter(index);
  }

  #compact(): void {
    const store = new ByteStore(this.#store.length);
    for (const index of this.#table) {
      if (index === 0) continue;
      const at = this.#at[index]!;
      this.#at[index] = store.add(this.#store.bytes, at, at + this.#length[index]!);
    }
    this.#store = store;
  }
}

/** FNV's low bits are its weak ones: mix the high ones in. */
function spread(hash: number): number {
  return hash ^ (hash >>> 15);
}
