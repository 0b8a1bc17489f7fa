// WebSocket frames on a byte stream, cut apart and read as little as a line needs: whole frames, their opcode, their payload.
//
// Made for connections without extensions, which is what the engine speaks. Fragments of a message come one by one, as they stand.

export interface WebSocketFrame {
  /** As it stood on the wire. */
  readonly bytes: Buffer;
  /** 0 of a fragment that goes on, 1 text, 2 binary, 8 and more: control. */
  readonly opcode: number;
  /** Unmasked; a copy. */
  readonly payload: Buffer;
  /** Whole in itself: neither a fragment nor followed by one. */
  readonly isWhole: boolean;
}

const HEAD_END = "\r\n\r\n";

/** Cuts what one side sends into its HTTP head and its frames. */
export class FrameCutter {
  #rest: Buffer = Buffer.alloc(0);
  #isPastHead = false;

  /** The HTTP head, once it is whole, comes as a Buffer; then frames. */
  cut(chunk: Buffer): (Buffer | WebSocketFrame)[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const found: (Buffer | WebSocketFrame)[] = [];
    if (!this.#isPastHead) {
      const end = this.#rest.indexOf(HEAD_END);
      if (end < 0) return found;
      this.#isPastHead = true;
      found.push(this.#take(end + HEAD_END.length));
    }
    for (let frame = this.#next(); frame !== null; frame = this.#next()) found.push(frame);
    return found;
  }

  #next(): WebSocketFrame | null {
    const rest = this.#rest;
    if (rest.length < 2) return null;
    const [first = 0, second = 0] = rest;
    const short = second & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const maskAt = 2 + lengthBytes;
    const start = maskAt + (second & 0x80 ? 4 : 0);
    if (rest.length < start) return null;
    const length =
      lengthBytes === 0
        ? short
        : rest.readUIntBE(maskAt - Math.min(lengthBytes, 6), Math.min(lengthBytes, 6));
    if (rest.length < start + length) return null;
    const bytes = this.#take(start + length);
    const payload = Buffer.from(bytes.subarray(start));
    if (start > maskAt) unmask(payload, bytes.subarray(maskAt, start));
    return { bytes, opcode: first & 0x0f, payload, isWhole: (first & 0x80) !== 0 && (first & 0x0f) !== 0 };
  }

  #take(bytes: number): Buffer {
    const taken = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(bytes);
    return taken;
  }
}

function unmask(payload: Buffer, mask: Buffer): void {
  for (let at = 0; at < payload.length; at++) payload[at] = (payload[at] ?? 0) ^ (mask[at & 3] ?? 0);
}

/** A whole frame with `payload`. `isMasked`, as clients' frames are, with a mask of zeros. */
export function frameOf(opcode: number, payload: Buffer, isMasked: boolean): Buffer {
  const mask = isMasked ? 0x80 : 0;
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = mask | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeUIntBE(length, 4, 6);
  return Buffer.concat([head, Buffer.alloc(isMasked ? 4 : 0), payload]);
}
