// One direction of one connection over a line: takes what a side sends, does to it what the line's faults say, and hands it on in order, each piece in its time.
import type { Socket } from "node:net";
import { type Direction, type Line, splitBytes } from "./line.js";
import { FrameCutter, frameOf, type WebSocketFrame } from "./web-socket-frames.js";

export interface PipeParts {
  readonly line: Line;
  readonly connection: number;
  readonly direction: Direction;
  readonly from: Socket;
  readonly to: Socket;
  /** Cuts the whole connection. */
  cut(): void;
}

interface Piece {
  readonly bytes: Buffer;
  readonly atMs: number;
}

/** Beyond this many bytes on the way the sender is not read: its own buffers fill, as on a real line. */
const HELD_BYTES_MAX = 1 << 20;
/** How long a message that is to be overtaken waits for another. */
const OVERTAKE_MS = 20;

export class Pipe {
  readonly #parts: PipeParts;
  readonly #cutter = new FrameCutter();
  #queue: Piece[] = [];
  #queuedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #isGreeted = false;
  #hasEnded = false;
  #isClosing = false;
  #overtaken: WebSocketFrame | null = null;

  constructor(parts: PipeParts) {
    this.#parts = parts;
    const { from, to, line } = parts;
    const isMessages = line.options.messages === true;
    from.on("data", (chunk: Buffer) => (isMessages ? this.#takeMessages(chunk) : this.#takeBytes(chunk)));
    to.on("drain", () => this.pump());
    from.on("close", () => {
      this.#isClosing = true;
      this.#releaseOvertaken();
      this.pump();
    });
  }

  /** Nothing more passes. */
  end(): void {
    this.#hasEnded = true;
    this.#queue = [];
    clearTimeout(this.#timer);
  }

  /** Hands on what is due. */
  pump(): void {
    clearTimeout(this.#timer);
    const { line, from, to } = this.#parts;
    while (!this.#hasEnded && !line.isStalled && !to.writableNeedDrain) {
      const [head] = this.#queue;
      if (head === undefined) break;
      const waitMs = head.atMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), waitMs);
        break;
      }
      this.#queue.shift();
      this.#queuedBytes -= head.bytes.length;
      to.write(head.bytes);
    }
    if (from.isPaused() && this.#queuedBytes < HELD_BYTES_MAX) from.resume();
    if (this.#isClosing && this.#queue.length === 0 && !line.isStalled) to.end();
  }

  #takeBytes(chunk: Buffer): void {
    const { line } = this.#parts;
    const { cut = 0, split = 0 } = line.faults;
    const bytes = this.#corrupted(chunk);
    if (line.random() < cut) return this.#cutWithin(bytes);
    if (line.random() >= split) return this.#push(bytes);
    line.counts.split++;
    for (const piece of splitBytes(bytes, line.random)) this.#push(piece);
  }

  /** Half of what is next arrives. Never bytes out of their order: a line may lose the end of a stream, and not its middle. */
  #cutWithin(bytes: Buffer): void {
    const { to, cut, line } = this.#parts;
    const next = this.#queue[0]?.bytes ?? bytes;
    if (!line.isStalled) to.write(next.subarray(0, next.length >> 1));
    cut();
  }

  #corrupted(chunk: Buffer): Buffer {
    const { line } = this.#parts;
    if (line.random() >= (line.faults.corrupt ?? 0)) return chunk;
    line.counts.corrupted++;
    const bytes = Buffer.from(chunk);
    bytes[Math.floor(line.random() * bytes.length)] = Math.floor(line.random() * 256);
    return bytes;
  }

  #takeMessages(chunk: Buffer): void {
    for (const found of this.#cutter.cut(chunk)) {
      if (Buffer.isBuffer(found)) this.#push(found);
      else if (!found.isWhole || found.opcode > 2) this.#push(found.bytes);
      else this.#takeMessage(found);
      if (this.#hasEnded) return;
    }
  }

  #takeMessage(sent: WebSocketFrame): void {
    const { line } = this.#parts;
    if (this.#parts.direction === "from engine") this.#tell(sent);
    const frame = this.#altered(sent);
    if (frame === null) return;
    if (!this.#isGreeted) {
      this.#isGreeted = true;
      return this.#send(frame);
    }
    const { cut = 0, duplicate = 0, reorder = 0 } = line.faults;
    if (line.random() < cut) return this.#cutWithin(frame.bytes);
    if (this.#overtaken === null && line.random() < reorder) return this.#hold(frame);
    this.#send(frame);
    if (line.random() < duplicate) {
      line.counts.duplicated++;
      this.#send(frame);
    }
    this.#releaseOvertaken();
  }

  #altered(frame: WebSocketFrame): WebSocketFrame | null {
    const { line, direction, connection } = this.#parts;
    const { alter } = line.options;
    if (alter === undefined) return frame;
    const { opcode, payload } = frame;
    const altered = alter({ connection, direction, isBinary: opcode === 2, payload });
    if (altered === payload) return frame;
    line.counts.altered++;
    if (altered === null) return null;
    return { ...frame, payload: altered, bytes: frameOf(opcode, altered, direction === "to engine") };
  }

  #hold(frame: WebSocketFrame): void {
    this.#parts.line.counts.reordered++;
    this.#overtaken = frame;
    setTimeout(() => this.#releaseOvertaken(), OVERTAKE_MS);
  }

  #releaseOvertaken(): void {
    const frame = this.#overtaken;
    this.#overtaken = null;
    if (frame !== null) this.#send(frame);
  }

  #send(frame: WebSocketFrame): void {
    if (this.#hasEnded) return;
    if (this.#parts.direction === "to engine") this.#tell(frame);
    this.#push(frame.bytes);
  }

  #tell({ opcode, payload }: WebSocketFrame): void {
    const { line, connection, direction } = this.#parts;
    line.options.onMessage?.({ connection, direction, isBinary: opcode === 2, payload });
  }

  #push(bytes: Buffer): void {
    if (this.#hasEnded) return;
    const { line, from } = this.#parts;
    const [leastMs, mostMs] = line.faults.delayMs ?? [0, 0];
    const delayMs = leastMs + line.random() * (mostMs - leastMs);
    if (delayMs > 0) line.counts.delayed++;
    this.#queue.push({ bytes, atMs: Math.max(performance.now() + delayMs, this.#queue.at(-1)?.atMs ?? 0) });
    this.#queuedBytes += bytes.length;
    this.pump();
    if (this.#queuedBytes >= HELD_BYTES_MAX) from.pause();
  }
}
