// One publication to a thousand connections: a cast to every owner of a shared function.
//
// The floor is uWebSockets' native publish, which copies a frame once and gathers per subscriber. Publications come
// in bursts, as they do when a caller has several things to say in one turn; one at a time costs a write each.

import { barsOf } from "../budget.js";
import { type Case, type Context, type Row, turnsS } from "../case.js";
import type { BroadcastOpen, BroadcastReport } from "../load/broadcast.js";
import { cpuUs } from "../measure.js";
import { LoadProcess, type Router, startControl, startEngine } from "../process.js";
import { checked, inTurns, type Sample, type Turn } from "../slices.js";

const SUBSCRIBERS = 1000;
const PAYLOAD_BYTES = 128;
/** Shared by bench/process.ts' configuration, for owners that cannot say so themselves. */
const FUNCTION_ID = "bench::shared-0000";
/** What a turn of a busy caller holds; larger bursts only lower every row alike. */
const BURST = 16;

interface Spec {
  name: string;
  title: string;
  kind: Row["kind"];
  start: (context: Context) => Promise<Router>;
  open: Pick<BroadcastOpen, "target" | "wire">;
}

const engine = (context: Context) => startEngine(context.engine);

const CONTROLS: Spec[] = [
  {
    name: "publish",
    title: "native publish",
    kind: "control",
    start: () => startControl("fanout", ["publish"]),
    open: { target: "control", wire: "msgpack" },
  },
  {
    name: "prebuilt",
    title: "one prebuilt frame to each",
    kind: "control",
    start: () => startControl("fanout", ["send"]),
    open: { target: "control", wire: "msgpack" },
  },
];

const PATHS: Spec[] = [
  {
    name: "cast-msgpack",
    title: "cast to all, msgpack owners",
    kind: "tercet",
    start: engine,
    open: { target: "engine", wire: "msgpack" },
  },
  {
    name: "cast-json",
    title: "cast to all, JSON owners",
    kind: "tercet",
    start: engine,
    open: { target: "engine", wire: "json" },
  },
];

export const cast: Case = {
  name: "cast-1000",
  title: "a cast of 128 B to 1,000 owners: CPU per delivery",
  quick: false,
  takesS: (effort) => turnsS(effort, 4) + 2,
  run: async (context) => {
    const subscribers = Math.max(10, Math.round(SUBSCRIBERS * Math.min(1, 5 * context.effort.scale)));
    const ends: (() => Promise<void>)[] = [];
    try {
      const turns: Turn[] = [];
      for (const spec of [...CONTROLS, ...(context.controlsOnly ? [] : PATHS)]) {
        turns.push(await turnOf(spec, subscribers, context, ends));
      }
      const rows = await inTurns(
        turns,
        { unit: "µs/delivery", otherUnits: { "deliveries/s": "/s" } },
        context,
      );
      return { name: cast.name, title: cast.title, rows };
    } finally {
      await Promise.all(ends.map((end) => end()));
    }
  },
};

async function turnOf(
  spec: Spec,
  subscribers: number,
  context: Context,
  ends: (() => Promise<void>)[],
): Promise<Turn> {
  context.progress(`${spec.title}: start`);
  const router = await spec.start(context);
  ends.push(router.stop);
  const load = new LoadProcess("broadcast");
  ends.push(() => load.stop());
  await load.ask({
    kind: "open",
    port: router.port,
    subscribers,
    payloadBytes: PAYLOAD_BYTES,
    functionId: FUNCTION_ID,
    ...spec.open,
  });
  const slice = (durationMs: number) => castSlice(spec, router, load, durationMs);
  if (context.effort.warmupMs > 0) await slice(context.effort.warmupMs);
  const bars = barsOf(cast.name, spec.name);
  const against = spec.kind === "control" ? {} : { publish: bars["publish"], prebuilt: bars["prebuilt"] };
  return { side: { ...spec, against }, slice: () => slice(context.effort.sliceMs) };
}

async function castSlice(spec: Spec, router: Router, load: LoadProcess, durationMs: number): Promise<Sample> {
  const before = cpuUs(router.pid);
  const report = checked(
    await load.ask<BroadcastReport>({ kind: "run", durationMs, burst: BURST }),
    spec.title,
  );
  const value = (cpuUs(router.pid) - before) / report.calls;
  return { value, others: { "deliveries/s": (report.calls / report.elapsedMs) * 1000 } };
}
