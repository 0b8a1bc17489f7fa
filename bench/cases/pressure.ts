// More than workers can take, and peers that do not behave.
//
//   overload      calls at 0.25 to 3 times what workers with a concurrency limit can serve: goodput, refusals, and how soon these come; with a plot
//   flood         a quiet caller's p99 beside one that keeps 20,000 calls open with the same worker
//   slow-reader   steady calls beside somebody who asks for large answers and never reads; the engine's memory meanwhile

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Case, Context, Row } from "../case.js";
import type { OfferReport, OpenPressure } from "../load/pressure.js";
import { median, spread } from "../measure.js";
import { lineChart } from "../plot.js";
import { LoadProcess, type Router, startEngine } from "../process.js";

const PLOT = "bench/results/overload.svg";
const MIB = 1 << 20;
/** The least time of an offer: several times what a call takes. */
const OFFER_MS_MIN = 100;
/** The plot is drawn by runs with slices of at least this. */
const PLOT_SLICE_MS = 500;

interface Rig {
  router: Router;
  load: LoadProcess;
}

async function withRig<Result>(
  context: Context,
  limits: string,
  workers: Omit<OpenPressure, "kind" | "port">,
  body: (rig: Rig) => Promise<Result>,
): Promise<Result> {
  const router = await startEngine({ ...context.engine, limits });
  const load = new LoadProcess("pressure");
  try {
    await load.ask({ kind: "open", port: router.port, ...workers });
    return await body({ router, load });
  } finally {
    await load.stop();
    await router.stop();
  }
}

function offer({ load }: Rig, callsPerS: number, durationMs: number): Promise<OfferReport> {
  return load.ask<OfferReport>({
    kind: "offer",
    callsPerS,
    durationMs: Math.max(durationMs, OFFER_MS_MIN),
  });
}

function at(sorted: Float64Array, share: number): number {
  return sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

// ── overload ────────────────────────────────────────────────────────────────────────────────────────────────────────

const BUSY = { workers: 4, concurrency: 8, queueCalls: 16, queueMs: 1_000, serviceMs: 10 };
const FACTORS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3];

const overload: Case = {
  name: "overload",
  title: "four workers that take 8 calls of 10 ms at once, offered 0.25 to 3 times what they can serve",
  quick: false,
  takesS: ({ slices, sliceMs }) =>
    3 + (slices * (FACTORS.length + 1) * Math.max(sliceMs, OFFER_MS_MIN)) / 1_000,
  run: async (context) => {
    if (context.controlsOnly) return { name: overload.name, title: overload.title, rows: [] };
    const rows = await withRig(context, "", BUSY, (rig) => overloadRows(rig, context));
    return { name: overload.name, title: overload.title, rows };
  },
};

async function overloadRows(rig: Rig, context: Context): Promise<Row[]> {
  const { slices, sliceMs } = context.effort;
  const servicesPerS = (BUSY.workers * BUSY.concurrency * 1_000) / BUSY.serviceMs;
  await offer(rig, servicesPerS, Math.min(sliceMs, 300)); // the first calls are slower
  const reports = FACTORS.map(() => [] as OfferReport[]);
  const capacities: number[] = [];
  for (let round = 0; round < slices; round++) {
    context.progress(`round ${round + 1}/${slices}`);
    // timers take a little longer than they should: what the workers really can is what they serve when there is far too much
    const capacity = (await offer(rig, 2 * servicesPerS, sliceMs)).servedPerS;
    capacities.push(capacity);
    for (const [number, factor] of FACTORS.entries())
      reports[number]!.push(await offer(rig, factor * capacity, sliceMs));
  }
  const of = (number: number, pick: (report: OfferReport) => number): number[] => reports[number]!.map(pick);
  const goodput = FACTORS.map((_, number) => median(of(number, ({ servedPerS }) => servedPerS)));
  const refused = FACTORS.map((_, number) => median(of(number, ({ refusedPerS }) => refusedPerS)));
  if (sliceMs >= PLOT_SLICE_MS) plot(median(capacities), goodput, refused);
  const peak = Math.max(...goodput);
  return FACTORS.map((factor, number) => {
    const refusals = of(number, ({ refusedMs }) => at(refusedMs, 0.5));
    return {
      name: `x${factor}`,
      title: `${factor} times the capacity`,
      kind: "tercet" as const,
      figure: {
        value: goodput[number]!,
        unit: "calls/s",
        spread: spread(of(number, ({ servedPerS }) => servedPerS)),
      },
      others: {
        refused: { value: refused[number]!, unit: "/s" },
        ...(refused[number] === 0 ? {} : { "refusal p50": { value: median(refusals), unit: "ms" } }),
        "served p99": { value: median(of(number, ({ servedMs }) => at(servedMs, 0.99))), unit: "ms" },
      },
      ratios: factor < 1 ? [] : [{ control: "peak ÷ this", value: peak / goodput[number]! }],
    };
  });
}

function plot(capacity: number, goodput: readonly number[], refused: readonly number[]): void {
  const points = (values: readonly number[]) =>
    FACTORS.map((factor, number) => [factor, values[number]!] as const);
  const svg = lineChart({
    title: "Load beyond capacity",
    x: `offered load ÷ capacity (${Math.round(capacity).toLocaleString("en-US")} calls a second)`,
    y: "calls a second",
    series: [
      { name: "served", points: points(goodput) },
      { name: "refused at once", points: points(refused) },
    ],
  });
  mkdirSync(dirname(PLOT), { recursive: true });
  writeFileSync(PLOT, svg);
}

