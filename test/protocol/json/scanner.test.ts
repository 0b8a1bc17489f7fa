// The envelope scanner against JSON.parse: single frames, every text of the public parsing suite in every place, every
// alignment around the scanner's steps, depth, digits, and the caller's id in all its spellings.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import {
  EnvelopeKey,
  EnvelopeScanner,
  MessageType,
  SCANNER_BYTES,
  ScanStatus,
  ValueKind,
} from "../../../src/protocol/json/scanner.js";
import { membersOf } from "../../support/json-text.js";
import { ScanArena } from "../../support/scan-arena.js";

const SUITE = new URL("../../../../../shared/data/json-test-suite/test_parsing/", import.meta.url);
const arena = new ScanArena();
const { scanner } = arena;

test("scan() tells where the envelope's values stand", () => {
  const text =
    '{"type":"invokefunction","invocation_id":"a-1","function_id":"math\\u003a:add","data":{"a":[1, 2]}}';
  assert.equal(arena.agree(text), ScanStatus.Ok);
  assert.equal(scanner.type, MessageType.invokefunction);
  assert.equal(scanner.kind(EnvelopeKey.invocation_id), ValueKind.String);
  const idAt = text.indexOf("a-1");
  assert.equal(scanner.start(EnvelopeKey.invocation_id), SCANNER_BYTES + idAt);
  assert.equal(scanner.end(EnvelopeKey.invocation_id), SCANNER_BYTES + idAt + 3);
  assert.equal(scanner.kind(EnvelopeKey.function_id), ValueKind.EscapedString);
  const { start, end } = arena.dataSpan();
  assert.equal(arena.text(start, end), '{"a":[1, 2]}');
  assert.equal(scanner.kind(EnvelopeKey.metadata), ValueKind.Absent);
  assert.equal(scanner.levels, 3);
});

test("scan() knows every key and every message type, plain and escaped", () => {
  const spellings = (name: string): string[] => [
    `"${name}"`,
    `"${[...name].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")}"`,
    `"${name.slice(0, -1)}\\u00${name
      .charCodeAt(name.length - 1)
      .toString(16)
      .toUpperCase()}"`,
  ];
  for (const key of Object.keys(EnvelopeKey)) {
    for (const spelled of spellings(key)) assert.equal(arena.agree(`{"x":1,${spelled}:[2]}`), ScanStatus.Ok);
    arena.agree(`{"${key}x":1,"${key.slice(1)}":2,"${key.slice(0, -1)}":3,"${key}\\n":4,"${key}\\u0100":5}`);
  }
  for (const [type, id] of Object.entries(MessageType)) {
    for (const spelled of spellings(type)) {
      arena.agree(`{"type":${spelled}}`);
      assert.equal(scanner.type, id);
    }
    arena.agree(`{"type":"${type}s","x":"type"}`);
    assert.equal(scanner.type, 0);
  }
});

test("scan() takes nothing for a known name that only resembles one", () => {
  for (const name of [...Object.keys(EnvelopeKey), ...Object.keys(MessageType), "_caller_worker_id"]) {
    const others = Array.from(name, (_, length) => name.slice(0, length));
    others.push(
      `\\${name}`,
      `${name} `,
      `${name}\\u0000`,
      `\\u01${name}`,
      `${name}${"x".repeat(40)}`,
      name.toUpperCase(),
    );
    others.push(`\\u01${name.charCodeAt(0).toString(16)}${name.slice(1)}`);
    for (const other of others) {
      arena.agree(`{"${other}":1}`);
      arena.agree(`{"type":"${other}"}`);
      arena.agree(`{"data":{"${other}":1}}`);
    }
  }
});

test("scan() lets the last of several equal keys win, as JSON.parse does", () => {
  arena.agree(
    '{"type":"ping","data":{"_caller_worker_id":1},"t\\u0079pe":"pong","data":{"a":1},"id":1,"id":"x"}',
  );
  assert.equal(scanner.type, MessageType.pong);
  assert.equal(scanner.callerKeys, 0);
  arena.agree('{"type":"ping","type":1,"data":{"_caller_worker_id":1},"data":null}');
  assert.equal(scanner.type, 0);
  assert.equal(scanner.callerKeys, 0);
});

