// The frame writer: fixed pieces and spans, one behind the other, in the arena.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameWriter } from "../../../src/protocol/json/frame-writer.js";
import { Arena } from "../../../src/transport/arena.js";

test("pieces, spans, bytes from elsewhere and hex stand where they were written", () => {
  const arena = new Arena(1);
  const writer = new FrameWriter(arena);
  const open = writer.piece('{"é":"');
  const close = writer.piece('"}');
  const input = arena.receive(Buffer.from("..value.."));
  const at = arena.scratch(200);
  writer.at = at;
  writer.fixed(open);
  writer.span(input + 2, input + 7);
  writer.byte(0x2d);
  writer.hex32(0x00100abc);
  writer.bytes(Buffer.from("é"));
  writer.fixed(close);
  assert.equal(Buffer.from(arena.bytes.subarray(at, writer.at)).toString(), '{"é":"value-00100abcé"}');
});

test("pieces stay good when the arena's memory has grown", () => {
  const arena = new Arena(1);
  const writer = new FrameWriter(arena);
  const pieces = Array.from({ length: 20 }, (_, n) => writer.piece(`piece ${n};`));
  arena.receive(Buffer.alloc(20_000_000));
  writer.at = arena.scratch(1_000);
  const at = writer.at;
  for (const piece of pieces) writer.fixed(piece);
  assert.equal(
    Buffer.from(arena.bytes.subarray(at, writer.at)).toString(),
    pieces.map((_, n) => `piece ${n};`).join(""),
  );
});
