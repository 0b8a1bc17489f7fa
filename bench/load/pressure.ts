// Load beyond what workers take: workers that need a while for each call and say how many they take at once, callers that ask at a fixed rate whatever the
// answers are, one that keeps thousands of calls open, and one that never reads its answers.

import { performance } from "node:perf_hooks";
import { unpack } from "msgpackr";
import { callRecord, Kind, MsgpackPeer, resultRecord } from "./msgpack.js";
import { serveRequests } from "./server.js";

export interface OpenPressure {
  kind: "open";
  port: number;
  workers: number;
  /** Calls each worker takes at once, how many may wait, and how long one takes. */
  concurrency: number;
  queueCalls: number;
  queueMs: number;
  serviceMs: number;
}

export interface OfferRequest {
  kind: "offer";
  callsPerS: number;
  durationMs: number;
}

export interface OfferReport {
  /** Calls a second that were offered, answered well, and refused. */
  offeredPerS: number;
  servedPerS: number;
  refusedPerS: number;
  /** Round trips in milliseconds, ascending. */
  servedMs: Float64Array;
  refusedMs: Float64Array;
}

const PAYLOAD = Buffer.alloc(64, 0xc0);
const LARGE_BYTES = 1 << 20;
const CALL_AT = 3;
/** Fifty megabytes a second for somebody who reads none. */
const ASK_MS = 20;
const FUNCTION = "bench::busy";
const LARGE = "bench::large";

let workers: MsgpackPeer[] = [];
let caller: Caller | undefined;
let flooder: Caller | undefined;
let reader: MsgpackPeer | undefined;
let isReading = true;

/** A caller that knows when each of its calls was due. */
class Caller {
  readonly #peer: MsgpackPeer;
  readonly #handle: number;
  readonly #dueMs = new Map<number, number>();
  #next = 1;
  served: number[] = [];
  refused: number[] = [];
  onEnd: () => void = () => {};

  constructor(peer: MsgpackPeer, handle: number) {
    this.#peer = peer;
    this.#handle = handle;
    peer.onRecord = (bytes, view, at, length) => this.#ended(bytes, view.getUint32(at + CALL_AT), at, length);
  }

  static async open(port: number): Promise<Caller> {
    const peer = await MsgpackPeer.onEngine(port);
    const [handle = 0] = await peer.resolveAll([FUNCTION]);
    return new Caller(peer, handle);
  }

  get open(): number {
    return this.#dueMs.size;
  }

  /** Sends so many calls in one frame. */
  call(dueMs: readonly number[]): void {
    if (dueMs.length === 0) return;
    const records = dueMs.map((due) => {
      const call = this.#next++;
      this.#dueMs.set(call, due);
      return callRecord(call, this.#handle, PAYLOAD);
    });
    this.#peer.connection.send(Buffer.concat(records), true);
  }

  #ended(bytes: Buffer, call: number, at: number, length: number): void {
    const due = this.#dueMs.get(call);
    if (due === undefined) throw new Error(`an answer to call ${call}, which is not open`);
    this.#dueMs.delete(call);
    if (bytes[at + 1] === Kind.Result) this.served.push(performance.now() - due);
    else this.#refusedFor(bytes.subarray(at, at + length), due);
    this.onEnd();
  }

  #refusedFor(record: Buffer, due: number): void {
    // The body of an error is a map with a code (PROTOCOL.md, error).
    const { code } = unpack(unpack(Buffer.from(record))[2]) as { code: string };
    if (code !== "overloaded") throw new Error(`a call ended with ${code}`);
    this.refused.push(performance.now() - due);
  }

  close(): Promise<void> {
    return this.#peer.connection.close();
  }
}

async function open(request: OpenPressure): Promise<void> {
  const { port, concurrency, queueCalls, queueMs } = request;
  for (let number = 0; number < request.workers; number++) {
    const worker = await MsgpackPeer.onEngine(port, {
      concurrency,
      queue_calls: queueCalls,
      queue_ms: queueMs,
    });
    serve(worker, request.serviceMs);
    await worker.register([[FUNCTION, null, null, null, null, "least_outstanding"]]);
    workers.push(worker);
  }
  caller = await Caller.open(port);
}

