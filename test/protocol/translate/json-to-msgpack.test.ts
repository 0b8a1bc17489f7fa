// JSON to msgpack, in wire: the rows of the table in PROTOCOL.md, every refusal by its code, and each text cut at every length.

import assert from "node:assert/strict";
import test from "node:test";
import { unpack } from "msgpackr";
import { ByteSink } from "../../../src/protocol/bytes.js";
import { PAYLOAD_DEPTH_MAX } from "../../../src/protocol/limits.js";
import { jsonToMsgpack } from "../../../src/protocol/translate/json-to-msgpack.js";
import { refusalMessage, TranslateStatus } from "../../../src/protocol/translate/status.js";
import { bytes, packed, packedHex } from "./translating.js";

const ID = Buffer.from("0b9c6a52-3a5e-4a39-9a0c-6d0e6a9a5d11");
const ID_MEMBER = `b1${Buffer.from("_caller_worker_id").toString("hex")}d924${ID.toString("hex")}`;

const EXACT: readonly (readonly [json: string, hex: string])[] = [
  ["null", "c0"],
  ["true", "c3"],
  ["false", "c2"],
  ['""', "a0"],
  ['"hi"', "a26869"],
  ["[]", "90"],
  ["{}", "80"],
  ['{"a":[1,2]}', "81a161920102"],
  [' \t\r\n{ "a" : [ 1 , { } , [ ] ] , "b" : null }\n', "82a161930180 90a162c0"],
  ['{"b":1,"a":2,"b":3}', "83a16201a16102a16203"],
  ["0", "00"],
  ["127", "7f"],
  ["128", "cc80"],
  ["255", "ccff"],
  ["256", "cd0100"],
  ["65535", "cdffff"],
  ["65536", "ce00010000"],
  ["4294967295", "ceffffffff"],
  ["4294967296", "cf0000000100000000"],
  ["9007199254740993", "cf0020000000000001"],
  ["18446744073709551615", "cfffffffffffffffff"],
  ["-1", "ff"],
  ["-32", "e0"],
  ["-33", "d0df"],
  ["-128", "d080"],
  ["-129", "d1ff7f"],
  ["-32768", "d18000"],
  ["-32769", "d2ffff7fff"],
  ["-2147483648", "d280000000"],
  ["-2147483649", "d3ffffffff7fffffff"],
  ["-4294967296", "d3ffffffff00000000"],
  ["-9007199254740993", "d3ffdfffffffffffff"],
  ["-9223372036854775808", "d38000000000000000"],
  ["-0", "cb8000000000000000"],
  ["1.0", "cb3ff0000000000000"],
  ["-0.0", "cb8000000000000000"],
  ["1e0", "cb3ff0000000000000"],
  ["0.1", "cb3fb999999999999a"],
  ["1E+2", "cb4059000000000000"],
  ["5e-324", "cb0000000000000001"],
  ["1e-400", "cb0000000000000000"],
  ["1.7976931348623157e308", "cb7fefffffffffffff"],
  ["123456789012345678901234567890.5", "cb45f8ee90ff6c373e"],
  [String.raw`"\"\\\/\b\f\n\r\t"`, "a8225c2f080c0a0d09"],
  [String.raw`"\u0041\u00e9\u20AC\uD83D\ude00"`, "aa41c3a9e282acf09f9880"],
  ['"é€😀"', "a9c3a9e282acf09f9880"],
  [String.raw`"\u0000"`, "a100"],
];

const REFUSED: readonly (readonly [json: string, refusal: string])[] = [
  ["18446744073709551616", "payload_untranslatable at 0"],
  ["[1,-9223372036854775809]", "payload_untranslatable at 3"],
  ["99999999999999999999999", "payload_untranslatable at 0"],
  ["1e309", "payload_untranslatable at 0"],
  ["-1.5e999999999999", "payload_untranslatable at 0"],
  [String.raw`"ab\ud800"`, "payload_untranslatable at 3"],
  [String.raw`"\ud800\u0041"`, "payload_untranslatable at 1"],
  [String.raw`"\ud800x"`, "payload_untranslatable at 1"],
  [String.raw`"\udc00\ud800"`, "payload_untranslatable at 1"],
  ["9".repeat(4300), "payload_untranslatable at 0"],
  ["9".repeat(4301), "payload_out_of_bounds at 0"],
  ["", "payload_invalid at 0"],
  ["  ", "payload_invalid at 2"],
  ["1 2", "payload_invalid at 2"],
  ["[1,]", "payload_invalid at 3"],
  ['{"a":1,}', "payload_invalid at 7"],
  ['{"a" 1}', "payload_invalid at 5"],
  ["{1:2}", "payload_invalid at 1"],
  ["[1}", "payload_invalid at 2"],
  ['{"a":1]', "payload_invalid at 6"],
  ["01", "payload_invalid at 0"],
  ["-", "payload_invalid at 1"],
  ["1.", "payload_invalid at 2"],
  ["1.e1", "payload_invalid at 2"],
  ["1e", "payload_invalid at 2"],
  ["1e+", "payload_invalid at 3"],
  ["+1", "payload_invalid at 0"],
  [".5", "payload_invalid at 0"],
  ["nul", "payload_invalid at 0"],
  ["nulL", "payload_invalid at 0"],
  ["NaN", "payload_invalid at 0"],
  ['"a\nb"', "payload_invalid at 2"],
  [String.raw`"\x"`, "payload_invalid at 1"],
  [String.raw`"\u12g4"`, "payload_invalid at 1"],
];

