// The engine's own functions: exact shapes, filters and order, over the wire that SDKs and consoles use.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonPeer } from "../support/json-peer.js";
import { testEngine } from "../support/test-engine.js";

type Row = Record<string, unknown>;

async function list(peer: JsonPeer, input: object): Promise<Row[]> {
  return ((await peer.call("engine::functions::list", input)).result as { functions: Row[] }).functions;
}

const ids = (rows: Row[]) => rows.map((row) => row["function_id"]);

/** Two named workers in two namespaces, one nameless, one on msgpack. */
async function populated(t: Parameters<typeof testEngine>[0]) {
  const fixture = await testEngine(t);
  const shop = await fixture.json({
    name: "shop",
    namespace: "shop-a",
    pid: 1,
    runtime: "node",
    version: "1.0.0",
  });
  shop.register("billing::charge", {
    description: "Charge a Card",
    request_format: { type: "object", z: 1.5 },
    response_format: null,
    metadata: { public: true },
  });
  shop.register("card::issue");
  const other = await fixture.json({
    name: "other",
    pid: 2,
    runtime: "python",
    description: "d",
    os: "linux",
    isolation: "none",
  });
  other.register("billing::charge");
  other.register("discard", { description: "nothing special" });
  other.register("hidden", { metadata: { internal: true } });
  other.register("engine::queue::enqueue");
  other.register("engine::mine");
  other.register("Zeta");
  other.register("éta");
  const nameless = await fixture.json();
  nameless.register("lone::f");
  nameless.register("plain");
  for (const peer of [shop, other, nameless]) await peer.settle();
  const [packed] = await fixture.msgpackOffering(["packed::f"], {
    name: "packed",
    runtime: "go",
    pid: 3,
    sdk_version: "9",
  });
  return { ...fixture, shop, other, nameless, packed };
}

test("functions::list: rows have exactly these keys, in every namespace, sorted by id in byte order", async (t) => {
  const { shop } = await populated(t);
  const rows = await list(shop, {});
  assert.deepEqual(ids(rows), [
    "Zeta",
    "billing::charge",
    "billing::charge",
    "card::issue",
    "discard",
    "engine::queue::enqueue",
    "lone::f",
    "packed::f",
    "plain",
    "éta",
  ]);
  assert.deepEqual(
    rows.find((row) => row["namespace"] === "shop-a"),
    {
      function_id: "billing::charge",
      namespace: "shop-a",
      worker_name: "shop",
      description: "Charge a Card",
      metadata: { public: true },
    },
  );
  assert.deepEqual(
    rows.find((row) => row["function_id"] === "card::issue"),
    { function_id: "card::issue", namespace: "shop-a", worker_name: "shop" },
  );
  assert.equal(
    rows.find((row) => row["function_id"] === "lone::f")?.["worker_name"],
    "lone",
    "a nameless owner: the first segment",
  );
  assert.equal(rows.find((row) => row["function_id"] === "plain")?.["worker_name"], "plain");
});

test("functions::list: internal ones on request, with the engine's own", async (t) => {
  const { shop, engine } = await populated(t);
  const all = await list(shop, { include_internal: true });
  assert.equal(all.length, engine.stats().functions);
  for (const id of ["hidden", "engine::mine", "engine::functions::list", "engine::workers::register"])
    assert.ok(ids(all).includes(id), id);
  assert.equal(all.find((row) => row["function_id"] === "engine::functions::info")?.["namespace"], "default");
});

test("functions::list: filters, alone and together", async (t) => {
  const { shop } = await populated(t);
  const rows: [object, string[]][] = [
    [{ prefix: "billing::" }, ["billing::charge", "billing::charge"]],
    [{ worker: "shop" }, ["billing::charge", "card::issue"]],
    [{ workers: ["shop", "packed"] }, ["billing::charge", "card::issue", "packed::f"]],
    [{ worker: "shop", workers: ["packed"] }, ["billing::charge", "card::issue", "packed::f"]],
    [{ worker: "shop", workers: [] }, ["billing::charge", "card::issue"]],
    [{ worker: "shop", prefix: "card" }, ["card::issue"]],
    [{ worker: "nobody" }, []],
    [{ search: "CARD" }, ["card::issue", "discard", "billing::charge"]],
    [{ search: "charge" }, ["billing::charge", "billing::charge"]],
    [{ search: "issue" }, ["card::issue"]],
    [{ search: "special" }, ["discard"]],
    [
      {
        search: "",
        worker: null,
        workers: null,
        prefix: null,
        include_internal: null,
        unknown: 1,
        prefix2: {},
      },
      ids(await list(shop, {})) as string[],
    ],
  ];
  for (const [input, expected] of rows)
    assert.deepEqual(ids(await list(shop, input)), expected, JSON.stringify(input));
});

