// The owners of one shared function, and which of them gets the next call.

import type { Share } from "./share.js";

export class SharedOwners {
  /** Connection indexes, in no order. */
  readonly owners: number[] = [];
  readonly share: Share;
  #next = 0;

  constructor(share: Share) {
    this.share = share;
  }

  add(connection: number): void {
    if (!this.owners.includes(connection)) this.owners.push(connection);
  }

  remove(connection: number): void {
    const at = this.owners.indexOf(connection);
    if (at === -1) return;
    const last = this.owners.pop();
    if (at < this.owners.length && last !== undefined) this.owners[at] = last;
  }

  /** The next owner that can take a call, in turn; 0 = none. */
  roundRobin(canTake: (connection: number) => boolean): number {
    const { owners } = this;
    for (let step = 0; step < owners.length; step++) {
      const owner = owners[this.#turn()]!;
      if (canTake(owner)) return owner;
    }
    return 0;
  }

  /** The owner with the fewest calls open that can take one, in turn on a tie; 0 = none. An idle owner ends the search. */
  leastOutstanding(
    executing: (connection: number) => number,
    canTake: (connection: number) => boolean,
  ): number {
    const { owners } = this;
    let best = 0;
    let bestOpen = Number.MAX_SAFE_INTEGER;
    const start = this.#turn();
    for (let step = 0; step < owners.length; step++) {
      const owner = owners[(start + step) % owners.length]!;
      const open = executing(owner);
      if (open >= bestOpen || !canTake(owner)) continue;
      best = owner;
      bestOpen = open;
      if (open === 0) break;
    }
    return best;
  }

  /** The owner that `hash` belongs to: the highest of hash × owner wins, so that few keys move when an owner comes or goes. */
  byHash(hash: number, canTake: (connection: number) => boolean): number {
    let best = 0;
    let bestWeight = -1;
    for (const owner of this.owners) {
      const weight = mix(hash ^ Math.imul(owner, 0x9e3779b1));
      if (weight > bestWeight && canTake(owner)) {
        best = owner;
        bestWeight = weight;
      }
    }
    return best;
  }

  #turn(): number {
    this.#next = this.#next + 1 >= this.owners.length ? 0 : this.#next + 1;
    return this.#next;
  }
}

/** Thomas Wang's 32-bit mix, as an unsigned number. */
function mix(value: number): number {
  value = value ^ 61 ^ (value >>> 16);
  value = Math.imul(value, 9);
  value ^= value >>> 4;
  value = Math.imul(value, 0x27d4eb2d);
  return (value ^ (value >>> 15)) >>> 0;
}
