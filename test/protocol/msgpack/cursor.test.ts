// The cursor: every field of a record in every encoding it may have.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cursor, ElementError } from "../../../src/protocol/msgpack/cursor.js";
import { pack } from "../../support/msgpack-peer.js";
import { msgpackSuite } from "../../support/msgpack-suite.js";
import { bytes, hex } from "../../support/wire.js";

/** A cursor before the only element of an array, with bytes around it that belong to nobody. */
function before(element: Uint8Array): Cursor {
  const cursor = new Cursor();
  const record = Buffer.concat([bytes("ff 91"), element, bytes("c1")]);
  assert.equal(cursor.open(record, 1), 1);
  return cursor;
}

const text = (cursor: Cursor) => Buffer.from(cursor.bytes.subarray(cursor.start, cursor.end));

test("open() reads every encoding of an array's head, and no other value's", () => {
  const cursor = new Cursor();
  for (const head of ["92", "dc 00 02", "dd 00 00 00 02"]) {
    assert.equal(cursor.open(bytes(`${head} 05 06`), 0), 2, head);
    assert.deepEqual([cursor.uint("a"), cursor.uint("b"), cursor.left], [5, 6, 0]);
  }
  for (const other of ["c0", "82", "01", "a1 61", "c4 00", "de 00 00"])
    assert.equal(cursor.open(bytes(other), 0), -1, other);
});

test("openMap() reads every encoding of a map's head, and no other value's", () => {
  const cursor = new Cursor();
  for (const head of ["81", "de 00 01", "df 00 00 00 01"]) {
    assert.equal(cursor.openMap(bytes(`${head} a1 61 06`), 0), 1, head);
    cursor.str("key");
    assert.equal(text(cursor).toString(), "a");
    assert.deepEqual([cursor.uint("value"), cursor.left], [6, 0]);
  }
  for (const other of ["c0", "92", "01", "dc 00 00"])
    assert.equal(cursor.openMap(bytes(other), 0), -1, other);
});

test("uint(): every encoding of every number of the suite, and only 0 to 2^32 - 1", (t) => {
  let read = 0;
  for (const { type, value, bignum, encodings } of msgpackSuite(t) ?? []) {
    for (const encoding of encodings) {
      const cursor = before(encoding);
      const isInteger =
        type === "number" && encoding[0] !== 0xca && encoding[0] !== 0xcb && bignum === undefined;
      const isUint = isInteger && Number(value) >= 0 && Number(value) <= 0xffffffff;
      assert.equal(before(encoding).isUint(), isUint, hex(encoding));
      if (isUint) {
        assert.equal(cursor.uint("field"), value, hex(encoding));
        assert.equal(cursor.left, 0);
        assert.equal(cursor.at, 2 + encoding.length);
        read++;
      } else if (type === "nil") assert.equal(cursor.uint("field"), 0, "nil reads as 0");
      else
        assert.throws(
          () => cursor.uint("field"),
          { name: "ElementError", message: /^field / },
          hex(encoding),
        );
    }
  }
  if (read > 0) assert.ok(read > 60, `${read} encodings were read`);
});

test("blob() and str(): every encoding of every binary and string of the suite, and nothing else", (t) => {
  for (const { type, value, encodings } of msgpackSuite(t) ?? []) {
    for (const encoding of encodings) {
      const cursor = before(encoding);
      const isText = type === "string";
      const isBlob = isText || type === "binary";
      assert.equal(cursor.isStr(), isText);
      if (isBlob) {
        assert.equal(cursor.blob("field"), true);
        const expected = isText
          ? Buffer.from(String(value))
          : Buffer.from(String(value).replaceAll("-", ""), "hex");
        assert.ok(text(cursor).equals(expected), hex(encoding));
      } else if (type === "nil") assert.equal(cursor.blob("field"), false);
      else assert.throws(() => cursor.blob("field"), ElementError, hex(encoding));
      const again = before(encoding);
      if (isText) {
        again.str("field");
        assert.equal(text(again).toString(), value);
      } else assert.throws(() => again.str("field"), ElementError, hex(encoding));
    }
  }
});

test("raw(), isArray() and isMap(): every encoding of every value of the suite", (t) => {
  for (const { type, encodings } of msgpackSuite(t) ?? []) {
    for (const encoding of encodings) {
      const cursor = before(encoding);
      assert.deepEqual([cursor.isArray(), cursor.isMap()], [type === "array", type === "map"], hex(encoding));
      cursor.raw();
      assert.ok(text(cursor).equals(encoding), hex(encoding));
      assert.equal(cursor.left, 0);
    }
  }
});

test("missing elements read as nil", () => {
  const cursor = new Cursor();
  cursor.open(bytes("90"), 0);
  assert.deepEqual(
    [
      cursor.uint("a"),
      cursor.nil(),
      cursor.blob("b"),
      cursor.isStr(),
      cursor.isArray(),
      cursor.isMap(),
      cursor.isUint(),
    ],
    [0, true, false, false, false, false, false],
  );
  assert.throws(() => cursor.str("c"), ElementError);
  cursor.raw();
  assert.equal(cursor.start, cursor.end);
});

test("nil() reads a nil and nothing else", () => {
  const cursor = new Cursor();
  cursor.open(bytes("93 c0 07 c0"), 0);
  assert.deepEqual(
    [cursor.nil(), cursor.nil(), cursor.uint("a"), cursor.nil(), cursor.left],
    [true, false, 7, true, 0],
  );
});

test("elements of all kinds in a row keep the cursor in step", () => {
  const cursor = new Cursor();
  cursor.open(pack([1, "text", Buffer.of(1, 2), [1, [2]], { a: 1 }, 70_000, null, "end"]), 0);
  assert.equal(cursor.uint("a"), 1);
  cursor.str("b");
  cursor.blob("c");
  cursor.raw();
  cursor.raw();
  assert.equal(cursor.uint("d"), 70_000);
  assert.equal(cursor.nil(), true);
  cursor.str("e");
  assert.deepEqual([text(cursor).toString(), cursor.left], ["end", 0]);
});
