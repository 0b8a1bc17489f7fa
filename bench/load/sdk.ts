// A load program that is a client as its user writes it: `tercet/worker` on one side or the other of an engine, or
// hand-written `ws` clients that speak JSON through a relay, for comparison.
//
// Nothing is prebuilt here: each call encodes its data and decodes the answer, and is awaited.

import { performance } from "node:perf_hooks";
import WebSocket from "ws";
import { connect, type Worker } from "../../src/worker/index.js";
import { asMsgpack, type Document, document } from "./payload.js";
import { serveRequests } from "./server.js";

export interface SdkOpen {
  kind: "open";
  client: "sdk" | "ws";
  role: "caller" | "worker";
  port: number;
}

export interface SdkRun {
  kind: "run";
  durationMs: number;
  outstanding: number;
  payloadBytes: number;
}

export interface SdkReport {
  calls: number;
  elapsedMs: number;
}

const FUNCTION_ID = "bench::echo";

/** Calls the function once and resolves with its answer. */
type Call = (data: Document) => Promise<Document>;

let call: Call = () => Promise.reject(new Error("open a caller first"));

async function open({ client, role, port }: SdkOpen): Promise<void> {
  if (client === "ws") return role === "worker" ? wsWorker(port) : wsCaller(port);
  const worker: Worker = await connect({ url: `ws://127.0.0.1:${port}`, name: `bench-sdk-${role}` });
  if (role === "worker") await worker.register<Document, Document>(FUNCTION_ID, (data) => data).ready();
  else call = (data) => worker.call<Document>(FUNCTION_ID, data);
}

async function wsWorker(port: number): Promise<void> {
  const socket = await opened(port, "worker");
  socket.on("message", (text) => {
    const { invocation_id, function_id, data } = JSON.parse(String(text));
    socket.send(JSON.stringify({ type: "invocationresult", invocation_id, function_id, result: data }));
  });
}

async function wsCaller(port: number): Promise<void> {
  const socket = await opened(port, "caller");
  const waiting = new Map<string, (result: Document) => void>();
  let count = 0;
  socket.on("message", (text) => {
    const { invocation_id, result } = JSON.parse(String(text));
    waiting.get(invocation_id)?.(result);
    waiting.delete(invocation_id);
  });
  call = (data) =>
    new Promise((resolve) => {
      const invocation_id = String(++count);
      waiting.set(invocation_id, resolve);
      socket.send(JSON.stringify({ type: "invokefunction", invocation_id, function_id: FUNCTION_ID, data }));
    });
}

function opened(port: number, role: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/${role}/0`, { perMessageDeflate: false });
  return new Promise((resolve, reject) => socket.once("open", () => resolve(socket)).once("error", reject));
}

async function run({ durationMs, outstanding, payloadBytes }: SdkRun): Promise<SdkReport> {
  const data = document(payloadBytes, asMsgpack);
  const startMs = performance.now();
  const endMs = startMs + durationMs;
  let calls = 0;
  const loop = async (slot: number): Promise<void> => {
    const own = { ...data, stamp: slot.toString(16).padStart(4, "0") };
    while (performance.now() < endMs) {
      const answer = await call(own);
      if (answer.stamp !== own.stamp) throw new Error(`slot ${own.stamp} got the answer of ${answer.stamp}`);
      calls++;
    }
  };
  await Promise.all(Array.from({ length: outstanding }, (_, slot) => loop(slot)));
  return { calls, elapsedMs: performance.now() - startMs };
}

serveRequests(
  (request: SdkOpen | SdkRun): Promise<unknown> => (request.kind === "open" ? open(request) : run(request)),
);
