// msgpack to JSON, in wire: the rows of the table in PROTOCOL.md, every refusal by its code, and each value cut at every length.

import assert from "node:assert/strict";
import test from "node:test";
import { pack } from "msgpackr";
import { ByteSink } from "../../../src/protocol/bytes.js";
import { PAYLOAD_DEPTH_MAX } from "../../../src/protocol/limits.js";
import { msgpackToJson } from "../../../src/protocol/translate/msgpack-to-json.js";
import { TranslateStatus } from "../../../src/protocol/translate/status.js";
import { Random } from "../../support/random.js";
import { bytes, hexOf, json } from "./translating.js";

const ID_TEXT = "0b9c6a52-3a5e-4a39-9a0c-6d0e6a9a5d11";
const ID = Buffer.from(ID_TEXT);
const KEY = Buffer.from("_caller_worker_id").toString("hex");

const EXACT: readonly (readonly [hex: string, json: string])[] = [
  ["c0", "null"],
  ["c2", "false"],
  ["c3", "true"],
  ["90", "[]"],
  ["80", "{}"],
  ["dc 0000", "[]"],
  ["df 00000000", "{}"],
  ["81 a161 92 01 02", '{"a":[1,2]}'],
  ["83 a162 01 d9 01 61 02 da 0001 62 03", '{"b":1,"a":2,"b":3}'],
  ["dd 00000002 90 80", "[[],{}]"],
  ["7f", "127"],
  ["ff", "-1"],
  ["e0", "-32"],
  ["cc 00", "0"],
  ["cd ffff", "65535"],
  ["ce ffffffff", "4294967295"],
  ["cf 0000000000000007", "7"],
  ["cf 0020000000000001", "9007199254740993"],
  ["cf ffffffffffffffff", "18446744073709551615"],
  ["cf 8ac7230489e80000", "10000000000000000000"],
  ["d0 80", "-128"],
  ["d1 8000", "-32768"],
  ["d2 80000000", "-2147483648"],
  ["d3 8000000000000000", "-9223372036854775808"],
  ["d3 7fffffffffffffff", "9223372036854775807"],
  ["d3 ffffffffffffffff", "-1"],
  ["d3 ffffffff00000000", "-4294967296"],
  ["d3 ffdfffffffffffff", "-9007199254740993"],
  ["ca 3f800000", "1.0"],
  ["ca 3dcccccd", "0.10000000149011612"],
  ["cb 3ff0000000000000", "1.0"],
  ["cb 8000000000000000", "-0.0"],
  ["cb 0000000000000000", "0.0"],
  ["cb 3fb999999999999a", "0.1"],
  ["cb 0000000000000001", "5e-324"],
  ["cb 444b1ae4d6e2ef50", "1e+21"],
  ["cb 444b1ae4d6e2ef4f", "999999999999999900000.0"],
  ["a9 c3a9e282acf09f9880", '"é€😀"'],
  ["aa 225c2f08 0c0a0d09 007f", '"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\x7f"'],
  ["d6ff 00000000", '"1970-01-01T00:00:00Z"'],
  ["d6ff ffffffff", '"2106-02-07T06:28:15Z"'],
  ["d7ff 0000000400000000", '"1970-01-01T00:00:00.000000001Z"'],
  ["d7ff ee6b27ff00000000", '"2378-04-22T19:24:48.999999999Z"'],
  ["c70cff 1dcd6500 fffffff1868b8400", '"0000-01-01T00:00:00.5Z"'],
  ["c70cff 00000000 0000003afff4417f", '"9999-12-31T23:59:59Z"'],
  ["c704ff 38d43f00", '"2000-03-19T02:44:16Z"'],
];

const REFUSED: readonly (readonly [hex: string, refusal: string])[] = [
  ["cb 7ff8000000000000", "payload_untranslatable at 0"],
  ["cb 7ff0000000000000", "payload_untranslatable at 0"],
  ["91 ca ff800000", "payload_untranslatable at 1"],
  ["c4 01 00", "payload_untranslatable at 0"],
  ["c5 0001 00", "payload_untranslatable at 0"],
  ["c6 00000001 00", "payload_untranslatable at 0"],
  ["d4 00 00", "payload_untranslatable at 0"],
  ["d5 01 0000", "payload_untranslatable at 0"],
  ["d8 01 00000000000000000000000000000000", "payload_untranslatable at 0"],
  ["c7 00 05", "payload_untranslatable at 0"],
  ["d4 ff 00", "payload_untranslatable at 2"],
  ["d7ff ee6b280000000000", "payload_untranslatable at 2"],
  ["c70cff 00000000 fffffff1868b83ff", "payload_untranslatable at 3"],
  ["c70cff 00000000 0000003afff44180", "payload_untranslatable at 3"],
  ["c70cff 00000000 7fffffffffffffff", "payload_untranslatable at 3"],
  ["81 01 02", "payload_untranslatable at 1"],
  ["81 c0 02", "payload_untranslatable at 1"],
  ["81 c4 01 61 02", "payload_untranslatable at 1"],
  ["82 a161 01 90 02", "payload_untranslatable at 4"],
  ["a3 4141ff", "payload_untranslatable at 3"],
  ["a3 eda080", "payload_untranslatable at 1"],
  ["a2 c0af", "payload_untranslatable at 1"],
  ["a3 e282 41", "payload_untranslatable at 1"],
  ["81 a1 ff 01", "payload_untranslatable at 2"],
  ["", "payload_invalid at 0"],
  ["c1", "payload_invalid at 0"],
  ["01 02", "payload_invalid at 1"],
  ["80 80", "payload_invalid at 1"],
  ["92 01", "payload_invalid at 2"],
  ["a2 41", "payload_invalid at 2"],
  ["c4 02 00", "payload_invalid at 3"],
  ["dd ffffffff 00", "payload_invalid at 6"],
  ["df ffffffff a0 00", "payload_invalid at 7"],
  ["db ffffffff 00", "payload_invalid at 6"],
  ["c9 ffffffff ff 00", "payload_invalid at 7"],
];

