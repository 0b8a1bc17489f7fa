// Walks at random through joins, leaves, cuts, registrations and refusals on a real engine and on the model, and compares the two after every step.
import assert from "node:assert/strict";
import type { Engine } from "../../src/engine.js";
import { REASON_NAMES, TriggerState } from "../../src/registry/triggers.js";
import { eventually } from "../support/eventually.js";
import { Random } from "../support/random.js";
import { type Actor, JsonActor, MsgpackActor } from "./actor.js";
import { keyOf, RegistryModel, type WantedTrigger } from "./registry-model.js";

const NAMESPACES = ["default", "a", "b"];
const FUNCTIONS = ["f1", "f2", "f3", "f4"];
const TYPES = ["mail", "clock"];
const TRIGGERS = ["t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"];
const ACTORS_MAX = 6;

/** What one actor has registered, so that it can come back with it. */
interface Had {
  types: string[];
  wanted: Map<string, WantedTrigger>;
}

export class RandomWalk {
  /** How often each kind of step was taken. */
  readonly taken = new Map<string, number>();
  readonly #engine: Engine;
  readonly #port: number;
  readonly #random: Random;
  readonly #model = new RegistryModel();
  readonly #actors: Actor[] = [];
  readonly #had = new Map<Actor, Had>();
  readonly #steps: Record<string, (actor: Actor) => Promise<void> | void> = {
    leave: (actor) => this.#leave(actor),
    comeBack: (actor) => this.#comeBack(actor),
    offer: (actor) => this.#offer(actor),
    unoffer: (actor) => this.#unoffer(actor),
    claim: (actor) => this.#claim(actor),
    unclaim: (actor) => this.#unclaim(actor),
    want: (actor) => this.#want(actor),
    wantAgain: (actor) => this.#want(actor),
    unwant: (actor) => this.#unwant(actor),
    refuse: (actor) => this.#refuse(actor),
  };

  constructor(engine: Engine, port: number, seed: number) {
    this.#engine = engine;
    this.#port = port;
    this.#random = new Random(seed);
  }

  async walk(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const name = this.#actors.length < 2 ? "join" : this.#pick(["join", ...Object.keys(this.#steps)]);
      this.taken.set(name, (this.taken.get(name) ?? 0) + 1);
      const actor = this.#actors.length === 0 ? undefined : this.#pick(this.#actors);
      if (name === "join") await this.#join();
      else if (actor !== undefined) await this.#steps[name]?.(actor);
      await Promise.all(this.#actors.map((one) => one.settle()));
      this.#compare(`step ${step}, ${name}`);
    }
  }

  async end(): Promise<void> {
    for (const actor of [...this.#actors]) await this.#leave(actor);
    this.#compare("everybody has left");
  }

  /** Ends every connection, whatever the model says: for a walk that failed. */
  async abandon(): Promise<void> {
    await Promise.all(this.#actors.splice(0).map((actor) => actor.leave("terminate")));
  }

  async #join(): Promise<void> {
    if (this.#actors.length >= ACTORS_MAX) return;
    const Kind = this.#random.next() < 0.5 ? JsonActor : MsgpackActor;
    this.#enter(await Kind.join(this.#port, this.#pick(NAMESPACES)));
  }

  async #leave(actor: Actor): Promise<void> {
    const { connections } = this.#engine.stats();
    this.#model.leave(actor.id);
    this.#remove(actor);
    await actor.leave(this.#random.next() < 0.5 ? "close" : "terminate");
    await eventually("the engine has noticed", () => this.#engine.stats().connections < connections);
  }

  /** The same worker under another connection, with everything it had, before the old connection is gone. */
  async #comeBack(old: Actor): Promise<void> {
    const had = this.#had.get(old) ?? { types: [], wanted: new Map() };
    const fresh = await old.comeBack();
    if (old instanceof JsonActor) this.#model.leave(old.id);
    else this.#model.handOver(old.id, fresh.id);
    for (const type of had.types) {
      fresh.claim(type);
      this.#model.claim(fresh.id, fresh.namespace, type);
    }
    for (const trigger of had.wanted.values()) {
      fresh.want(trigger);
      this.#model.want({ ...trigger, owner: fresh.id });
    }
    await fresh.settle();
    this.#model.leave(old.id);
    this.#remove(old);
    await eventually("the old connection is gone", () => this.#engine.workers.byId(old.id) === undefined);
    this.#enter(fresh);
    this.#had.set(fresh, had);
  }

  #offer(actor: Actor): void {
    const id = this.#pick(FUNCTIONS);
    actor.offer(id);
    this.#model.offer(actor.id, keyOf(actor.namespace, id));
  }

  #unoffer(actor: Actor): void {
    const id = this.#pick(FUNCTIONS);
    actor.unoffer(id);
    this.#model.unoffer(actor.id, keyOf(actor.namespace, id));
  }

  #claim(actor: Actor): void {
    const type = this.#pick(TYPES);
    const had = this.#had.get(actor);
    actor.claim(type);
    this.#model.claim(actor.id, actor.namespace, type);
    if (had !== undefined) had.types = [...had.types.filter((one) => one !== type), type];
  }

  #unclaim(actor: Actor): void {
    if (actor.unclaim === undefined) return;
    const type = this.#pick(TYPES);
    const had = this.#had.get(actor);
    actor.unclaim(type);
    this.#model.unclaim(actor.id, keyOf(actor.namespace, type));
    if (had !== undefined) had.types = had.types.filter((one) => one !== type);
  }

  #want(actor: Actor): void {
    const trigger: WantedTrigger = {
      id: this.#pick(TRIGGERS),
      owner: actor.id,
      type: this.#pick(TYPES),
      functionId: this.#pick(FUNCTIONS),
      namespace: this.#pick(NAMESPACES),
      triggerNamespace: this.#random.next() < 0.3 ? this.#pick(NAMESPACES) : undefined,
      home: actor.namespace,
    };
    actor.want(trigger);
    this.#model.want(trigger);
    for (const had of this.#had.values()) had.wanted.delete(trigger.id); // it has changed hands
    this.#had.get(actor)?.wanted.set(trigger.id, trigger);
  }

  #unwant(actor: Actor): void {
    const id = this.#pick(TRIGGERS);
    actor.unwant(id);
    this.#model.unwant(actor.id, id);
    this.#had.get(actor)?.wanted.delete(id);
  }

  #refuse(actor: Actor): void {
    const trigger = this.#model.triggers.get(this.#pick(TRIGGERS));
    if (trigger === undefined) return;
    actor.refuse(trigger);
    this.#model.refuse(actor.id, trigger.id);
  }

  #enter(actor: Actor): void {
    this.#actors.push(actor);
    this.#had.set(actor, { types: [], wanted: new Map() });
  }

  #remove(actor: Actor): void {
    this.#actors.splice(this.#actors.indexOf(actor), 1);
    this.#had.delete(actor);
  }

  #compare(when: string): void {
    assert.deepEqual(this.#engineFunctions(), this.#modelFunctions(), `functions after ${when}`);
    assert.deepEqual(this.#engineTypes(), this.#modelTypes(), `types after ${when}`);
    assert.deepEqual(this.#engineTriggers(), this.#modelTriggers(), `triggers after ${when}`);
    for (const actor of this.#actors)
      assert.deepEqual(
        [...actor.given].sort(),
        this.#model.givenTo(actor.id),
        `what ${actor.id} was given after ${when}`,
      );
  }

  /** Who serves each function of a worker, as the routing table has it. */
  #engineFunctions(): Record<string, string> {
    const { functions, workers } = this.#engine;
    const found: Record<string, string> = {};
    functions.each((fn) => {
      if (functions.isBuiltin(fn)) return;
      const served = functions.routes.target(functions.slots.handleOf(fn));
      found[keyOf(functions.names.namespace(fn), functions.names.id(fn))] =
        workers.of(served)?.id ?? "nobody";
    });
    return found;
  }

  #modelFunctions(): Record<string, string> {
    return Object.fromEntries([...this.#model.functions].map(([key, [first]]) => [key, first ?? ""]));
  }

  #engineTypes(): Record<string, string> {
    const { types } = this.#engine.triggers;
    const found: Record<string, string> = {};
    types.each((type) => {
      const id = types.names.id(type);
      if (!id.startsWith("engine::"))
        found[keyOf(types.names.namespace(type), id)] =
          this.#engine.workers.of(types.provider(type))?.id ?? "nobody";
    });
    return found;
  }

  #modelTypes(): Record<string, string> {
    return Object.fromEntries([...this.#model.types].map(([key, claims]) => [key, claims.at(-1) ?? ""]));
  }

  #engineTriggers(): Record<string, string> {
    const { triggers, types } = this.#engine.triggers;
    const found: Record<string, string> = {};
    triggers.each((trigger) => {
      const type = triggers.type(trigger);
      const boundTo = type === 0 ? "" : keyOf(types.names.namespace(type), types.names.id(type));
      const owner = this.#engine.workers.of(triggers.owner(trigger))?.id;
      const target = keyOf(triggers.namespace(trigger), triggers.functionId(trigger));
      const state = STATES[triggers.state(trigger)];
      found[triggers.id(trigger)] = [
        owner,
        target,
        state,
        REASON_NAMES[triggers.reason(trigger)] ?? "",
        boundTo,
      ].join(" ");
    });
    return found;
  }

  #modelTriggers(): Record<string, string> {
    return Object.fromEntries(
      [...this.#model.triggers.values()].map(
        ({ id, owner, namespace, functionId, state, reason, boundTo }) => [
          id,
          [owner, keyOf(namespace, functionId), state, reason, boundTo].join(" "),
        ],
      ),
    );
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random.next() * from.length)] as T; // never empty
  }
}

const STATES = {
  [TriggerState.Active]: "active",
  [TriggerState.Parked]: "parked",
  [TriggerState.Rejected]: "rejected",
  [TriggerState.Asked]: "asked",
  [TriggerState.Removed]: "removed",
} as const;