test("scan() refuses what is no JSON and tells near which byte", () => {
  for (const [text, at] of [
    ["", 0],
    ["{", 1],
    ['{"a":1}}', 7],
    ['{"a":1,}', 7],
    ['{"a":01}', 6],
    ['{"a":1 "b":2}', 7],
    ['{"a" 1}', 5],
    ["{1:1}", 1],
    ['{"a":[1,]}', 8],
    ['{"a":[1 2]}', 8],
    ['{"a":{"b" 1}}', 10],
    ['{"a":["\u0001"]}', 7],
    ['{"a":["\\x"]}', 8],
    ["\ufeff{}", 0],
  ] as const) {
    assert.equal(arena.agree(text), ScanStatus.NotJson, text);
    assert.equal(scanner.errorAt - SCANNER_BYTES, at, text);
  }
});

test("scan() calls JSON that is no object NotObject", () => {
  for (const text of ["[]", "1", '"{}"', "null", " [ {} ] ", "-0", "1e5", "true", "false"]) {
    assert.equal(arena.agree(text), ScanStatus.NotObject, text);
  }
});

test("scan() judges small texts and what is around them as JSON.parse does", () => {
  const pieces = [
    "{}",
    "[]",
    '{"a":1}',
    "[1]",
    '"a"',
    "1",
    "-1.5e-3",
    "true",
    ",",
    ":",
    "{",
    "}",
    "[",
    "]",
    '"k":',
    "-",
    "01",
    "1.",
    "nul",
    "\\",
    " ",
  ];
  for (const a of pieces) {
    for (const b of pieces) {
      for (const c of pieces) {
        arena.agree(`{"data":[${a}${b}${c}]}`);
        arena.agree(`{"data":{${a}${b}${c}}}`);
      }
    }
  }
});

test("scan() judges every number and literal as JSON.parse does", () => {
  const starts = ["", "-", "+", "--"];
  const wholes = [
    "",
    "0",
    "00",
    "7",
    "10",
    "01",
    "123456789012345678901234567890",
    "a",
    "tru",
    "true",
    "truee",
    "false",
    "fals",
    "null",
  ];
  const tails = [
    "",
    ".",
    ".0",
    ".05",
    ".e1",
    "e",
    "e5",
    "E+5",
    "e-05",
    "e+",
    ".1e5",
    "e5.1",
    "e5e5",
    ".1.1",
    "-",
    "x",
    "\u00e9",
  ];
  for (const start of starts) {
    for (const whole of wholes) {
      for (const tail of tails) {
        const scalar = start + whole + tail;
        arena.agree(scalar);
        for (const around of [
          `{"id":${scalar}}`,
          `{"data":[${scalar},${scalar} ]}`,
          `{"data":{"a":${scalar}}}`,
        ])
          arena.agree(around);
      }
    }
  }
});

test("scan() judges every escape and every byte inside a string as JSON.parse does", () => {
  for (let code = 0; code < 256; code++) {
    const c = String.fromCharCode(code);
    for (const inside of [c, `${c}n`, `\\${c}`, `\\u00${c}1`, `\\\\${c}`, `\\ud83d${c}`, `\\u12${c}`]) {
      arena.agree(`{"id":"${inside}"}`);
      arena.agree(`{"data":["${inside}"]}`);
      arena.agree(`{"${inside}":1,"data":{"${inside}":"${inside}"}}`);
    }
  }
});

test("scan() agrees with JSON.parse on every text of the parsing suite, in every place", (t) => {
  if (!existsSync(SUITE)) return t.skip("../shared/data/json-test-suite is absent");
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const notUtf8: string[] = [];
  for (const file of readdirSync(SUITE)) {
    let text: string;
    try {
      text = decoder.decode(readFileSync(new URL(file, SUITE)));
    } catch {
      notUtf8.push(file);
      continue;
    }
    const frames = [
      text,
      `{"type":"x","data":${text}}`,
      `{"id":${text},"type":"ping"}`,
      `{"u":[${text}]}`,
      `{"data":{"a":${text}}}`,
    ];
    for (const frame of frames) arena.agree(frame);
  }
  t.diagnostic(`skipped, not UTF-8: ${notUtf8.length} (${notUtf8.join(", ")})`);
  assert.ok(notUtf8.length < 40);
});

