// Both ends as people write them: one caller, one worker, `await worker.call(…)`, 64 calls outstanding, 128 B.
//
// CPU of caller, router and worker per call together, and calls a second, with all three processes free on all cores:
// what somebody gets who installs this. The control is the same with hand-written `ws` clients and a JSON relay.

import { barsOf } from "../budget.js";
import { type Case, type Context, type Row, turnsS } from "../case.js";
import type { SdkOpen, SdkReport } from "../load/sdk.js";
import { cpuUs } from "../measure.js";
import { LoadProcess, type Router, startControl, startEngine } from "../process.js";
import { inTurns, type Sample, type Turn } from "../slices.js";

const OUTSTANDING = 64;
const PAYLOAD_BYTES = 128;

interface Spec {
  name: string;
  title: string;
  kind: Row["kind"];
  client: SdkOpen["client"];
  start: (context: Context) => Promise<Router>;
}

const WS: Spec = {
  name: "ws-json",
  title: "hand-written ws clients, JSON relay",
  kind: "control",
  client: "ws",
  start: () => startControl("relay-json", [], { anyCore: true }),
};

const SDK: Spec = {
  name: "sdk",
  title: "tercet/worker on both ends",
  kind: "tercet",
  client: "sdk",
  start: ({ engine }) => startEngine({ ...engine, anyCore: true }),
};

export const sdk: Case = {
  name: "sdk",
  title: "the worker SDK on both ends, 64 outstanding, 128 B: CPU of caller + router + worker",
  quick: true,
  takesS: (effort) => turnsS(effort, 2) + 2,
  run: async (context) => {
    const ends: (() => Promise<void>)[] = [];
    try {
      const turns: Turn[] = [];
      for (const spec of context.controlsOnly ? [WS] : [WS, SDK])
        turns.push(await turnOf(spec, context, ends));
      const otherUnits = { "calls/s": "/s", caller: "µs/call", router: "µs/call", worker: "µs/call" };
      return {
        name: sdk.name,
        title: sdk.title,
        rows: await inTurns(turns, { unit: "µs/call", otherUnits }, context),
      };
    } finally {
      await Promise.all(ends.map((end) => end()));
    }
  },
};

async function turnOf(spec: Spec, context: Context, ends: (() => Promise<void>)[]): Promise<Turn> {
  context.progress(`${spec.title}: start`);
  const router = await spec.start(context);
  ends.push(router.stop);
  const [worker, caller] = [new LoadProcess("sdk", "any"), new LoadProcess("sdk", "any")];
  ends.push(
    () => worker.stop(),
    () => caller.stop(),
  );
  await worker.ask({ kind: "open", client: spec.client, role: "worker", port: router.port });
  await caller.ask({ kind: "open", client: spec.client, role: "caller", port: router.port });
  const slice = (durationMs: number) =>
    sdkSlice(caller, { caller: caller.pid, router: router.pid, worker: worker.pid }, durationMs);
  if (context.effort.warmupMs > 0) await slice(2 * context.effort.warmupMs); // more code than elsewhere warms up
  const against = spec.kind === "control" ? {} : { [WS.name]: barsOf(sdk.name, spec.name)[WS.name] };
  return { side: { ...spec, against }, slice: () => slice(context.effort.sliceMs) };
}

type Pids = Record<"caller" | "router" | "worker", number>;

async function sdkSlice(caller: LoadProcess, pids: Pids, durationMs: number): Promise<Sample> {
  const before = usedUs(pids);
  const { calls, elapsedMs } = await caller.ask<SdkReport>({
    kind: "run",
    durationMs,
    outstanding: OUTSTANDING,
    payloadBytes: PAYLOAD_BYTES,
  });
  const after = usedUs(pids);
  const each = {
    caller: (after.caller - before.caller) / calls,
    router: (after.router - before.router) / calls,
    worker: (after.worker - before.worker) / calls,
  };
  const value = each.caller + each.router + each.worker;
  return { value, others: { "calls/s": (calls / elapsedMs) * 1000, ...each } };
}

function usedUs({ caller, router, worker }: Pids): Pids {
  return { caller: cpuUs(caller), router: cpuUs(router), worker: cpuUs(worker) };
}
