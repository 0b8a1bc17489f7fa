// A load program for everything that is not a stream of calls: thousands of idle connections, functions registered in
// bulk, a busy worker that goes away, connections that come and go.
//
// A prober of its own (a msgpack connection that resolves names) sees when the engine has done what it was asked.

import { performance } from "node:perf_hooks";
import { frameHeader } from "./batch.js";
import { type Connection, upgraded } from "./connection.js";
import { announce, JsonPeer } from "./json.js";
import { callRecord, Kind, MsgpackPeer } from "./msgpack.js";
import type { Target } from "./role.js";
import { serveRequests } from "./server.js";
import { type StormReport, type StormRequest, storm, stormId } from "./storm.js";

export interface IdleRequest {
  kind: "idle";
  port: number;
  target: Target;
  wire: "msgpack" | "json";
  connections: number;
}

/** Connects the workers, so that the CPU of `register` afterwards is that of registering. */
export interface PrepareRequest {
  kind: "prepare";
  port: number;
  wire: "msgpack" | "json";
  workers: number;
  functionsEach: number;
}

/** What was prepared; answers when every function is served. */
export interface RegisterRequest {
  kind: "register";
}

export interface HangRequest {
  kind: "hang";
  port: number;
  functions: number;
  /** Calls the worker receives and never answers. */
  calls: number;
}

export interface ChurnRequest {
  kind: "churn";
  port: number;
  durationMs: number;
  cyclesPerSecond: number;
}

/** Closes every connection; answers when the engine has taken their functions back and ended their calls. */
export interface DropRequest {
  kind: "drop";
}

export type FleetRequest =
  | IdleRequest
  | PrepareRequest
  | RegisterRequest
  | HangRequest
  | ChurnRequest
  | StormRequest
  | DropRequest;

const POLL_MS = 10;
const DEADLINE_MS = 60_000;
const HANDSHAKES_AT_ONCE = 50;

let connections: Connection[] = [];
let prober: MsgpackPeer | undefined;
/** One id of every worker that registered: gone when the worker is. */
let watched: string[] = [];
/** Resolves when nothing is left of what `hang` opened. */
let hanging: Promise<void> | undefined;

async function idle({ port, target, wire, connections: count }: IdleRequest): Promise<void> {
  const before = connections.length;
  await each(count, async (number) => {
    connections.push(await oneIdle(port, target, wire, before + number));
  });
}

async function oneIdle(
  port: number,
  target: Target,
  wire: "msgpack" | "json",
  number: number,
): Promise<Connection> {
  if (target === "control") return ignoring(await upgraded(port, `/worker/${number}`));
  if (wire === "msgpack") return (await MsgpackPeer.onEngine(port)).connection;
  const peer = new JsonPeer(await upgraded(port, "/"));
  peer.sendJson(announce(`bench-idle-${number}-${process.pid}`));
  return peer.connection;
}

function ignoring(connection: Connection): Connection {
  connection.feed = (_bytes, _view, _from, to) => to;
  return connection;
}

/** `work` for 0 … count - 1, a few at a time: a listen backlog is not endless. */
async function each(count: number, work: (number: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(count, HANDSHAKES_AT_ONCE) }, lane));
}

function idOf(worker: number, index: number): string {
  return `bench::fleet-${worker.toString(16).padStart(4, "0")}-${index.toString(16).padStart(5, "0")}`;
}

type Register = (ids: string[]) => Promise<void>;

async function connect(port: number, wire: "msgpack" | "json"): Promise<Register> {
  if (wire === "json") return registerJson(new JsonPeer(await upgraded(port, "/")));
  const peer = await MsgpackPeer.onEngine(port);
  connections.push(peer.connection);
  return async (ids) => {
    await peer.register(ids.map((id) => [id]));
  };
}

function registerJson(peer: JsonPeer): Register {
  connections.push(peer.connection);
  peer.sendJson(announce(`bench-fleet-${connections.length}-${process.pid}`));
  return async (ids) => {
    const frames = ids.flatMap((id) => {
      const body = Buffer.from(JSON.stringify({ type: "registerfunction", id }));
      return [frameHeader(body.length, false), body];
    });
    peer.connection.socket.write(Buffer.concat(frames));
  };
}

