// An outage ends: 5,000 workers come back, all at once and over the time that a going engine gives them, beside steady calls.

import { readFileSync } from "node:fs";
import type { Case, Context, Figure, Row } from "../case.js";
import type { RunReport } from "../load/messages.js";
import type { StormReport } from "../load/storm.js";
import { cpuUs, median, spread } from "../measure.js";
import { LoadProcess, type Router } from "../process.js";
import { checked, withSides } from "../slices.js";
import { engineSide } from "./sides.js";

const WORKERS = 5_000;
const FUNCTIONS_EACH = 10;
const CALLS_PER_SECOND = 10_000;
/** The steady calls go on for so long, at full scale: what an at-once storm takes, and what a going engine tells so many workers. */
const AT_ONCE_MS = 2_500;
const SPREAD_MS = 5_000;
/** Descriptors that a process needs beside its sockets. */
const DESCRIPTORS_BESIDE = 500;

interface Seen {
  p99Ms: number[];
  longestMs: number[];
  absorbedMs: number[];
  retries: number[];
  workerUs: number[];
}

interface Storm {
  router: Router;
  steady: LoadProcess;
  fleet: LoadProcess;
  workers: number;
}

export const storm: Case = {
  name: "reconnect-storm",
  title: "10,000 calls a second, alone and while 5,000 workers come back and register 10 functions each",
  quick: false,
  takesS: ({ slices, scale }) => 2 + (slices * (1_000 + (AT_ONCE_MS + SPREAD_MS + 2_000) * scale)) / 1_000,
  run: async (context) => {
    if (context.controlsOnly) return { name: storm.name, title: storm.title, rows: [] };
    const workers = Math.max(10, Math.round(WORKERS * context.effort.scale));
    checkDescriptors(workers);
    const traffic = { callers: 1, workers: 1, outstanding: 1024, payloadBytes: 128 };
    const rows = await withSides([engineSide("single", storm.name, traffic)], context, async ([running]) => {
      if (running === undefined) throw new Error("unreachable: one side was given");
      const fleet = new LoadProcess("fleet");
      try {
        return await stormRows({ router: running.router, steady: running.load, fleet, workers }, context);
      } finally {
        await fleet.stop();
      }
    });
    return { name: storm.name, title: storm.title, rows };
  },
};

/** Node raises its soft limit to the hard one, which every process here inherits. Throws with what would help. */
function checkDescriptors(workers: number): void {
  const [, limit = "unlimited"] =
    /^Max open files +\d+ +(\d+|unlimited)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  if (limit === "unlimited" || Number(limit) >= workers + DESCRIPTORS_BESIDE) return;
  throw new Error(
    `${workers} sockets do not fit the limit of ${limit} open files: ulimit -Hn ${workers + DESCRIPTORS_BESIDE}`,
  );
}

async function stormRows(it: Storm, context: Context): Promise<Row[]> {
  const { sliceMs, slices, scale } = context.effort;
  const alone: number[] = [];
  const atOnce = nothingSeen();
  const overTime = nothingSeen();
  for (let round = 0; round < slices; round++) {
    context.progress(`round ${round + 1}/${slices}`);
    const before = cpuUs(it.router.pid);
    alone.push(p99Of(await steady(it, sliceMs)));
    const usPerMs = (cpuUs(it.router.pid) - before) / sliceMs;
    await one(it, 0, Math.max(sliceMs, AT_ONCE_MS * scale), usPerMs, atOnce);
    await one(it, SPREAD_MS * scale, Math.max(sliceMs, SPREAD_MS * scale), usPerMs, overTime);
  }
  return [
    row("alone", "p99 round trip, alone", alone, {}, undefined),
    row("at-once", "p99 round trip, all in one turn", atOnce.p99Ms, othersOf(atOnce), median(alone)),
    row(
      "spread",
      "p99 round trip, over a millisecond for each",
      overTime.p99Ms,
      { ...othersOf(overTime), ...costOf(overTime) },
      median(alone),
    ),
  ];
}

async function one(
  it: Storm,
  spreadMs: number,
  durationMs: number,
  usPerMs: number,
  seen: Seen,
): Promise<void> {
  const { router, fleet, workers } = it;
  const before = cpuUs(router.pid);
  const watching = steady(it, durationMs);
  const request = { kind: "storm", port: router.port, workers, functionsEach: FUNCTIONS_EACH, spreadMs };
  const { absorbedMs, retries } = await fleet.ask<StormReport>(request);
  const report = await watching;
  seen.p99Ms.push(p99Of(report));
  seen.longestMs.push(report.roundTripsMs?.max ?? Number.NaN);
  seen.absorbedMs.push(absorbedMs);
  seen.retries.push(retries);
  seen.workerUs.push(Math.max(0, cpuUs(router.pid) - before - usPerMs * durationMs) / workers);
  await fleet.ask({ kind: "drop" });
}

function steady({ steady: load }: Storm, durationMs: number): Promise<RunReport> {
  return load.ask<RunReport>({ kind: "run", durationMs, timing: true, callsPerSecond: CALLS_PER_SECOND });
}

function p99Of(report: RunReport): number {
  return checked(report, "calls beside").roundTripsMs?.p99 ?? Number.NaN;
}

function nothingSeen(): Seen {
  return { p99Ms: [], longestMs: [], absorbedMs: [], retries: [], workerUs: [] };
}

/** Of those who come one by one: at once they share turns with the steady calls, which are cheaper then than alone, and the difference says nothing. */
function costOf({ workerUs }: Seen): Record<string, Figure> {
  return { "per worker": { value: median(workerUs), unit: "µs" } };
}

function othersOf(seen: Seen): Record<string, Figure> {
  return {
    longest: { value: median(seen.longestMs), unit: "ms" },
    absorbed: { value: median(seen.absorbedMs), unit: "ms" },
    retries: { value: median(seen.retries), unit: "" },
  };
}

function row(
  name: string,
  title: string,
  values: number[],
  others: Record<string, Figure>,
  aloneMs: number | undefined,
): Row {
  const value = median(values);
  return {
    name,
    title,
    kind: "tercet",
    figure: { value, unit: "ms", spread: spread(values) },
    others,
    ratios: aloneMs === undefined ? [] : [{ control: "alone", value: value / aloneMs }],
  };
}
