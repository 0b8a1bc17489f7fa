// Functions that drain: who takes over, what stays known without a route, and what ends it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Functions } from "../../src/registry/functions.js";
import { DEFAULT_KEY } from "../../src/registry/names.js";
import { OfferState } from "../../src/registry/offers.js";
import { Share } from "../../src/registry/share.js";
import { Target } from "../../src/router/routing-table.js";
import { Random } from "../support/random.js";

class Registry {
  readonly owners: string[] = [];
  readonly functions = new Functions(
    100,
    20,
    [],
    {
      changed: () => undefined,
      withdrawn: () => undefined,
      sharedOwner: (_fn, connection, isOwner) => this.owners.push(`${connection}${isOwner ? "+" : "-"}`),
    },
    () => 0,
  );

  register(connection: number, id: string, share: Share = Share.Exclusive): OfferState {
    const bytes = Buffer.from(id);
    return this.functions.register(connection, DEFAULT_KEY, bytes, 0, bytes.length, share, 0).state;
  }

  unregister(connection: number, id: string): boolean {
    const bytes = Buffer.from(id);
    return this.functions.unregister(connection, DEFAULT_KEY, bytes, 0, bytes.length);
  }

  find(id: string): number {
    const bytes = Buffer.from(id);
    return this.functions.names.find(DEFAULT_KEY, bytes, 0, bytes.length);
  }

  handle(id: string): number {
    return this.functions.slots.handleOf(this.find(id));
  }

  target(id: string): number {
    return this.functions.routes.target(this.handle(id));
  }
}

test("a draining owner gives way to the oldest standby under the same handle, and is not promoted again", () => {
  const registry = new Registry();
  for (const connection of [1, 2, 3]) registry.register(connection, "f");
  const handle = registry.handle("f");
  assert.equal(registry.functions.drain(1, registry.find("f")), true);
  assert.deepEqual([registry.target("f"), registry.handle("f")], [2, handle]);
  assert.equal(registry.functions.drain(1, registry.find("f")), false, "it drains already");
  registry.functions.unregisterAll(2);
  assert.equal(registry.target("f"), 3);
  registry.functions.unregisterAll(3);
  assert.equal(registry.target("f"), Target.None, "the draining one does not come back");
  assert.equal(registry.functions.isDraining(registry.find("f")), true);
  registry.functions.unregisterAll(1);
  assert.deepEqual([registry.find("f"), registry.functions.offers.count], [0, 0]);
});

test("where nobody else serves it the function stays known without a route, and the next to register serves at once", () => {
  const registry = new Registry();
  registry.register(1, "f");
  const handle = registry.handle("f");
  assert.equal(registry.functions.drainAll(1), 1);
  assert.deepEqual([registry.target("f"), registry.handle("f")], [Target.None, handle]);
  for (const [connection, share, target] of [
    [2, Share.Exclusive, 2],
    [3, Share.RoundRobin, Target.Shared],
  ] as const) {
    assert.equal(registry.register(connection, "f", share), OfferState.Serving);
    assert.deepEqual([registry.target("f"), registry.handle("f")], [target, handle]);
    registry.functions.drain(connection, registry.find("f"));
    assert.equal(registry.target("f"), Target.None);
  }
  assert.equal(registry.register(4, "f", Share.RoundRobin), OfferState.Serving);
  assert.equal(registry.register(5, "f", Share.RoundRobin), OfferState.Serving);
  assert.deepEqual(registry.functions.sharedOwners(registry.find("f"))?.owners, [4, 5]);
});

test("a draining owner of a shared function leaves its owners, and the last one takes the route along", () => {
  const registry = new Registry();
  for (const connection of [1, 2]) registry.register(connection, "f", Share.LeastOutstanding);
  registry.functions.drainAll(1);
  assert.deepEqual(registry.functions.sharedOwners(registry.find("f"))?.owners, [2]);
  assert.equal(registry.target("f"), Target.Shared);
  registry.functions.drainAll(2);
  assert.equal(registry.target("f"), Target.None);
  assert.deepEqual(registry.owners, ["1+", "2+", "1-", "2-"], "once each");
  registry.functions.unregisterAll(2);
  assert.deepEqual(registry.owners.length, 4, "who was no owner any more ceases to be one once");
});

test("what a draining connection registers drains as well; its successor on the same index does not", () => {
  const registry = new Registry();
  registry.functions.drainAll(1);
  assert.equal(registry.register(1, "f"), OfferState.Draining);
  assert.equal(registry.target("f"), Target.None);
  assert.equal(registry.register(2, "f"), OfferState.Serving);
  assert.equal(registry.target("f"), 2);
  registry.functions.unregisterAll(1);
  assert.equal(registry.register(1, "g"), OfferState.Serving);
});

