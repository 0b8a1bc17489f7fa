// UUIDs as bytes: the spellings that are accepted, and tickets inside of the engine's own.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { isUuid, readHex32, writeHex32 } from "../../../src/protocol/json/uuid.js";

const UUID = "9d6a2b0c-5D3e-4a4e-8f1c-2b7c1b1f0a01";
const is = (text: string) => {
  const framed = Buffer.from(`"${text}"`);
  return isUuid(framed, 1, framed.length - 1);
};

test("isUuid() accepts the four spellings, in either case", () => {
  for (const spelling of [UUID, UUID.replaceAll("-", ""), `{${UUID}}`, `urn:uuid:${UUID}`]) {
    assert.equal(is(spelling), true, spelling);
    assert.equal(
      is(spelling.toUpperCase()),
      !spelling.startsWith("urn"),
      "the scheme of a urn is lower-case",
    );
  }
  for (let n = 0; n < 100; n++) assert.equal(is(randomUUID()), true);
});

test("isUuid() refuses every spelling with one character changed, added or missing", () => {
  for (const spelling of [UUID, UUID.replaceAll("-", ""), `{${UUID}}`, `urn:uuid:${UUID}`]) {
    for (let at = 0; at < spelling.length; at++) {
      assert.equal(is(`${spelling.slice(0, at)}g${spelling.slice(at + 1)}`), false, `${spelling} at ${at}`);
      assert.equal(is(spelling.slice(0, at) + spelling.slice(at + 1)), false);
      assert.equal(is(`${spelling.slice(0, at)}0${spelling.slice(at)}`), false);
    }
  }
  for (const text of ["", "x", " ".repeat(36), "-".repeat(36), "é".repeat(18)])
    assert.equal(is(text), false, text);
});

test("readHex32() undoes writeHex32() for every int32, and reads either case", () => {
  const into = new Uint8Array(10);
  for (const value of [0, 1, 0x12345678, 0x7fffffff, -1, -0x80000000, 0x00100001]) {
    writeHex32(into, 1, value);
    assert.equal(Buffer.from(into.subarray(1, 9)).toString(), (value >>> 0).toString(16).padStart(8, "0"));
    assert.equal(readHex32(into, 1), value);
    assert.equal(readHex32(Buffer.from(Buffer.from(into).toString().toUpperCase()), 1), value);
  }
  assert.deepEqual([into[0], into[9]], [0, 0]);
});
