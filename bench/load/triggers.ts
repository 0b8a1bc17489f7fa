// A load program: one worker provides a trigger type, another owns thousands of triggers of it. The provider can restart: its connection
// ends, a new one claims the type, and the engine has to send every trigger again.

import { performance } from "node:perf_hooks";
import { pack, unpackMultiple } from "msgpackr";
import { frameHeader } from "./batch.js";
import { type Connection, upgraded } from "./connection.js";
import { FramePeer } from "./frame-peer.js";
import { announce } from "./json.js";
import { Kind, SUBPROTOCOL } from "./msgpack.js";
import { serveRequests } from "./server.js";

export type TriggerWire = "msgpack" | "json";

/** Connects owner and provider; the provider claims the type. */
export interface TriggerOpen {
  kind: "open";
  port: number;
  wire: TriggerWire;
}

/** Registers triggers; answers when the provider has all of them. */
export interface TriggerRegister {
  kind: "register";
  triggers: number;
}

/** The provider leaves and comes back; answers when it has all of them again. */
export interface TriggerRestart {
  kind: "restart";
}

export interface RestartReport {
  /** From the end of the old connection to the last trigger on the new one. */
  elapsedMs: number;
}

/** Owner and provider leave. */
export interface TriggerDrop {
  kind: "drop";
}

export type TriggerRequest = TriggerOpen | TriggerRegister | TriggerRestart | TriggerDrop;

const TYPE = "bench-type";
const DEADLINE_MS = 60_000;

/** How each wire says it. */
interface Dialect {
  connect(port: number, name: string): Promise<FramePeer>;
  claim(): Buffer;
  trigger(number: number): Buffer;
  /** How many triggers a frame of the provider brings. */
  triggersIn(frame: Buffer): number;
  isBinary: boolean;
}

const MSGPACK: Dialect = {
  isBinary: true,
  connect: async (port, name) => {
    const peer = new FramePeer(await upgraded(port, "/", SUBPROTOCOL), true);
    const welcomed = peer.next((frame) => (frame[1] === Kind.Welcome ? true : undefined));
    peer.connection.send(pack([Kind.Hello, { version: 1, name }]), true);
    await welcomed;
    return peer;
  },
  claim: () => pack([Kind.TriggerType, 1, [[TYPE, "a type of the bench"]]]),
  trigger: (number) =>
    pack([Kind.Trigger, number, idOf(number), TYPE, "bench::on-event", { path: `/${number}` }]),
  triggersIn: (frame) => {
    const records: unknown[] = unpackMultiple(frame);
    return records.filter((record) => Array.isArray(record) && record[0] === Kind.Trigger).length;
  },
};

const asJson = (message: object): Buffer => Buffer.from(JSON.stringify(message));

const JSON_WIRE: Dialect = {
  isBinary: false,
  connect: async (port, name) => {
    const peer = new FramePeer(await upgraded(port, "/"), true);
    peer.connection.send(asJson(announce(name)), false);
    return peer;
  },
  claim: () => asJson({ type: "registertriggertype", id: TYPE, description: "a type of the bench" }),
  trigger: (number) =>
    asJson({
      type: "registertrigger",
      id: idOf(number),
      trigger_type: TYPE,
      function_id: "bench::on-event",
      config: { path: `/${number}` },
    }),
  triggersIn: (frame) => (frame.includes('"type":"registertrigger"') ? 1 : 0),
};

function idOf(number: number): string {
  return `bench-trigger-${number.toString().padStart(6, "0")}`;
}

let dialect: Dialect = MSGPACK;
let port = 0;
let owner: FramePeer | undefined;
let provider: FramePeer | undefined;
let triggers = 0;

async function open(request: TriggerOpen): Promise<void> {
  dialect = request.wire === "msgpack" ? MSGPACK : JSON_WIRE;
  ({ port } = request);
  triggers = 0;
  provider = await claimant();
  owner = await dialect.connect(port, "bench-owner");
}

async function claimant(): Promise<FramePeer> {
  const peer = await dialect.connect(port, "bench-provider");
  peer.connection.send(dialect.claim(), dialect.isBinary);
  return peer;
}

/** Resolves when so many triggers have come to the provider, each once. */
function arrived(peer: FramePeer, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = 0;
    const timer = setTimeout(
      () => reject(new Error(`${seen} of ${count} triggers in ${DEADLINE_MS} ms`)),
      DEADLINE_MS,
    );
    peer.onFrame = (bytes, _view, at, length) => {
      seen += dialect.triggersIn(bytes.subarray(at, at + length));
      if (seen < count) return;
      clearTimeout(timer);
      if (seen === count) resolve();
      else reject(new Error(`${seen} triggers instead of ${count}`));
    };
  });
}

async function register({ triggers: count }: TriggerRegister): Promise<void> {
  if (provider === undefined || owner === undefined) throw new Error("open first");
  const all = arrived(provider, count);
  owner.connection.socket.write(frames(count));
  await all;
  triggers = count;
}

/** Msgpack workers put everything that is ready into one frame; the SDKs of the JSON wire send a frame each. */
function frames(count: number): Buffer {
  const bodies = Array.from({ length: count }, (_, number) => dialect.trigger(number));
  if (dialect.isBinary) {
    const whole = Buffer.concat(bodies);
    return Buffer.concat([frameHeader(whole.length, true), whole]);
  }
  return Buffer.concat(bodies.flatMap((body) => [frameHeader(body.length, false), body]));
}

async function restart(): Promise<RestartReport> {
  if (provider === undefined) throw new Error("open first");
  const startMs = performance.now();
  await provider.connection.close();
  const next = await dialect.connect(port, "bench-provider");
  const all = arrived(next, triggers);
  next.connection.send(dialect.claim(), dialect.isBinary);
  provider = next;
  await all;
  return { elapsedMs: performance.now() - startMs };
}

async function drop(): Promise<void> {
  const all: (Connection | undefined)[] = [owner?.connection, provider?.connection];
  await Promise.all(all.map((connection) => connection?.close()));
}

serveRequests((request: TriggerRequest): Promise<unknown> => {
  switch (request.kind) {
    case "open":
      return open(request);
    case "register":
      return register(request);
    case "restart":
      return restart();
    case "drop":
      return drop();
  }
});