for (const [json, hex] of EXACT) {
  test(`jsonToMsgpack() writes ${json.slice(0, 50)} as ${hex}`, () => {
    assert.equal(packedHex(json), hex.replaceAll(" ", ""));
  });
}

for (const [json, refusal] of REFUSED) {
  test(`jsonToMsgpack() refuses ${json.slice(0, 40)} (${json.length} characters) as ${refusal}`, () => {
    assert.equal(packedHex(json), refusal);
  });
}

test("jsonToMsgpack() refuses text that is not UTF-8 as payload_invalid", () => {
  for (const hex of [
    "ff",
    "80",
    "c0af",
    "c1bf",
    "e08080",
    "eda080",
    "f0808080",
    "f4908080",
    "f5808080",
    "c3",
    "e282",
    "f09f98",
  ]) {
    assert.equal(packedHex(bytes(`22 41 ${hex} 22`)), "payload_invalid at 2", hex);
  }
});

test("jsonToMsgpack() refuses a text cut at any length, except where a shorter one is a number", () => {
  for (const json of [
    '{"a":[1.5e3,true,"\\u00e9\\n😀",null,-12],"b":{"c":false}}',
    '"a longer text without any escape in it"',
    "[[[]]]",
  ]) {
    const text = Buffer.from(json);
    assert.equal(typeof packed(text), "object");
    for (let length = 0; length < text.length; length++) {
      assert.match(packedHex(text.subarray(0, length)), /^payload_invalid at /, json.slice(0, length));
    }
  }
});

test("jsonToMsgpack() writes the shortest header of a str at every edge, with and without escapes", () => {
  for (const length of [0, 15, 16, 31, 32, 33, 100, 255, 256, 257, 1_000, 65_535, 65_536, 70_000]) {
    const text = "x".repeat(length);
    for (const value of [text, `${text}\n`, `\n${text}`, `${text.slice(1)}é`, "\n".repeat(length)]) {
      const result = packed(JSON.stringify(value));
      assert.ok(result instanceof Uint8Array);
      const size = Buffer.byteLength(value);
      const header = size < 32 ? 1 : size < 256 ? 2 : size < 65_536 ? 3 : 5;
      assert.equal(result.length, header + size);
      assert.equal(unpack(result), value);
    }
  }
});

test("jsonToMsgpack() writes the shortest header of arrays and objects at every edge", () => {
  for (const length of [0, 1, 15, 16, 17, 65_535, 65_536, 65_537]) {
    const header = length < 16 ? 1 : length < 65_536 ? 3 : 5;
    const array = packed(JSON.stringify([Array(length).fill(7), "after"]));
    assert.ok(array instanceof Uint8Array);
    assert.equal(array.length, 1 + header + length + 6);
    assert.deepEqual(unpack(array), [Array(length).fill(7), "after"]);
    const object = Object.fromEntries(Array.from({ length }, (_, i) => [`k${i}`, i]));
    const map = packed(JSON.stringify([object, "after"]));
    assert.ok(map instanceof Uint8Array);
    assert.deepEqual(unpack(map), [object, "after"]);
  }
});