test("functions::list and ::info: wrong inputs are deserialization_error with the function's name", async (t) => {
  const { shop } = await populated(t);
  for (const [id, data] of [
    ["engine::functions::list", null],
    ["engine::functions::list", []],
    ["engine::functions::list", { search: 1 }],
    ["engine::functions::list", { workers: "x" }],
    ["engine::functions::list", { workers: [1] }],
    ["engine::functions::list", { include_internal: "yes" }],
    ["engine::functions::info", "x"],
    ["engine::functions::info", { function_id: 7 }],
    ["engine::workers::list", 1],
    ["engine::workers::info", {}],
    ["engine::workers::info", { name: null }],
  ] as const) {
    const { error } = await shop.call(id, data);
    assert.equal(error?.code, "deserialization_error", `${id} ${JSON.stringify(data)}`);
    assert.ok(error?.message.startsWith(`Failed to deserialize input for ${id}: `), error?.message);
  }
});

test("functions::info: the whole of one function, spelled as it was registered", async (t) => {
  const { shop } = await populated(t);
  const answer = await shop.call("engine::functions::info", {
    function_id: "billing::charge",
    namespace: "shop-a",
  });
  assert.deepEqual(answer.result, {
    function_id: "billing::charge",
    namespace: "shop-a",
    worker_name: "shop",
    description: "Charge a Card",
    request_schema: { type: "object", z: 1.5 },
    metadata: { public: true },
    registered_triggers: [],
  });
  assert.deepEqual((await shop.call("engine::functions::info", { function_id: "plain" })).result, {
    function_id: "plain",
    namespace: "default",
    worker_name: "plain",
    registered_triggers: [],
  });
});

test("functions::info: default first, then the only namespace; explicit is strict; NOT_FOUND says where else", async (t) => {
  const { shop, json } = await populated(t);
  const info = async (input: object) => shop.call("engine::functions::info", input);
  const home = (await info({ function_id: "billing::charge" })).result as Row;
  assert.equal(home["namespace"], "default");
  assert.equal(((await info({ function_id: "card::issue" })).result as Row)["namespace"], "shop-a");
  const missing = (await info({ function_id: "nobody" })).error;
  assert.deepEqual(missing, { code: "NOT_FOUND", message: "Function nobody is not registered" });
  const strict = (await info({ function_id: "card::issue", namespace: "default" })).error;
  assert.equal(strict?.code, "NOT_FOUND");
  assert.match(strict?.message ?? "", /shop-a/);
  const third = await json({ namespace: "shop-b" });
  third.register("card::issue");
  await third.settle();
  const ambiguous = (await info({ function_id: "card::issue" })).error;
  assert.equal(ambiguous?.code, "NOT_FOUND");
  assert.match(ambiguous?.message ?? "", /ambiguous.*shop-a, shop-b/);
});

test("functions::info: batches keep the order, drop duplicates, and never fail as a whole", async (t) => {
  const { shop } = await populated(t);
  const info = async (input: object) => shop.call("engine::functions::info", input);
  const { functions } = (await info({ function_ids: ["plain", "nobody", "lone::f", "plain"] })).result as {
    functions: Row[];
  };
  assert.deepEqual(functions[1], { function_id: "nobody", error: "not_found" });
  assert.deepEqual(ids(functions), ["plain", "nobody", "lone::f"]);
  const many = Array.from({ length: 33 }, (_, n) => `f${n}`);
  for (const input of [
    {},
    { function_id: "a", function_ids: ["a"] },
    { function_ids: [] },
    { function_ids: many },
    { function_id: null },
  ])
    assert.equal((await info(input)).error?.code, "INVALID_ARGUMENTS", JSON.stringify(input).slice(0, 40));
  assert.equal(
    (
      (await info({ function_ids: [...many.slice(0, 32), ...many.slice(0, 32)] })).result as {
        functions: Row[];
      }
    ).functions.length,
    32,
  );
});

test("workers::list: every key always present; those with a pid and the engine; sorted by name", async (t) => {
  const { shop, other, packed, nameless } = await populated(t);
  const { workers } = (await shop.call("engine::workers::list", {})).result as { workers: Row[] };
  assert.deepEqual(
    workers.map((row) => row["name"]),
    ["iii-engine-functions", "other", "packed", "shop"],
  );
  const [engineRow, otherRow, packedRow, shopRow] = workers as [Row, Row, Row, Row];
  const { connected_at_ms, ...rest } = otherRow;
  assert.ok(Math.abs(Number(connected_at_ms) - Date.now()) < 60_000);
  assert.deepEqual(rest, {
    name: "other",
    description: "d",
    version: null,
    id: other.workerId,
    namespace: "default",
    runtime: "python",
    os: "linux",
    status: "connected",
    function_count: 7,
    active_invocations: 0,
    isolation: "none",
    ip_address: "127.0.0.1",
  });
  for (const row of workers) assert.deepEqual(Object.keys(row).sort(), Object.keys(otherRow).sort());
  assert.deepEqual(
    [shopRow["namespace"], shopRow["version"], shopRow["function_count"]],
    ["shop-a", "1.0.0", 2],
  );
  assert.deepEqual(
    [packedRow["id"], packedRow["runtime"], packedRow["version"]],
    [packed.welcome.worker, "go", "9"],
  );
  assert.deepEqual(
    [engineRow["runtime"], engineRow["status"], engineRow["isolation"], engineRow["ip_address"]],
    ["engine", "available", "in-process", null],
  );
  assert.equal(
    workers.some((row) => row["id"] === nameless.workerId),
    false,
    "without a pid it is not listed",
  );
});

