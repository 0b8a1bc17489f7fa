// What can still be read of an envelope that is not JSON.
import assert from "node:assert/strict";
import { test } from "node:test";
import { salvagedString, salvageEnvelope } from "../../../src/protocol/json/salvage.js";
import { Random } from "../../support/random.js";

const ID = "9d6a2b0c-5d3e-4a4e-8f1c-2b7c1b1f0a01";

test("reads the members around a value that is no JSON, before it and behind it", () => {
  for (const broken of [
    "NaN",
    "Infinity",
    "-Infinity",
    '{"a":NaN,"invocation_id":"not this"}',
    '[1,"]",NaN]',
    "01",
    "[1,]",
    '{"a" 1}',
    "'x'",
    "undefined",
  ]) {
    for (const text of [
      `{"type":"invocationresult","result":${broken},"invocation_id":"${ID}"}`,
      `{ "result" : ${broken} , "invocation_id"\n:\t"${ID}" ,"type":"invocationresult" }`,
    ]) {
      const found = salvageEnvelope(text);
      assert.equal(salvagedString(found, "invocation_id"), ID, text);
      assert.equal(salvagedString(found, "type"), "invocationresult", text);
      assert.equal(found.get("result")?.trim(), broken, text);
    }
  }
});

test("believes quotes, escapes and brackets inside of strings", () => {
  const found = salvageEnvelope('{"a":"x\\"}],\\\\","\\u0074ype":"ping","b":NaN}');
  assert.equal(salvagedString(found, "a"), 'x"}],\\');
  assert.equal(salvagedString(found, "type"), "ping");
});

test("strings that are none, and members that are missing, are not to be had", () => {
  const found = salvageEnvelope('{"a":"bad \\q escape","b":7,"c":"raw\nnewline","d":null,"e":"ok","f":NaN}');
  assert.deepEqual(
    ["a", "b", "c", "d", "e", "g"].map((key) => salvagedString(found, key)),
    [undefined, undefined, undefined, undefined, "ok", undefined],
  );
});

test("what is no object, or cut, gives what could be followed and ends", () => {
  for (const text of ["", " ", "[1]", '"x"', "NaN", "{", "{}", '{"', '{"a', '{"a"', '{"a":', "{a:1}"])
    assert.ok(salvageEnvelope(text).size <= 1, text);
  const whole = `{"type":"invokefunction","invocation_id":"${ID}","data":[{"x":NaN}],"function_id":"f"}`;
  for (let length = 0; length <= whole.length; length++) {
    const found = salvageEnvelope(whole.slice(0, length));
    assert.equal(
      salvagedString(found, "invocation_id"),
      length > whole.indexOf(ID) + ID.length ? ID : undefined,
      `cut at ${length}`,
    );
  }
});

test("what JSON.parse accepts it reads as well, and deep nesting costs no stack", () => {
  const random = new Random(4);
  for (let n = 0; n < 500; n++) {
    const value: Record<string, unknown> = {};
    for (let member = 0; member < 5; member++)
      value[`k${member}"\\é`.slice(0, 2 + random.below(4))] = random.pick([
        'text\\"é',
        1,
        null,
        [1, "]"],
        { a: "}" },
      ]);
    const found = salvageEnvelope(JSON.stringify(value, null, n % 3));
    assert.deepEqual([...found.keys()], Object.keys(value));
    for (const [key, text] of found) assert.deepEqual(JSON.parse(text), value[key]);
  }
  const deep = `{"data":${"[".repeat(1_000_000)},"x":1`;
  assert.equal(salvageEnvelope(deep).size, 1);
});
