// A fleet of services whose connections are cut and whose processes are replaced, one staged step after the other, against a model that never changes:
// every function is served by the living process of its service, every trigger is active, once, with its living provider.
//
// What is compared after each step: listings, what providers were given, and the answers of real calls and fires. While a process is replaced by one that
// came before it went, a call may be cut off, but never finds nobody.
import assert from "node:assert/strict";
import type { Engine } from "../../src/engine.js";
import { eventually } from "../support/eventually.js";
import { Random } from "../support/random.js";
import {
  type Instance,
  JsonInstance,
  MsgpackInstance,
  type Service,
  type WantedTrigger,
} from "./instance.js";

const SERVICES = 6;
const TRIGGERS_EACH = 2;

interface Row {
  readonly [key: string]: unknown;
}

export class RollingFleet {
  /** How often each kind of step was taken. */
  readonly taken = new Map<string, number>();
  readonly #engine: Engine;
  readonly #port: number;
  readonly #random: Random;
  readonly #services: readonly Service[];
  /** The living process of each service. */
  readonly #living: Instance[] = [];
  #generation = 0;
  readonly #steps: Record<string, (at: number) => Promise<number[]>> = {
    cut: (at) => this.#cut([at]),
    cutAll: () => this.#cut(this.#services.map((_, each) => each)),
    comeBack: (at) => this.#comeBack(at),
    restart: (at) => this.#restart([at]),
    restartTwo: (at) => this.#restart([at, (at + 1) % SERVICES]),
  };

  constructor(engine: Engine, port: number, seed: number) {
    this.#engine = engine;
    this.#port = port;
    this.#random = new Random(seed);
    this.#services = Array.from({ length: SERVICES }, (_, at) => ({
      namespace: at % 3 === 2 ? "shop" : "default",
      functions: [`s${at}::a`, `s${at}::b`],
      type: `type-${at}`,
    }));
  }

  async start(): Promise<void> {
    for (let at = 0; at < SERVICES; at++) this.#living.push(await this.#made(at).start());
    await this.#agree(
      "everybody has come",
      this.#services.map((_, at) => at),
    );
  }

  async roll(steps: number): Promise<void> {
    const names = Object.keys(this.#steps);
    for (let step = 0; step < steps; step++) {
      const name = names[Math.floor(this.#random.next() * names.length)] ?? "cut";
      this.taken.set(name, (this.taken.get(name) ?? 0) + 1);
      const touched = await this.#steps[name]?.(this.#pick());
      await this.#agree(`step ${step}, ${name}`, [...(touched ?? []), this.#pick()]);
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#living.splice(0).map((one) => one.leave("close")));
    await eventually("everybody is gone", () => this.#engine.stats().connections === 0);
    assert.equal(this.#engine.triggers.triggers.count, 0);
  }

  // Steps

  /** The connections end without a word; their processes come back when the engine has noticed, or before. */
  async #cut(whom: number[]): Promise<number[]> {
    const before = whom.map((at) => this.#at(at));
    const cuts = before.map((one) => one.leave("terminate"));
    if (this.#random.next() < 0.5) await Promise.all([...cuts, ...before.map((one) => this.#noticed(one))]);
    await Promise.all(whom.map(async (at) => this.#living.splice(at, 1, await this.#at(at).comeBack())));
    await Promise.all([...cuts, ...before.map((one) => this.#noticed(one))]);
    return whom;
  }

  /** The process has another connection before the old one is gone, and the engine ends that. */
  async #comeBack(at: number): Promise<number[]> {
    const before = this.#at(at);
    this.#living[at] = await before.comeBack();
    await this.#noticed(before);
    return [at];
  }

  /** New processes, under other names, come and register; then the old ones go. */
  async #restart(whom: number[]): Promise<number[]> {
    const before = whom.map((at) => this.#at(at));
    const fresh = await Promise.all(whom.map((at) => this.#made(at).start()));
    await Promise.all(fresh.map((one) => one.settle()));
    const how = this.#random.next() < 0.5 ? "close" : "terminate";
    const gone = before.map((one) => one.leave(how));
    const during = this.#callsDuring(whom);
    await Promise.all([...gone, ...before.map((one) => this.#noticed(one))]);
    for (const [index, at] of whom.entries()) this.#living[at] = fresh[index] ?? this.#at(at);
    for (const outcome of await during)
      assert.notEqual(outcome, "function_not_found", "somebody serves it all the while");
    return whom;
  }

  /** Calls of what is changing hands, from a process that stays. */
  async #callsDuring(whom: number[]): Promise<string[]> {
    const caller = this.#living.find((_, at) => !whom.includes(at));
    const targets = whom.flatMap((at) => this.#targetsOf(at));
    return Promise.all(targets.map((target) => caller?.call(target) ?? "nobody can call"));
  }

  // The model

  #made(at: number): Instance {
    const generation = ++this.#generation;
    const service = this.#services[at];
    if (service === undefined) throw new Error(`no service ${at}`);
    const wanted = service.functions.slice(0, TRIGGERS_EACH).map((functionId, n): WantedTrigger => {
      const provider = this.#services[(at + n + 1) % SERVICES] ?? service;
      return {
        id: `${at}/${generation}/${n}`,
        type: provider.type,
        typeNamespace: provider.namespace,
        functionId,
      };
    });
    const Kind = this.#random.next() < 0.5 ? JsonInstance : MsgpackInstance;
    return new Kind(`s${at}-${generation}`, this.#port, service, wanted);
  }

  async #agree(when: string, touched: readonly number[]): Promise<void> {
    await Promise.all(this.#living.map((one) => one.settle()));
    await Promise.all(this.#living.map((one) => one.settle())); // what the first round of somebody caused for another
    assert.deepEqual(await this.#listedFunctions(), this.#expectedFunctions(), `functions after ${when}`);
    assert.deepEqual(await this.#listedTriggers(), this.#expectedTriggers(), `triggers after ${when}`);
    for (const [at, one] of this.#living.entries())
      assert.deepEqual([...one.given.keys()].sort(), this.#expectedGiven(at), `given to ${at} after ${when}`);
    for (const at of new Set(touched)) await this.#answers(at, when);
  }

  /** Its functions answer, from itself; and so do the functions of its triggers when their providers fire them. */
  async #answers(at: number, when: string): Promise<void> {
    const { id, wanted } = this.#at(at);
    const caller = this.#at(this.#pick());
    for (const target of this.#targetsOf(at))
      assert.equal(await caller.call(target), id, `${target.functionId} answers after ${when}`);
    for (const trigger of wanted) {
      const provider = this.#living.find(({ service }) => service.type === trigger.type);
      const target = provider?.given.get(trigger.id);
      assert.ok(provider !== undefined && target !== undefined, `${trigger.id} has a provider after ${when}`);
      assert.equal(await provider.call(target), id, `${trigger.id} fires after ${when}`);
    }
  }

  #targetsOf(at: number): { namespace: string; functionId: string }[] {
    const { namespace, functions } = this.#at(at).service;
    return functions.map((functionId) => ({ namespace, functionId }));
  }

  async #listedFunctions(): Promise<unknown[]> {
    const rows = await this.#rows("engine::functions::list", "functions", { prefix: "s" });
    return rows.map((row) => [row["function_id"], row["namespace"], row["worker_name"]]);
  }

  #expectedFunctions(): unknown[] {
    return this.#living
      .flatMap(({ service, name }) => service.functions.map((id) => [id, service.namespace, name]))
      .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  }

  async #listedTriggers(): Promise<unknown[]> {
    const list = "engine::registered-triggers::list";
    const rows = await this.#rows(list, "registered_triggers", { include_parked: true });
    return rows.map((row) => [row["id"], row["worker_name"], row["state"]]);
  }

  #expectedTriggers(): unknown[] {
    return this.#living
      .flatMap(({ wanted, name }) => wanted.map(({ id }) => [id, name, "active"]))
      .sort(([a], [b]) => Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b))));
  }

  #expectedGiven(at: number): string[] {
    const { type } = this.#at(at).service;
    return this.#living
      .flatMap(({ wanted }) => wanted.filter((one) => one.type === type).map(({ id }) => id))
      .sort();
  }

  async #rows(id: string, key: string, input: object): Promise<readonly Row[]> {
    const listed = (await this.#engine.call(id, input)) as Record<string, Row[]>; // its documented shape
    return listed[key] ?? [];
  }

  #at(at: number): Instance {
    const one = this.#living[at];
    if (one === undefined) throw new Error(`service ${at} is not alive`);
    return one;
  }

  #pick(): number {
    return this.#random.below(SERVICES);
  }

  #noticed({ id, name }: Instance): Promise<true> {
    return eventually(
      `the engine has noticed that ${name} is gone`,
      () => this.#engine.workers.byId(id) === undefined,
    );
  }
}
