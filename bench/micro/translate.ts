// Payload translation between JSON and msgpack, against the way through JavaScript values: JSON.parse and msgpackr's pack, unpack and
// JSON.stringify. The payload is half a text, half an array of small objects, as the JSON rows of the other benches have it.
//
// Both sides of a row produce bytes that could be sent; the checks beforehand prove that they mean the same.

import { deepStrictEqual } from "node:assert";
import { Packr, unpack } from "msgpackr";
import type { Bench } from "tinybench";
import { ByteSink } from "../../src/protocol/bytes.js";
import { skipValue } from "../../src/protocol/msgpack/skip.js";
import { jsonToMsgpack } from "../../src/protocol/translate/json-to-msgpack.js";
import { msgpackToJson } from "../../src/protocol/translate/msgpack-to-json.js";

const SIZES = [
  ["128 B", 128],
  ["1 KiB", 1_024],
  ["64 KiB", 65_536],
] as const;

const TEXT = 'The quick brown fox jumps over the lazy dog, says "hello" and goes home.\n';
const BYTES_MAX = 1 << 24;

// Plain maps, as other libraries read them.
const packr = new Packr({ useRecords: false });
const utf8 = new TextDecoder();

/** A payload whose JSON has about `bytes` bytes. */
function payload(bytes: number): { text: string; items: object[] } {
  const text = TEXT.repeat(Math.ceil(bytes / TEXT.length)).slice(0, bytes / 2 - 20);
  const items = [];
  for (let id = 0; JSON.stringify({ text, items }).length < bytes - 30; id++) {
    items.push({ id, name: `item ${id}`, price: id * 1.25 + 0.5, stocked: id % 3 === 0 });
  }
  return { text, items };
}

export default function addTranslateRows(bench: Bench): void {
  for (const [name, bytes] of SIZES) addRows(bench, name, bytes);
}

function addRows(bench: Bench, name: string, size: number): void {
  const value = payload(size);
  const json = new Uint8Array(Buffer.from(JSON.stringify(value)));
  const target = new ByteSink(BYTES_MAX);
  jsonToMsgpack(json, 0, json.length, target);
  const msgpack = target.written().slice();
  deepStrictEqual(unpack(msgpack), value);
  target.clear();
  msgpackToJson(msgpack, 0, msgpack.length, target);
  deepStrictEqual(JSON.parse(utf8.decode(target.written())), value);

  let sum = 0;
  const afterAll = () => {
    if (sum === 0) throw new Error("nothing was translated");
  };
  const add = (what: string, run: () => number) =>
    bench.add(
      `${what}, ${name}`,
      () => {
        sum += run();
      },
      { afterAll },
    );

  add("translate JSON to msgpack", () => {
    target.clear();
    jsonToMsgpack(json, 0, json.length, target);
    return target.length;
  });
  add("control JSON.parse and pack", () => packr.pack(JSON.parse(utf8.decode(json))).length);
  add("translate msgpack to JSON", () => {
    target.clear();
    msgpackToJson(msgpack, 0, msgpack.length, target);
    return target.length;
  });
  add("control unpack and JSON.stringify", () => Buffer.from(JSON.stringify(unpack(msgpack))).length);
  add("skip a msgpack value", () => skipValue(msgpack, 0, msgpack.length));
}
