// record-reader.ts: the canonical form, every other encoding of the same, unknown kinds, bytes cut short.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordError } from "../../src/worker/errors.js";
import { RecordReader, type RecordReceiver } from "../../src/worker/record-reader.js";
import { RecordWriter } from "../../src/worker/record-writer.js";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

/** What the records of a frame are, one line each. */
function read(frame: Uint8Array): string[] {
  const seen: string[] = [];
  const hex = (from: Uint8Array, start: number, end: number): string =>
    start < 0 ? "nil" : Buffer.from(from.subarray(start, end)).toString("hex");
  const receiver: RecordReceiver = {
    onCall: ({ ticket, handle, timeoutMs, caller, frame, contextStart, contextEnd, start, end }) => {
      const tail = `${hex(frame, contextStart, contextEnd)} ${hex(frame, start, end)}`;
      seen.push(`call ${ticket} ${handle} ${timeoutMs} ${caller} ${tail}`);
    },
    onCast: ({ handle, caller, frame, start, end }) =>
      seen.push(`cast ${handle} ${caller} ${hex(frame, start, end)}`),
    onResult: (call, frame, start, end) => seen.push(`result ${call} ${hex(frame, start, end)}`),
    onError: (call, frame, start, end) => seen.push(`error ${call} ${hex(frame, start, end)}`),
    onCancel: (ticket) => seen.push(`cancel ${ticket}`),
    onChunk: (stream, flags, chunk) => seen.push(`chunk ${stream} ${flags} ${hex(chunk, 0, chunk.length)}`),
    onControl: (elements) => seen.push(`control ${JSON.stringify(elements)}`),
  };
  new RecordReader(receiver).read(frame);
  return seen;
}

//                        array kind  call         function     timeout_ms   caller       context  payload
const CANONICAL_CALL =
  "  97    01    ce00000007   ce0000102a   ce00007530   ce00000401   c0       c600000002 9201";
const GENERAL_CALL = "  dc0007  cc01  07           cd102a       d100007530   ce00000401   c0       c402 9201";

test("read() reads a chunk in canonical form, and gives one in another as it gives a control record", () => {
  assert.deepEqual(read(bytes("94 06 ce00000001 ce00000001 c600000003 616263")), ["chunk 1 1 616263"]);
  assert.match(read(bytes("94 06 01 00 c403 616263"))[0] ?? "", /^control \[6,1,0,/);
  assert.throws(() => read(bytes("94 06 ce00000001 ce00000001 c600000003 6162")), {
    code: "record_unreadable",
  });
});

test("read() reads the example of PROTOCOL.md", () => {
  assert.deepEqual(read(bytes(CANONICAL_CALL)), ["call 7 4138 30000 1025 nil 9201"]);
});

test("read() reads the general form as the same record", () => {
  const general = GENERAL_CALL.replace("d100007530", "cd7530");
  assert.deepEqual(read(bytes(general)), read(bytes(CANONICAL_CALL)));
  assert.deepEqual(read(bytes(general.replace("c402 9201", "a2 9201"))), read(bytes(CANONICAL_CALL)));
});

test("read() reads results, errors, cancels and casts in both forms", () => {
  assert.deepEqual(read(bytes("93 02 ce00000007 c600000001 03")), ["result 7 03"]);
  assert.deepEqual(read(bytes("93 02 07 c401 03")), ["result 7 03"]);
  assert.deepEqual(read(bytes("93 02 ce00000007 c0")), ["result 7 nil"]);
  assert.deepEqual(read(bytes("92 02 07")), ["result 7 nil"]);
  assert.deepEqual(read(bytes("93 03 ce00000007 c600000001 80")), ["error 7 80"]);
  assert.deepEqual(read(bytes("92 04 ce00000007")), ["cancel 7"]);
  assert.deepEqual(read(bytes("92 04 07")), ["cancel 7"]);
  assert.deepEqual(read(bytes("96 05 ce0000102a ce00000001 ce00000009 c0 c600000001 03")), [
    "cast 4138 9 03",
  ]);
});

test("read() reads several records of one frame, with contexts, unknown kinds and trailing elements between", () => {
  const frame = `${CANONICAL_CALL} 92 7f 9101 94 02 01 c401 05 c0 ${CANONICAL_CALL.replace("c0 ", "c600000001 80")}`;
  assert.deepEqual(read(bytes(frame)), [
    "call 7 4138 30000 1025 nil 9201",
    "control [127,[1]]",
    "result 1 05",
    "call 7 4138 30000 1025 80 9201",
  ]);
});

test("read() refuses bytes that are no records", () => {
  for (const frame of ["c0", "07", "80", "90", "91c0", "91a161", "91ff", "9100", "c1", "93 02 a1 61 c0"]) {
    assert.throws(() => read(bytes(frame)), RecordError, frame);
  }
});

test("read() refuses every record cut short, after those before it were delivered", () => {
  for (const record of [
    CANONICAL_CALL,
    "93 02 ce00000007 c600000001 03",
    "92 04 ce00000007",
    "93 11 80 a161",
  ]) {
    const whole = bytes(record);
    for (let length = 1; length < whole.length; length++) {
      assert.throws(() => read(whole.subarray(0, length)), RecordError, `${length} bytes of ${record}`);
    }
  }
});

test("what the writer writes is the canonical form of PROTOCOL.md", () => {
  const writer = new RecordWriter();
  writer.call(7, 0x102a, 30_000, undefined, [1]);
  writer.result(7, 3);
  writer.cancel(7);
  writer.cast(0x102a, 0, undefined, 3);
  assert.equal(
    Buffer.concat(writer.out.take()).toString("hex"),
    "9701ce00000007ce0000102ace00007530ce00000000c0c6000000029101" +
      "9302ce00000007c60000000103" +
      "9204ce00000007" +
      "9605ce0000102ace00000000ce00000000c0c60000000103",
  );
});

test("records written across slabs stay whole", () => {
  const writer = new RecordWriter();
  writer.frameBytesMax = 1 << 30;
  const texts = [10, 1_000, 300_000, 5, 262_000, 700_000].map((length) => "x".repeat(length));
  for (const [index, text] of texts.entries()) writer.result(index, text);
  const frames = writer.out.take();
  const lengths = read(Buffer.concat(frames)).map((line) => line.length);
  assert.equal(lengths.length, texts.length);
  for (const [index, text] of texts.entries()) assert.ok((lengths[index] ?? 0) > 2 * text.length);
});

test("a payload whose own code calls the worker while it is written is refused, and leaves nothing behind", () => {
  const writer = new RecordWriter();
  writer.result(1, "before");
  const before = writer.out.pending;
  assert.throws(() => writer.result(2, { toJSON: () => writer.result(3, "inside") }), {
    code: "payload_unencodable",
  });
  assert.equal(writer.out.pending, before);
  writer.result(4, "after");
  assert.equal(read(Buffer.concat(writer.out.take())).length, 2);
});
