// Sides take turns: a slice of the first, a slice of the second, … and again, so that every side sees the same
// weather. Ratios are taken within a turn; what is reported is their median.

import type { Context, Figure, Ratio, Row, RowName } from "./case.js";
import type { Tally } from "./load/calls.js";
import type { LoadShape, RunReport, RunRequest } from "./load/messages.js";
import type { Target } from "./load/role.js";
import { cpuUs, mean, median, medianInterval, spread } from "./measure.js";
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
  /** Those of them that are for the file only. */
  quiet?: readonly string[];
  /** Those whose mean over the slices is told, not the median: rare events. */
  means?: readonly string[];
  request: Omit<RunRequest, "kind" | "durationMs">;
  read(report: RunReport, routerCpuUs: number, collections: number): Sample;
}

/** CPU of the router per call. */
export const CPU_PER_CALL: Measure = {
  unit: "µs/call",
  otherUnits: { "calls/s": "/s", load: "µs/call", "collections/M": "" },
  quiet: ["load", "collections/M"],
  means: ["collections/M"],
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

/** Starts every side, warms it up, lets `body` measure those that came up, and ends all processes whatever happens. */
export async function withSides<Result>(
  sides: Side[],
  context: Context,
  body: (running: Running[]) => Promise<Result>,
): Promise<Result> {
  const running: Running[] = [];
  try {
    const opening = await Promise.allSettled(sides.map((side) => open(side, context)));
    for (const one of opening) if (one.status === "fulfilled") running.push(one.value);
    for (const [at, one] of opening.entries()) {
      const side = sides[at];
      if (one.status === "rejected" && side !== undefined) context.giveUp(side, one.reason);
    }
    const warm: Running[] = [];
    for (const one of running)
      if (await attempt(one.side, context, () => warmUp(one, context))) warm.push(one);
    return await body(warm);
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

/** False when it failed and the row was given up. */
async function attempt(row: RowName, context: Context, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    context.giveUp(row, error);
    return false;
  }
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
  return inTurns(slicesOf(running, measure, context), measure, context);
}

/** A turn for each side, measured one way. */
export function slicesOf(running: Running[], measure: Measure, { effort }: Context): Turn[] {
  return running.map((one) => ({
    side: one.side,
    slice: () => takeSlice(one, measure, effort.sliceMs),
  }));
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
  turn: Turn;
  values: number[];
  others: Record<string, number>[];
}

type Units = Pick<Measure, "unit" | "otherUnits" | "quiet" | "means">;

/** Slices in turn over all sides; a row for each. */
export async function inTurns(turns: Turn[], units: Units, context: Context): Promise<Row[]> {
  const all = new Turns(turns, units, context);
  await all.take(context.effort.slices);
  return all.rows();
}

/** Slices taken so far, of sides that take turns: there and back again, so that a drift of the machine meets all alike. */
export class Turns {
  #samples: Samples[];
  readonly #units: Units;
  readonly #context: Context;
  taken = 0;

  constructor(turns: Turn[], units: Units, context: Context) {
    this.#samples = turns.map((turn) => ({ turn, values: [], others: [] }));
    this.#units = units;
    this.#context = context;
  }

  /** So many turns more. A side that fails in one is given up. */
  async take(count: number): Promise<void> {
    const last = this.taken + count;
    while (this.taken < last) {
      this.taken++;
      const order = this.taken % 2 === 1 ? this.#samples : this.#samples.toReversed();
      for (const samples of order) await this.#slice(samples, last);
    }
  }

  async #slice(samples: Samples, last: number): Promise<void> {
    const { turn } = samples;
    this.#context.progress(`${turn.side.title}: ${this.taken}/${last}`);
    const isTaken = await attempt(turn.side, this.#context, async () => {
      const { value, others } = await turn.slice();
      samples.values.push(value);
      samples.others.push(others);
    });
    if (!isTaken) this.#samples = this.#samples.filter((other) => other !== samples);
  }

  rows(): Row[] {
    return this.#samples.map((samples) => rowOf(samples, this.#samples, this.#units));
  }
}

function rowOf({ turn, values, others }: Samples, all: Samples[], units: Units): Row {
  const { name, title, kind, against } = turn.side;
  const named = Object.entries(units.otherUnits).map(([other, unit]): [string, Figure] => {
    const all = others.map((slice) => slice[other] ?? 0);
    const figure = { value: units.means?.includes(other) ? mean(all) : median(all), unit };
    return [other, units.quiet?.includes(other) ? { ...figure, isQuiet: true } : figure];
  });
  return {
    name,
    title,
    kind,
    figure: { value: median(values), unit: units.unit, spread: spread(values) },
    others: Object.fromEntries(named),
    ratios: ratiosOf(
      against,
      values,
      (control) => all.find((other) => other.turn.side.name === control)?.values,
    ),
  };
}

/** The median of the ratios slice by slice; controls that did not run are left out. */
function ratiosOf(
  against: Record<string, number | undefined>,
  own: number[],
  slicesOf: (control: string) => number[] | undefined,
): Ratio[] {
  return Object.entries(against).flatMap(([control, reach]) => {
    const slices = slicesOf(control);
    if (slices === undefined) return [];
    const ratios = own.map((us, slice) => us / (slices[slice] ?? Number.NaN));
    const found = { control, value: median(ratios), ...medianInterval(ratios) };
    return [reach === undefined ? found : { ...found, reach }];
  });
}
