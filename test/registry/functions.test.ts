// The functions of the registry: who serves, who stands by, who is promoted, what is shared, and that the routes say so.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Functions } from "../../src/registry/functions.js";
import { DEFAULT_KEY, namespaceKey } from "../../src/registry/names.js";
import { OfferState } from "../../src/registry/offers.js";
import { type FunctionRule, Share } from "../../src/registry/share.js";
import { Target } from "../../src/router/routing-table.js";
import { Random } from "../support/random.js";

interface Seen {
  functions: Functions;
  changes: () => number;
  /** `fn connection +` and `fn connection -`, in order. */
  owners: string[];
  register: (
    connection: number,
    id: string,
    share?: Share,
    round?: number,
  ) => ReturnType<Functions["register"]>;
  unregister: (connection: number, id: string) => boolean;
  handle: (id: string) => number;
  target: (id: string) => number;
}

function registry(capacity = 100, rules: readonly FunctionRule[] = []): Seen {
  let changes = 0;
  const owners: string[] = [];
  const functions = new Functions(
    capacity,
    20,
    rules,
    {
      changed: () => changes++,
      withdrawn: () => undefined,
      sharedOwner: (fn, connection, isOwner) => owners.push(`${fn} ${connection} ${isOwner ? "+" : "-"}`),
    },
    (connection) => connection + 100,
  );
  const find = (id: string) => {
    const bytes = Buffer.from(id);
    return functions.names.find(DEFAULT_KEY, bytes, 0, bytes.length);
  };
  const handle = (id: string) => (find(id) === 0 ? 0 : functions.slots.handleOf(find(id)));
  return {
    functions,
    changes: () => changes,
    owners,
    register: (connection, id, share = Share.Exclusive, round = 0) => {
      const bytes = Buffer.from(id);
      return functions.register(connection, DEFAULT_KEY, bytes, 0, bytes.length, share, round);
    },
    unregister: (connection, id) => {
      const bytes = Buffer.from(id);
      return functions.unregister(connection, DEFAULT_KEY, bytes, 0, bytes.length);
    },
    handle,
    target: (id) => functions.routes.target(handle(id)),
  };
}

test("the first to register serves, later ones stand by, the oldest is promoted under the same handle", () => {
  const { functions, register, unregister, handle, target } = registry();
  assert.equal(register(1, "f").state, OfferState.Serving);
  const before = handle("f");
  for (const connection of [2, 3]) {
    const standby = register(connection, "f");
    assert.deepEqual([standby.state, standby.owner], [OfferState.Standby, 1]);
  }
  assert.equal(target("f"), 1);
  assert.equal(unregister(1, "f"), true);
  assert.deepEqual([target("f"), handle("f")], [2, before]);
  const route = new Int32Array(2);
  functions.routes.route(before, route);
  assert.deepEqual([...route], [2, 102], "with the generation of the connection");
  functions.unregisterAll(3);
  assert.equal(target("f"), 2, "a standby that leaves changes nothing");
  functions.unregisterAll(2);
  assert.deepEqual([functions.count, handle("f"), functions.routes.target(before)], [0, 0, Target.None]);
  assert.equal(Buffer.from(functions.formerIds.get(before) ?? []).toString(), "f");
});

test("registering again by the same connection replaces, unregistering what one does not have does nothing", () => {
  const { functions, register, unregister, changes } = registry();
  const first = register(1, "f");
  assert.deepEqual(register(1, "f"), first);
  assert.deepEqual([functions.countOf(1), functions.offers.count], [1, 1]);
  const before = changes();
  assert.equal(unregister(2, "f"), false);
  assert.equal(unregister(1, "g"), false);
  assert.equal(changes(), before, "nobody is told of nothing");
});

test("the same id in two namespaces is two functions", () => {
  const { functions, register } = registry();
  register(1, "f");
  const bytes = Buffer.from("f");
  functions.register(2, namespaceKey("other"), bytes, 0, 1, Share.Exclusive, 0);
  assert.equal(functions.count, 2);
});

test("function_id_reserved: what the engine serves cannot be registered", () => {
  const { functions, register, target } = registry();
  functions.registerBuiltin("engine::x", Buffer.from("{}"));
  assert.throws(() => register(1, "engine::x"), { code: "function_id_reserved" });
  assert.equal(target("engine::x"), Target.Builtin);
});

