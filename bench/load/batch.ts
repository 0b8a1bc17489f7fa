// Outgoing bytes of one role: a buffer filled beforehand with many copies of one record, framed for WebSocket.
//
//   one record per frame   | header record | header record | header record | …
//   coalesced              | header record record record … | header record record … |
//
// To send is to write a few words (id, stamp) into the next copy and, once per turn, to hand the front of the buffer
// to the socket. Frames are masked, as a client's must be, with the key 0: the router unmasks all the same, and the
// generator does not pay for it.

/** Records are put together into frames up to this size, as a client library would. */
const FRAME_BYTES = 0xffff;

/** Below this a frame has a shorter header. */
const SHORT_BYTES = 126;

const Opcode = { Text: 0x81, Binary: 0x82 } as const;

export interface Shape {
  record: Buffer;
  binary: boolean;
  /** More than one record per frame. */
  coalesced: boolean;
  /** How many records the buffer holds. */
  capacity: number;
}

/** Header and masked key for a frame of `length` bytes. */
export function frameHeader(length: number, binary: boolean): Buffer {
  const first = binary ? Opcode.Binary : Opcode.Text;
  if (length < SHORT_BYTES) return Buffer.from([first, 0x80 | length, 0, 0, 0, 0]);
  if (length <= 0xffff) return Buffer.from([first, 0x80 | 126, length >> 8, length & 255, 0, 0, 0, 0]);
  const header = Buffer.alloc(14);
  header[0] = first;
  header[1] = 0x80 | 127;
  header.writeUInt32BE(length, 6);
  return header;
}

export class Batch {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly capacity: number;
  /** Where the record of each position begins. */
  readonly starts: Uint32Array;
  count = 0;
  /** Writes of this buffer whose end the socket has not told yet. */
  writes = 0;
  /** The socket still reads from this buffer: it must not change. */
  busy = false;

  readonly #recordBytes: number;
  readonly #recordsPerFrame: number;
  readonly #headerBytes: number;
  readonly #binary: boolean;

  constructor({ record, binary, coalesced, capacity }: Shape) {
    // Frames of several small records would differ in the length of their headers, and leave gaps between them.
    if (coalesced && record.length < SHORT_BYTES) {
      throw new Error(`record of ${record.length} bytes: too small to coalesce`);
    }
    this.capacity = capacity;
    this.#binary = binary;
    this.#recordBytes = record.length;
    this.#recordsPerFrame = coalesced ? Math.max(1, Math.floor(FRAME_BYTES / record.length)) : 1;
    this.#headerBytes = frameHeader(this.#recordsPerFrame * record.length, binary).length;
    this.starts = Uint32Array.from({ length: capacity }, (_, position) => this.#start(position));
    this.bytes = Buffer.alloc(this.#start(capacity - 1) + record.length);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
    for (const start of this.starts) record.copy(this.bytes, start);
    this.reset();
  }

  #start(position: number): number {
    const frame = Math.floor(position / this.#recordsPerFrame);
    return (frame + 1) * this.#headerBytes + position * this.#recordBytes;
  }

  /** What was put in so far, as whole frames. */
  finish(): Buffer {
    const last = this.count - 1;
    const inLast = (last % this.#recordsPerFrame) + 1;
    this.#writeHeader(last - inLast + 1, inLast);
    return this.bytes.subarray(0, this.starts[last]! + this.#recordBytes);
  }

  /** Empty again, with every header announcing a full frame. */
  reset(): void {
    for (let at = 0; at < this.capacity; at += this.#recordsPerFrame) {
      if (this.#recordsPerFrame === 1 && this.count > 0) break; // a frame of one is always full
      this.#writeHeader(at, this.#recordsPerFrame);
    }
    this.count = 0;
  }

  #writeHeader(firstPosition: number, records: number): void {
    const header = frameHeader(records * this.#recordBytes, this.#binary);
    header.copy(this.bytes, this.starts[firstPosition]! - header.length);
  }
}
