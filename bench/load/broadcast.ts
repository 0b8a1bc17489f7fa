// A load program: one publisher, many subscribers. Publications leave in bursts; the next burst follows when every
// subscriber has received the whole of the last one, each publication once and in order.

import { performance } from "node:perf_hooks";
import type { Tally } from "./calls.js";
import { upgraded } from "./connection.js";
import { announce, JSON_STAMP_KEY, JsonPeer } from "./json.js";
import { Marker } from "./marker.js";
import { castRecord, Kind, MSGPACK_STAMP_KEY, MsgpackPeer } from "./msgpack.js";
import { Outgoing } from "./outgoing.js";
import { asMsgpack, document } from "./payload.js";
import type { Target } from "./role.js";
import { serveRequests } from "./server.js";
import { STAMPS } from "./stamp.js";

export interface BroadcastOpen {
  kind: "open";
  port: number;
  target: Target;
  wire: "msgpack" | "json";
  subscribers: number;
  payloadBytes: number;
  /** The function everybody owns; shared by the registration (msgpack) or by the configuration (JSON). */
  functionId: string;
}

export interface BroadcastRun {
  kind: "run";
  durationMs: number;
  /** Publications sent at once. */
  burst: number;
}

export interface BroadcastReport extends Tally {
  publications: number;
  elapsedMs: number;
  ownCpuUs: number;
}

const ALL_OWNERS = 1;
const STAMP_MASK = 0xffff;

let publish: (sequence: number) => void = () => {};
let flush: () => void = () => {};
let subscribers = 0;
/** How many each subscriber has received. */
let received = new Uint32Array(0);
let wrong = 0;
let missing = 0;
let onBurstEnd: () => void = () => {};

function deliver(subscriber: number, stamp: number): void {
  if (stamp !== STAMPS[received[subscriber]!++ & STAMP_MASK]) wrong++;
  if (--missing === 0) onBurstEnd();
}

async function open(request: BroadcastOpen): Promise<void> {
  subscribers = request.subscribers;
  received = new Uint32Array(subscribers);
  for (let number = 0; number < subscribers; number++) {
    if (request.wire === "msgpack") await msgpackSubscriber(request, number);
    else await jsonSubscriber(request, number);
  }
  await publisher(request);
}

async function msgpackSubscriber({ port, target, functionId }: BroadcastOpen, number: number): Promise<void> {
  const peer =
    target === "control"
      ? await MsgpackPeer.onControl(port, `/worker/${number}`)
      : await MsgpackPeer.onEngine(port);
  if (target === "engine") await peer.register([[functionId, null, null, null, null, "round_robin"]]);
  const stamp = new Marker(MSGPACK_STAMP_KEY);
  peer.onRecord = (bytes, view, at, length) => {
    const found = stamp.find(bytes, view, at, length);
    if (bytes[at + 1] === Kind.Cast) deliver(number, found === -1 ? 0 : view.getUint32(found));
  };
}

/** It never answers: what is measured is the way out. */
async function jsonSubscriber({ port, functionId }: BroadcastOpen, number: number): Promise<void> {
  const peer = new JsonPeer(await upgraded(port, "/"));
  peer.sendJson(announce(`bench-subscriber-${number}-${process.pid}`));
  peer.sendJson({ type: "registerfunction", id: functionId });
  const stamp = new Marker(JSON_STAMP_KEY);
  peer.onFrame = (bytes, view, at, length) => {
    const found = stamp.find(bytes, view, at, length);
    if (found !== -1) deliver(number, view.getUint32(found));
  };
}

async function publisher({ port, target, functionId, payloadBytes }: BroadcastOpen): Promise<void> {
  const peer =
    target === "control" ? await MsgpackPeer.onControl(port, "/caller/0") : await MsgpackPeer.onEngine(port);
  const [handle] = target === "control" ? [1] : await peer.resolveAll([functionId]);
  const record = castRecord(handle ?? 0, ALL_OWNERS, asMsgpack(document(payloadBytes, asMsgpack)));
  const out = new Outgoing(peer.connection.socket, { record, binary: true, coalesced: false, capacity: 256 });
  const stampAt = record.indexOf(MSGPACK_STAMP_KEY) + MSGPACK_STAMP_KEY.length;
  publish = (sequence) => {
    const at = out.next();
    out.batch.view.setUint32(at + stampAt, STAMPS[sequence & STAMP_MASK]!);
  };
  flush = () => out.flush();
}

async function run({ durationMs, burst }: BroadcastRun): Promise<BroadcastReport> {
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  wrong = 0;
  let publications = 0;
  do {
    await sendBurst(burst);
    publications += burst;
  } while (performance.now() - startMs < durationMs);
  const used = process.cpuUsage(cpu);
  const elapsedMs = performance.now() - startMs;
  const calls = publications * subscribers - wrong;
  return { publications, calls, wrong, failed: 0, failure: "", elapsedMs, ownCpuUs: used.user + used.system };
}

let sequence = 0;

function sendBurst(burst: number): Promise<void> {
  missing = burst * subscribers;
  const ended = new Promise<void>((resolve) => {
    onBurstEnd = resolve;
  });
  for (let i = 0; i < burst; i++) publish(sequence++);
  flush();
  return ended;
}

serveRequests((request: BroadcastOpen | BroadcastRun) =>
  request.kind === "open" ? open(request) : run(request),
);