/** Answers each call after a while; more at once than it said to take is a fault of the engine. */
function serve(worker: MsgpackPeer, serviceMs: number): void {
  worker.onRecord = (bytes, view, at) => {
    if (bytes[at + 1] !== Kind.Call) return;
    const ticket = view.getUint32(at + CALL_AT);
    const answer = (): void => worker.connection.send(resultRecord(ticket, PAYLOAD), true);
    if (serviceMs === 0) answer();
    else setTimeout(answer, serviceMs);
  };
}

/** Open loop: calls come when they are due, whatever became of those before. */
async function offer({ callsPerS, durationMs }: OfferRequest): Promise<OfferReport> {
  if (caller === undefined) throw new Error("open comes first");
  Object.assign(caller, { served: [], refused: [] });
  const startMs = performance.now();
  let sent = 0;
  for (let nowMs = startMs; nowMs - startMs < durationMs; nowMs = performance.now()) {
    const due: number[] = [];
    while (startMs + (sent * 1000) / callsPerS <= nowMs) due.push(startMs + (sent++ * 1000) / callsPerS);
    caller.call(due);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [served, refused] = [caller.served.length, caller.refused.length];
  const seconds = (performance.now() - startMs) / 1000;
  await idle(caller);
  return {
    offeredPerS: sent / seconds,
    servedPerS: served / seconds,
    refusedPerS: refused / seconds,
    servedMs: Float64Array.from(caller.served).sort(),
    refusedMs: Float64Array.from(caller.refused).sort(),
  };
}

async function idle(one: Caller): Promise<void> {
  while (one.open > 0) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** One more caller keeps so many calls open. */
async function flood(port: number, calls: number): Promise<void> {
  const one = await Caller.open(port);
  flooder = one;
  const now = (): number => performance.now();
  one.onEnd = () => one.call([now()]);
  one.call(Array.from({ length: calls }, now));
}

async function ebb(): Promise<void> {
  await flooder?.close();
  flooder = undefined;
}

/** Somebody asks for large answers and never reads one; when it is cut, it comes again. */
async function stopReading(port: number): Promise<void> {
  const worker = await MsgpackPeer.onEngine(port);
  workers.push(worker);
  const large = Buffer.alloc(LARGE_BYTES, 0xc0);
  worker.onRecord = (bytes, view, at) => {
    if (bytes[at + 1] === Kind.Call)
      worker.connection.send(resultRecord(view.getUint32(at + CALL_AT), large), true);
  };
  await worker.register([[LARGE]]);
  isReading = false;
  void askWithoutReading(port);
}

async function askWithoutReading(port: number): Promise<void> {
  while (!isReading) {
    const peer = await MsgpackPeer.onEngine(port);
    reader = peer;
    const [handle = 0] = await peer.resolveAll([LARGE]);
    const cut = new Promise<void>((resolve) => {
      peer.connection.onEnd = () => resolve();
    });
    peer.connection.socket.pause();
    for (let call = 1; !peer.connection.socket.destroyed && call <= 1_000; call++) {
      peer.connection.send(callRecord(call, handle, PAYLOAD), true);
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    }
    await Promise.race([cut, new Promise((resolve) => setTimeout(resolve, 1_000))]);
    peer.connection.socket.destroy();
  }
}

async function close(): Promise<void> {
  isReading = true;
  const all = [caller, flooder, ...workers.map((worker) => worker.connection), reader?.connection];
  await Promise.all(all.map((one) => one?.close()));
  workers = [];
  caller = flooder = reader = undefined;
}

type Request =
  | OpenPressure
  | OfferRequest
  | { kind: "flood"; port: number; calls: number }
  | { kind: "ebb" }
  | { kind: "stop-reading"; port: number }
  | { kind: "close" };

function handle(request: Request): Promise<unknown> {
  switch (request.kind) {
    case "open":
      return open(request);
    case "offer":
      return offer(request);
    case "flood":
      return flood(request.port, request.calls);
    case "ebb":
      return ebb();
    case "stop-reading":
      return stopReading(request.port);
    case "close":
      return close();
  }
}

serveRequests(handle);