test("limit_reached: a full table refuses and leaves nothing half made", () => {
  const { functions, register, unregister } = registry(2);
  register(1, "a");
  register(2, "a");
  assert.equal(functions.room, 0);
  assert.throws(() => register(1, "b"), { code: "limit_reached" });
  assert.deepEqual([functions.count, functions.offers.count, functions.names.count], [1, 2, 1]);
  assert.throws(() => register(3, "a"), { code: "limit_reached" });
  unregister(2, "a");
  assert.equal(register(1, "b").state, OfferState.Serving);
  assert.throws(() => register(1, "c"), { code: "limit_reached" });
  assert.equal(functions.count, 2);
});

test("unregisterOthers() drops what a round did not name, and counts it", () => {
  const { functions, register, handle } = registry();
  for (const id of ["a", "b", "c"]) register(1, id, Share.Exclusive, 1);
  register(2, "c");
  const kept = handle("b");
  register(1, "b", Share.Exclusive, 2);
  register(1, "d", Share.Exclusive, 2);
  assert.equal(functions.unregisterOthers(1, 2), 2);
  assert.deepEqual([handle("a"), handle("b"), functions.countOf(1)], [0, kept, 2]);
  assert.equal(functions.routes.target(handle("c")), 2, "the standby has taken over");
});

test("a shared function has all owners that share it the same way; others stand by, and join or take over when it ends", () => {
  const { functions, register, unregister, target, owners, handle } = registry();
  const { fn } = register(1, "f", Share.RoundRobin);
  register(2, "f", Share.RoundRobin);
  assert.equal(register(3, "f", Share.Exclusive).state, OfferState.Standby);
  assert.equal(register(4, "f", Share.Hash).state, OfferState.Standby);
  assert.deepEqual([target("f"), functions.sharedOwners(fn)?.owners], [Target.Shared, [1, 2]]);
  const before = handle("f");
  unregister(1, "f");
  assert.deepEqual(functions.sharedOwners(fn)?.owners, [2]);
  unregister(2, "f");
  assert.deepEqual(
    [target("f"), functions.isShared(fn), handle("f")],
    [3, false, before],
    "the oldest standby serves alone",
  );
  register(5, "f", Share.Hash);
  unregister(3, "f");
  assert.equal(target("f"), Target.Shared);
  assert.deepEqual(
    [...(functions.sharedOwners(fn)?.owners ?? [])].sort(),
    [4, 5],
    "all that share by hash join",
  );
  assert.deepEqual(owners, [`${fn} 1 +`, `${fn} 2 +`, `${fn} 1 -`, `${fn} 2 -`, `${fn} 4 +`, `${fn} 5 +`]);
});

test("a rule shares by pattern, whatever the registration asks for, also after everybody left; the first rule that says it wins", () => {
  const rules: FunctionRule[] = [
    { match: "pool::one*", share: "hash" },
    { match: "pool::*", share: "round_robin", timeoutMs: 5 },
    { match: "*::slow", timeoutMs: 900 },
  ];
  const { functions, register, unregister } = registry(100, rules);
  const { fn } = register(1, "pool::a");
  assert.equal(register(2, "pool::a", Share.Hash).state, OfferState.Serving);
  assert.equal(functions.sharedOwners(fn)?.share, Share.RoundRobin);
  assert.equal(functions.timeoutMs(fn), 5);
  unregister(1, "pool::a");
  unregister(2, "pool::a");
  assert.equal(functions.timeoutMs(fn), undefined);
  assert.equal(functions.isShared(register(3, "pool::a").fn), true);
  const one = register(1, "pool::one").fn;
  assert.deepEqual([functions.sharedOwners(one)?.share, functions.timeoutMs(one)], [Share.Hash, 5]);
  const slow = register(1, "x::slow").fn;
  assert.deepEqual([functions.isShared(slow), functions.timeoutMs(slow)], [false, 900]);
  assert.equal(functions.timeoutMs(register(1, "plain").fn), undefined);
});

