// A load program: many subscribers of one feed of the registry, and somebody who makes it change. Nothing is published before
// every subscriber has what was published before.
//
//   watch       msgpack watchers of one filter; the change is a function's new description
//   workers     JSON subscribers of engine::workers-available; the change is what a worker says of itself
//   functions   JSON subscribers of engine::functions-available; the change is a function that comes or goes
//   prebuilt    on a control: a frame as long as the feed's
//
// Each frame is held against the one that the first subscriber got; that one is looked into.

import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { pack } from "msgpackr";
import type { Tally } from "./calls.js";
import { upgraded } from "./connection.js";
import { FramePeer } from "./frame-peer.js";
import { announce, JsonPeer } from "./json.js";
import { Marker } from "./marker.js";
import { Kind, MsgpackPeer, SUBPROTOCOL } from "./msgpack.js";
import { HEAD_BYTES } from "./reader.js";
import { serveRequests } from "./server.js";

export type FeedName = "watch" | "workers" | "functions" | "prebuilt";

export interface FeedOpen {
  kind: "open";
  port: number;
  feed: FeedName;
  subscribers: number;
  /** Of a prebuilt frame. */
  frameBytes: number;
}

export interface FeedRun {
  kind: "run";
  /** Publications follow one another for so long; 0: exactly one. */
  durationMs: number;
  /** A pause before each. */
  restMs: number;
}

/** `calls` are deliveries. */
export interface FeedReport extends Tally {
  publications: number;
  /** Of the last frame. */
  frameBytes: number;
  elapsedMs: number;
}

const FUNCTION_ID = "bench::feed";
const DATA_KEY = Buffer.from('"data":');
/** Longer than the engine's pause after a push however large. */
const DELIVERY_MS = 30_000;
/** The engine's pause after a push of so many bytes (src/protocol/limits.ts), and a little. */
const PAUSE_MS_MAX = 5_000;
const PAUSE_BYTES_PER_MS = 50_000;
const PAUSE_MS_MIN = 250;
const CONNECTS_AT_ONCE = 50;

/** What a feed is subscribed to and how it is made to speak. */
interface Feed {
  connect(port: number, number: number): Promise<FramePeer>;
  /** When all are connected: newcomers are news, too. */
  subscribe(peer: FramePeer, number: number): Promise<void>;
  publisher(port: number): Promise<(sequence: number) => void>;
  /** Where the part of a frame begins that is the same for all. */
  bodyAt(frame: Buffer): number;
  /** Whether a body is that of this publication. */
  isExpected(body: Buffer, sequence: number): boolean;
}

let subscribers: FramePeer[] = [];
let feed: Feed;
let publish: (sequence: number) => void = () => {};
let sequence = 0;
/** How many each has received since the feed was opened. */
let received = new Uint32Array(0);
let latest: Buffer = Buffer.alloc(0);
let frameBytes = 0;
let missing = 0;
let wrong = 0;
let deliveredMs = 0;
let onDelivered: () => void = () => {};

function deliver(subscriber: number, frame: Buffer, length: number): void {
  frameBytes = length;
  deliveredMs = performance.now();
  if (missing === 0) return; // before the first publication: the state that a subscriber begins with
  const body = frame.subarray(feed.bodyAt(frame));
  if (missing === subscribers.length) {
    latest = Buffer.from(body);
    if (!feed.isExpected(latest, sequence)) wrong++;
  }
  const same = Math.min(latest.length, body.length, HEAD_BYTES / 2);
  if (++received[subscriber]! !== sequence || !latest.subarray(0, same).equals(body.subarray(0, same)))
    wrong++;
  if (--missing === 0) onDelivered();
}

async function open(request: FeedOpen): Promise<void> {
  feed = feedOf(request);
  received = new Uint32Array(request.subscribers);
  subscribers = new Array(request.subscribers);
  await each(request.subscribers, async (number) => {
    subscribers[number] = await feed.connect(request.port, number);
  });
  publish = await feed.publisher(request.port);
  await each(request.subscribers, (number) => feed.subscribe(peerOf(number), number));
  for (const [number, peer] of subscribers.entries())
    peer.onFrame = (bytes, _view, at, length) =>
      deliver(number, bytes.subarray(at, at + Math.min(length, HEAD_BYTES)), length);
  await settled();
}

function peerOf(number: number): FramePeer {
  const peer = subscribers[number];
  if (peer === undefined) throw new Error(`subscriber ${number} is not connected`);
  return peer;
}

/** `work` for 0 … count - 1, a few at a time: a listen backlog is not endless. */
async function each(count: number, work: (number: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: CONNECTS_AT_ONCE }, lane));
}

/** Until nothing has come for longer than the engine holds back what changed while we connected. */
async function settled(): Promise<void> {
  deliveredMs = performance.now();
  const quietMs = () =>
    PAUSE_MS_MIN + Math.min(PAUSE_MS_MAX, (frameBytes * subscribers.length) / PAUSE_BYTES_PER_MS);
  while (performance.now() - deliveredMs < quietMs()) await sleep(20);
}

async function run({ durationMs, restMs }: FeedRun): Promise<FeedReport> {
  wrong = 0;
  const startMs = performance.now();
  let publications = 0;
  do {
    if (restMs > 0) await sleep(restMs);
    await publishOnce();
    publications++;
  } while (performance.now() - startMs < durationMs);
  const elapsedMs = performance.now() - startMs;
  const calls = publications * subscribers.length - wrong;
  return { publications, calls, wrong, failed: 0, failure: "", frameBytes, elapsedMs };
}

