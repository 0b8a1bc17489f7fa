// What starting and ending processes costs the calls that are on their way: nothing, if it never stalls the thread
// that routes them.
//
// Fifty small processes live for half a second each and are started again at once, while calls come at a fixed rate. The
// control is the null relay beside a supervisor of its own that does the same: the same spawns on the same core.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { barsOf } from "../budget.js";
import type { Case, Context } from "../case.js";
import { type Router, startControl, startEngine, temporaryFolder } from "../process.js";
import { inTurns, runLoad, type Sample, type Side, type Turn, withSides } from "../slices.js";
import { controlSide, engineSide, type Traffic } from "./sides.js";

const CALLS_PER_SECOND = 20_000;
const PROCESSES = 50;
/** A slice has to see hundreds of starts. In a full run three of them are a minute for each side. */
const SLICES_LONG = 25;
const WARMUPS = 3;
const TRAFFIC: Traffic = { callers: 1, workers: 1, outstanding: 4096, payloadBytes: 128 };

function declarations(): string {
  const restart = "{ policy: always, delay_ms: 1, max_delay_ms: 1, max_restarts: 1000000, window_ms: 1 }";
  return `workers:\n  - { name: churn, command: [sleep, "0.5"], ready: started, replicas: ${PROCESSES}, restart: ${restart} }\n`;
}

/** The null relay, and a supervisor that churns beside it. */
async function relayBesideChurn(): Promise<Router> {
  const { folder, remove } = temporaryFolder("tercet-churn-");
  const file = join(folder, "config.yaml");
  writeFileSync(file, declarations());
  const relay = await startControl("relay");
  const churn = await startControl("churn", [file]);
  const stop = async (): Promise<void> => {
    await Promise.all([relay.stop(), churn.stop()]);
    remove();
  };
  return { ...relay, stop };
}

function sidesOf(context: Context): Side[] {
  const relay: Side = {
    ...controlSide("relay", TRAFFIC),
    title: "null relay beside the same spawns",
    start: relayBesideChurn,
  };
  if (context.controlsOnly) return [relay];
  const engine: Side = {
    ...engineSide("single", spawns.name, TRAFFIC),
    title: "engine that spawns",
    start: () => startEngine({ ...context.engine, more: declarations() }),
    against: { relay: barsOf(spawns.name, "single")["relay"] },
  };
  return [relay, engine];
}

/** Alone on the machine: two fleets at once would take each other's core. */
async function slice(side: Side, context: Context): Promise<Sample> {
  const durationMs = context.effort.sliceMs * SLICES_LONG;
  const paced = { callsPerSecond: CALLS_PER_SECOND };
  const [report] = await withSides([side], context, (running) =>
    Promise.all(
      running.map(async (one) => {
        // fifty first starts and cold code make a queue that has nothing to do with what is asked here
        const warmUpMs = Math.max(1, context.effort.warmupMs * WARMUPS);
        await runLoad(one, { durationMs: warmUpMs, timing: false, ...paced });
        return runLoad(one, { durationMs, timing: true, ...paced });
      }),
    ),
  );
  if (report?.roundTripsMs === undefined) throw new Error("the load took no times");
  const { p50, p99, max } = report.roundTripsMs;
  return {
    value: p99 * 1000,
    others: { p50: p50 * 1000, max: max * 1000, "calls/s": (report.calls / report.elapsedMs) * 1000 },
  };
}

export const spawns: Case = {
  name: "spawns-50",
  title: "20,000 calls/s while 50 processes come and go: p99 round trip",
  quick: false,
  takesS: ({ warmupMs, sliceMs, slices }) =>
    (2 * slices * (1_000 + (1 + WARMUPS) * warmupMs + SLICES_LONG * sliceMs)) / 1000,
  run: async (context) => {
    const turns: Turn[] = sidesOf(context).map((side) => ({ side, slice: () => slice(side, context) }));
    const units = { unit: "µs", otherUnits: { p50: "µs", max: "µs", "calls/s": "/s" } };
    return { name: spawns.name, title: spawns.title, rows: await inTurns(turns, units, context) };
  },
};
