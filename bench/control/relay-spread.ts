// Control: the null relay for uneven pairs. A caller's frames go to the workers in turn; a worker's frame goes to
// the caller whose frame it got first (workers of the bench answer in order). Still no look inside.

import { type Socket, serve } from "./uws-server.js";

/** A ring of callers whose frames a worker has and has not answered yet. */
class Asked {
  #callers: (Socket | undefined)[] = new Array(64).fill(undefined);
  #head = 0;
  #count = 0;

  push(caller: Socket): void {
    if (this.#count === this.#callers.length) this.#grow();
    this.#callers[(this.#head + this.#count++) % this.#callers.length] = caller;
  }

  shift(): Socket {
    const caller = this.#callers[this.#head];
    if (this.#count === 0 || caller === undefined) throw new Error("a worker answered what nobody asked");
    this.#head = (this.#head + 1) % this.#callers.length;
    this.#count--;
    return caller;
  }

  #grow(): void {
    const inOrder = [...this.#callers.slice(this.#head), ...this.#callers.slice(0, this.#head)];
    this.#callers = inOrder.concat(new Array(inOrder.length).fill(undefined));
    this.#head = 0;
  }
}

type Worker = Socket & { asked: Asked };

const workers: Worker[] = [];
let turn = 0;

serve(
  (from, frame, isBinary) => {
    if (from.getUserData().role === "caller") {
      const worker = workers[turn++ % workers.length];
      if (worker === undefined) throw new Error("a caller sent before a worker was there");
      worker.asked.push(from);
      worker.send(frame, isBinary);
      return;
    }
    // A socket of role worker got its ring when it opened.
    (from as Worker).asked.shift().send(frame, isBinary);
  },
  {
    opened: (socket) => {
      if (socket.getUserData().role === "worker") workers.push(Object.assign(socket, { asked: new Asked() }));
    },
  },
);
