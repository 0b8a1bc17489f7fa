// A worker in the model test, by whichever wire: does what it is told, and keeps which triggers it was given.
import { JsonPeer } from "../support/json-peer.js";
import { MsgpackPeer } from "../support/msgpack-peer.js";
import type { WantedTrigger } from "./registry-model.js";

export interface Actor {
  readonly id: string;
  readonly namespace: string;
  /** Triggers it was given and not relieved of. */
  readonly given: Set<string>;
  offer(id: string): void;
  unoffer(id: string): void;
  claim(type: string): void;
  /** Undefined where the wire has no words for it. */
  unclaim: ((type: string) => void) | undefined;
  want(trigger: WantedTrigger): void;
  unwant(id: string): void;
  refuse(trigger: WantedTrigger): void;
  /** Everything it said was handled, and everything it was told is in `given`. */
  settle(): Promise<void>;
  /** Another connection of the same worker, which takes over what this one had. */
  comeBack(): Promise<Actor>;
  leave(how: "close" | "terminate"): Promise<void>;
}

export class JsonActor implements Actor {
  readonly given = new Set<string>();
  readonly unclaim = undefined;
  readonly namespace: string;
  readonly #peer: JsonPeer;
  readonly #port: number;

  private constructor(peer: JsonPeer, port: number, namespace: string) {
    this.#peer = peer;
    this.#port = port;
    this.namespace = namespace;
  }

  static async join(port: number, namespace: string): Promise<JsonActor> {
    return new JsonActor(await JsonPeer.announced(port, { namespace }), port, namespace);
  }

  get id(): string {
    return this.#peer.workerId;
  }

  offer(id: string): void {
    this.#peer.register(id);
  }

  unoffer(id: string): void {
    this.#peer.send({ type: "unregisterfunction", id });
  }

  claim(type: string): void {
    this.#peer.send({ type: "registertriggertype", id: type, description: "" });
  }

  want({ id, type, functionId, namespace, triggerNamespace }: WantedTrigger): void {
    this.#peer.send({
      type: "registertrigger",
      id,
      trigger_type: type,
      function_id: functionId,
      config: { id },
      namespace,
      trigger_namespace: triggerNamespace,
    });
  }

  unwant(id: string): void {
    this.#peer.send({ type: "unregistertrigger", id });
  }

  refuse({ id, type, functionId }: WantedTrigger): void {
    const error = { code: "no", message: "not this one" };
    this.given.delete(id); // whoever refuses knows that it has it no more
    this.#peer.send({
      type: "triggerregistrationresult",
      id,
      trigger_type: type,
      function_id: functionId,
      error,
    });
  }

  async settle(): Promise<void> {
    for (const frame of await this.#peer.drain()) {
      if (frame.type === "registertrigger") this.given.add(String(frame["id"]));
      if (frame.type === "unregistertrigger") this.given.delete(String(frame["id"]));
    }
  }

  async comeBack(): Promise<JsonActor> {
    const peer = await JsonPeer.connect(this.#port);
    peer.send({
      type: "reattach",
      previous_worker_id: this.#peer.workerId,
      reattach_token: this.#peer.token,
    });
    peer.announce({ namespace: this.namespace });
    return new JsonActor(peer, this.#port, this.namespace);
  }

  async leave(how: "close" | "terminate"): Promise<void> {
    this.#peer.socket[how]();
    await this.#peer.closed;
  }
}

export class MsgpackActor implements Actor {
  readonly given = new Set<string>();
  readonly namespace: string;
  readonly #peer: MsgpackPeer;
  readonly #port: number;
  readonly #functions = new Set<string>();

  private constructor(peer: MsgpackPeer, port: number, namespace: string) {
    this.#peer = peer;
    this.#port = port;
    this.namespace = namespace;
  }

  static async join(port: number, namespace: string): Promise<MsgpackActor> {
    return new MsgpackActor(await MsgpackPeer.connect(port, { namespace }), port, namespace);
  }

  get id(): string {
    return this.#peer.welcome.worker;
  }

  offer(id: string): void {
    this.#functions.add(id);
    this.#peer.send([18, 1, 0, [[id]]]);
  }

  unoffer(id: string): void {
    this.#functions.delete(id);
    this.#peer.send([20, 1, [id]]);
  }

  claim(type: string): void {
    this.#peer.send([26, 1, [[type]]]);
  }

  readonly unclaim = (type: string): void => this.#peer.send([27, 1, [type]]);

  want({ id, type, functionId, namespace, triggerNamespace }: WantedTrigger): void {
    this.#peer.send([28, 1, id, type, [namespace, functionId], { id }, null, triggerNamespace]);
  }

  unwant(id: string): void {
    this.#peer.send([29, 1, id]);
  }

  refuse({ id }: WantedTrigger): void {
    this.given.delete(id); // as above
    this.#peer.send([30, id, "no", "not this one"]);
  }

  async settle(): Promise<void> {
    for (const [kind, , id] of await this.#peer.drain()) {
      if (kind === 28) this.given.add(String(id));
      if (kind === 29) this.given.delete(String(id));
    }
  }

  async comeBack(): Promise<MsgpackActor> {
    const { worker, token } = this.#peer.welcome;
    const peer = await MsgpackPeer.connect(this.#port, {
      namespace: this.namespace,
      previous: { worker, token },
    });
    const actor = new MsgpackActor(peer, this.#port, this.namespace);
    for (const id of this.#functions) actor.#functions.add(id);
    peer.send([18, 1, 1, [...this.#functions].map((id) => [id])]);
    return actor;
  }

  async leave(how: "close" | "terminate"): Promise<void> {
    this.#peer.socket[how]();
    await this.#peer.closed;
  }
}