for (const [hex, text] of EXACT) {
  test(`msgpackToJson() writes ${hex} as ${text}`, () => {
    assert.equal(json(hex), text);
  });
}

for (const [hex, refusal] of REFUSED) {
  test(`msgpackToJson() refuses ${hex || "nothing"} as ${refusal}`, () => {
    assert.equal(json(hex), refusal);
  });
}

test("msgpackToJson() refuses a value cut at any length as payload_invalid", () => {
  const whole =
    bytes(`88 a161 93 01 cc80 cdffff a162 d3 8000000000000000 a163 cb 3ff0000000000000 a164 d9 03 616263
    a165 ca 3f800000 da 0001 66 d6ff 00000000 a167 c70cff 00000000 0000000000000000 a168 dc 0001 de 0001 a169 c3`);
  assert.match(json(whole), /^\{"a":\[1,128,65535\].*\[\{"i":true\}\]\}$/);
  for (let length = 0; length < whole.length; length++) {
    assert.match(json(whole.subarray(0, length)), /^payload_invalid at /, `${length} bytes`);
  }
});

test("msgpackToJson() stops at depthMax, 126 by default", () => {
  const nested = (depth: number) => bytes(`${"91".repeat(depth - 1)}90`);
  assert.equal(
    json(nested(PAYLOAD_DEPTH_MAX)),
    "[".repeat(PAYLOAD_DEPTH_MAX) + "]".repeat(PAYLOAD_DEPTH_MAX),
  );
  assert.equal(json(nested(PAYLOAD_DEPTH_MAX + 1)), `payload_out_of_bounds at ${PAYLOAD_DEPTH_MAX}`);
  assert.equal(json(nested(10_000)), `payload_out_of_bounds at ${PAYLOAD_DEPTH_MAX}`);
  assert.equal(json("91 80", { depthMax: 1 }), "payload_out_of_bounds at 1");
  assert.equal(json("01", { depthMax: 0 }), "1");
});

test("msgpackToJson() puts the caller's worker id first into a map, and nowhere else", () => {
  const callerWorkerId = ID;
  assert.equal(json("81 a161 01", { callerWorkerId }), `{"_caller_worker_id":"${ID_TEXT}","a":1}`);
  assert.equal(json("80", { callerWorkerId }), `{"_caller_worker_id":"${ID_TEXT}"}`);
  assert.equal(json("91 81 a161 01", { callerWorkerId }), '[{"a":1}]');
  assert.equal(json("01", { callerWorkerId }), "1");
});

test("msgpackToJson() leaves out a forged worker id in any width, at the top level only", () => {
  const callerWorkerId = ID;
  const only = `{"_caller_worker_id":"${ID_TEXT}"}`;
  const left = `{"_caller_worker_id":"${ID_TEXT}","a":1}`;
  for (const head of ["b1", "d911", "da0011", "db00000011"]) {
    const key = head + KEY;
    assert.equal(json(`82 ${key} a178 a161 01`, { callerWorkerId }), left);
    assert.equal(json(`82 a161 01 ${key} 91 81 ${key} 92 01 02`, { callerWorkerId }), left);
    assert.equal(json(`83 ${key} 80 a161 01 ${key} 81 a161 90`, { callerWorkerId }), left);
    assert.equal(json(`81 ${key} 01`, { callerWorkerId }), only);
    assert.equal(json(`82 ${key} 01 ${key} 02`, { callerWorkerId }), only);
  }
  const nested = json(`81 a161 81 b1${KEY} 01`, { callerWorkerId });
  assert.equal(nested, `{"_caller_worker_id":"${ID_TEXT}","a":{"_caller_worker_id":1}}`);
  assert.equal(json(`81 b1${KEY} 01`), '{"_caller_worker_id":1}');
});

test("msgpackToJson() writes timestamps as Date does, digit for digit", () => {
  const random = new Random(20261123);
  for (let i = 0; i < 2_000; i++) {
    const date = new Date(Math.floor(-62_167_219_200_000 + random.next() * 315_569_519_999_999));
    const expected = date.toISOString().replace(/\.?0*Z$/, "Z");
    assert.equal(json(pack(date)), JSON.stringify(expected), hexOf(pack(date)));
  }
});

test("msgpackToJson() ends with TooLarge where the target's bytesMax is reached, wherever that is", () => {
  const value = pack({
    text: "a\n\u0001é".repeat(60),
    list: Array(40).fill([1.5, -70_000, null, new Date(5)]),
    o: { p: true },
  });
  const whole = new ByteSink(1 << 20);
  assert.equal(msgpackToJson(value, 0, value.length, whole, ID), TranslateStatus.Done);
  for (let bytesMax = 0; bytesMax < whole.length; bytesMax++) {
    const target = new ByteSink(bytesMax, 8);
    assert.equal(msgpackToJson(value, 0, value.length, target, ID), TranslateStatus.TooLarge);
    assert.equal(target.length, 0);
  }
  const roomy = new ByteSink(whole.length + 100, 8);
  assert.equal(msgpackToJson(value, 0, value.length, roomy, ID), TranslateStatus.Done);
});
