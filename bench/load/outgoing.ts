// One role's way out: batches of prefilled records, handed to the socket once per turn.
//
// A batch that the kernel did not take whole belongs to the socket until it is written; the next one comes from the
// spares. So a buffer is never changed while it is read.

import type { Socket } from "node:net";
import { Batch, type Shape } from "./batch.js";

export class Outgoing {
  batch: Batch;
  readonly #socket: Socket;
  readonly #shape: Shape;
  readonly #spare: Batch[] = [];

  constructor(socket: Socket, shape: Shape) {
    this.#socket = socket;
    this.#shape = shape;
    this.batch = new Batch(shape);
  }

  /** Where the next record begins in `batch.bytes`; the caller patches it in place. */
  next(): number {
    if (this.batch.count === this.batch.capacity) this.flush();
    return this.batch.starts[this.batch.count++]!;
  }

  flush(): void {
    const batch = this.batch;
    if (batch.count === 0) return;
    batch.writes++;
    this.#socket.write(batch.finish(), () => this.#release(batch));
    if (this.#socket.writableLength === 0) {
      batch.reset();
    } else {
      batch.busy = true;
      this.batch = this.#spare.pop() ?? new Batch(this.#shape);
    }
  }

  #release(batch: Batch): void {
    if (--batch.writes > 0 || !batch.busy) return; // an earlier write was taken whole, a later one may not be
    batch.busy = false;
    batch.reset();
    this.#spare.push(batch);
  }
}
