// Which functions a rule is about, and which owner of a shared function gets the next call.
import assert from "node:assert/strict";
import { test } from "node:test";
import { headOf, isShareName, matches, Share } from "../../src/registry/share.js";
import { SharedOwners } from "../../src/registry/shared-owners.js";
import { Random } from "../support/random.js";

test("matches(): `*` is any run of characters, everything else is itself, and the whole id counts", () => {
  const rows: [string, string, boolean][] = [
    ["a::b", "a::b", true],
    ["a::b", "a::bc", false],
    ["*", "", true],
    ["*", "anything", true],
    ["a::*", "a::", true],
    ["a::*", "a:", false],
    ["*::b", "a::b", true],
    ["*::b", "a::b::c", false],
    ["a*a", "a", false],
    ["a*a", "aa", true],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "a-c-b", false],
    ["*a*a*", "ba", false],
    ["*ab*ab*", "xabab", true],
    ["**", "x", true],
    ["a.c", "abc", false],
    ["a+", "aa", false],
    ["[a]", "a", false],
    ["", "", true],
    ["", "x", false],
    ["a*bc", "abbc", true],
    ["ab*bc", "abc", false],
  ];
  for (const [pattern, text, expected] of rows)
    assert.equal(matches(pattern, text), expected, `${pattern} and ${text}`);
});

test("matches() agrees with a regular expression on random patterns", () => {
  const random = new Random(5);
  const word = (length: number, letters: string) =>
    Array.from({ length }, () => letters[random.below(letters.length)]).join("");
  for (let n = 0; n < 20_000; n++) {
    const pattern = word(random.below(6), "ab*");
    const text = word(random.below(7), "ab");
    const regular = new RegExp(`^${pattern.replaceAll("*", ".*")}$`);
    assert.equal(matches(pattern, text), regular.test(text), `${pattern} and ${text}`);
  }
});

test("headOf() is what stands before the first `*`, as UTF-8", () => {
  const heads = ["é::*::b*", "*", "a::b", ""].map((pattern) => Buffer.from(headOf(pattern)).toString());
  assert.deepEqual(heads, ["é::", "", "a::b", ""]);
});

test("isShareName() knows the three words and no inherited one", () => {
  assert.deepEqual(
    ["least_outstanding", "round_robin", "hash", "toString", "exclusive", 1, null].map(isShareName),
    [true, true, true, false, false, false, false],
  );
});

const all = () => true;

function owners(share: Share, ...connections: number[]): SharedOwners {
  const shared = new SharedOwners(share);
  for (const connection of connections) shared.add(connection);
  return shared;
}

test("owners are added once; removing one keeps the others; nobody is 0", () => {
  const shared = owners(Share.RoundRobin, 1, 2, 3, 2);
  shared.remove(1);
  shared.remove(9);
  assert.deepEqual([...shared.owners].sort(), [2, 3]);
  const none = owners(Share.RoundRobin);
  assert.deepEqual(
    [none.roundRobin(all), none.leastOutstanding(() => 0, all), none.byHash(7, all)],
    [0, 0, 0],
  );
});

test("round robin takes turns and passes over those that cannot", () => {
  const shared = owners(Share.RoundRobin, 1, 2, 3);
  const turns = Array.from({ length: 9 }, () => shared.roundRobin(all));
  for (const owner of [1, 2, 3]) assert.equal(turns.filter((turn) => turn === owner).length, 3);
  for (let n = 0; n < 6; n++)
    assert.notEqual(
      shared.roundRobin((owner) => owner !== 2),
      2,
    );
  assert.equal(
    shared.roundRobin(() => false),
    0,
  );
});

test("least outstanding takes the one with the fewest calls, in turn on a tie, and passes over those that cannot", () => {
  const shared = owners(Share.LeastOutstanding, 1, 2, 3);
  const open = new Map([
    [1, 5],
    [2, 1],
    [3, 4],
  ]);
  const executing = (owner: number) => open.get(owner) ?? 0;
  for (let n = 0; n < 5; n++) assert.equal(shared.leastOutstanding(executing, all), 2);
  for (let n = 0; n < 5; n++)
    assert.equal(
      shared.leastOutstanding(executing, (owner) => owner !== 2),
      3,
    );
  const tied = new Set(Array.from({ length: 6 }, () => shared.leastOutstanding(() => 7, all)));
  assert.equal(tied.size, 3);
  assert.equal(
    shared.leastOutstanding(
      () => 0,
      () => false,
    ),
    0,
  );
});

test("by hash a key stays with its owner, keys spread, and few move when an owner comes or goes", () => {
  const shared = owners(Share.Hash, 1, 2, 3, 4);
  const random = new Random(3);
  const keys = Array.from({ length: 4_000 }, () => (random.next() * 4_294_967_296) | 0);
  const before = keys.map((key) => shared.byHash(key, all));
  assert.deepEqual(
    keys.map((key) => shared.byHash(key, all)),
    before,
  );
  for (const owner of [1, 2, 3, 4]) {
    const share = before.filter((one) => one === owner).length;
    assert.ok(share > 800 && share < 1_200, `owner ${owner} has ${share} of 4,000`);
  }
  shared.remove(2);
  const after = keys.map((key) => shared.byHash(key, all));
  for (const [at, owner] of before.entries())
    if (owner !== 2) assert.equal(after[at], owner, "only the keys of the one that left move");
  shared.add(5);
  const moved = keys.filter((key, at) => shared.byHash(key, all) !== after[at]).length;
  assert.ok(moved > 800 && moved < 1_200, `${moved} of 4,000 move to the newcomer`);
});
