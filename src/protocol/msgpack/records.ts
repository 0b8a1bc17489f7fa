// The records of PROTOCOL.md: kinds, offsets of the canonical forms, and their writers.
//
//   call    97 01 | ce call:4 | ce function:4 | ce timeout_ms:4 | ce caller:4 | c0, or c6 length:4 context | c6 length:4 payload
//   offset  0  1    2  3        7  8            12 13             17 18         22
//   result  93 02 | ce call:4 | c6 length:4 payload          error 93 03, the same with a body for a payload
//   offset  0  1    2  3        7  8        12
//   cancel  92 04 | ce call:4
//   cast    96 05 | ce function:4 | ce mode:4 | ce caller:4 | context | c6 length:4 payload
//   offset  0  1    2  3            7  8        12 13         17
//   chunk   94 06 | ce stream:4 | ce flags:4 | c6 length:4 bytes
//   offset  0  1    2  3          7  8         12 13       17
//   credit  93 07 | ce stream:4 | ce bytes:4           end 94 08 | ce stream:4 | c0 c0, or code and message as str
//
// Integers are big-endian uint32, kept as int32 here. Reading and writing them byte by byte costs a few loads and needs no view.

export const Kind = {
  Call: 1,
  Result: 2,
  Error: 3,
  Cancel: 4,
  Cast: 5,
  Chunk: 6,
  Credit: 7,
  End: 8,
  Open: 9,
  Hello: 16,
  Welcome: 17,
  Register: 18,
  Registered: 19,
  Unregister: 20,
  Unregistered: 21,
  Resolve: 22,
  Resolved: 23,
  Refused: 25,
  TriggerType: 26,
  TriggerTypeEnd: 27,
  Trigger: 28,
  TriggerEnd: 29,
  TriggerAnswer: 30,
  TriggerState: 31,
  Watch: 32,
  Watching: 33,
  Changes: 34,
  Unwatch: 35,
  Drain: 36,
  Draining: 37,
  Stale: 38,
} as const;

export const CastMode = { One: 0, All: 1 } as const;

export const UINT32 = 0xce;
export const BIN32 = 0xc6;
export const NIL = 0xc0;

/** Offsets of the fields (their bytes, behind the type byte) in the canonical forms. */
export const CallOffset = { call: 3, function: 8, timeoutMs: 13, caller: 18, context: 22 } as const;
export const AnswerOffset = { call: 3, length: 8, payload: 12 } as const;
export const CALL_HEAD = 0x97;
export const ANSWER_HEAD = 0x93;
export const CANCEL_HEAD = 0x92;
export const CAST_HEAD = 0x96;
export const ChunkOffset = { stream: 3, flags: 8, length: 13, bytes: 17 } as const;
export const CHUNK_HEAD = 0x94;
export const CHUNK_OVERHEAD = 17;
export const CREDIT_BYTES = 12;

export const ChunkFlag = { Text: 1 } as const;

/** Bytes of a call record without context and payload bytes (context as bin32). */
export const CALL_OVERHEAD = 22 + 5 + 5;
export const ANSWER_OVERHEAD = 12;
export const CANCEL_BYTES = 7;
export const CAST_OVERHEAD = 17 + 5 + 5;

/** What stands for a position where the bytes are no records. */
export const MALFORMED = -1;

/** Where a call in canonical form ends; 0 when it is not in canonical form, MALFORMED when the frame ends inside it. */
export function canonicalCallEnd(frame: Uint8Array, at: number, end: number): number {
  if (
    frame[at + 2] !== UINT32 ||
    frame[at + 7] !== UINT32 ||
    frame[at + 12] !== UINT32 ||
    frame[at + 17] !== UINT32
  )
    return 0;
  let payloadAt = at + CallOffset.context + 1;
  if (frame[payloadAt - 1] !== NIL) {
    if (frame[payloadAt - 1] !== BIN32) return 0;
    const contextBytes = readU32(frame, payloadAt);
    payloadAt += 4 + contextBytes;
    if (contextBytes < 0 || payloadAt >= end) return MALFORMED; // negative: 2 GiB and more
  }
  if (frame[payloadAt] !== BIN32) return payloadAt < end ? 0 : MALFORMED;
  if (payloadAt + 5 > end) return MALFORMED;
  const payloadBytes = readU32(frame, payloadAt + 1);
  const next = payloadAt + 5 + payloadBytes;
  return payloadBytes >= 0 && next <= end ? next : MALFORMED;
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function writeUint(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = UINT32;
  writeU32(bytes, at + 1, value);
  return at + 5;
}

/** A bin32 header; its `length` bytes follow where this returns. */
function writeBin(bytes: Uint8Array, at: number, length: number): number {
  bytes[at] = BIN32;
  writeU32(bytes, at + 1, length);
  return at + 5;
}

function writeContext(bytes: Uint8Array, at: number, context: Uint8Array | null): number {
  if (context === null) {
    bytes[at] = NIL;
    return at + 1;
  }
  at = writeBin(bytes, at, context.length);
  bytes.set(context, at);
  return at + context.length;
}

/** Writes a call up to its payload; `payloadBytes` bytes of payload follow where this returns. */
export function writeCallHead(
  bytes: Uint8Array,
  at: number,
  call: number,
  fn: number,
  timeoutMs: number,
  caller: number,
  context: Uint8Array | null,
  payloadBytes: number,
): number {
  bytes[at] = CALL_HEAD;
  bytes[at + 1] = Kind.Call;
  writeUint(bytes, at + 2, call);
  writeUint(bytes, at + 7, fn);
  writeUint(bytes, at + 12, timeoutMs);
  writeUint(bytes, at + 17, caller);
  return writeBin(bytes, writeContext(bytes, at + 22, context), payloadBytes);
}

/** Writes a result or an error up to its payload or body. */
export function writeAnswerHead(
  bytes: Uint8Array,
  at: number,
  kind: number,
  call: number,
  payloadBytes: number,
): number {
  bytes[at] = ANSWER_HEAD;
  bytes[at + 1] = kind;
  writeUint(bytes, at + 2, call);
  return writeBin(bytes, at + 7, payloadBytes);
}

export function writeCancel(bytes: Uint8Array, at: number, call: number): number {
  bytes[at] = CANCEL_HEAD;
  bytes[at + 1] = Kind.Cancel;
  return writeUint(bytes, at + 2, call);
}

/** Writes a cast up to its payload. */
export function writeCastHead(
  bytes: Uint8Array,
  at: number,
  fn: number,
  mode: number,
  caller: number,
  context: Uint8Array | null,
  payloadBytes: number,
): number {
  bytes[at] = CAST_HEAD;
  bytes[at + 1] = Kind.Cast;
  writeUint(bytes, at + 2, fn);
  writeUint(bytes, at + 7, mode);
  writeUint(bytes, at + 12, caller);
  return writeBin(bytes, writeContext(bytes, at + 17, context), payloadBytes);
}

/** Writes a chunk up to its bytes. */
export function writeChunkHead(
  bytes: Uint8Array,
  at: number,
  stream: number,
  flags: number,
  chunkBytes: number,
): number {
  bytes[at] = CHUNK_HEAD;
  bytes[at + 1] = Kind.Chunk;
  writeUint(bytes, at + 2, stream);
  writeUint(bytes, at + 7, flags);
  return writeBin(bytes, at + 12, chunkBytes);
}

export function writeCredit(bytes: Uint8Array, at: number, stream: number, creditBytes: number): number {
  bytes[at] = 0x93;
  bytes[at + 1] = Kind.Credit;
  return writeUint(bytes, writeUint(bytes, at + 2, stream), creditBytes);
}
