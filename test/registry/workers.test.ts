// Workers: leases of names, namespaces in use, and texts as they are kept.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Metrics } from "../../src/metrics.js";
import { DEFAULT_KEY } from "../../src/registry/names.js";
import { cleanText, isBlank, Workers } from "../../src/registry/workers.js";
import { Arena } from "../../src/transport/arena.js";
import { Connection } from "../../src/transport/connection.js";
import { Outboxes } from "../../src/transport/outbox.js";

const outboxes = new Outboxes(new Arena(1), new Metrics(), 1_000, () => undefined);

function connection(index: number): Connection {
  return new Connection((1 << 20) | index, index, "json", outboxes, "127.0.0.1", 0);
}

test("a lease is held by one living worker of a namespace", () => {
  const workers = new Workers();
  const [a, b, c] = [1, 2, 3].map((index) => workers.add(connection(index), 0)) as [
    ReturnType<Workers["add"]>,
    ReturnType<Workers["add"]>,
    ReturnType<Workers["add"]>,
  ];
  workers.resolve(c, "other");
  assert.equal(workers.claimName(a, "n", "default"), undefined);
  assert.equal(workers.claimName(b, "n", "default"), a);
  assert.equal(b.name, null, "a refused claim changes nothing");
  assert.equal(workers.claimName(c, "n", "other"), undefined);
  assert.equal(workers.claimName(a, "n", "default"), undefined, "again by its holder");
  assert.deepEqual(
    [workers.byName("default", "n"), workers.byName("other", "n"), workers.byName("x", "n")],
    [a, c, undefined],
  );
  workers.remove(a);
  assert.equal(workers.claimName(b, "n", "default"), undefined);
  assert.equal(workers.byId(a.id), undefined);
  assert.equal(workers.count, 2);
});

test("another name releases the one before; a name released by its former self is not taken back", () => {
  const workers = new Workers();
  const a = workers.add(connection(1), 0);
  const b = workers.add(connection(2), 0);
  workers.claimName(a, "first", "default");
  workers.claimName(a, "second", "default");
  assert.equal(workers.claimName(b, "first", "default"), undefined);
  workers.releaseName(a);
  assert.equal(workers.claimName(b, "second", "default"), undefined);
  workers.remove(a);
  assert.equal(workers.byName("default", "second"), b);
});

test("a namespace is fixed once, and is known while a worker lives in it", () => {
  const workers = new Workers();
  const a = workers.add(connection(1), 0);
  const b = workers.add(connection(2), 0);
  assert.equal(a.namespace, DEFAULT_KEY);
  workers.resolve(a, "shop");
  workers.resolve(a, "elsewhere");
  workers.resolve(b, "shop");
  assert.deepEqual(
    [a.namespace.name, a.namespace === b.namespace, workers.namespaceNames()],
    ["shop", true, ["default", "shop"]],
  );
  workers.remove(a);
  assert.deepEqual(workers.namespaceNames(), ["default", "shop"]);
  workers.remove(b);
  assert.deepEqual(workers.namespaceNames(), ["default"]);
  assert.equal(workers.namespace("default"), DEFAULT_KEY);
  assert.equal(workers.namespace("unknown").name, "unknown");
});

test("ids and tokens are UUIDs of their own", () => {
  const workers = new Workers();
  const worker = workers.add(connection(1), 5);
  assert.match(worker.id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.notEqual(worker.id, worker.token);
  assert.equal(Buffer.from(worker.idBytes).toString(), worker.id);
  assert.equal(workers.of(1), worker);
});

test("cleanText() removes what must not be shown, cuts at 280 characters, trims; nothing left is null", () => {
  assert.equal(cleanText("a\u0000b\u001f\u007f\u0085c"), "abc");
  assert.equal(cleanText("a\u202ab\u202e\u2066\u2069\u2028\u2029c"), "abc");
  assert.equal(cleanText("  é 😀 "), "é 😀");
  assert.equal(cleanText("😀".repeat(300)), "😀".repeat(280), "characters, not halves of them");
  assert.equal(cleanText(`${"x".repeat(279)} y`), "x".repeat(279), "cut first, then trimmed");
  for (const nothing of ["", "  ", "\u0000\u202a", null, undefined]) assert.equal(cleanText(nothing), null);
});

test("isBlank()", () => {
  assert.deepEqual(["", " ", "\t\n\u00a0", "a", " a "].map(isBlank), [true, true, true, false, false]);
});
