// The JSON envelope scanner against JSON.parse on the same bytes, and against the copy into the arena alone (the floor:
// no scanner can be cheaper than having its input). First the frames of the official Node SDK at three sizes, then
// payloads that are hard for a scanner. One turn does FRAMES_A_TURN frames, so that the clock is no part of it.
import assert from "node:assert/strict";
import type { Bench } from "tinybench";
import {
  EnvelopeScanner,
  READ_AHEAD_BYTES,
  SCANNER_BYTES,
  ScanStatus,
} from "../../src/protocol/json/scanner.js";

export const FRAMES_A_TURN = 32;

const TEXT = "The quick brown fox jumps over the lazy dog, and naïve café. ";
const HARD_BYTES = 65_536;

/** An `invokefunction` as the official Node SDK writes it, around `data`. */
export function invokeFrame(data: string): Buffer {
  const id = "3f2b8c1e-9a4d-4c55-8f0e-7d3b2a1c6e5f";
  return Buffer.from(
    `{"type":"invokefunction","invocation_id":"${id}","function_id":"bench::echo","data":${data}}`,
  );
}

/** About `bytes` of payload: half one text, half an array of small objects. */
export function mixedPayload(bytes: number): string {
  const text = TEXT.repeat(bytes / TEXT.length / 2 + 1).slice(0, bytes / 2);
  return JSON.stringify({
    text,
    items: upTo(bytes / 2, (id) => ({ id, name: `item-${id % 97}`, ok: id % 3 > 0 })),
  });
}

function upTo<T>(bytes: number, item: (index: number) => T): T[] {
  const items: T[] = [];
  for (let size = 0; size < bytes; ) {
    const next = item(items.length);
    items.push(next);
    size += JSON.stringify(next).length + 1;
  }
  return items;
}

/** A repeatable number in [0, 1) for each index, without a pattern that a branch predictor could learn. */
function noise(index: number): number {
  const x = Math.imul(index + 1, 0x9e3779b1);
  return (Math.imul(x ^ (x >>> 15), 0x85ebca6b) >>> 0) / 2 ** 32;
}

const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: [nested(levels - 1)], b: { c: [] } });

const frames: Record<string, Buffer> = {
  "ping, 15 B": Buffer.from('{"type":"ping"}'),
  "128 B": invokeFrame(mixedPayload(128)),
  "1 KiB": invokeFrame(mixedPayload(1_024)),
  "64 KiB": invokeFrame(mixedPayload(65_536)),
  "64 KiB of one text": invokeFrame(JSON.stringify({ text: TEXT.repeat(HARD_BYTES / TEXT.length) })),
  "64 KiB of escapes": invokeFrame(JSON.stringify(upTo(HARD_BYTES, (i) => `line ${i}\n\t"quoted" \\ end\n`))),
  "64 KiB of \\u escapes": invokeFrame(`["${"caf\\u00e9 ".repeat(HARD_BYTES / 10)}"]`),
  "64 KiB of integers": invokeFrame(JSON.stringify(upTo(HARD_BYTES, (i) => Math.floor(noise(i) * 1e6)))),
  "64 KiB of fractions": invokeFrame(JSON.stringify(upTo(HARD_BYTES, (i) => (noise(i) - 0.5) * 1e3))),
  "64 KiB of literals": invokeFrame(JSON.stringify(upTo(HARD_BYTES, (i) => [true, false, null][i % 3]))),
  "64 KiB of nesting": invokeFrame(JSON.stringify(upTo(HARD_BYTES, () => nested(50)))),
  "64 KiB of records": invokeFrame(
    JSON.stringify(
      upTo(HARD_BYTES, (id) => ({
        id: Math.floor(noise(id) * 1e5),
        name: "n".repeat(noise(id + 7) * 30),
        tags: ["a", "bb"].slice(0, noise(id + 9) * 3),
        price: Math.round(noise(id + 11) * 1e4) / 100,
      })),
    ),
  ),
  "pretty, 64 KiB": invokeFrame(JSON.stringify(JSON.parse(mixedPayload(40_000)), null, 2)),
};

/** Adds three rows a frame: copy and scan, copy alone, decode and JSON.parse. */
export function addScanRows(bench: Bench): void {
  const memory = new WebAssembly.Memory({ initial: 4 });
  const scanner = new EnvelopeScanner(memory);
  const arena = new Uint8Array(memory.buffer, SCANNER_BYTES);
  for (const [name, frame] of Object.entries(frames)) {
    assert.ok(frame.length + READ_AHEAD_BYTES <= arena.length, `${name} fits the arena`);
    bench.add(`scan, copied in: ${name}`, () => {
      let refused = 0;
      for (let i = 0; i < FRAMES_A_TURN; i++) {
        arena.set(frame);
        refused += scanner.scan(SCANNER_BYTES, frame.length);
      }
      assert.equal(refused, ScanStatus.Ok);
    });
    bench.add(`copy alone: ${name}`, () => {
      for (let i = 0; i < FRAMES_A_TURN; i++) arena.set(frame);
      assert.equal(arena[0], frame[0]);
    });
    bench.add(`JSON.parse: ${name}`, () => {
      let keys = 0;
      for (let i = 0; i < FRAMES_A_TURN; i++) keys += Object.keys(JSON.parse(frame.toString())).length;
      assert.ok(keys >= FRAMES_A_TURN);
    });
  }
}
