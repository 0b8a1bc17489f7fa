// Sides take turns: a slice of the first, a slice of the second, … and again, so that every side sees the same
// weather. Ratios are taken within a turn; what is reported is their median.

import type { Context, Ratio, Row } from "./case.js";
import type { Tally } from "./load/calls.js";
import type { LoadShape, RunReport, RunRequest } from "./load/messages.js";
import type { Target } from "./load/role.js";
import { cpuUs, median, spread } from "./measure.js";
import { LoadProcess, type Router } from "./process.js";

/** One router with its own load. */
export interface Side {
  name: string;
  title: string;
  kind: Row["kind"];
  target: Target;
  start: (context: Context) => Promise<Router>;
  shape: LoadShape;
  /** Names of the sides it is held against, with the bar where there is one. */
  against: Record<string, number | undefined>;
}

/** A side whose processes run and whose connections are open. */
export interface Running {
  side: Side;
  router: Router;
  load: LoadProcess;
}

/** What is read from one slice: the figure of the row, and what is shown beside it. */
export interface Measure {
  unit: string;
  otherUnits: Record<string, string>;
  request: Omit<RunRequest, "kind" | "durationMs">;
  read(report: RunReport, routerCpuUs: number, collections: number): Sample;
}

/** CPU of the router per call. */
export const CPU_PER_CALL: Measure = {
  unit: "µs/call",
  otherUnits: { "calls/s": "/s", load: "µs/call", "collections/M": "" },
  request: { timing: false },
  read: ({ calls, elapsedMs, ownCpuUs }, routerCpuUs, collections) => ({
    value: routerCpuUs / calls,
    others: {
      "calls/s": (calls / elapsedMs) * 1000,
      load: ownCpuUs / calls,
      "collections/M": (1e6 * collections) / calls,
    },
  }),
};

/** The whole of a call cell. */
export function cpuPerCall(sides: Side[], context: Context): Promise<Row[]> {
  return withSides(sides, context, (running) => alternate(running, CPU_PER_CALL, context));
}

/** Starts every side, warms it up, lets `body` measure, and ends all processes whatever happens. */
export async function withSides<Result>(
  sides: Side[],
  context: Context,
  body: (running: Running[]) => Promise<Result>,
): Promise<Result> {
  const running: Running[] = [];
  try {
    const opening = await Promise.allSettled(sides.map((side) => open(side, context)));
    for (const one of opening) if (one.status === "fulfilled") running.push(one.value);
    for (const one of opening) if (one.status === "rejected") throw one.reason;
    for (const one of running) await warmUp(one, context);
    return await body(running);
  } finally {
    await Promise.all(running.map(close));
  }
}

async function open(side: Side, context: Context): Promise<Running> {
  context.progress(`${side.title}: start`);
  const router = await side.start(context);
  const load = new LoadProcess();
  const running = { side, router, load };
  try {
    await load.ask({ kind: "open", port: router.port, target: side.target, shape: side.shape });
  } catch (error) {
    await close(running);
    throw error;
  }
  return running;
}

async function warmUp(one: Running, context: Context): Promise<void> {
  const { warmupMs } = context.effort;
  if (warmupMs === 0) return;
  context.progress(`${one.side.title}: warm-up`);
  await runLoad(one, { durationMs: warmupMs, timing: false });
}

async function close({ load, router }: Running): Promise<void> {
  await load.stop();
  await router.stop();
}

/** One run of the side's load, every answer accounted for. */
export async function runLoad(
  { side, load }: Running,
  request: Omit<RunRequest, "kind">,
): Promise<RunReport> {
  return checked(await load.ask<RunReport>({ kind: "run", ...request }), side.title);
}

/** A run in which any call was lost, doubled, mixed up or refused measures nothing. */
export function checked<Report extends Tally>(report: Report, title: string): Report {
  const { calls, wrong, failed, failure } = report;
  if (wrong > 0) throw new Error(`${title}: ${wrong} of ${calls + wrong} answers belong to no open call`);
  if (failed > 0) throw new Error(`${title}: ${failed} calls failed, the first with ${failure}`);
  if (calls === 0) throw new Error(`${title}: no call was answered`);
  return report;
}

/** Calls in turn over all sides, measured one way. */
export function alternate(running: Running[], measure: Measure, context: Context): Promise<Row[]> {
  const turns = running.map((one) => ({
    side: one.side,
    slice: () => takeSlice(one, measure, context.effort.sliceMs),
  }));
  return inTurns(turns, measure, context);
}

async function takeSlice(one: Running, measure: Measure, durationMs: number): Promise<Sample> {
  const before = cpuUs(one.router.pid);
  const collectionsBefore = one.router.collections();
  const report = await runLoad(one, { durationMs, ...measure.request });
  const collections = one.router.collections() - collectionsBefore;
  return measure.read(report, cpuUs(one.router.pid) - before, collections);
}

/** What one slice of one side gave. */
export interface Sample {
  value: number;
  others: Record<string, number>;
}

/** Anything that can be measured a slice at a time. */
export interface Turn {
  side: Pick<Side, "name" | "title" | "kind" | "against">;
  slice: () => Promise<Sample>;
}

interface Samples {
  side: Turn["side"];
  values: number[];
  others: Record<string, number>[];
}

type Units = Pick<Measure, "unit" | "otherUnits">;

/** Slices in turn over all sides; a row for each. */
export async function inTurns(turns: Turn[], units: Units, context: Context): Promise<Row[]> {
  const { slices } = context.effort;
  const samples: Samples[] = turns.map(({ side }) => ({ side, values: [], others: [] }));
  for (let slice = 1; slice <= slices; slice++) {
    for (const [index, turn] of turns.entries()) {
      context.progress(`${turn.side.title}: ${slice}/${slices}`);
      const { value, others } = await turn.slice();
      samples[index]?.values.push(value);
      samples[index]?.others.push(others);
    }
  }
  return samples.map((sample) => rowOf(sample, samples, units));
}

function rowOf({ side, values, others }: Samples, all: Samples[], units: Units): Row {
  const { name, title, kind, against } = side;
  const named = Object.entries(units.otherUnits).map(([other, unit]) => {
    return [other, { value: median(others.map((slice) => slice[other] ?? 0)), unit }];
  });
  return {
    name,
    title,
    kind,
    figure: { value: median(values), unit: units.unit, spread: spread(values) },
    others: Object.fromEntries(named),
    ratios: ratiosOf(against, values, (control) => all.find((other) => other.side.name === control)?.values),
  };
}

/** The median of the ratios slice by slice; controls that did not run are left out. */
export function ratiosOf(
  against: Record<string, number | undefined>,
  own: number[],
  slicesOf: (control: string) => number[] | undefined,
): Ratio[] {
  return Object.entries(against).flatMap(([control, reach]) => {
    const slices = slicesOf(control);
    if (slices === undefined) return [];
    const value = median(own.map((us, slice) => us / (slices[slice] ?? Number.NaN)));
    return [reach === undefined ? { control, value } : { control, value, reach }];
  });
}