test("jsonToMsgpack() stops at depthMax, 126 by default", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  assert.equal(packedHex(nested(PAYLOAD_DEPTH_MAX)), "91".repeat(PAYLOAD_DEPTH_MAX - 1) + "90");
  assert.equal(packedHex(nested(PAYLOAD_DEPTH_MAX + 1)), `payload_out_of_bounds at ${PAYLOAD_DEPTH_MAX}`);
  assert.equal(packedHex(nested(10_000)), `payload_out_of_bounds at ${PAYLOAD_DEPTH_MAX}`);
  assert.equal(packedHex(nested(10_000), { depthMax: 10_000 }), `${"91".repeat(9_999)}90`);
  assert.equal(packedHex('{"a":{}}', { depthMax: 1 }), "payload_out_of_bounds at 5");
  assert.equal(packedHex("1", { depthMax: 0 }), "01");
});

test("jsonToMsgpack() puts the caller's worker id first into an object, and nowhere else", () => {
  const callerWorkerId = ID;
  assert.equal(packedHex('{"a":1}', { callerWorkerId }), `82${ID_MEMBER}a16101`);
  assert.equal(packedHex("{}", { callerWorkerId }), `81${ID_MEMBER}`);
  assert.equal(packedHex('[{"a":1}]', { callerWorkerId }), "9181a16101");
  assert.equal(packedHex("1", { callerWorkerId }), "01");
  const fifteen = JSON.stringify(Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`k${i}`, 0])));
  assert.match(packedHex(fifteen, { callerWorkerId }), new RegExp(`^de0010${ID_MEMBER}a26b3000`));
});

test("jsonToMsgpack() leaves out a forged worker id in any spelling, at the top level only", () => {
  const callerWorkerId = ID;
  for (const key of [
    "_caller_worker_id",
    String.raw`\u005fcaller_worker_id`,
    String.raw`_caller\u005Fworker_i\u0064`,
  ]) {
    const left = `82${ID_MEMBER}a16101`;
    assert.equal(packedHex(`{"${key}":"x","a":1}`, { callerWorkerId }), left);
    assert.equal(packedHex(`{"a":1,"${key}":[{"${key}":[1,2]}]}`, { callerWorkerId }), left);
    assert.equal(packedHex(`{"${key}":{},"a":1,"${key}":{"a":[]}}`, { callerWorkerId }), left);
    assert.equal(packedHex(`{"${key}":1}`, { callerWorkerId }), `81${ID_MEMBER}`);
  }
  const key = Buffer.from("_caller_worker_id").toString("hex");
  assert.equal(
    packedHex('{"a":{"_caller_worker_id":1}}', { callerWorkerId }),
    `82${ID_MEMBER}a16181b1${key}01`,
  );
  assert.equal(packedHex('{"_caller_worker_id":1}'), `81b1${key}01`);
});

test("jsonToMsgpack() appends, and after a refusal the target is as it was", () => {
  const target = new ByteSink(1_000, 4);
  const text = Buffer.from('[1,"abc",{"a":1}]x');
  assert.equal(jsonToMsgpack(text, 0, text.length - 1, target), TranslateStatus.Done);
  const first = target.written().slice();
  assert.equal(jsonToMsgpack(text, 0, text.length, target), TranslateStatus.Invalid);
  assert.deepEqual(target.written(), first);
  assert.equal(refusalMessage(), "Cannot translate the payload: something after the value at byte 17");
});

test("jsonToMsgpack() ends with TooLarge where the target's bytesMax is reached, wherever that is", () => {
  const text = Buffer.from(
    JSON.stringify({ text: "a\néx".repeat(60), list: Array(40).fill([1.5, -70_000, null]), o: { p: true } }),
  );
  const whole = new ByteSink(1 << 20);
  assert.equal(jsonToMsgpack(text, 0, text.length, whole, ID), TranslateStatus.Done);
  for (let bytesMax = 0; bytesMax < whole.length; bytesMax++) {
    const target = new ByteSink(bytesMax, 8);
    assert.equal(jsonToMsgpack(text, 0, text.length, target, ID), TranslateStatus.TooLarge);
    assert.equal(target.length, 0);
  }
  const roomy = new ByteSink(whole.length + 100, 8);
  assert.equal(jsonToMsgpack(text, 0, text.length, roomy, ID), TranslateStatus.Done);
});

test("jsonToMsgpack() widens headers inside one another without losing or moving anything else", () => {
  let text = `[${"1,".repeat(70_000)}1]`;
  for (let level = 0; level < PAYLOAD_DEPTH_MAX - 1; level++) text = `[${text}${',"ab"'.repeat(16)}]`;
  assert.equal(
    packedHex(text),
    `${"dc0011".repeat(PAYLOAD_DEPTH_MAX - 1)}dd00011171${"01".repeat(70_001)}${"a26162".repeat(16 * (PAYLOAD_DEPTH_MAX - 1))}`,
  );
});
