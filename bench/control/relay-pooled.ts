// Control: the strongest null relay we know. Frames of one turn are copied into one pooled buffer and leave
// corked once per receiver and turn; a frame too large to gain from that leaves at once.
//
// Beside `relay-gathered.ts` it saves one ArrayBuffer a frame, which is most of the price of gathering.

import { peerOf, type Socket, serve } from "./uws-server.js";

/** One turn's bytes; when it is full the turn is flushed early. uWebSockets reads 512 KiB at most from a socket at a time. */
const POOL_BYTES = 2 << 20;
/** uWebSockets writes frames of this size straight to the kernel: copying them first only costs. */
const LARGE_BYTES = 16 << 10;

class Queue {
  offsets = new Uint32Array(256);
  lengths = new Uint32Array(256);
  count = 0;
  isBinary = true;
  readonly socket: Socket;
  readonly send: () => void;

  constructor(socket: Socket) {
    this.socket = socket;
    this.send = () => {
      for (let i = 0; i < this.count; i++) {
        const offset = this.offsets[i]!;
        socket.send(pool.subarray(offset, offset + this.lengths[i]!), this.isBinary);
      }
    };
  }

  add(offset: number, length: number): void {
    if (this.count === this.offsets.length) this.#grow();
    this.offsets[this.count] = offset;
    this.lengths[this.count++] = length;
  }

  #grow(): void {
    const { offsets, lengths } = this;
    this.offsets = new Uint32Array(2 * offsets.length);
    this.lengths = new Uint32Array(2 * lengths.length);
    this.offsets.set(offsets);
    this.lengths.set(lengths);
  }
}

const pool = new Uint8Array(POOL_BYTES);
let used = 0;
const dirty: Queue[] = [];

/** The queue hangs on the socket itself: a property load is cheaper than a map. */
type Queued = Socket & { queue?: Queue };

serve((from, frame, isBinary) => {
  const to: Queued = peerOf(from);
  const queue = to.queue ?? queueOf(to);
  if (frame.byteLength >= LARGE_BYTES) return sendLarge(queue, frame, isBinary);
  if (used + frame.byteLength > POOL_BYTES) flushAll();
  if (queue.count === 0 && dirty.push(queue) === 1) setImmediate(flushAll);
  pool.set(new Uint8Array(frame), used);
  queue.isBinary = isBinary;
  queue.add(used, frame.byteLength);
  used += frame.byteLength;
});

function queueOf(to: Queued): Queue {
  const queue = new Queue(to);
  to.queue = queue;
  return queue;
}

/** Order is kept: what waits for this receiver leaves before the large frame. */
function sendLarge(queue: Queue, frame: ArrayBuffer, isBinary: boolean): void {
  if (queue.count > 0) flush(queue);
  queue.socket.send(frame, isBinary);
}

function flushAll(): void {
  for (const queue of dirty) flush(queue);
  dirty.length = 0;
  used = 0;
}

function flush(queue: Queue): void {
  if (queue.count === 1) queue.send();
  else if (queue.count > 1) queue.socket.cork(queue.send);
  queue.count = 0;
}