test("workers::list: search by name, runtime and status exact, worker_id ignored", async (t) => {
  const { shop, other } = await populated(t);
  const names = async (input: object) =>
    ((await shop.call("engine::workers::list", input)).result as { workers: Row[] }).workers.map(
      (row) => row["name"],
    );
  assert.deepEqual(await names({ search: "SHO" }), ["shop"]);
  assert.deepEqual(await names({ runtime: "python" }), ["other"]);
  assert.deepEqual(await names({ runtime: "pyth" }), []);
  assert.deepEqual(await names({ status: "available" }), ["iii-engine-functions"]);
  assert.deepEqual(await names({ status: "connected", search: "o" }), ["other", "shop"]);
  assert.deepEqual((await names({ worker_id: other.workerId })).length, 4);
});

test("workers::list counts calls executed and calls made", async (t) => {
  const { shop, other } = await populated(t);
  shop.invoke("billing::charge", 1);
  await other.next();
  const { workers } = (await other.call("engine::workers::list", {})).result as { workers: Row[] };
  const active = Object.fromEntries(workers.map((row) => [row["name"], row["active_invocations"]]));
  assert.deepEqual([active["shop"], active["other"]], [1, 1]);
});

test("workers::info: the envelope, with pid and functions; where a name lives; NOT_FOUND", async (t) => {
  const { shop, other, nameless, json } = await populated(t);
  const info = async (input: object) => shop.call("engine::workers::info", input);
  const found = (await info({ name: "shop" })).result as { worker: Row; functions: Row[] };
  assert.deepEqual(Object.keys(found), ["worker", "functions", "trigger_types", "registered_triggers"]);
  assert.deepEqual(
    [found.worker["pid"], found.worker["internal"], found.worker["namespace"]],
    [1, false, "shop-a"],
  );
  assert.deepEqual(ids(found.functions), ["billing::charge", "card::issue"]);
  assert.equal((found.functions[0] as Row)["description"], "Charge a Card");
  nameless.announce({ name: "shop" });
  await nameless.settle();
  const home = (await info({ name: "shop" })).result as { worker: Row; functions: Row[] };
  assert.equal(home.worker["namespace"], "default");
  assert.equal("pid" in home.worker, false);
  assert.deepEqual(ids(home.functions), ["lone::f", "plain"]);
  assert.equal((await info({ name: "shop", namespace: "b" })).error?.code, "NOT_FOUND");
  assert.match((await info({ name: "nobody" })).error?.message ?? "", /nobody is not connected/);
  const elsewhere = await json({ name: "packed2", namespace: "x" });
  const again = await json({ name: "packed2", namespace: "y" });
  await elsewhere.settle();
  await again.settle();
  assert.match((await info({ name: "packed2" })).error?.message ?? "", /ambiguous.*x, y/);
  const engine = (await info({ name: "iii-engine-functions" })).result as { worker: Row; functions: Row[] };
  assert.equal(engine.worker["internal"], true);
  assert.ok(ids(engine.functions).includes("engine::workers::info"));
  assert.equal(other.inbox.length, 0);
});

test("workers::register: what is absent keeps its value or not, as the protocol says; texts are cleaned", async (t) => {
  const { json } = await testEngine(t);
  const peer = await json({
    name: " a\u202eb\u0000 ",
    description: "x".repeat(300),
    version: "1",
    runtime: "node",
    os: "o",
    isolation: "i",
    pid: 9,
  });
  const info = async () =>
    ((await peer.call("engine::workers::info", { name: "ab" })).result as { worker: Row }).worker;
  const first = await info();
  assert.deepEqual(
    [first["name"], String(first["description"]).length, first["version"], first["runtime"], first["pid"]],
    ["ab", 280, "1", "node", 9],
  );
  peer.announce({});
  const second = await info();
  assert.deepEqual(
    [second["name"], String(second["description"]).length, second["os"], second["isolation"], second["pid"]],
    ["ab", 280, "o", "i", 9],
    "absent keeps",
  );
  assert.deepEqual([second["version"], second["runtime"]], [null, "unknown"], "absent does not keep");
});

test("a standby's description is not listed until it serves", async (t) => {
  const { jsonOffering } = await testEngine(t);
  const first = await jsonOffering();
  first.register("f", { description: "first" });
  await first.settle();
  const second = await jsonOffering();
  second.register("f", { description: "second" });
  await second.drain();
  const describe = async () => (await list(second, {}))[0]?.["description"];
  assert.equal(await describe(), "first");
  first.send({ type: "unregisterfunction", id: "f" });
  await first.settle();
  assert.equal(await describe(), "second");
});