test("handOver() gives handles, routes, standbys and shares to another connection, also what it offers itself", () => {
  const { functions, register, target, handle } = registry();
  register(1, "serving");
  register(9, "standby");
  register(1, "standby");
  const shared = register(1, "shared", Share.RoundRobin).fn;
  register(2, "shared", Share.RoundRobin);
  register(2, "serving");
  const before = ["serving", "standby", "shared"].map(handle);
  functions.handOver(1, 2);
  assert.deepEqual(["serving", "standby", "shared"].map(handle), before);
  assert.deepEqual([target("serving"), target("standby"), target("shared")], [2, 9, Target.Shared]);
  assert.deepEqual(functions.sharedOwners(shared)?.owners, [2]);
  assert.deepEqual([functions.countOf(1), functions.countOf(2)], [0, 3]);
  functions.unregisterAll(9);
  assert.equal(target("standby"), 2);
  functions.unregisterAll(2);
  assert.deepEqual([functions.count, functions.offers.count], [0, 0]);
});

test("eachOf() and each() visit what is there, also while it is being removed", () => {
  const { functions, register, unregister } = registry();
  for (const id of ["a", "b", "c"]) register(1, id);
  const seen: string[] = [];
  functions.eachOf(1, (fn) => {
    seen.push(functions.names.id(fn));
    unregister(1, functions.names.id(fn));
  });
  assert.deepEqual(seen.sort(), ["a", "b", "c"]);
  functions.each(() => assert.fail("nothing is left"));
});

test("revision tells of every change, the observer of those that can be seen from outside", () => {
  const { functions, register, unregister, changes } = registry();
  const seen = () => [changes(), functions.revision];
  register(1, "a");
  assert.deepEqual(seen(), [1, 1]);
  register(2, "a");
  assert.deepEqual(seen(), [1, 2], "one more stands by");
  unregister(1, "a");
  assert.deepEqual(seen(), [2, 3], "the standby serves");
  functions.unregisterAll(2);
  assert.deepEqual(seen(), [3, 4]);
});

test("against a naive model: random registrations and departures of exclusive and shared functions", () => {
  const random = new Random(77);
  const seen = registry(400);
  const { functions } = seen;
  const model = new Map<string, { connection: number; share: Share }[]>();
  for (let step = 0; step < 20_000; step++) {
    const id = `f${random.below(12)}`;
    const connection = 1 + random.below(8);
    const list = model.get(id) ?? [];
    const had = list.findIndex((offer) => offer.connection === connection);
    const dice = random.next();
    if (dice < 0.5) {
      const share = random.pick([Share.Exclusive, Share.Exclusive, Share.RoundRobin]);
      seen.register(connection, id, share);
      if (had === -1) list.push({ connection, share });
      model.set(id, list);
    } else if (dice < 0.95) {
      assert.equal(seen.unregister(connection, id), had !== -1);
      if (had !== -1) list.splice(had, 1);
    } else {
      functions.unregisterAll(connection);
      for (const offers of model.values())
        for (let at = offers.length - 1; at >= 0; at--)
          if (offers[at]?.connection === connection) offers.splice(at, 1);
    }
    const expected = [...model.values()].filter((offers) => offers.length > 0);
    assert.equal(functions.count, expected.length, `step ${step}`);
    assert.equal(
      functions.offers.count,
      expected.reduce((sum, offers) => sum + offers.length, 0),
    );
    checkRoute(seen, id, model.get(id) ?? []);
  }
});

/** Whoever serves is among those who offer, and there is a server exactly when somebody offers. */
function checkRoute(seen: Seen, id: string, offers: readonly { connection: number; share: Share }[]): void {
  const target = seen.target(id);
  if (offers.length === 0) return assert.equal(target, Target.None);
  const connections = offers.map((offer) => offer.connection);
  if (target !== Target.Shared)
    return assert.ok(connections.includes(target), `${id} is served by one of its owners`);
  const fn = seen.functions.slots.indexOf(seen.handle(id));
  const owners = [...(seen.functions.sharedOwners(fn)?.owners ?? [])].sort();
  const sharing = offers.filter((offer) => offer.share === Share.RoundRobin).map((offer) => offer.connection);
  assert.deepEqual(owners, sharing.sort(), "all that share it are owners");
}
