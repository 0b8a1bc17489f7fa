// Sides take turns: a slice of the first, a slice of the second, … and again, so that every side sees the same
// weather. Ratios are taken within a turn; what is reported is their median.

import type { Context, Ratio, Row } from "./case.js";
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

interface Running {
  side: Side;
  router: Router;
  load: LoadProcess;
  cpuUsPerCall: number[];
  callsPerSecond: number[];
  loadUsPerCall: number[];
}

/** CPU of the router per call for every side. */
export async function cpuPerCall(sides: Side[], context: Context): Promise<Row[]> {
  const { warmupMs, sliceMs, slices } = context.effort;
  const running: Running[] = [];
  try {
    for (const side of sides) running.push(await open(side, context));
    for (const one of running) {
      context.progress(`${one.side.title}: warm-up`);
      if (warmupMs > 0) await run(one, { durationMs: warmupMs });
    }
    for (let slice = 1; slice <= slices; slice++) {
      for (const one of running) {
        context.progress(`${one.side.title}: ${slice}/${slices}`);
        await slicedCpu(one, sliceMs);
      }
    }
  } finally {
    await Promise.all(running.map(close));
  }
  return running.map((one) => rowOf(one, running));
}

async function open(side: Side, context: Context): Promise<Running> {
  context.progress(`${side.title}: start`);
  const router = await side.start(context);
  const load = new LoadProcess();
  const running = { side, router, load, cpuUsPerCall: [], callsPerSecond: [], loadUsPerCall: [] };
  try {
    await load.ask({ kind: "open", port: router.port, target: side.target, shape: side.shape });
  } catch (error) {
    await close(running);
    throw error;
  }
  return running;
}

async function close({ load, router }: Running): Promise<void> {
  await load.stop();
  await router.stop();
}

async function run(
  { side, load }: Running,
  request: Omit<RunRequest, "kind" | "timing">,
): Promise<RunReport> {
  const report = await load.ask({ kind: "run", timing: false, ...request });
  if (report === undefined) throw new Error("the load generator sent no report");
  return checked(report, side.title);
}

/** A run in which any call was lost, doubled, mixed up or refused measures nothing. */
export function checked(report: RunReport, title: string): RunReport {
  const { calls, wrong, failed, failure } = report;
  if (wrong > 0) throw new Error(`${title}: ${wrong} of ${calls + wrong} answers belong to no open call`);
  if (failed > 0) throw new Error(`${title}: ${failed} calls failed, the first with ${failure}`);
  if (calls === 0) throw new Error(`${title}: no call was answered`);
  return report;
}

async function slicedCpu(one: Running, durationMs: number): Promise<void> {
  const before = cpuUs(one.router.pid);
  const { calls, elapsedMs, ownCpuUs } = await run(one, { durationMs });
  one.cpuUsPerCall.push((cpuUs(one.router.pid) - before) / calls);
  one.callsPerSecond.push((calls / elapsedMs) * 1000);
  one.loadUsPerCall.push(ownCpuUs / calls);
}

function rowOf(one: Running, all: Running[]): Row {
  const { side, cpuUsPerCall } = one;
  return {
    name: side.name,
    title: side.title,
    kind: side.kind,
    figure: { value: median(cpuUsPerCall), unit: "µs/call", spread: spread(cpuUsPerCall) },
    others: {
      "calls/s": { value: median(one.callsPerSecond), unit: "/s" },
      load: { value: median(one.loadUsPerCall), unit: "µs/call" },
    },
    ratios: ratiosOf(
      side.against,
      cpuUsPerCall,
      (name) => all.find((other) => other.side.name === name)?.cpuUsPerCall,
    ),
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
