// Names to indexes and back: probing, removal, compaction, size.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_KEY, Names, type NamespaceKey, namespaceKey } from "../../src/registry/names.js";
import { Random } from "../support/random.js";

function add(names: Names, index: number, key: NamespaceKey, id: string): void {
  const bytes = Buffer.from(id);
  names.add(index, key, bytes, 0, bytes.length);
}

function find(names: Names, key: NamespaceKey, id: string): number {
  const bytes = Buffer.from(`<${id}>`); // not at the beginning of its buffer, and not at its end
  return names.find(key, bytes, 1, bytes.length - 1);
}

test("find() finds what add() added, in its namespace only, and gives both halves back", () => {
  const names = new Names(10);
  const other = namespaceKey("other");
  add(names, 3, DEFAULT_KEY, "billing::charge");
  add(names, 5, other, "billing::charge");
  add(names, 7, DEFAULT_KEY, "");
  add(names, 8, other, "é😀");
  assert.deepEqual(
    [
      find(names, DEFAULT_KEY, "billing::charge"),
      find(names, other, "billing::charge"),
      find(names, DEFAULT_KEY, ""),
      find(names, other, "é😀"),
    ],
    [3, 5, 7, 8],
  );
  for (const id of ["billing::charg", "billing::charge ", "Billing::charge", "é"])
    assert.equal(find(names, DEFAULT_KEY, id), 0, id);
  assert.equal(find(names, namespaceKey("third"), "billing::charge"), 0);
  assert.deepEqual([names.id(8), names.namespace(8), names.idLength(8)], ["é😀", "other", 6]);
  assert.deepEqual([names.id(7), names.namespace(7), names.count], ["", "default", 4]);
  assert.equal(Buffer.from(names.idBytes(5)).toString(), "billing::charge");
  const exact = Buffer.from("billing::charge");
  assert.equal(names.isId(3, exact, 0, exact.length), true);
  assert.equal(names.isId(3, exact, 0, exact.length - 1), false);
  assert.equal(names.isId(8, exact, 0, 6), false);
});

test("startsWith() compares bytes of the id alone, the whole of it at most", () => {
  const names = new Names(10);
  add(names, 3, DEFAULT_KEY, "é::a");
  const starts = (head: string) => names.startsWith(3, Buffer.from(head));
  assert.deepEqual(["", "é", "é::a"].map(starts), [true, true, true]);
  assert.deepEqual(["e", "::", "é::a ", "default"].map(starts), [false, false, false, false]);
});

test("a NUL in a namespace or an id does not make two names one", () => {
  const names = new Names(10);
  add(names, 1, namespaceKey("a"), "b\0c");
  assert.equal(find(names, namespaceKey("a\0b"), "c"), 0);
  add(names, 2, namespaceKey("a\0b"), "c");
  assert.deepEqual([find(names, namespaceKey("a"), "b\0c"), find(names, namespaceKey("a\0b"), "c")], [1, 2]);
});

test("100,000 names: added, found, every other removed, the rest found, added again", () => {
  const names = new Names(100_000);
  const id = (index: number) => `service-${index % 100}::function-${index}`;
  for (let index = 1; index <= 100_000; index++) add(names, index, DEFAULT_KEY, id(index));
  for (let index = 1; index <= 100_000; index++) assert.equal(find(names, DEFAULT_KEY, id(index)), index);
  for (let index = 1; index <= 100_000; index += 2) names.remove(index);
  assert.equal(names.count, 50_000);
  for (let index = 1; index <= 100_000; index++) {
    assert.equal(find(names, DEFAULT_KEY, id(index)), index % 2 === 0 ? index : 0);
    if (index % 2 === 0) assert.equal(names.id(index), id(index));
  }
  for (let index = 1; index <= 100_000; index += 2) add(names, index, DEFAULT_KEY, `again-${index}`);
  for (let index = 1; index <= 100_000; index++)
    assert.equal(find(names, DEFAULT_KEY, index % 2 === 0 ? id(index) : `again-${index}`), index);
});

test("against a Map: random adds and removes among few names, so that chains are long and shift", () => {
  const random = new Random(11);
  const names = new Names(700);
  const model = new Map<string, number>();
  const free = Array.from({ length: 700 }, (_, at) => at + 1);
  for (let step = 0; step < 60_000; step++) {
    const id = `n${random.below(900)}`;
    const index = model.get(id);
    assert.equal(find(names, DEFAULT_KEY, id), index ?? 0, `step ${step}`);
    if (index !== undefined) {
      names.remove(index);
      model.delete(id);
      free.push(index);
    } else {
      const next = free.pop();
      if (next === undefined) continue;
      add(names, next, DEFAULT_KEY, id);
      model.set(id, next);
    }
  }
  for (const [id, index] of model)
    assert.deepEqual([find(names, DEFAULT_KEY, id), names.id(index)], [index, id]);
  assert.equal(names.count, model.size);
});

test("a long life of long names does not grow the store: what is garbage is given back, what lives is kept", () => {
  const names = new Names(100);
  add(names, 100, DEFAULT_KEY, "the one that stays");
  for (let round = 0; round < 20_000; round++) {
    const index = (round % 99) + 1;
    if (round >= 99) names.remove(index);
    add(names, index, DEFAULT_KEY, `round-${round}-${"x".repeat(500)}`);
  }
  assert.equal(names.id(100), "the one that stays");
  assert.equal(find(names, DEFAULT_KEY, "the one that stays"), 100);
  assert.ok(
    names.idBytes(100).buffer.byteLength < 400_000,
    `10 MB of names passed, ${names.idBytes(100).buffer.byteLength} bytes are held`,
  );
});
