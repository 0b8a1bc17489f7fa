// One process of a service in the restart test, by either wire: offers functions, provides a type, has triggers, answers every call with its own id.
import { randomUUID } from "node:crypto";
import { JsonPeer } from "../support/json-peer.js";
import { MsgpackPeer, pack, value } from "../support/msgpack-peer.js";

/** What a service registers, whichever process of it. */
export interface Service {
  readonly namespace: string;
  readonly functions: readonly string[];
  /** The type it provides. */
  readonly type: string;
}

export interface WantedTrigger {
  readonly id: string;
  readonly type: string;
  readonly typeNamespace: string;
  readonly functionId: string;
}

/** A function as a provider is told of it. */
export interface Target {
  readonly namespace: string;
  readonly functionId: string;
}

export abstract class Instance {
  readonly name: string;
  readonly port: number;
  readonly service: Service;
  readonly wanted: readonly WantedTrigger[];
  /** What it was told to see to, and not relieved of, by trigger. */
  readonly given = new Map<string, Target>();
  readonly #calls = new Map<string, (outcome: string) => void>();

  constructor(name: string, port: number, service: Service, wanted: readonly WantedTrigger[]) {
    this.name = name;
    this.port = port;
    this.service = service;
    this.wanted = wanted;
  }

  abstract readonly id: string;

  /** Connects as a process that has just started. */
  abstract start(): Promise<this>;
  /** Another connection of the same process, before the old one is gone. */
  abstract comeBack(): Promise<Instance>;
  /** Everything it said was handled, and everything it was told is known. */
  abstract settle(): Promise<void>;
  abstract leave(how: "close" | "terminate"): Promise<void>;
  protected abstract sendCall(call: string, target: Target): void;

  /** The id of the worker that answered, or the code of the error. */
  call(target: Target): Promise<string> {
    const call = randomUUID();
    return new Promise((resolve) => {
      this.#calls.set(call, resolve);
      this.sendCall(call, target);
    });
  }

  protected ended(call: string, outcome: string): void {
    this.#calls.get(call)?.(outcome);
    this.#calls.delete(call);
  }

  /** Nothing more comes over this connection. */
  protected gone(): void {
    for (const call of [...this.#calls.keys()]) this.ended(call, "the caller's connection ended");
  }
}

export class JsonInstance extends Instance {
  #peer: JsonPeer | null = null;

  get id(): string {
    return this.#connected.workerId;
  }

  get #connected(): JsonPeer {
    if (this.#peer === null) throw new Error(`${this.name} has not started`);
    return this.#peer;
  }

  async start(former?: JsonPeer): Promise<this> {
    const peer = await JsonPeer.connect(this.port);
    this.#peer = peer;
    peer.socket.on("message", (text) => this.#received(JSON.parse(String(text))));
    peer.socket.on("close", () => this.gone());
    if (former !== undefined)
      peer.send({ type: "reattach", previous_worker_id: former.workerId, reattach_token: former.token });
    const { namespace, functions, type } = this.service;
    peer.announce({ name: this.name, namespace });
    peer.send({ type: "registertriggertype", id: type, description: "" });
    for (const id of functions) peer.register(id);
    for (const one of this.wanted)
      peer.send({
        type: "registertrigger",
        id: one.id,
        trigger_type: one.type,
        function_id: one.functionId,
        config: {},
        namespace,
        trigger_namespace: one.typeNamespace,
      });
    return this;
  }

  async comeBack(): Promise<Instance> {
    const fresh = new JsonInstance(this.name, this.port, this.service, this.wanted);
    return fresh.start(this.#connected);
  }

  async settle(): Promise<void> {
    await this.#connected.drain();
  }

  async leave(how: "close" | "terminate"): Promise<void> {
    this.#connected.socket[how]();
    await this.#connected.closed;
  }

  protected sendCall(invocation_id: string, { namespace, functionId }: Target): void {
    this.#connected.send({
      type: "invokefunction",
      invocation_id,
      function_id: functionId,
      namespace,
      data: {},
    });
  }

  #received(frame: Record<string, unknown>): void {
    const id = String(frame["id"]);
    if (frame["type"] === "registertrigger") {
      const functionId = String(frame["function_id"]);
      // an absent namespace is default for a provider that lives there, and others are always told
      this.given.set(id, { functionId, namespace: String(frame["namespace"] ?? "default") });
    } else if (frame["type"] === "unregistertrigger") this.given.delete(id);
    else if (frame["type"] === "invokefunction")
      this.#connected.send({ ...frame, type: "invocationresult", result: this.id });
    else if (frame["type"] === "invocationresult") {
      const error = frame["error"] as { code: string } | undefined; // as the engine writes it
      this.ended(String(frame["invocation_id"]), error?.code ?? String(frame["result"]));
    }
  }
}

export class MsgpackInstance extends Instance {
  #peer: MsgpackPeer | null = null;
  readonly #numbers = new Map<number, string>();
  #number = 0;

  get id(): string {
    return this.#connected.welcome.worker;
  }

  get #connected(): MsgpackPeer {
    if (this.#peer === null) throw new Error(`${this.name} has not started`);
    return this.#peer;
  }

  async start(former?: MsgpackPeer): Promise<this> {
    const { namespace, functions, type } = this.service;
    const hello = { name: this.name, namespace };
    const { worker, token } = former?.welcome ?? {};
    const previous = former === undefined ? {} : { previous: { worker, token } };
    const peer = await MsgpackPeer.connect(this.port, { ...hello, ...previous });
    this.#peer = peer;
    peer.socket.on("close", () => this.gone());
    peer.onRecord = (record) => this.#received(record);
    peer.send(
      [18, 1, 1, functions.map((id) => [id])],
      [26, 2, [[type]]],
      ...this.wanted.map((one) => [28, 3, one.id, one.type, one.functionId, {}, null, one.typeNamespace]),
    );
    return this;
  }

  async comeBack(): Promise<Instance> {
    const fresh = new MsgpackInstance(this.name, this.port, this.service, this.wanted);
    return fresh.start(this.#connected);
  }

  async settle(): Promise<void> {
    await this.#connected.drain();
  }

  async leave(how: "close" | "terminate"): Promise<void> {
    this.#connected.socket[how]();
    await this.#connected.closed;
  }

  protected sendCall(call: string, { namespace, functionId }: Target): void {
    this.#number++;
    this.#numbers.set(this.#number, call);
    this.#connected.send([1, this.#number, [namespace, functionId], 0, 0, null, pack({})]);
  }

  #received(record: readonly unknown[]): void {
    const [kind, second, third, , fifth] = record;
    if (kind === 1) this.#connected.send([2, second, pack(this.id)]);
    else if (kind === 2 || kind === 3) this.#ended(Number(second), value(third));
    else if (kind === 28) {
      const [namespace, functionId] = fifth as [string, string]; // as PROTOCOL.md has it
      this.given.set(String(third), { namespace, functionId });
    } else if (kind === 29) this.given.delete(String(third));
  }

  #ended(number: number, body: unknown): void {
    const call = this.#numbers.get(number) ?? "";
    this.#numbers.delete(number);
    this.ended(call, typeof body === "string" ? body : (body as { code: string }).code);
  }
}