test("scan() agrees at every alignment around its steps", () => {
  const values = [
    '"\\\\\\"\\u00e9\\\\"',
    "-12.5e+3",
    "12345678",
    "true",
    '{"k":{}}',
    "[[],[{}]]",
    ' { "a" : [ 1 , 2 ] , "b" : null } ',
    '"\\',
    "-",
    "01",
    "[1,]",
    '{"a":1,}',
    '{"a" "b"}',
    "truefalse",
    '"\t"',
    "\\",
    "]",
    '{"a":1]',
    '["a":1]',
    '{"a",1}',
    "1 2",
  ];
  for (const value of values) {
    for (let pad = 0; pad < 140; pad++) {
      const filler = "x".repeat(pad);
      arena.agree(`{"data":["${filler}",${value}]}`);
      arena.agree(`{"data":[${" ".repeat(pad)}${value}${" ".repeat(pad)}]}`);
      arena.agree(`{"data":{"${filler}":${value},"b":${value}}}`);
      arena.agree(`{"id":"${filler}","data":${value}}`, SCANNER_BYTES + (pad % 67));
      arena.agree(`{"data":[${"1".repeat(pad)},${value},${"7".repeat(pad + 1)}]}`);
    }
  }
});

test("scan() agrees on escapes at every alignment, with long plain text behind them", () => {
  for (const spelled of [
    "\\n",
    "\\q",
    "\\u00e9",
    "\\u00",
    "\\u00e",
    "\\u00eg",
    "\\ud83d\\ude00",
    "\\\\",
    "\\",
    "\u0007",
  ]) {
    for (let pad = 0; pad < 70; pad++) {
      const inside = `${"x".repeat(pad)}${spelled}${"é".repeat(100)}`;
      arena.agree(`{"data":["${inside}"]}`);
      arena.agree(`{"data":["${inside}\\"",1]}`);
      arena.agree(`{"data":{"${inside}":"${inside}"}}`);
      arena.agree(`{"id":"${inside}"}`);
      arena.agree(`{"data":["${"x".repeat(pad)}${spelled}`);
    }
  }
});

test("scan() refuses a long number wherever no value may stand", () => {
  for (let digits = 1; digits < 200; digits += 3) {
    const number = "8".repeat(digits);
    for (const data of [
      `{${number}}`,
      `{${number}:1}`,
      `{"a":1,${number}}`,
      `[1 ${number}]`,
      `["" ${number}]`,
      `[${number}x]`,
    ]) {
      assert.equal(arena.agree(`{"data":${data}}`), ScanStatus.NotJson);
    }
    assert.equal(
      arena.agree(`{"data":{"a":${number},"b":[${number},${number}.5,${number}e1]}}`),
      ScanStatus.Ok,
    );
  }
});

test("scan() follows 10,000 levels and more, and gives up beyond 65,536", () => {
  for (const levels of [63, 64, 65, 127, 128, 129, 10_000]) {
    const open = '{"a":['.repeat(levels / 2);
    const close = "]}".repeat(levels / 2);
    assert.equal(arena.agree(`{"data":${open}1${close}}`), ScanStatus.Ok);
    assert.equal(arena.agree(`{"data":${open}1${close}]}`), ScanStatus.NotJson);
    assert.equal(arena.agree(`{"data":${open}`), ScanStatus.NotJson);
    assert.equal(arena.agree(`{"data":${open}${close.slice(1)}}`), ScanStatus.NotJson);
  }
  const nested = (levels: number) =>
    Buffer.from(`{"data":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`);
  assert.equal(arena.scan(nested(65_536)), ScanStatus.Ok);
  assert.equal(scanner.levels, 65_536);
  assert.equal(arena.scan(nested(65_537)), ScanStatus.TooDeep);
  assert.equal(scanner.levels, 65_537);
});

test("scan() reports the digits of long integers wherever they stand", () => {
  for (const count of [63, 64, 65, 127, 128, 4_300, 4_301]) {
    const digits = "9".repeat(count);
    for (const text of [
      `{"id":${digits}}`,
      `{"data":[1,-${digits} ,2]}`,
      `{"x":{"a":${digits}}}`,
      `[${digits}]`,
      `${digits}`,
    ]) {
      arena.agree(text);
      if (count >= 64) assert.equal(scanner.digits, count);
    }
    arena.agree(`{"data":[${digits}.5,${digits}e1,"${digits}"]}`);
    assert.equal(scanner.digits, 0);
  }
});

const CALLER_SPELLINGS = [
  '"_caller_worker_id"',
  '"\\u005fcaller_worker_id"',
  '"_caller\\u005Fworker_id"',
  '"_c\\u0061ller_worker_i\\u0064"',
  `"${[..."_caller_worker_id"].map((c) => `\\u00${c.charCodeAt(0).toString(16)}`).join("")}"`,
];

