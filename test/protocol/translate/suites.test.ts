// The public test suites through the translators: every JSON text, every msgpack encoding, against JSON.parse and msgpackr.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { unpack } from "msgpackr";
import { bytes, hexOf, json, packed } from "./translating.js";

const JSON_SUITE = "../shared/data/json-test-suite/test_parsing";
const MSGPACK_SUITE = "../shared/data/msgpack-test-suite/msgpack-test-suite.json";

/** Texts that JSON.parse accepts and the table refuses. */
const UNTRANSLATABLE =
  /^i_number_(huge_exp|neg_int_huge_exp|pos_double_huge_exp|real_neg_overflow|real_pos_overflow|too_big_neg_int|too_big_pos_int|very_big_negative_int)|^i_(object_key_lone|string_.*(surrogate|U\+D800|not_in_unicode))|^y_number_(very_big|huge)/;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function parsed(text: Uint8Array): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(utf8.decode(text)) };
  } catch {
    return undefined; // refused: what this function tells
  }
}

test("jsonToMsgpack() agrees with JSON.parse on every text of the JSON test suite", (t) => {
  if (!existsSync(JSON_SUITE)) return t.skip(`${JSON_SUITE} is not here`);
  let translated = 0;
  for (const file of readdirSync(JSON_SUITE)) {
    const text = readFileSync(`${JSON_SUITE}/${file}`);
    const expected = parsed(text);
    const result = packed(text);
    if (file.startsWith("y_")) assert.ok(result instanceof Uint8Array, `${file}: ${result}`);
    if (result instanceof Uint8Array) {
      translated++;
      assert.ok(expected, `${file} is not JSON but was translated`);
      // msgpackr reads 64-bit integers beyond 2^53 as bigint where JSON.parse rounds; the texts of the suite stay below.
      assert.deepEqual(unpack(result), expected.value, file);
      assert.deepEqual(JSON.parse(json(result)), expected.value, `${file} and back`);
    } else if (expected === undefined) {
      // A text with two faults is told of the first one met: a lone surrogate may come before the missing quote.
      assert.match(
        result,
        file.includes("surrogate") ? /^payload_/ : /^payload_(invalid|out_of_bounds) at /,
        file,
      );
    } else if (file.includes("500_nested")) {
      assert.match(result, /^payload_out_of_bounds at /, file);
    } else {
      assert.match(file, UNTRANSLATABLE);
      assert.match(result, /^payload_untranslatable at /, file);
    }
  }
  assert.ok(translated >= 95);
  return undefined;
});

interface SuiteCase {
  msgpack: string[];
  [kind: string]: unknown;
}

/** What a case of the suite is as JSON, or the refusal the table names. */
function expectedText(entry: SuiteCase): string {
  const { msgpack: _, bignum, ...rest } = entry;
  const [kind, value] = Object.entries(rest)[0] ?? ["bignum", bignum];
  if (kind === "binary" || kind === "ext") return "payload_untranslatable at 0";
  return String(kind === "bignum" ? bignum : JSON.stringify(value));
}

test("msgpackToJson() writes every encoding of the msgpack test suite as its value", (t) => {
  if (!existsSync(MSGPACK_SUITE)) return t.skip(`${MSGPACK_SUITE} is not here`);
  // The file's shape: groups of cases, each with one value under its kind and its encodings in hex.
  const groups = JSON.parse(readFileSync(MSGPACK_SUITE, "utf8")) as Record<string, SuiteCase[]>;
  let compared = 0;
  for (const [group, cases] of Object.entries(groups)) {
    for (const entry of cases) {
      for (const hex of entry.msgpack) {
        compared++;
        assertCase(group, entry, hex);
      }
    }
  }
  assert.ok(compared > 200);
  return undefined;
});

function assertCase(group: string, entry: SuiteCase, hex: string): void {
  const text = json(hex);
  const name = `${group} ${hex}`;
  if (group.includes("timestamp")) {
    // The suite gives seconds and nanoseconds; years that RFC 3339 does not know are refused.
    const [seconds = 0, nanoseconds = 0] = entry["timestamp"] as number[];
    const date = new Date(seconds * 1_000 + Math.floor(nanoseconds / 1e6));
    assert.equal(new Date(JSON.parse(text)).getTime(), date.getTime(), name);
    assert.equal(
      /\.(\d+)Z/.exec(text)?.[1]?.padEnd(9, "0") ?? "000000000",
      String(nanoseconds).padStart(9, "0"),
      name,
    );
    return;
  }
  const isFloat = /^c[ab]/.test(hex);
  if (!isFloat) assert.equal(text, expectedText(entry), name);
  else {
    assert.match(text, /[.e]/, name);
    assert.equal(JSON.parse(text), unpack(bytes(hex)), name);
  }
  if (text.startsWith("payload_")) return;
  const back = packed(text);
  assert.ok(back instanceof Uint8Array, `${name}: ${back}`);
  if (!isFloat) assert.ok(back.length <= bytes(hex).length, `${name} came back as ${hexOf(back)}`);
  assert.equal(json(back), text, `${name} there and back`);
}
