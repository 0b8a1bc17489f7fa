// Names that many rows share, kept once and counted: (namespace, id) to an index for as long as somebody uses it.
//
// Triggers name functions, types and namespaces that need not exist; a row of the table holds the number, the name lies here.

import { CodedError, ErrorCode } from "../protocol/error.js";
import { Names, type NamespaceKey, namespaceKey } from "./names.js";
import { Slots } from "./slots.js";

/** For names without a namespace. */
export const BARE = namespaceKey("");

export class Interned {
  readonly names: Names;
  readonly #slots: Slots<"name">;
  readonly #uses: Int32Array;

  /** `capacity`: how many different names there can be at once. */
  constructor(capacity: number) {
    this.names = new Names(capacity);
    this.#slots = new Slots<"name">(capacity, "wrap");
    this.#uses = new Int32Array(capacity + 1);
  }

  get count(): number {
    return this.#slots.open;
  }

  /** The index of a name that is in use, or 0. */
  find(namespace: NamespaceKey, id: string): number {
    const bytes = Buffer.from(id, "utf8");
    return this.names.find(namespace, bytes, 0, bytes.length);
  }

  /** The index of a name, which is used once more from here on. Throws CodedError `limit_reached`. */
  enter(namespace: NamespaceKey, id: string): number {
    const bytes = Buffer.from(id, "utf8");
    const index = this.names.find(namespace, bytes, 0, bytes.length) || this.#add(namespace, bytes);
    this.#uses[index]!++;
    return index;
  }

  /** One use less; the last one frees the name. */
  leave(index: number): void {
    if (--this.#uses[index]! > 0) return;
    this.names.remove(index);
    this.#slots.free(index);
  }

  id(index: number): string {
    return this.names.id(index);
  }

  namespace(index: number): string {
    return this.names.namespace(index);
  }

  #add(namespace: NamespaceKey, bytes: Uint8Array): number {
    const index = this.#slots.indexOf(this.#slots.take());
    if (index === 0)
      throw new CodedError(
        ErrorCode.LimitReached,
        `The engine holds ${this.#slots.capacity} different names already`,
      );
    this.names.add(index, namespace, bytes, 0, bytes.length);
    return index;
  }
}