test("one function drained serves again when it is registered anew, or stands by where another has taken over", () => {
  for (const share of [Share.Exclusive, Share.RoundRobin]) {
    const registry = new Registry();
    registry.register(1, "f", share);
    registry.register(1, "g");
    const target = registry.target("f");
    registry.functions.drain(1, registry.find("f"));
    assert.deepEqual([registry.target("f"), registry.target("g")], [Target.None, 1]);
    assert.equal(registry.functions.lists.drains(registry.find("f"), 1), true);
    assert.equal(registry.register(1, "f", share), OfferState.Serving);
    assert.equal(registry.target("f"), target);
    registry.functions.drain(1, registry.find("f"));
    assert.equal(registry.functions.lists.hasOther(registry.find("f"), 1), false);
    registry.register(2, "f");
    assert.equal(registry.functions.lists.hasOther(registry.find("f"), 1), true);
    assert.equal(registry.functions.lists.hasOther(registry.find("f"), 2), false, "the other one drains");
    assert.equal(registry.register(1, "f"), OfferState.Standby);
    registry.functions.unregisterAll(2);
    assert.equal(registry.target("f"), 1);
  }
});

test("the engine's own function that yields is back when the worker that took it drains", () => {
  const registry = new Registry();
  registry.functions.registerBuiltin("engine::x", new Uint8Array(0), true);
  registry.register(1, "engine::x");
  assert.equal(registry.target("engine::x"), 1);
  registry.functions.drainAll(1);
  assert.equal(registry.target("engine::x"), Target.Builtin);
  registry.register(2, "engine::x");
  assert.equal(registry.target("engine::x"), 2);
});

test("a connection that comes back takes over what served; what drained it registers anew", () => {
  const registry = new Registry();
  for (const id of ["f", "g"]) registry.register(1, id);
  registry.register(3, "f");
  registry.functions.drain(1, registry.find("f"));
  registry.functions.handOver(1, 2);
  assert.deepEqual([registry.target("f"), registry.target("g")], [3, 2]);
  assert.equal(registry.register(2, "f"), OfferState.Standby);
});

test("against a naive model: whoever is routed to offers and does not drain; no route exactly when all drain", () => {
  const random = new Random(78);
  const registry = new Registry();
  /** Of each id: connection -> drains. */
  const model = new Map<string, Map<number, boolean>>();
  const draining = new Set<number>();
  let routeless = 0;
  for (let step = 0; step < 20_000; step++) {
    const id = `f${random.below(6)}`;
    const connection = 1 + random.below(6);
    const offers = model.get(id) ?? new Map<number, boolean>();
    model.set(id, offers);
    const dice = random.next();
    if (dice < 0.5) {
      registry.register(connection, id, random.pick([Share.Exclusive, Share.RoundRobin]));
      offers.set(connection, draining.has(connection));
    } else if (dice < 0.7) {
      assert.equal(registry.unregister(connection, id), offers.delete(connection));
    } else if (dice < 0.9) {
      const isNews = offers.get(connection) === false;
      assert.equal(
        registry.find(id) !== 0 && registry.functions.drain(connection, registry.find(id)),
        isNews,
      );
      if (isNews) offers.set(connection, true);
    } else if (dice < 0.93) {
      registry.functions.drainAll(connection);
      draining.add(connection);
      for (const each of model.values()) if (each.has(connection)) each.set(connection, true);
    } else {
      registry.functions.unregisterAll(connection);
      draining.delete(connection);
      for (const each of model.values()) each.delete(connection);
    }
    assert.equal(registry.find(id) !== 0, offers.size > 0, `step ${step}`);
    if (offers.size === 0) continue;
    const able = [...offers].filter(([, drains]) => !drains).map(([each]) => each);
    const target = registry.target(id);
    if (target === Target.None) routeless++;
    assert.equal(target === Target.None, able.length === 0, `step ${step}`);
    assert.equal(registry.functions.isDraining(registry.find(id)), able.length === 0, `step ${step}`);
    const owners =
      target === Target.Shared
        ? (registry.functions.sharedOwners(registry.find(id))?.owners ?? [])
        : [target];
    if (able.length > 0)
      assert.ok(owners.length > 0 && owners.every((each) => able.includes(each)), `step ${step}`);
  }
  assert.ok(routeless > 100, "the walk went where it should");
});
