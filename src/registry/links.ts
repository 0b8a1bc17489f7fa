// Doubly linked lists through the rows of a table: any number of lists, each row in at most one of them, in the order of entry.
//
// The rows are numbers from 1; what a list is the owner of the table decides (a connection, a type). Removing a row costs the same wherever it stands.

export class Links {
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #count: Int32Array;
  readonly #previous: Int32Array;
  readonly #next: Int32Array;

  /** `lists`: the highest number of a list. `rows`: the highest row. */
  constructor(lists: number, rows: number) {
    this.#first = new Int32Array(lists + 1);
    this.#last = new Int32Array(lists + 1);
    this.#count = new Int32Array(lists + 1);
    this.#previous = new Int32Array(rows + 1);
    this.#next = new Int32Array(rows + 1);
  }

  /** The oldest row of a list, or 0. */
  first(list: number): number {
    return this.#first[list]!;
  }

  /** The youngest row of a list, or 0. */
  last(list: number): number {
    return this.#last[list]!;
  }

  /** The row behind another one, or 0. */
  next(row: number): number {
    return this.#next[row]!;
  }

  count(list: number): number {
    return this.#count[list]!;
  }

  /** The rows of a list as they are now, oldest first: safe to walk while rows come and go. */
  rows(list: number): number[] {
    const rows: number[] = [];
    for (let row = this.#first[list]!; row !== 0; row = this.#next[row]!) rows.push(row);
    return rows;
  }

  append(list: number, row: number): void {
    const last = this.#last[list]!;
    this.#previous[row] = last;
    this.#next[row] = 0;
    if (last === 0) this.#first[list] = row;
    else this.#next[last] = row;
    this.#last[list] = row;
    this.#count[list]!++;
  }

  /** Takes a row out of the list it stands in. */
  remove(list: number, row: number): void {
    const previous = this.#previous[row]!;
    const next = this.#next[row]!;
    if (previous === 0) this.#first[list] = next;
    else this.#next[previous] = next;
    if (next === 0) this.#last[list] = previous;
    else this.#previous[next] = previous;
    this.#count[list]!--;
  }
}