let registering: (() => Promise<void>)[] = [];

async function prepare({ port, wire, workers, functionsEach }: PrepareRequest): Promise<void> {
  prober ??= await MsgpackPeer.onEngine(port);
  registering = [];
  watched = [];
  for (let worker = 0; worker < workers; worker++) {
    const register = await connect(port, wire);
    const ids = Array.from({ length: functionsEach }, (_, index) => idOf(worker, index));
    registering.push(() => register(ids));
    watched.push(ids.at(-1) ?? "");
  }
}

async function register(): Promise<void> {
  await Promise.all(registering.map((one) => one()));
  await until((handles) => !handles.includes(0));
}

async function until(reached: (handles: number[]) => boolean): Promise<void> {
  if (prober === undefined || watched.length === 0) return;
  const giveUpMs = performance.now() + DEADLINE_MS;
  while (!reached(await prober.resolve(watched))) {
    if (performance.now() > giveUpMs) throw new Error(`the engine did not settle in ${DEADLINE_MS} ms`);
    await pause(POLL_MS);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function drop(): Promise<void> {
  await Promise.all(connections.map((connection) => connection.close()));
  connections = [];
  await until((handles) => handles.every((handle) => handle === 0));
  await hanging;
  watched = [];
  hanging = undefined;
}

/** Returns when every call has reached the worker. */
async function hang({ port, functions, calls }: HangRequest): Promise<void> {
  const worker = await MsgpackPeer.onEngine(port, { concurrency: calls }); // what is more would wait in the engine
  connections.push(worker.connection);
  const ids = Array.from({ length: functions }, (_, index) => idOf(0, index));
  const handles = await worker.register(ids.map((id) => [id]));
  const caller = await MsgpackPeer.onEngine(port);
  const arrived = counted(worker, Kind.Call, calls);
  hanging = counted(caller, Kind.Error, calls);
  const payload = Buffer.from([0xc0]);
  const records = Array.from({ length: calls }, (_, call) => {
    return callRecord(call + 1, handles[(call * 37) % functions] ?? 0, payload);
  });
  caller.connection.send(Buffer.concat(records), true);
  await arrived;
}

/** Resolves at the `count`th record of that kind; any other hot record is a fault. */
function counted(peer: MsgpackPeer, kind: number, count: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0;
    peer.onRecord = (bytes, _view, at) => {
      if (bytes[at + 1] !== kind) throw new Error(`a record of kind ${bytes[at + 1]} instead of ${kind}`);
      if (++seen === count) resolve();
    };
  });
}

async function comeBack(request: StormRequest): Promise<StormReport> {
  prober ??= await MsgpackPeer.onEngine(request.port);
  watched = Array.from({ length: request.workers }, (_, number) => stormId(number, 0));
  return storm(request, connections);
}

/** Connect, say hello, register, leave; how many a second it really was. */
async function churn({ port, durationMs, cyclesPerSecond }: ChurnRequest): Promise<number> {
  const startMs = performance.now();
  let cycles = 0;
  while (performance.now() - startMs < durationMs) {
    const due = ((performance.now() - startMs) / 1000) * cyclesPerSecond;
    if (cycles >= due) await pause(1);
    else await cycle(port, cycles++);
  }
  return (cycles / (performance.now() - startMs)) * 1000;
}

async function cycle(port: number, number: number): Promise<void> {
  const peer = await MsgpackPeer.onEngine(port);
  await peer.register([[`bench::churn-${number}`]]);
  await peer.connection.close();
}

serveRequests(async (request: FleetRequest) => {
  switch (request.kind) {
    case "idle":
      return idle(request);
    case "prepare":
      return prepare(request);
    case "register":
      return register();
    case "hang":
      return hang(request);
    case "churn":
      return churn(request);
    case "storm":
      return comeBack(request);
    case "drop":
      return drop();
  }
});
