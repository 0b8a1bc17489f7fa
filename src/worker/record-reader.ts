// Records out of a received frame, each given to the receiver as it is met.
//
// The engine sends hot records in canonical form: they are recognised by their type bytes and read with
// a few loads. Every other valid encoding goes the general way, with the same result. Payloads are not
// decoded here: the receiver gets the frame and two offsets, and decodes what it wants. The frame is
// the receiver's to keep. Mirror: record-writer.ts.

import { RecordError } from "./errors.js";
import { CHUNK_OVERHEAD, Kind } from "./kind.js";
import { ValueReader } from "./value-reader.js";

/**
 * Who is told. `start` and `end` bound a payload in `frame`; a nil payload has `start` -1.
 * Likewise a context.
 */
export interface RecordReceiver {
  onCall(call: IncomingCall): void;
  onCast(cast: IncomingCall): void;
  onResult(call: number, frame: Uint8Array, start: number, end: number): void;
  onError(call: number, frame: Uint8Array, start: number, end: number): void;
  onCancel(ticket: number): void;
  /** A chunk in canonical form; one in another encoding is an {@link onControl}. */
  onChunk(stream: number, flags: number, bytes: Uint8Array): void;
  /** Any other known record, its elements decoded; the kind is the first. */
  onControl(elements: readonly unknown[]): void;
}

/** A call to a handler, or (ticket 0, no deadline) a cast. One object is used for all: read it at once. */
export interface IncomingCall {
  ticket: number;
  handle: number;
  timeoutMs: number;
  caller: number;
  frame: Uint8Array;
  contextStart: number;
  contextEnd: number;
  start: number;
  end: number;
}

const NOTHING = new Uint8Array(0);

export class RecordReader {
  readonly #receiver: RecordReceiver;
  readonly #values = new ValueReader();
  readonly #call: IncomingCall = {
    ticket: 0,
    handle: 0,
    timeoutMs: 0,
    caller: 0,
    frame: NOTHING,
    contextStart: -1,
    contextEnd: -1,
    start: -1,
    end: -1,
  };

  constructor(receiver: RecordReceiver) {
    this.#receiver = receiver;
  }

  /** Reads every record of a frame. Throws RecordError where the bytes are not records; those before were delivered. */
  read(frame: Uint8Array): void {
    let at = 0;
    while (at < frame.length) at = this.#record(frame, at);
    this.#call.frame = NOTHING; // keeps no frame alive until the next
  }

  /** Delivers the record at `at` and returns where the next one begins. */
  #record(frame: Uint8Array, at: number): number {
    const size = frame.length - at;
    if (size >= 8 && frame[at + 2] === 0xce && frame[at + 7] === 0xc6 && frame[at] === 0x93) {
      const kind = frame[at + 1]!;
      if (size >= 12 && (kind === Kind.Result || kind === Kind.Error)) return this.#answer(frame, at, kind);
    }
    if (size >= 23 && frame[at] === 0x97 && frame[at + 1] === Kind.Call && canonicalCall(frame, at)) {
      return this.#canonicalCall(frame, at);
    }
    if (
      size >= CHUNK_OVERHEAD &&
      frame[at] === 0x94 &&
      frame[at + 1] === Kind.Chunk &&
      canonicalChunk(frame, at)
    )
      return this.#chunk(frame, at);
    return this.#general(frame, at);
  }

  #chunk(frame: Uint8Array, at: number): number {
    const start = at + CHUNK_OVERHEAD;
    const end = start + uint32(frame, at + 13);
    if (end > frame.length) throw new RecordError("A record is cut short");
    this.#receiver.onChunk(uint32(frame, at + 3), uint32(frame, at + 8), frame.subarray(start, end));
    return end;
  }

  #answer(frame: Uint8Array, at: number, kind: number): number {
    const start = at + 12;
    const end = start + uint32(frame, at + 8);
    if (end > frame.length) throw new RecordError("A record is cut short");
    const call = uint32(frame, at + 3);
    if (kind === Kind.Result) this.#receiver.onResult(call, frame, start, end);
    else this.#receiver.onError(call, frame, start, end);
    return end;
  }

  #canonicalCall(frame: Uint8Array, at: number): number {
    const call = this.#call;
    call.ticket = uint32(frame, at + 3);
    call.handle = uint32(frame, at + 8);
    call.timeoutMs = uint32(frame, at + 13);
    call.caller = uint32(frame, at + 18);
    call.frame = frame;
    const values = this.#values.over(frame, at + 22, frame.length);
    call.contextStart = values.enterBytes();
    call.contextEnd = values.position;
    call.start = values.enterBytes();
    call.end = values.position;
    const next = values.position;
    this.#receiver.onCall(call);
    return next;
  }

  #general(frame: Uint8Array, at: number): number {
    const values = this.#values.over(frame, at, frame.length);
    const count = values.enterArray();
    if (count === 0) throw new RecordError("A record has no kind");
    const kind = values.read(0);
    if (typeof kind !== "number" || !Number.isInteger(kind) || kind < 1)
      throw new RecordError("A record has no kind");
    switch (kind) {
      case Kind.Call:
        return this.#generalCall(frame, count, true);
      case Kind.Cast:
        return this.#generalCall(frame, count, false);
      case Kind.Result:
      case Kind.Error:
        return this.#generalAnswer(frame, count, kind);
      default:
        return this.#control(kind, count);
    }
  }

  #generalCall(frame: Uint8Array, count: number, answered: boolean): number {
    const values = this.#values;
    const call = this.#call;
    let read = 1;
    const uint = (): number => (read++ < count ? values.readUint32() : 0);
    const bytes = (): number => (read++ < count ? values.enterBytes() : -1);
    call.ticket = answered ? uint() : 0;
    call.handle = uint();
    call.timeoutMs = uint(); // of a cast: its mode, which says nothing to an executor
    call.caller = uint();
    call.frame = frame;
    call.contextStart = bytes();
    call.contextEnd = values.position;
    call.start = bytes();
    call.end = values.position;
    const next = this.#skip(count - read);
    if (answered) this.#receiver.onCall(call);
    else this.#receiver.onCast(call);
    return next;
  }

  #generalAnswer(frame: Uint8Array, count: number, kind: number): number {
    const values = this.#values;
    const call = count > 1 ? values.readUint32() : 0;
    const start = count > 2 ? values.enterBytes() : -1;
    const end = values.position;
    const next = this.#skip(count - 3);
    if (kind === Kind.Result) this.#receiver.onResult(call, frame, start, end);
    else this.#receiver.onError(call, frame, start, end);
    return next;
  }

  #control(kind: number, count: number): number {
    const elements: unknown[] = [kind];
    for (let index = 1; index < count; index++) elements.push(this.#values.read(0));
    const next = this.#values.position;
    if (kind === Kind.Cancel) this.#receiver.onCancel(Number(elements[1]));
    else this.#receiver.onControl(elements);
    return next;
  }

  #skip(count: number): number {
    for (let index = 0; index < count; index++) this.#values.read(0);
    return this.#values.position;
  }
}

/** The type bytes of all elements before the context stand where the canonical form has them. */
function canonicalCall(frame: Uint8Array, at: number): boolean {
  return (
    frame[at + 2] === 0xce && frame[at + 7] === 0xce && frame[at + 12] === 0xce && frame[at + 17] === 0xce
  );
}

function canonicalChunk(frame: Uint8Array, at: number): boolean {
  return frame[at + 2] === 0xce && frame[at + 7] === 0xce && frame[at + 12] === 0xc6;
}

function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
