// The byte store: what was added stays where it was said to be, through every growth.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteStore } from "../../src/registry/byte-store.js";

test("add() keeps bytes through growth; remove() only counts, and shouldCompact tells when it pays", () => {
  const store = new ByteStore(4);
  const places: [number, string][] = [];
  for (let n = 0; n < 5_000; n++) {
    const text = `value-${n}-${"y".repeat(n % 50)}`;
    const source = Buffer.from(`--${text}--`);
    places.push([store.add(source, 2, source.length - 2), text]);
  }
  for (const [at, text] of places)
    assert.equal(Buffer.from(store.bytes.buffer, at, text.length).toString(), text);
  assert.equal(
    store.length,
    places.reduce((sum, [, text]) => sum + text.length, 0),
  );
  assert.equal(store.shouldCompact, false);
  store.remove(Math.floor(store.length / 2));
  assert.equal(store.shouldCompact, false, "half is not more than half");
  store.remove(10);
  assert.equal(store.shouldCompact, true);
});

test("a little garbage is never worth it, however large its share", () => {
  const store = new ByteStore();
  store.reserve(60_000);
  store.remove(60_000);
  assert.equal(store.shouldCompact, false);
});
