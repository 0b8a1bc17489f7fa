// The load generator's reader of records, held against whole and split frames.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Batch } from "../../../bench/load/batch.js";
import { callRecord, recordBytes } from "../../../bench/load/msgpack.js";
import { Reader, type Sink } from "../../../bench/load/reader.js";

/** As the engine frames them: not masked. */
function frame(body: Buffer): Buffer {
  if (body.length < 126) return Buffer.concat([Buffer.from([0x82, body.length]), body]);
  if (body.length < 65_536)
    return Buffer.concat([Buffer.from([0x82, 126, body.length >> 8, body.length & 255]), body]);
  const head = Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(body.length, 6);
  return Buffer.concat([head, body]);
}

function collector(): { sink: Sink; calls: number[]; pings: string[] } {
  const calls: number[] = [];
  const pings: string[] = [];
  const sink: Sink = {
    recordBytes,
    wanted: () => false,
    record: (_bytes, view, at) => calls.push(view.getUint32(at + 3)),
    ping: (body) => pings.push(body.toString()),
  };
  return { sink, calls, pings };
}

/** Feeds `stream` in pieces, and gives the unread rest of a piece again in front of the next. */
function feedInPieces(reader: Reader, stream: Buffer, pieceBytes: () => number): void {
  let rest = Buffer.alloc(0);
  for (let at = 0; at < stream.length; ) {
    const next = Math.min(stream.length, at + pieceBytes());
    const bytes = Buffer.concat([rest, stream.subarray(at, next)]);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    rest = bytes.subarray(reader.feed(bytes, view, 0, bytes.length));
    at = next;
  }
  assert.equal(rest.length, 0, "nothing is left over");
}

const STREAM = Buffer.concat([
  frame(callRecord(1, 1, Buffer.alloc(10))),
  Buffer.from([0x89, 4, ...Buffer.from("ping")]),
  frame(Buffer.concat([callRecord(2, 1, Buffer.alloc(200)), callRecord(3, 1, Buffer.alloc(3))])),
  frame(callRecord(4, 1, Buffer.alloc(70_000))),
  frame(callRecord(5, 1, Buffer.alloc(900))),
]);

for (const size of [1, 2, 7, 100, 1000, 65_536, 1 << 20]) {
  test(`Reader cuts the same records out of pieces of ${size} bytes`, () => {
    const { sink, calls, pings } = collector();
    feedInPieces(new Reader(sink), STREAM, () => size);
    assert.deepEqual(calls, [1, 2, 3, 4, 5]);
    assert.deepEqual(pings, ["ping"]);
  });
}

test("Batch frames coalesced records so that a reader finds each once, also after a partly filled turn", () => {
  const record = callRecord(0, 1, Buffer.alloc(500));
  const batch = new Batch({ record, binary: true, coalesced: true, capacity: 300 });
  for (const count of [300, 1, 130, 299]) {
    batch.reset();
    for (let number = 0; number < count; number++) {
      batch.view.setUint32(batch.starts[batch.count++]! + 3, number);
    }
    const { sink, calls } = collector();
    feedInPieces(new Reader(sink), unmasked(batch.finish()), () => 1 << 20);
    assert.deepEqual(
      calls,
      Array.from({ length: count }, (_, number) => number),
    );
  }
});

/** Client frames carry a mask of zeros: without it they are a server's. */
function unmasked(stream: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const short = stream[at + 1]! & 127;
    const headBytes = short === 127 ? 10 : short === 126 ? 4 : 2;
    const bytes =
      short === 127 ? stream.readUInt32BE(at + 6) : short === 126 ? stream.readUInt16BE(at + 2) : short;
    parts.push(frame(stream.subarray(at + headBytes + 4, at + headBytes + 4 + bytes)));
    at += headBytes + 4 + bytes;
  }
  return Buffer.concat(parts);
}
