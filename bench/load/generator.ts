// A load generator: one process that plays all callers and all workers of a cell.
//
// The harness forks it, pins it to the core the router does not use, and tells it over IPC to open connections, to run
// for a while, and to close. It is built to be cheaper than any router: frames are prepared beforehand, one write per
// connection and turn, nothing is parsed beyond the few bytes it has to look at.

import { performance } from "node:perf_hooks";
import { jsonCaller, jsonWorker } from "./json.js";
import type { LoadShape, OpenRequest, Request, RunReport, RunRequest } from "./messages.js";
import { msgpackCaller, msgpackWorker } from "./msgpack.js";
import { natsCaller, natsWorker } from "./nats.js";
import { percentiles, runPaced } from "./paced.js";
import { type CallerRole, functionId, type WireName, type WorkerRole } from "./role.js";
import { serveRequests } from "./server.js";
import { SLOTS_MAX } from "./stamp.js";

const CALLER = { msgpack: msgpackCaller, json: jsonCaller, nats: natsCaller } as const satisfies Record<
  WireName,
  unknown
>;
const WORKER = { msgpack: msgpackWorker, json: jsonWorker, nats: natsWorker } as const satisfies Record<
  WireName,
  unknown
>;

let callers: CallerRole[] = [];
let workers: WorkerRole[] = [];

async function open({ port, target, shape }: OpenRequest): Promise<void> {
  const common = {
    port,
    target,
    payloadBytes: shape.payloadBytes,
    sizedIn: shape.callerWire,
    coalesced: shape.coalesced,
    token: shape.token,
  };
  const callsAtOnce = Math.ceil((shape.callers * shape.outstanding) / shape.workers);
  for (let number = 0; number < shape.workers; number++) {
    workers.push(
      await WORKER[shape.workerWire]({ ...common, number, functions: [functionId(number)], callsAtOnce }),
    );
  }
  for (let number = 0; number < shape.callers; number++) {
    const functions = functionsOf(number, shape);
    callers.push(await CALLER[shape.callerWire]({ ...common, number, functions, slots: shape.outstanding }));
  }
  await callers[0]?.ready();
  await callers.at(-1)?.ready();
}

/** As many callers as workers: each its own. Else every caller goes through all workers. */
function functionsOf(caller: number, { callers, workers }: LoadShape): string[] {
  if (callers === workers) return [functionId(caller)];
  return Array.from({ length: workers }, (_, number) => functionId(number));
}

async function run(request: RunRequest): Promise<RunReport> {
  for (const { calls } of callers) {
    Object.assign(calls.tally, { calls: 0, wrong: 0, failed: 0, failure: "" });
    calls.roundTripsMs.length = 0;
    calls.timing = request.timing;
  }
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  if (request.callsPerSecond === undefined) await runClosedLoop(request);
  else await runPaced(callers, request.durationMs, request.callsPerSecond);
  await Promise.all(callers.map(({ calls }) => calls.stop()));
  const used = process.cpuUsage(cpu);
  return {
    ...total(),
    elapsedMs: performance.now() - startMs,
    ownCpuUs: used.user + used.system,
    roundTripsMs: percentiles(callers),
  };
}

async function runClosedLoop({ durationMs, outstanding = SLOTS_MAX }: RunRequest): Promise<void> {
  for (const caller of callers) {
    caller.calls.startClosedLoop(outstanding);
    caller.flush();
  }
  await new Promise((resolve) => setTimeout(resolve, durationMs));
}

function total(): Pick<RunReport, "calls" | "wrong" | "failed" | "failure"> {
  const sum = { calls: 0, wrong: 0, failed: 0, failure: "" };
  for (const { tally } of callers.map((caller) => caller.calls)) {
    sum.calls += tally.calls;
    sum.wrong += tally.wrong;
    sum.failed += tally.failed;
    if (sum.failure === "") sum.failure = tally.failure;
  }
  return sum;
}

async function close(): Promise<void> {
  await Promise.all([...callers, ...workers].map((role) => role.close()));
  callers = [];
  workers = [];
}

serveRequests((request: Request) => {
  switch (request.kind) {
    case "open":
      return open(request);
    case "run":
      return run(request);
    case "close":
      return close();
  }
});