async function publishOnce(): Promise<void> {
  missing = subscribers.length;
  sequence++;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${missing} subscribers got nothing in ${DELIVERY_MS} ms`)),
      DELIVERY_MS,
    );
    onDelivered = () => {
      clearTimeout(timer);
      resolve();
    };
    publish(sequence);
  });
}

function feedOf(request: FeedOpen): Feed {
  switch (request.feed) {
    case "watch":
      return WATCH;
    case "workers":
      return WORKERS;
    case "functions":
      return FUNCTIONS;
    case "prebuilt":
      return prebuilt(request.frameBytes);
  }
}

/** Four digits, so that frames keep their length. */
function stampOf(sequence: number): string {
  return (sequence % 10_000).toString().padStart(4, "0");
}

const WATCH: Feed = {
  connect: async (port, number) => {
    const peer = new FramePeer(await upgraded(port, "/", SUBPROTOCOL));
    await asked(peer, [Kind.Hello, { version: 1, name: `bench-watcher-${number}` }], Kind.Welcome);
    return peer;
  },
  subscribe: (peer) => asked(peer, [Kind.Watch, 1, { prefix: FUNCTION_ID }], Kind.Watching),
  publisher: async (port) => {
    const peer = await MsgpackPeer.onEngine(port, { name: "bench-publisher" });
    const describe = (sequence: number) => peer.register([[FUNCTION_ID, `${stampOf(sequence)} ${FILLER}`]]);
    await describe(0);
    return (sequence) => void describe(sequence);
  },
  bodyAt: () => 0,
  isExpected: (body, sequence) => body.includes(`${stampOf(sequence)} ${FILLER}`),
};

async function asked(peer: FramePeer, record: unknown[], answer: number): Promise<void> {
  const answered = peer.next((frame) => (frame[1] === answer ? true : undefined));
  peer.connection.send(pack(record), true);
  await answered;
}

/** So that a change is 128 bytes, as the payloads of the other cells. */
const FILLER = "a description as functions have";

/** An answer says that what was sent before it was handled. */
async function handled(peer: FramePeer): Promise<void> {
  const invocation_id = "00000000-0000-4000-8000-000000000000";
  const answered = peer.next((frame) => (frame.includes(ANSWER_KEY) ? true : undefined));
  peer.connection.send(
    asJson({ type: "invokefunction", invocation_id, function_id: "engine::baggage::get_all", data: {} }),
    false,
  );
  await answered;
}

const ANSWER_KEY = '"type":"invocationresult"';
const asJson = (message: object): Buffer => Buffer.from(JSON.stringify(message));

async function jsonWorker(port: number, name: string): Promise<JsonPeer> {
  const peer = new JsonPeer(await upgraded(port, "/"));
  peer.sendJson(announce(name));
  await handled(peer);
  return peer;
}

const connectJson = (port: number, number: number) => jsonWorker(port, `bench-subscriber-${number}`);

/** A subscription is a function of one's own and a trigger that calls it. */
const subscribeTo =
  (type: string) =>
  async (peer: FramePeer, number: number): Promise<void> => {
    const function_id = `bench::on-${number}`;
    peer.connection.send(asJson({ type: "registerfunction", id: function_id }), false);
    const trigger = { id: `bench-trigger-${number}`, trigger_type: type, function_id, config: {} };
    peer.connection.send(asJson({ type: "registertrigger", ...trigger }), false);
    await handled(peer);
  };

const data = new Marker(DATA_KEY);
const jsonBodyAt = (frame: Buffer): number => {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  return Math.max(0, data.find(frame, view, 0, frame.length));
};

const WORKERS: Feed = {
  connect: connectJson,
  subscribe: subscribeTo("engine::workers-available"),
  publisher: async (port) => {
    const peer = await jsonWorker(port, "bench-publisher");
    return () => peer.sendJson(announce("bench-publisher"));
  },
  bodyAt: jsonBodyAt,
  isExpected: (body) => body.includes("worker_metadata_updated"),
};

const FUNCTIONS: Feed = {
  connect: connectJson,
  subscribe: subscribeTo("engine::functions-available"),
  publisher: async (port) => {
    const peer = await jsonWorker(port, "bench-publisher");
    return (sequence) =>
      peer.sendJson({
        type: sequence % 2 === 1 ? "registerfunction" : "unregisterfunction",
        id: FUNCTION_ID,
      });
  },
  bodyAt: jsonBodyAt,
  isExpected: (body) => body.includes("functions_changed"),
};

function prebuilt(bytes: number): Feed {
  return {
    connect: async (port, number) => new FramePeer(await upgraded(port, `/worker/${number}`)),
    subscribe: async () => {},
    publisher: async (port) => {
      const peer = new FramePeer(await upgraded(port, "/caller/0"));
      const frame = Buffer.alloc(bytes, "x");
      return (sequence) => {
        frame.writeUInt32BE(sequence);
        peer.connection.send(frame, true);
      };
    },
    bodyAt: () => 0,
    isExpected: (body, sequence) => body.readUInt32BE() === sequence,
  };
}

serveRequests((request: FeedOpen | FeedRun) => (request.kind === "open" ? open(request) : run(request)));