// ── flood ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const FLOOD_CALLS = 20_000;
const QUIET_PER_S = 200;
const WORKED = { workers: 1, concurrency: 16, queueCalls: 65_536, queueMs: 120_000, serviceMs: 5 };

const flood: Case = {
  name: "flood",
  title: "200 calls a second of one caller, alone and beside one with 20,000 calls open with the same worker",
  quick: false,
  takesS: ({ slices, sliceMs }) => 3 + (slices * 2 * Math.max(sliceMs, OFFER_MS_MIN)) / 1_000,
  run: async (context) => {
    if (context.controlsOnly) return { name: flood.name, title: flood.title, rows: [] };
    const calls = Math.max(100, Math.round(FLOOD_CALLS * context.effort.scale));
    const rows = await withRig(context, "", WORKED, (rig) =>
      beside(rig, context, QUIET_PER_S, "beside the flood", {
        begin: () => rig.load.ask({ kind: "flood", port: rig.router.port, calls }),
        end: () => rig.load.ask({ kind: "ebb" }),
      }),
    );
    return { name: flood.name, title: flood.title, rows };
  },
};

interface Trouble {
  begin(): Promise<void>;
  end(): Promise<void>;
}

/** The same steady calls without and with some trouble, in turns. */
async function beside(
  rig: Rig,
  { effort, progress }: Context,
  callsPerS: number,
  title: string,
  trouble: Trouble,
): Promise<Row[]> {
  const p99s: [number[], number[]] = [[], []];
  for (let round = 0; round < effort.slices; round++) {
    progress(`round ${round + 1}/${effort.slices}`);
    for (const isTroubled of [false, true]) {
      if (isTroubled) await trouble.begin();
      const report = await offer(rig, callsPerS, effort.sliceMs);
      if (isTroubled) await trouble.end();
      if (report.refusedMs.length > 0)
        throw new Error(`${report.refusedMs.length} of the steady calls were refused`);
      p99s[isTroubled ? 1 : 0].push(at(report.servedMs, 0.99));
    }
  }
  const [alone, troubled] = p99s;
  const ratio = median(troubled) / median(alone);
  return [
    row("alone", "p99 round trip, alone", alone, []),
    row("beside", `p99 round trip, ${title}`, troubled, [{ control: "alone", value: ratio }]),
  ];
}

function row(name: string, title: string, values: number[], ratios: Row["ratios"]): Row {
  const figure = { value: median(values), unit: "ms", spread: spread(values) };
  return { name, title, kind: "tercet", figure, others: {}, ratios };
}

// ── a reader that never reads ───────────────────────────────────────────────────────────────────────────────────────

const CEILING_BYTES = 256 * MIB;
const STEADY_PER_S = 1_000;
const QUICK_WORKER = { workers: 1, concurrency: 64, queueCalls: 1_000, queueMs: 10_000, serviceMs: 0 };

const slowReader: Case = {
  name: "slow-reader",
  title: "1,000 calls a second, alone and beside somebody who asks for answers of 1 MiB and never reads one",
  quick: false,
  takesS: ({ slices, sliceMs }) => 3 + (slices * 2 * Math.max(sliceMs, OFFER_MS_MIN)) / 1_000,
  run: async (context) => {
    if (context.controlsOnly) return { name: slowReader.name, title: slowReader.title, rows: [] };
    const rows = await withRig(context, `limits:\n  memory_bytes: ${CEILING_BYTES}\n`, QUICK_WORKER, (rig) =>
      slowReaderRows(rig, context),
    );
    return { name: slowReader.name, title: slowReader.title, rows };
  },
};

/** The reader stays once it is there: first the quiet slices, then the others. */
async function slowReaderRows(rig: Rig, { effort, progress }: Context): Promise<Row[]> {
  const alone: number[] = [];
  const troubled: number[] = [];
  const p99 = async (): Promise<number> =>
    at((await offer(rig, STEADY_PER_S, effort.sliceMs)).servedMs, 0.99);
  for (let round = 0; round < effort.slices; round++) alone.push(await p99());
  const reader = new LoadProcess("pressure", "any"); // beside the steady calls' process, which has to keep time
  try {
    await reader.ask({ kind: "stop-reading", port: rig.router.port });
    for (let round = 0; round < effort.slices; round++) {
      progress(`round ${round + 1}/${effort.slices}`);
      troubled.push(await p99());
    }
  } finally {
    await reader.stop();
  }
  const besides = row("beside", "p99 round trip, beside the reader that never reads", troubled, [
    { control: "alone", value: median(troubled) / median(alone) },
  ]);
  besides.others = {
    "resident at most": { value: residentBytes(rig.router.pid) / MIB, unit: "MiB" },
    "limits.memory_bytes": { value: CEILING_BYTES / MIB, unit: "MiB" },
  };
  return [row("alone", "p99 round trip, alone", alone, []), besides];
}

/** The most that has ever been resident of a process. */
function residentBytes(pid: number): number {
  const [, kib = "0"] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
  return Number(kib) * 1024;
}

export const pressureCases: Case[] = [overload, flood, slowReader];
