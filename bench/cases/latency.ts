// How long a call takes, as its caller sees it: alone, and while the router is half busy.
//
//   latency-1      one call outstanding, median round trip: what the engine adds to two hops through the kernel
//   latency-half   calls at half the rate the null relay can carry, spread evenly; the slowest of a hundred. Time
//                  counts from when a call was due, so a router that stalls cannot hide what it made wait

import { barsOf } from "../budget.js";
import { type Case, type Context, turnsS } from "../case.js";
import { alternate, type Measure, type Running, runLoad, type Side, withSides } from "../slices.js";
import { controlSide, engineSide, type PathName, type Traffic } from "./sides.js";

/** As many as a paced run may ever have open; calls beyond them wait and count as late. */
const PACED_SLOTS = 4096;
/** Calls open at once while the relay's capacity is measured. */
const CAPACITY_OUTSTANDING = 64;

function sidesOf(caseName: string, traffic: Traffic, context: Context): Side[] {
  const against = (path: PathName) => {
    const bars = barsOf(caseName, path);
    return { relay: bars["relay"], pooled: bars["pooled"] };
  };
  const controls = [controlSide("relay", traffic), controlSide("pooled", traffic)];
  if (context.controlsOnly) return controls;
  const paths = (["single", "json"] as const).map((path) => {
    return { ...engineSide(path, caseName, traffic), against: against(path) };
  });
  return [...controls, ...paths];
}

function roundTrip(share: "p50" | "p99", callsPerSecond?: number): Measure {
  return {
    unit: "µs",
    otherUnits: { p50: "µs", p90: "µs", p99: "µs", max: "µs" },
    quiet: ["p90", share], // the latter is the row's own figure
    request: callsPerSecond === undefined ? { timing: true } : { timing: true, callsPerSecond },
    read: ({ roundTripsMs }) => {
      if (roundTripsMs === undefined) throw new Error("the load took no times");
      const us = Object.fromEntries(Object.entries(roundTripsMs).map(([name, ms]) => [name, ms * 1000]));
      return { value: us[share] ?? Number.NaN, others: us };
    },
  };
}

const alone: Case = {
  name: "latency-1",
  title: "one call outstanding, 128 B: median round trip",
  quick: false,
  takesS: (effort) => turnsS(effort, 4),
  run: async (context) => {
    const sides = sidesOf(alone.name, { callers: 1, workers: 1, outstanding: 1, payloadBytes: 128 }, context);
    const rows = await withSides(sides, context, (running) => alternate(running, roundTrip("p50"), context));
    return { name: alone.name, title: alone.title, rows };
  },
};

const halfLoad: Case = {
  name: "latency-half",
  title: "half of what the null relay carries, 128 B: p99 round trip",
  quick: false,
  takesS: (effort) => turnsS(effort, 4),
  run: async (context) => {
    const sides = sidesOf(
      halfLoad.name,
      { callers: 1, workers: 1, outstanding: PACED_SLOTS, payloadBytes: 128 },
      context,
    );
    const rows = await withSides(sides, context, async (running) => {
      const rate = (await capacity(running, context)) / 2;
      return alternate(running, roundTrip("p99", rate), context);
    });
    return { name: halfLoad.name, title: halfLoad.title, rows };
  },
};

/** Calls a second through the null relay in a closed loop. */
async function capacity(running: Running[], context: Context): Promise<number> {
  const relay = running.find(({ side }) => side.name === "relay");
  if (relay === undefined) throw new Error("the null relay is not among the sides");
  const { calls, elapsedMs } = await runLoad(relay, {
    durationMs: context.effort.sliceMs,
    outstanding: CAPACITY_OUTSTANDING,
    timing: false,
  });
  return (calls / elapsedMs) * 1000;
}

export const latencyCases: Case[] = [alone, halfLoad];