test("cutCallerKeys() removes every spelling from every position and nothing else", () => {
  const others = [
    '"a":{"_caller_worker_id":[1,{"_caller_worker_id":2}]}',
    '"_caller_worker_id2" : "x"',
    '"\\u005fcaller":"}"',
    '"":{}',
  ];
  const values = ["1", '"x,\\"}"', '{"_caller_worker_id":1}', "[1,2]", "null"];
  for (const [index, spelled] of CALLER_SPELLINGS.entries()) {
    for (const space of ["", " ", "\n\t "]) {
      const caller = `${spelled}${space}:${space}${values[index]}`;
      for (let places = 0; places < 1 << (others.length + 1); places++) {
        const members: string[] = [];
        for (let i = 0; i <= others.length; i++) {
          if (places & (1 << i)) members.push(caller);
          if (i < others.length) members.push(others[i]!);
        }
        const data = `{${space}${members.join(`${space},${space}`)}${space}}`;
        assert.equal(arena.agree(`{"type":"x","data":${data},"id":1}`), ScanStatus.Ok);
      }
      for (const data of [`{${caller}}`, `{${space}${caller}${space},${caller}${space}}`]) {
        arena.agree(`{"data":${data}}`);
        assert.equal(scanner.hasOtherMembers, false);
      }
    }
  }
});

test("cutCallerKeys() leaves tidy bytes", () => {
  for (const [data, expected] of [
    ['{"_caller_worker_id":1}', "{}"],
    ['{"_caller_worker_id":1,"a":2}', '{"a":2}'],
    ['{"a":2,"_caller_worker_id":1}', '{"a":2}'],
    ['{"a":2,"_caller_worker_id":1,"b":3}', '{"a":2,"b":3}'],
    ['{ "a": 2, "_caller_worker_id": 1 }', '{ "a": 2 }'],
    ['{ "a": 2, "_caller_worker_id": 1, "b": 3 }', '{ "a": 2, "b": 3 }'],
    ['{ "_caller_worker_id": 1, "b": 3 }', '{ "b": 3 }'],
    ['{"a":2}', '{"a":2}'],
    ["{ }", "{ }"],
  ] as const) {
    arena.scan(Buffer.from(`{"data":${data}}`));
    const { start, end } = arena.dataSpan();
    assert.equal(arena.text(start, scanner.cutCallerKeys(start, end)), expected);
  }
});

test("callerKeys counts only the own members of data", () => {
  arena.agree('{"data":{"a":{"_caller_worker_id":1},"b":[{"_caller_worker_id":1}]},"_caller_worker_id":3}');
  assert.equal(scanner.callerKeys, 0);
  arena.agree('{"data":[{"_caller_worker_id":1}],"result":{"_caller_worker_id":1}}');
  assert.equal(scanner.callerKeys, 0);
  const long = `{"data":{"text":"${"x".repeat(100)}","_caller_worker_id":1,"z":[${"{},".repeat(50)}1],"\\u005fcaller_worker_id":2}}`;
  arena.agree(long);
  assert.deepEqual(membersOf("{}"), []);
});

test("a scanner keeps answering after its memory grew", () => {
  const memory = new WebAssembly.Memory({ initial: 2 });
  const grown = new EnvelopeScanner(memory);
  for (let round = 0; round < 3; round++) {
    new Uint8Array(memory.buffer).set(Buffer.from(`{"id":${round}}`), SCANNER_BYTES);
    assert.equal(grown.scan(SCANNER_BYTES, 8), ScanStatus.Ok);
    assert.equal(grown.kind(EnvelopeKey.id), ValueKind.Number);
    memory.grow(1);
  }
});

test("a scan writes to the scanner's own part of the memory only", () => {
  const memory = new WebAssembly.Memory({ initial: 4 });
  const scanner = new EnvelopeScanner(memory);
  const bytes = Buffer.from(memory.buffer);
  const texts = [
    '{"t\\u0079pe":"ping"}',
    `{"data":${"[".repeat(5_000)}`,
    '{"data":{"\\u005fcaller_worker_id":1,"a":2}}',
    "{",
  ];
  for (const text of texts) {
    bytes.fill(0xa5, SCANNER_BYTES);
    bytes.write(text, SCANNER_BYTES + 999);
    const before = Buffer.from(bytes.subarray(SCANNER_BYTES));
    scanner.scan(SCANNER_BYTES + 999, text.length);
    assert.ok(bytes.subarray(SCANNER_BYTES).equals(before), text.slice(0, 40));
  }
});

test("scan.wasm imports one memory and nothing else, and is small", () => {
  const wasm = readFileSync(new URL("../../../src/protocol/json/scan.wasm", import.meta.url));
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(wasm));
  assert.deepEqual(imports, [{ module: "env", name: "memory", kind: "memory" }]);
  assert.ok(wasm.length < 12_288, `${wasm.length} bytes`);
});
