// What TLS sockets say is handled at the end of the turn, outside of uWebSockets' handler.
//
// While a TLS socket is being read, a write to any other one makes uWebSockets forget the input that it has not decrypted yet
// (us_internal_ssl_socket_write clears it), and the next record cannot be decrypted: the connection dies. It takes a read of 512 KiB or more, so only busy connections
// die. It happens by itself, too, and we cannot help it, when uWebSockets still holds bytes for the very socket that is read (it tries to send them after each read): the
// README says so. Therefore every frame of a TLS socket is copied, once, and handled when nothing is being read. Bounded by what one turn reads: 512 KiB of each socket.

interface LaterFrame {
  take: (frame: Uint8Array, isText: boolean) => void;
  frame: Uint8Array;
  isText: boolean;
}

export class Later {
  #frames: LaterFrame[] = [];
  #next = 0;
  #isScheduled = false;

  /** `take` gets a copy of `frame` when the turn ends, in the order of the calls. */
  add(take: LaterFrame["take"], frame: Uint8Array, isText: boolean): void {
    this.#frames.push({ take, frame: frame.slice(), isText });
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#endTurn);
  }

  /** Handles what waits, now: a socket closes, and what it said comes before that. May be called from within itself. */
  flush(): void {
    for (;;) {
      const next = this.#frames[this.#next];
      if (next === undefined) break;
      this.#next++;
      next.take(next.frame, next.isText);
    }
    this.#frames = [];
    this.#next = 0;
  }

  readonly #endTurn = (): void => {
    this.#isScheduled = false;
    this.flush();
  };
}
