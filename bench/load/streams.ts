// A load program: one caller and one worker, each on one connection, and a stream from the first to the second on the same two
// connections. Calls come at a fixed rate, with and without the stream beside them.
//
// The stream keeps to its credit. On a control that looks into nothing the credit that the reader grants reaches the writer as it is, so the
// same records flow through both.

import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import { pack } from "msgpackr";
import { frameHeader } from "./batch.js";
import type { RunReport } from "./messages.js";
import {
  CHUNK_HEAD_BYTES,
  chunkRecord,
  creditRecord,
  Kind,
  type MsgpackPeer,
  msgpackCaller,
  msgpackWorker,
} from "./msgpack.js";
import { percentiles, runPaced } from "./paced.js";
import { type CallerRole, functionId, type Target } from "./role.js";
import { serveRequests } from "./server.js";

export interface StreamOpen {
  kind: "open";
  port: number;
  target: Target;
}

export interface StreamRun {
  kind: "run";
  durationMs: number;
  callsPerSecond: number;
  /** With the stream beside the calls. */
  streams: boolean;
}

export interface StreamReport extends RunReport {
  /** Of the stream, at its reader. */
  bytes: number;
}

/** What the worker SDK sends and grants (src/worker/limits.ts). */
const CHUNK_BYTES = 65_536;
const CREDIT_BYTES = 4 * CHUNK_BYTES;
const STREAM = 1;
const FIRST_BYTES_MS = 5_000;
/** As many as may wait for an answer while the router is busy with chunks. */
const SLOTS = 4096;
const Direction = { Read: 0, Write: 1 } as const;
const Mode = { Existing: 0, New: 1 } as const;

let caller: (CallerRole & { peer: MsgpackPeer }) | undefined;
let creditBytes = CREDIT_BYTES;
let isStreaming = false;
let bytesRead = 0;
let grantedAt = 0;

const chunk = chunkRecord(STREAM, Buffer.alloc(CHUNK_BYTES, 0xab));
const chunkFrame = Buffer.concat([frameHeader(chunk.length, true), chunk]);

/** The socket keeps the frame until it is written; it never changes, so one serves all. */
function writeChunks(peer: MsgpackPeer): void {
  while (isStreaming && creditBytes > 0) {
    creditBytes -= CHUNK_BYTES + CHUNK_HEAD_BYTES;
    peer.connection.socket.write(chunkFrame);
  }
}

async function open({ port, target }: StreamOpen): Promise<void> {
  const common = {
    port,
    target,
    number: 0,
    payloadBytes: 128,
    sizedIn: "msgpack",
    coalesced: false,
  } as const;
  const functions = [functionId(0)];
  const worker = await msgpackWorker({ ...common, functions, callsAtOnce: SLOTS });
  const opened = await msgpackCaller({ ...common, functions, slots: SLOTS });
  caller = opened;
  if (target === "engine") await openStream(opened.peer, worker.peer);
  opened.peer.onStream = (bytes, view, at) => {
    if (bytes[at + 1] !== Kind.Credit) throw new Error(`a record of kind ${bytes[at + 1]} at the writer`);
    creditBytes += view.getUint32(at + 8);
    writeChunks(opened.peer);
  };
  worker.peer.onStream = (bytes, _view, at, length) => {
    if (bytes[at + 1] !== Kind.Chunk) throw new Error(`a record of kind ${bytes[at + 1]} at the reader`);
    bytesRead += length - CHUNK_HEAD_BYTES;
    grantedAt += length;
    if (grantedAt < CREDIT_BYTES / 2) return;
    worker.peer.connection.send(creditRecord(STREAM, grantedAt), true);
    grantedAt = 0;
  };
}

/** There is no answer when an end is taken; a call after it would find out, so the first chunk does. */
async function openStream(writer: MsgpackPeer, reader: MsgpackPeer): Promise<void> {
  const [id, key] = [randomUUID(), randomUUID()];
  writer.connection.send(pack([Kind.Open, STREAM, id, key, Direction.Write, 0, Mode.New]), true);
  await writer.resolve([functionId(0)]); // answered, so the channel is there
  reader.connection.send(
    pack([Kind.Open, STREAM, id, key, Direction.Read, CREDIT_BYTES, Mode.Existing]),
    true,
  );
}

/** A very short run on a busy machine may be over before the first chunk is there: it lasts until then. */
async function firstBytes(before: number): Promise<void> {
  const until = performance.now() + FIRST_BYTES_MS;
  while (bytesRead === before && performance.now() < until)
    await new Promise((resolve) => setTimeout(resolve, 1));
}

async function run({ durationMs, callsPerSecond, streams }: StreamRun): Promise<StreamReport> {
  if (caller === undefined) throw new Error("open first");
  const { calls, peer } = caller;
  Object.assign(calls.tally, { calls: 0, wrong: 0, failed: 0, failure: "" });
  calls.roundTripsMs.length = 0;
  calls.timing = true;
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  const before = bytesRead;
  isStreaming = streams;
  writeChunks(peer);
  await runPaced([caller], durationMs, callsPerSecond);
  if (streams) await firstBytes(before);
  isStreaming = false;
  const bytes = bytesRead - before;
  const elapsedMs = performance.now() - startMs;
  await calls.stop();
  const used = process.cpuUsage(cpu);
  return {
    ...calls.tally,
    bytes,
    elapsedMs,
    ownCpuUs: used.user + used.system,
    roundTripsMs: percentiles([caller]),
  };
}

serveRequests(
  (request: StreamOpen | StreamRun): Promise<unknown> =>
    request.kind === "open" ? open(request) : run(request),
);
