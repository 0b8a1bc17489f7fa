// value-writer.ts and value-reader.ts: against each other, against msgpackr, and against bytes cut short.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Packr, Unpackr } from "msgpackr";
import { PayloadError, RecordError } from "../../src/worker/errors.js";
import { OutBuffer } from "../../src/worker/out-buffer.js";
import { ValueReader } from "../../src/worker/value-reader.js";
import { writeValue } from "../../src/worker/value-writer.js";

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true });
const packr = new Packr({ useRecords: false, moreTypes: false });

function encode(value: unknown): Buffer {
  const out = new OutBuffer();
  writeValue(out, value);
  return Buffer.concat(out.take());
}

function decode(bytes: Uint8Array): unknown {
  return new ValueReader().readWhole(bytes, 0, bytes.length);
}

/** The same numbers for the same seed, 0 up to 1. */
function random(seed: number): () => number {
  return () => {
    seed = (seed * 1_664_525 + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
}

function anyText(next: () => number): string {
  const alphabets = ["abcdefghij klmnop", "äöüßé", "漢字かな", "🙂🚀"];
  const letters = [...alphabets[Math.floor(next() * alphabets.length)]!];
  const length = Math.floor(next() ** 4 * 400);
  return Array.from({ length }, () => letters[Math.floor(next() * letters.length)]).join("");
}

function anyNumber(next: () => number): number {
  const sign = next() < 0.5 ? -1 : 1;
  const magnitude = 2 ** Math.floor(next() * 54);
  return next() < 0.2
    ? sign * next() * 1e9
    : sign * Math.min(Math.floor(magnitude * (1 + next())), 2 ** 53 - 1);
}

function anyValue(next: () => number, depth = 0): unknown {
  const choice = Math.floor(next() * (depth > 4 ? 6 : 8));
  if (choice === 0) return null;
  if (choice === 1) return next() < 0.5;
  if (choice < 4) return anyNumber(next);
  if (choice === 4) return anyText(next);
  if (choice === 5) return new Uint8Array(Buffer.from(anyText(next)));
  const count = Math.floor(next() ** 3 * 40);
  const values = Array.from({ length: count }, () => anyValue(next, depth + 1));
  return choice === 6
    ? values
    : Object.fromEntries(values.map((value, index) => [`${anyText(next)}${index}`, value]));
}

test("the reader undoes the writer, and msgpackr reads the same", () => {
  const seed = 20_260_823;
  const next = random(seed);
  for (let round = 0; round < 400; round++) {
    const value = anyValue(next);
    const bytes = encode(value);
    const read = decode(bytes);
    assert.deepEqual(read, value, `seed ${seed}, round ${round}`);
    assert.deepEqual(plain(unpackr.unpack(bytes)), plain(read), `seed ${seed}, round ${round}`);
  }
});

test("the reader reads what msgpackr writes", () => {
  const seed = 4;
  const next = random(seed);
  for (let round = 0; round < 400; round++) {
    const value = anyValue(next);
    assert.deepEqual(plain(decode(packr.pack(value))), plain(value), `seed ${seed}, round ${round}`);
  }
});

/** Buffers as plain bytes, for deepEqual tells the classes apart; msgpackr's bigints as numbers where they are safe. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint" && Number.isSafeInteger(Number(value))) return Number(value);
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]));
}

test("every value cut short is a RecordError", () => {
  const bytes = encode({
    text: "héllo",
    list: [1, 300, 70_000, -5, 1.5, 2 ** 40],
    bytes: new Uint8Array(300),
    at: new Date(0),
  });
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => decode(bytes.subarray(0, length)), RecordError, `${length} bytes`);
  }
});

test("random bytes are a value or a RecordError", () => {
  const next = random(7);
  let values = 0;
  for (let round = 0; round < 50_000; round++) {
    const bytes = Uint8Array.from({ length: Math.floor(next() * 24) }, () => next() * 256);
    try {
      decode(bytes);
      values++;
    } catch (error) {
      assert.ok(error instanceof RecordError, String(error));
    }
  }
  assert.ok(values > 1_000, `${values} of the inputs were values`);
});

test("integers keep their kind: 2 ** 40 is a uint64, 1.5 a float64, -0 keeps its sign", () => {
  assert.equal(encode(2 ** 40).toString("hex"), "cf0000010000000000");
  assert.equal(encode(-(2 ** 40)).toString("hex"), "d3ffffff0000000000");
  assert.equal(encode(1.5).toString("hex"), "cb3ff8000000000000");
  assert.ok(Object.is(decode(encode(-0)), -0));
  assert.equal(encode(0).toString("hex"), "00");
  assert.equal(decode(encode(2n ** 63n)), 2n ** 63n);
  assert.equal(decode(encode(-(2n ** 63n))), -(2n ** 63n));
  assert.equal(decode(encode(5n)), 5);
});

test("dates keep their milliseconds, before 1970 too; msgpackr reads the same instant", () => {
  for (const ms of [0, 1, 999, 1_700_000_000_123, -1, -62_135_596_800_000, 8.64e15]) {
    const bytes = encode(new Date(ms));
    assert.deepEqual(decode(bytes), new Date(ms));
    if (ms >= 0 && ms < 1e15) assert.equal((unpackr.unpack(bytes) as Date).getTime(), ms);
  }
  assert.deepEqual(decode(packr.pack(new Date(1_700_000_000_123))), new Date(1_700_000_000_123));
  assert.deepEqual(decode(packr.pack(new Date(1_700_000_000_000))), new Date(1_700_000_000_000));
});

test("members that are undefined are left out; maps, sets, toJSON and null prototypes are written", () => {
  assert.deepEqual(decode(encode({ a: 1, b: undefined })), { a: 1 });
  assert.deepEqual(decode(encode([undefined])), [null]);
  assert.deepEqual(
    decode(
      encode(
        new Map<unknown, unknown>([
          ["a", 1],
          [2, "b"],
        ]),
      ),
    ),
    { a: 1, 2: "b" },
  );
  assert.deepEqual(decode(encode(new Set([1, 2]))), [1, 2]);
  assert.deepEqual(decode(encode(new URL("http://a/"))), "http://a/");
  assert.deepEqual(decode(encode(Object.assign(Object.create(null), { a: 1 }))), { a: 1 });
});

test("__proto__ is a member like any other", () => {
  const read = decode(packr.pack(new Map([["__proto__", { polluted: true }]])));
  assert.deepEqual(Object.keys(read as object), ["__proto__"]);
  assert.equal((read as { polluted?: boolean }).polluted, undefined);
});

test("what cannot be sent is a PayloadError: functions, symbols, wide integers, circles, invalid dates", () => {
  const circle: unknown[] = [];
  circle.push(circle);
  for (const value of [() => 1, Symbol("s"), 2n ** 64n, -(2n ** 63n) - 1n, circle, new Date(Number.NaN)]) {
    assert.throws(() => encode(value), PayloadError);
  }
});

test("an array or map of 2 ** 32 elements in five bytes allocates nothing", () => {
  assert.throws(() => decode(Buffer.from("ddffffffff", "hex")), RecordError);
  assert.throws(() => decode(Buffer.from("dfffffffff", "hex")), RecordError);
  assert.throws(() => decode(Buffer.alloc(10_000, 0x91)), RecordError);
});

test("long texts have the head their bytes need, also where it is longer than their units suggest", () => {
  for (const length of [24, 25, 31, 32, 85, 86, 255, 256, 21_846, 65_535, 65_536]) {
    for (const letter of ["a", "é", "漢"]) {
      const text = letter.repeat(length);
      const bytes = encode(text);
      assert.equal(decode(bytes), text);
      assert.equal(unpackr.unpack(bytes), text);
      assert.ok(packr.pack(text).equals(bytes), `${length} × ${letter}`);
    }
  }
});

test("long bytes are a view into the frame, short ones a copy", () => {
  const bytes = encode([new Uint8Array(5), new Uint8Array(5_000)]);
  const [short, long] = decode(bytes) as [Uint8Array, Uint8Array];
  assert.notEqual(short.buffer, bytes.buffer);
  assert.equal(long.buffer, bytes.buffer);
});

test("unknown extensions keep their type and bytes", () => {
  assert.deepEqual(decode(Buffer.from("d572aabb", "hex")), {
    extension: 0x72,
    data: new Uint8Array([0xaa, 0xbb]),
  });
});
