// A registry change with 5,000 subscribers: how often the engine serialises it, what it costs, and what other calls feel of it.
//
// The calls are steady and come from a process of their own, but share the load's core with 5,000 readers: some of what they
// feel is that core, not the engine; the row of CPU says how long the engine itself was busy.

import { performance } from "node:perf_hooks";
import { barsOf } from "../budget.js";
import type { Case, Context, Row } from "../case.js";
import { engineCounters } from "../load/engine-counters.js";
import type { FeedName, FeedReport } from "../load/feeds.js";
import { cpuUs, median, spread } from "../measure.js";
import { LoadProcess, type Router } from "../process.js";
import { checked, type Running, runLoad, withSides } from "../slices.js";
import { engineSide } from "./sides.js";

const SUBSCRIBERS = 5000;
const CALLS_PER_SECOND = 1000;

interface Spec {
  name: string;
  title: string;
  feed: FeedName;
  /** What the engine counts when it serialises a change for this feed. */
  counter: string;
}

const SPECS: Spec[] = [
  { name: "watch", title: "msgpack feed", feed: "watch", counter: "feed_records" },
  {
    name: "functions-available",
    title: "functions-available, JSON snapshot",
    feed: "functions",
    counter: "snapshots_serialised",
  },
];

export const discovery: Case = {
  name: "discovery-5000",
  title: "a registry change with 5,000 subscribers: engine CPU, and the longest of 1,000 calls/s beside it",
  quick: false,
  takesS: ({ scale }) => 4 + 36 * scale,
  run: async (context) => {
    const rows: Row[] = [];
    if (!context.controlsOnly) for (const spec of SPECS) rows.push(...(await discoveryRows(spec, context)));
    return { name: discovery.name, title: discovery.title, rows };
  },
};

function discoveryRows(spec: Spec, context: Context): Promise<Row[]> {
  const traffic = { callers: 1, workers: 1, outstanding: 64, payloadBytes: 128 };
  const side = { ...engineSide("single", discovery.name, traffic), name: spec.name, title: spec.title };
  return withSides([side], context, async ([running]) => {
    if (running === undefined) return []; // given up
    const load = new LoadProcess("feeds");
    try {
      return [await discoveryRow(spec, running, load, context)];
    } finally {
      await load.stop();
    }
  });
}

interface Change {
  cpuMs: number;
  /** Until the last subscriber had it. */
  tookMs: number;
  longestMs: number;
  p50Ms: number;
}

async function discoveryRow(spec: Spec, running: Running, load: LoadProcess, context: Context): Promise<Row> {
  const { router } = running;
  const subscribers = Math.max(10, Math.round(SUBSCRIBERS * context.effort.scale));
  context.progress(`${spec.title}: ${subscribers.toLocaleString("en")} connect`);
  await load.ask({ kind: "open", port: router.port, feed: spec.feed, subscribers, frameBytes: 0 });
  await changeOnce(router, load, spec.title); // the first finds cold code
  const counted = (await engineCounters(router.port))[spec.counter] ?? Number.NaN;
  const changes: Change[] = [];
  let frameBytes = 0;
  for (let round = 1; round <= context.effort.slices; round++) {
    context.progress(`${spec.title}: ${round}/${context.effort.slices}`);
    const { change, report } = await watchedChange(spec, running, load);
    changes.push(change);
    frameBytes = report.frameBytes;
  }
  const serialised = ((await engineCounters(router.port))[spec.counter] ?? Number.NaN) - counted;
  return rowOf(spec, changes, serialised / changes.length, frameBytes);
}

async function changeOnce(router: Router, load: LoadProcess, title: string) {
  const before = cpuUs(router.pid);
  const startMs = performance.now();
  const report = checked(await load.ask<FeedReport>({ kind: "run", durationMs: 0, restMs: 0 }), title);
  return {
    report,
    cpuMs: (cpuUs(router.pid) - before) / 1000,
    tookMs: performance.now() - startMs,
  };
}

/** One change while calls go on: they begin before it and end after it. */
async function watchedChange(
  { title }: Spec,
  running: Running,
  load: LoadProcess,
): Promise<{ change: Change; report: FeedReport }> {
  const request = { timing: true, callsPerSecond: CALLS_PER_SECOND };
  const aloneUs = await callsAloneUs(running);
  let isDone = false;
  const changing = changeOnce(running.router, load, title).finally(() => {
    isDone = true;
  });
  let longestMs = 0;
  let p50Ms = 0;
  let callsMs = 0;
  do {
    const { roundTripsMs, elapsedMs } = await runLoad(running, { durationMs: WATCH_MS, ...request });
    longestMs = Math.max(longestMs, roundTripsMs?.max ?? Number.NaN);
    p50Ms = roundTripsMs?.p50 ?? Number.NaN;
    callsMs += elapsedMs;
  } while (!isDone);
  const { report, cpuMs, tookMs } = await changing;
  const own = cpuMs - (aloneUs * Math.min(callsMs, tookMs)) / 1e6;
  return { change: { cpuMs: Math.max(0, own), tookMs, longestMs, p50Ms }, report };
}

/** Calls are watched in stretches of this length until the change is everywhere. */
const WATCH_MS = 500;

/** Engine CPU of the calls by themselves, in microseconds a second. */
async function callsAloneUs(running: Running): Promise<number> {
  const before = cpuUs(running.router.pid);
  const { elapsedMs } = await runLoad(running, {
    durationMs: WATCH_MS,
    timing: true,
    callsPerSecond: CALLS_PER_SECOND,
  });
  return ((cpuUs(running.router.pid) - before) * 1000) / elapsedMs;
}

function rowOf({ name, title }: Spec, changes: Change[], serialised: number, frameBytes: number): Row {
  const of = (pick: (change: Change) => number) => changes.map(pick);
  const cpuMs = of((change) => change.cpuMs);
  const most = barsOf(discovery.name, name)["serialised"];
  return {
    name,
    title,
    kind: "tercet",
    figure: { value: median(cpuMs), unit: "ms", spread: spread(cpuMs) },
    others: {
      "longest call": { value: median(of(({ longestMs }) => longestMs)), unit: "ms" },
      "told all in": { value: median(of(({ tookMs }) => tookMs)), unit: "ms" },
      frame: { value: frameBytes, unit: "B" },
    },
    ratios: most === undefined ? [] : [{ control: "serialised", value: serialised, reach: most, unit: "" }],
  };
}
