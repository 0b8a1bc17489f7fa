// Incoming bytes of one connection: WebSocket frames of a server, cut into records, without copying payloads.
//
// A record is handed on when its last byte has arrived. Only its head is kept when it arrives in pieces: ids and
// stamps stand near the front, and the rest of a 64 KiB payload need not be gathered to be counted.

/** Ids and stamps are found within this many bytes from the start of a record, on every wire. */
export const HEAD_BYTES = 640;

const Opcode = { Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;

export interface Sink {
  /** Bytes of the record at `at`, of which at least `min(HEAD_BYTES, frameLeft)` are there. */
  recordBytes(bytes: Buffer, at: number, frameLeft: number): number;
  /** True for a record that must be there whole, not just its head. */
  wanted(bytes: Buffer, at: number): boolean;
  /** One record. `bytes` is only valid during the call. */
  record(bytes: Buffer, view: DataView, at: number, length: number): void;
  ping(body: Buffer): void;
}

export class Reader {
  readonly #sink: Sink;
  #frameLeft = 0;
  #opcode: number = Opcode.Binary;
  #recordLeft = 0;
  #recordBytes = 0;
  #held: Buffer = Buffer.alloc(HEAD_BYTES);
  #heldView = viewOf(this.#held);
  #heldBytes = 0;
  #heldWanted = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Reads `[from, to)` and returns where the unread rest begins: less than a head. */
  feed(bytes: Buffer, view: DataView, from: number, to: number): number {
    let at = from;
    for (;;) {
      if (this.#recordLeft > 0) {
        at = this.#continue(bytes, at, to);
        if (this.#recordLeft > 0) return at;
      } else if (this.#frameLeft === 0) {
        const next = this.#header(bytes, at, to);
        if (next === at) return at;
        at = next;
      } else {
        const next = this.#record(bytes, view, at, to);
        if (next === at) return at;
        at = next;
      }
    }
  }

  #header(bytes: Buffer, at: number, to: number): number {
    if (to - at < 2) return at;
    const short = bytes[at + 1]! & 127;
    const headerBytes = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (to - at < headerBytes) return at;
    this.#opcode = bytes[at]! & 15;
    if (this.#opcode === Opcode.Close) throw new Error("the router closed the connection");
    this.#frameLeft =
      short < 126
        ? short
        : short === 126
          ? bytes.readUInt16BE(at + 2)
          : Number(bytes.readBigUInt64BE(at + 2));
    return at + headerBytes;
  }

  #record(bytes: Buffer, view: DataView, at: number, to: number): number {
    const there = Math.min(to - at, this.#frameLeft);
    if (there < HEAD_BYTES && there < this.#frameLeft) return at;
    if (this.#opcode > Opcode.Binary) return this.#controlFrame(bytes, at);
    const length = this.#sink.recordBytes(bytes, at, this.#frameLeft);
    if (length > there) return this.#hold(bytes, at, there, length);
    this.#frameLeft -= length;
    this.#sink.record(bytes, view, at, length);
    return at + length;
  }

  #controlFrame(bytes: Buffer, at: number): number {
    const end = at + this.#frameLeft;
    if (this.#opcode === Opcode.Ping) this.#sink.ping(bytes.subarray(at, end));
    this.#frameLeft = 0;
    return end;
  }

  #hold(bytes: Buffer, at: number, there: number, length: number): number {
    this.#heldWanted = this.#sink.wanted(bytes, at) ? length : Math.min(length, HEAD_BYTES);
    if (this.#heldWanted > this.#held.length) {
      this.#held = Buffer.alloc(this.#heldWanted);
      this.#heldView = viewOf(this.#held);
    }
    this.#heldBytes = bytes.copy(this.#held, 0, at, at + Math.min(there, this.#heldWanted));
    this.#recordBytes = length;
    this.#recordLeft = length - there;
    this.#frameLeft -= there;
    return at + there;
  }

  #continue(bytes: Buffer, at: number, to: number): number {
    const there = Math.min(to - at, this.#recordLeft);
    const missing = Math.min(there, this.#heldWanted - this.#heldBytes);
    if (missing > 0) this.#heldBytes += bytes.copy(this.#held, this.#heldBytes, at, at + missing);
    this.#recordLeft -= there;
    this.#frameLeft -= there;
    if (this.#recordLeft === 0) this.#sink.record(this.#held, this.#heldView, 0, this.#recordBytes);
    return at + there;
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
