// The canonical forms: literal bytes of PROTOCOL.md out of the writers, and where a canonical call ends.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ANSWER_OVERHEAD,
  CALL_OVERHEAD,
  CANCEL_BYTES,
  CAST_OVERHEAD,
  canonicalCallEnd,
  Kind,
  MALFORMED,
  readU32,
  writeAnswerHead,
  writeCallHead,
  writeCancel,
  writeCastHead,
  writeU32,
} from "../../../src/protocol/msgpack/records.js";
import {
  bytes,
  canonicalAnswer,
  canonicalCall,
  canonicalCancel,
  canonicalCast,
  hex,
  records,
} from "../../support/wire.js";

const PAYLOAD = bytes("92 01 02");

function written(
  overhead: number,
  context: Uint8Array | null,
  write: (into: Uint8Array, at: number) => number,
): Buffer {
  const into = Buffer.alloc(3 + overhead + (context?.length ?? 0) + PAYLOAD.length, 0xee);
  const at = write(into, 3);
  into.set(PAYLOAD, at);
  assert.equal(hex(into.subarray(0, 3)), "ee ee ee");
  return into.subarray(3, at + PAYLOAD.length);
}

test("writeCallHead() writes the example of PROTOCOL.md, and any library reads it", () => {
  const record = written(CALL_OVERHEAD, null, (into, at) =>
    writeCallHead(into, at, 7, 0x102a, 30_000, 0, null, 3),
  );
  assert.equal(
    hex(record),
    "97 01 ce 00 00 00 07 ce 00 00 10 2a ce 00 00 75 30 ce 00 00 00 00 c0 c6 00 00 00 03 92 01 02",
  );
  assert.equal(record.indexOf(0xc6) + 1, 24, "the payload's length stands at offset 24");
  assert.ok(record.equals(canonicalCall(7, 0x102a, PAYLOAD, 30_000)));
  const context = bytes("81 a1 61 01");
  const full = written(CALL_OVERHEAD, context, (into, at) =>
    writeCallHead(into, at, -1, -2, 0xffffffff, 0x80000000, context, 3),
  );
  assert.deepEqual(records(full), [
    [1, 0xffffffff, 0xfffffffe, 0xffffffff, 0x80000000, Buffer.from(context), Buffer.from(PAYLOAD)],
  ]);
  assert.equal(full.length, CALL_OVERHEAD + context.length + PAYLOAD.length);
});

test("writeAnswerHead(), writeCancel() and writeCastHead() write the examples of PROTOCOL.md", () => {
  for (const kind of [Kind.Result, Kind.Error] as const)
    assert.ok(
      written(ANSWER_OVERHEAD, null, (into, at) => writeAnswerHead(into, at, kind, 7, 3)).equals(
        canonicalAnswer(kind, 7, PAYLOAD),
      ),
    );
  const cancel = Buffer.alloc(CANCEL_BYTES);
  assert.equal(writeCancel(cancel, 0, 7), CANCEL_BYTES);
  assert.equal(hex(cancel), "92 04 ce 00 00 00 07");
  assert.ok(cancel.equals(canonicalCancel(7)));
  const cast = written(CAST_OVERHEAD, null, (into, at) => writeCastHead(into, at, 0x102a, 1, 0, null, 3));
  assert.ok(cast.equals(canonicalCast(0x102a, 1, PAYLOAD)));
  const context = bytes("80");
  assert.deepEqual(
    records(written(CAST_OVERHEAD, context, (into, at) => writeCastHead(into, at, 1, 0, 9, context, 3))),
    [[5, 1, 0, 9, Buffer.from(context), Buffer.from(PAYLOAD)]],
  );
});

test("canonicalCallEnd() finds the end of every canonical call, wherever it lies", () => {
  for (const call of [
    canonicalCall(1, 2, PAYLOAD),
    canonicalCall(1, 2, Buffer.alloc(0)),
    canonicalCall(1, 2, Buffer.alloc(70_000), 5, bytes("81 a1 61 01")),
    canonicalCall(1, 2, PAYLOAD, 5, Buffer.alloc(0)),
  ]) {
    const frame = Buffer.concat([bytes("c0 c0 c0"), call, bytes("97 01 ce")]);
    assert.equal(canonicalCallEnd(frame, 3, frame.length), 3 + call.length);
    for (let length = 0; length < Math.min(call.length, 60); length++) {
      const end = canonicalCallEnd(frame.subarray(0, 3 + length), 3, 3 + length);
      assert.ok(end === MALFORMED || end === 0, `cut at ${length} of ${call.length}`);
    }
    const almost = frame.subarray(0, 3 + call.length - 1);
    assert.equal(canonicalCallEnd(almost, 3, almost.length), MALFORMED);
  }
});

test("canonicalCallEnd() leaves other forms to the general reader, and takes no length for what it is not", () => {
  const call = canonicalCall(1, 2, PAYLOAD);
  for (const at of [2, 7, 12, 17]) {
    const other = Buffer.from(call);
    other[at] = 0xd2;
    assert.equal(canonicalCallEnd(other, 0, other.length), 0, `offset ${at}`);
  }
  for (const [at, value] of [
    [22, 0xc4],
    [23, 0xc4],
    [23, 0xa3],
  ] as const) {
    const other = Buffer.from(call);
    other[at] = value;
    assert.equal(canonicalCallEnd(other, 0, other.length), 0, `offset ${at}`);
  }
  for (const length of ["ff ff ff ff", "80 00 00 00", "7f ff ff ff", "00 00 00 04"]) {
    const long = Buffer.from(call);
    long.set(bytes(length), 24);
    assert.equal(canonicalCallEnd(long, 0, long.length), MALFORMED, length);
    const context = Buffer.from(canonicalCall(1, 2, PAYLOAD, 0, bytes("80")));
    context.set(bytes(length), 23);
    assert.ok(canonicalCallEnd(context, 0, context.length) <= 0, `context of ${length}`);
  }
});

test("readU32() undoes writeU32(), as an int32", () => {
  const into = new Uint8Array(6);
  for (const value of [0, 1, 255, 256, 65_536, 2 ** 31 - 1, -1, -(2 ** 31)]) {
    writeU32(into, 1, value);
    assert.equal(readU32(into, 1), value);
    assert.deepEqual([into[0], into[5]], [0, 0]);
  }
});
