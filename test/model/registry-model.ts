// A naive model of the registry: functions, trigger types and triggers as lists and maps, every rule of PROTOCOL.md said in the plainest way.
//
// It knows nothing of sockets, slots or frames. What it answers is what a reader of the page would expect of the engine after each step.

const DEFAULT = "default";

export interface ModelTrigger {
  id: string;
  owner: string;
  type: string;
  functionId: string;
  namespace: string;
  triggerNamespace: string | undefined;
  home: string;
  state: "active" | "parked" | "rejected";
  reason: string;
  /** The key of the type it is bound to; "" = none. */
  boundTo: string;
}

export type WantedTrigger = Omit<ModelTrigger, "state" | "reason" | "boundTo">;

export function keyOf(namespace: string, id: string): string {
  return `${namespace}/${id}`;
}

export class RegistryModel {
  /** Who offers a function, the first of them serves. */
  readonly functions = new Map<string, string[]>();
  /** Who claims a type, the last of them serves. */
  readonly types = new Map<string, string[]>();
  readonly triggers = new Map<string, ModelTrigger>();

  offer(worker: string, key: string): void {
    const offers = this.functions.get(key) ?? [];
    if (!offers.includes(worker)) offers.push(worker);
    this.functions.set(key, offers);
  }

  unoffer(worker: string, key: string): void {
    without(this.functions, key, worker);
  }

  claim(worker: string, namespace: string, id: string): void {
    const key = keyOf(namespace, id);
    without(this.types, key, worker);
    this.types.set(key, [...(this.types.get(key) ?? []), worker]);
    for (const trigger of this.triggers.values()) {
      if (trigger.type !== id) continue;
      const waits = trigger.boundTo === "" && this.#resolve(trigger) === key;
      const comesHome =
        namespace !== DEFAULT &&
        trigger.boundTo === keyOf(DEFAULT, id) &&
        trigger.home === namespace &&
        trigger.triggerNamespace === undefined;
      if (waits || comesHome) this.#bind(trigger, key);
    }
  }

  unclaim(worker: string, key: string): void {
    if (!without(this.types, key, worker) || this.types.has(key)) return;
    for (const trigger of this.triggers.values())
      if (trigger.boundTo === key) this.#place(trigger, "provider_left");
  }

  want(wanted: WantedTrigger): void {
    const trigger: ModelTrigger = { ...wanted, state: "parked", reason: "", boundTo: "" };
    this.triggers.set(trigger.id, trigger);
    this.#place(trigger, "no_provider");
  }

  unwant(worker: string, id: string): void {
    if (this.triggers.get(id)?.owner === worker) this.triggers.delete(id);
  }

  /** A worker says no to a trigger; heard when it provides for it. */
  refuse(worker: string, id: string): void {
    const trigger = this.triggers.get(id);
    if (trigger === undefined || this.types.get(trigger.boundTo)?.at(-1) !== worker) return;
    Object.assign(trigger, { state: "rejected", reason: "refused", boundTo: "" });
  }

  leave(worker: string): void {
    for (const key of [...this.functions.keys()]) without(this.functions, key, worker);
    for (const [id, { owner }] of this.triggers) if (owner === worker) this.triggers.delete(id);
    const lost = [...this.types].filter(([, claims]) => claims.at(-1) === worker).map(([key]) => key);
    for (const key of [...this.types.keys()]) without(this.types, key, worker);
    for (const trigger of this.triggers.values())
      if (lost.includes(trigger.boundTo) && !this.types.has(trigger.boundTo))
        this.#place(trigger, "provider_left");
  }

  /** A msgpack worker comes back under another connection, with the same functions: they change hands in place. */
  handOver(from: string, to: string): void {
    for (const offers of this.functions.values())
      for (const [at, worker] of offers.entries()) if (worker === from) offers[at] = to;
  }

  /** The ids of the triggers a worker provides for. */
  givenTo(worker: string): string[] {
    return [...this.triggers.values()]
      .filter(({ boundTo }) => boundTo !== "" && this.types.get(boundTo)?.at(-1) === worker)
      .map(({ id }) => id)
      .sort();
  }

  #resolve({ type, triggerNamespace, home }: ModelTrigger): string {
    const places = triggerNamespace === undefined ? [home, DEFAULT] : [triggerNamespace];
    return places.map((place) => keyOf(place, type)).find((key) => this.types.has(key)) ?? "";
  }

  #place(trigger: ModelTrigger, reason: string): void {
    const key = this.#resolve(trigger);
    if (key === "") Object.assign(trigger, { state: "parked", reason, boundTo: "" });
    else this.#bind(trigger, key);
  }

  #bind(trigger: ModelTrigger, key: string): void {
    Object.assign(trigger, { state: "active", reason: "", boundTo: key });
  }
}

/** Takes a worker out of a list; an empty list goes. False when it was not in it. */
function without(lists: Map<string, string[]>, key: string, worker: string): boolean {
  const list = lists.get(key) ?? [];
  const rest = list.filter((one) => one !== worker);
  if (rest.length === 0) lists.delete(key);
  else lists.set(key, rest);
  return rest.length < list.length;
}
