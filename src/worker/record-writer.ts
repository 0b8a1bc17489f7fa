// Records into the outgoing buffer, in the canonical form of PROTOCOL.md: fixed-width integers at fixed
// offsets, payloads encoded where they will be sent from, their length filled in afterwards.
//
//   call    97 01 ce call ce function ce timeout_ms ce caller  context  c6 length payload
//   result  93 02 ce call                                               c6 length payload
//
// A record is written whole or not at all: a value that cannot be encoded, or one record larger than a
// frame may be, takes the position back and throws. Mirror: record-reader.ts.

import { PayloadError } from "./errors.js";
import { Kind } from "./kind.js";
import { FRAME_BYTES_MAX_DEFAULT } from "./limits.js";
import { OutBuffer } from "./out-buffer.js";
import { writeValue } from "./value-writer.js";

/** A function as the wire names it: its handle, or where none is known its id, or namespace and id. */
export type FunctionRef = number | string | readonly [namespace: string, id: string];

/** What travels beside the payload of a call or cast. */
export interface CallContext {
  traceparent?: string;
  baggage?: string;
  metadata?: unknown;
  key?: string | number;
}

export class RecordWriter {
  readonly out = new OutBuffer();
  frameBytesMax = FRAME_BYTES_MAX_DEFAULT;
  #writing = false;

  call(
    call: number,
    target: FunctionRef,
    timeoutMs: number,
    context: CallContext | undefined,
    data: unknown,
  ): void {
    const offset = this.#begin();
    try {
      this.#head(0x97, Kind.Call, call);
      this.#target(target);
      this.#uint32(timeoutMs);
      this.#uint32(0);
      this.#context(context);
      this.#payload(data);
      this.#end(offset);
    } catch (error) {
      this.#takeBack(offset);
      throw error;
    }
  }

  cast(target: FunctionRef, mode: number, context: CallContext | undefined, data: unknown): void {
    const offset = this.#begin();
    try {
      this.#array(0x96, Kind.Cast);
      this.#target(target);
      this.#uint32(mode);
      this.#uint32(0);
      this.#context(context);
      this.#payload(data);
      this.#end(offset);
    } catch (error) {
      this.#takeBack(offset);
      throw error;
    }
  }

  result(ticket: number, value: unknown): void {
    this.#answer(Kind.Result, ticket, value);
  }

  error(ticket: number, body: Readonly<Record<string, unknown>>): void {
    this.#answer(Kind.Error, ticket, body);
  }

  cancel(call: number): void {
    this.#begin();
    this.#head(0x92, Kind.Cancel, call);
    this.#writing = false;
  }

  /** `bytes` are copied. */
  chunk(stream: number, flags: number, bytes: Uint8Array): void {
    const offset = this.#begin();
    this.#head(0x94, Kind.Chunk, stream);
    this.#uint32(flags);
    const { out } = this;
    out.reserve(5 + bytes.length);
    out.bytes[out.position] = 0xc6;
    out.view.setUint32(out.position + 1, bytes.length);
    out.bytes.set(bytes, out.position + 5);
    out.position += 5 + bytes.length;
    this.#end(offset);
  }

  credit(stream: number, bytes: number): void {
    this.#begin();
    this.#head(0x93, Kind.Credit, stream);
    this.#uint32(bytes);
    this.#writing = false;
  }

  /** Any other record, as plain msgpack. */
  control(elements: readonly unknown[]): void {
    const offset = this.#begin();
    try {
      writeValue(this.out, elements);
      this.#end(offset);
    } catch (error) {
      this.#takeBack(offset);
      throw error;
    }
  }

  #answer(kind: number, ticket: number, value: unknown): void {
    const offset = this.#begin();
    try {
      this.#head(0x93, kind, ticket);
      this.#payload(value);
      this.#end(offset);
    } catch (error) {
      this.#takeBack(offset);
      throw error;
    }
  }

  /** Where the record begins, counted from the start of the frame: the buffer may move under it. */
  #begin(): number {
    // Only toJSON methods and getters of a payload run while a record is written.
    if (this.#writing)
      throw new PayloadError("payload_unencodable", "A payload's own code called the worker");
    this.#writing = true;
    return this.out.pending;
  }

  #end(offset: number): void {
    const size = this.out.pending - offset;
    if (size > this.frameBytesMax) {
      throw new PayloadError(
        "payload_too_large",
        `A record of ${size} bytes: a frame has at most ${this.frameBytesMax}`,
      );
    }
    if (this.out.pending > this.frameBytesMax) this.out.split(offset);
    this.#writing = false;
  }

  #takeBack(offset: number): void {
    this.out.position = this.out.start + offset;
    this.#writing = false;
  }

  #array(head: number, kind: number): void {
    this.out.reserve(2);
    this.out.bytes[this.out.position++] = head;
    this.out.bytes[this.out.position++] = kind;
  }

  #head(head: number, kind: number, call: number): void {
    this.#array(head, kind);
    this.#uint32(call);
  }

  #uint32(value: number): void {
    const { out } = this;
    out.reserve(5);
    out.bytes[out.position] = 0xce;
    out.view.setUint32(out.position + 1, value);
    out.position += 5;
  }

  #target(target: FunctionRef): void {
    if (typeof target === "number") this.#uint32(target);
    else writeValue(this.out, target);
  }

  #context(context: CallContext | undefined): void {
    if (context === undefined) this.#nil();
    else this.#payload(context);
  }

  #nil(): void {
    this.out.reserve(1);
    this.out.bytes[this.out.position++] = 0xc0;
  }

  /** A bin32 that holds one msgpack value; nil for undefined. */
  #payload(value: unknown): void {
    if (value === undefined) return this.#nil();
    const { out } = this;
    out.reserve(5);
    out.bytes[out.position] = 0xc6;
    out.position += 5;
    const offset = out.pending;
    writeValue(out, value);
    const at = out.start + offset;
    out.view.setUint32(at - 4, out.position - at);
  }
}
