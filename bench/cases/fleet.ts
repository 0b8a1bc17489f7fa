// What an engine has to hold and to clean up: idle connections, a large registry, a busy worker that leaves,
// connections that come and go beside steady calls.

import { barsOf } from "../budget.js";
import { type Case, type Context, type Figure, type Ratio, type Row, turnsS } from "../case.js";
import type { RunReport } from "../load/messages.js";
import { cpuUs, median, residentBytes, spread } from "../measure.js";
import { LoadProcess, type Router, startControl, startEngine } from "../process.js";
import { alternate, CPU_PER_CALL, checked, withSides } from "../slices.js";
import { engineSide } from "./sides.js";

const SETTLE_MS = 800;

interface Fleet {
  router: Router;
  load: LoadProcess;
}

async function withFleet<Result>(router: Router, body: (fleet: Fleet) => Promise<Result>): Promise<Result> {
  const load = new LoadProcess("fleet");
  try {
    return await body({ router, load });
  } finally {
    await load.stop();
    await router.stop();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function scaled(count: number, { effort }: Context): number {
  return Math.max(10, Math.round(count * effort.scale));
}

/** Bars that are figures, not ratios: one for each unit that has a bar. */
function limits(bars: Record<string, number>, figures: readonly { what: string; figure: Figure }[]): Ratio[] {
  return figures.flatMap(({ what, figure: { value, unit } }) => {
    const reach = bars[unit];
    return reach === undefined ? [] : [{ control: what, value, reach, unit }];
  });
}

// ── idle connections ────────────────────────────────────────────────────────────────────────────────────────────────

const IDLE_CONNECTIONS = 5000;

interface IdleSpec {
  name: string;
  title: string;
  kind: Row["kind"];
  target: "engine" | "control";
  wire: "msgpack" | "json";
}

const IDLE: IdleSpec[] = [
  { name: "bare", title: "bare uWebSockets server", kind: "control", target: "control", wire: "msgpack" },
  { name: "msgpack", title: "msgpack connection", kind: "tercet", target: "engine", wire: "msgpack" },
  { name: "json", title: "JSON connection", kind: "tercet", target: "engine", wire: "json" },
];

const idle: Case = {
  name: "idle-5000",
  title: "resident memory of an idle connection, 5,000 of them",
  quick: false,
  takesS: ({ scale }) => 2 + 12 * scale,
  run: async (context) => {
    const rows: Row[] = [];
    for (const spec of IDLE.filter(({ kind }) => kind === "control" || !context.controlsOnly)) {
      rows.push(await idleRow(spec, context));
    }
    return { name: idle.name, title: idle.title, rows };
  },
};

async function idleRow(spec: IdleSpec, context: Context): Promise<Row> {
  context.progress(spec.title);
  const connections = scaled(IDLE_CONNECTIONS, context);
  const router = await (spec.target === "control" ? startControl("relay") : startEngine(context.engine));
  return withFleet(router, async ({ load }) => {
    const request = { kind: "idle", port: router.port, target: spec.target, wire: spec.wire };
    await load.ask({ ...request, connections: Math.ceil(connections / 10) }); // code and tables are warm now
    await pause(SETTLE_MS * Math.min(1, context.effort.scale));
    const before = residentBytes(router.pid);
    await load.ask({ ...request, connections });
    await pause(SETTLE_MS * Math.min(1, context.effort.scale));
    const figure = { value: (residentBytes(router.pid) - before) / connections / 1024, unit: "KiB" };
    return {
      ...spec,
      figure,
      others: {},
      ratios: limits(barsOf(idle.name, spec.name), [{ what: "resident", figure }]),
    };
  });
}

// ── registrations ───────────────────────────────────────────────────────────────────────────────────────────────────

const FUNCTIONS = 100_000;

interface RegisterSpec {
  name: string;
  title: string;
  wire: "msgpack" | "json";
  workers: number;
}

const REGISTER: RegisterSpec[] = [
  { name: "msgpack-bulk", title: "one msgpack worker, one frame", wire: "msgpack", workers: 1 },
  { name: "json-frames", title: "one JSON worker, a frame each", wire: "json", workers: 1 },
  { name: "msgpack-1000", title: "1,000 msgpack workers × 100", wire: "msgpack", workers: 1000 },
];

const register: Case = {
  name: "register-100k",
  title: "100,000 functions registered and dropped: CPU and memory each",
  quick: false,
  takesS: ({ slices, scale }) => 3 + 7 * slices * scale,
  run: async (context) => {
    const rows: Row[] = [];
    if (!context.controlsOnly) for (const spec of REGISTER) rows.push(await registerRow(spec, context));
    return { name: register.name, title: register.title, rows };
  },
};

async function registerRow(spec: RegisterSpec, context: Context): Promise<Row> {
  const router = await startEngine(context.engine);
  const functions = scaled(FUNCTIONS, context);
  const workers = Math.min(spec.workers, functions / 10);
  const functionsEach = Math.floor(functions / workers);
  const count = workers * functionsEach;
  return withFleet(router, async ({ load }) => {
    const cpu = { register: [] as number[], drop: [] as number[] };
    let bytesEach = 0;
    for (let round = 0; round < context.effort.slices; round++) {
      context.progress(`${spec.title}: ${round + 1}/${context.effort.slices}`);
      await load.ask({ kind: "prepare", port: router.port, wire: spec.wire, workers, functionsEach });
      await pause(SETTLE_MS * Math.min(1, context.effort.scale));
      const before = residentBytes(router.pid);
      cpu.register.push((await cpuOf(router, () => load.ask({ kind: "register" }))) / count);
      await pause(SETTLE_MS * Math.min(1, context.effort.scale));
      if (round === 0) bytesEach = (residentBytes(router.pid) - before) / count; // afterwards the tables are there already
      cpu.drop.push((await cpuOf(router, () => load.ask({ kind: "drop" }))) / count);
    }
    return registerResult(spec, cpu, bytesEach);
  });
}

async function cpuOf(router: Router, work: () => Promise<void>): Promise<number> {
  const before = cpuUs(router.pid);
  await work();
  return cpuUs(router.pid) - before;
}

function registerResult(
  { name, title }: RegisterSpec,
  cpu: { register: number[]; drop: number[] },
  bytesEach: number,
): Row {
  const figure: Figure = { value: median(cpu.register), unit: "µs", spread: spread(cpu.register) };
  const resident: Figure = { value: bytesEach, unit: "B" };
  const ratios = limits(barsOf(register.name, name), [
    { what: "CPU", figure },
    { what: "resident", figure: resident },
  ]);
  const others: Record<string, Figure> = {
    drop: { value: median(cpu.drop), unit: "µs" },
    first: { value: cpu.register[0] ?? Number.NaN, unit: "µs" },
    resident: { ...resident, isQuiet: true }, // its bar says it
  };
  return { name, title, kind: "tercet", figure, others, ratios };
}

// ── calls beside a large registry ───────────────────────────────────────────────────────────────────────────────────

const crowded: Case = {
  name: "functions-100k",
  title: "calls of 128 B, 64 outstanding, with 100,000 functions registered against one",
  quick: false,
  takesS: (effort) => turnsS(effort, 2) + 2 * effort.scale,
  run: async (context) => {
    if (context.controlsOnly) return { name: crowded.name, title: crowded.title, rows: [] };
    const traffic = { callers: 1, workers: 1, outstanding: 64, payloadBytes: 128 };
    const sideOf = (name: string, title: string, against: Record<string, number | undefined>) => {
      return { ...engineSide("coalesced", crowded.name, traffic), name, title, against };
    };
    const sides = [
      sideOf("one", "one function", {}),
      sideOf("many", "100,000 functions", { one: barsOf(crowded.name, "many")["one"] }),
    ];
    const fleet = new LoadProcess("fleet");
    try {
      const rows = await withSides(sides, context, async (running) => {
        const port = running.find(({ side }) => side.name === "many")?.router.port ?? 0;
        await fleet.ask({
          kind: "prepare",
          port,
          wire: "msgpack",
          workers: 1,
          functionsEach: scaled(FUNCTIONS, context),
        });
        await fleet.ask({ kind: "register" });
        return alternate(running, CPU_PER_CALL, context);
      });
      return { name: crowded.name, title: crowded.title, rows };
    } finally {
      await fleet.stop();
    }
  },
};

// ── a busy worker leaves ────────────────────────────────────────────────────────────────────────────────────────────

const CALLS_IN_FLIGHT = 10_000;
/** Other traffic is watched from this long before the worker leaves until long after. */
const BEFORE_LEAVE_MS = 300;

const leave: Case = {
  name: "leave-100k",
  title: "a worker with 100,000 functions and 10,000 calls in flight leaves: longest stall of other calls",
  quick: false,
  takesS: ({ slices, scale }) => 1 + slices * (2 + 2 * scale),
  run: async (context) => {
    if (context.controlsOnly) return { name: leave.name, title: leave.title, rows: [] };
    const side = engineSide("single", leave.name, {
      callers: 1,
      workers: 1,
      outstanding: 1,
      payloadBytes: 128,
    });
    const rows = await withSides([side], context, async ([running]) => {
      if (running === undefined) throw new Error("unreachable: one side was given");
      const fleet = new LoadProcess("fleet");
      try {
        return await leaveRows({ router: running.router, load: fleet }, running.load, context);
      } finally {
        await fleet.stop();
      }
    });
    return { name: leave.name, title: leave.title, rows };
  },
};

async function leaveRows(
  { router, load: fleet }: Fleet,
  steady: LoadProcess,
  context: Context,
): Promise<Row[]> {
  const alone: number[] = [];
  const beside: number[] = [];
  const cpuMs: number[] = [];
  const durationMs = Math.max(context.effort.sliceMs, 3 * BEFORE_LEAVE_MS);
  for (let round = 0; round < context.effort.slices; round++) {
    context.progress(`round ${round + 1}/${context.effort.slices}`);
    const functions = scaled(FUNCTIONS, context);
    await fleet.ask({ kind: "hang", port: router.port, functions, calls: scaled(CALLS_IN_FLIGHT, context) });
    const before = cpuUs(router.pid);
    alone.push(longestMs(await timed(steady, durationMs)));
    const aloneUs = cpuUs(router.pid) - before;
    const watching = timed(steady, durationMs);
    await pause(BEFORE_LEAVE_MS);
    await fleet.ask({ kind: "drop" });
    beside.push(longestMs(await watching));
    cpuMs.push(Math.max(0, cpuUs(router.pid) - before - 2 * aloneUs) / 1000);
  }
  const row = { kind: "tercet" as const, ratios: [] };
  return [
    {
      ...row,
      name: "alone",
      title: "longest round trip, nobody leaves",
      figure: { value: median(alone), unit: "ms" },
      others: {},
    },
    {
      ...row,
      name: "leave",
      title: "longest round trip while it leaves",
      figure: { value: median(beside), unit: "ms", spread: spread(beside) },
      others: { "engine CPU": { value: median(cpuMs), unit: "ms" } },
    },
  ];
}

function timed(load: LoadProcess, durationMs: number, callsPerSecond?: number): Promise<RunReport> {
  return load.ask<RunReport>({
    kind: "run",
    durationMs,
    timing: true,
    ...(callsPerSecond ? { callsPerSecond } : {}),
  });
}

function longestMs(report: RunReport): number {
  return checked(report, "calls beside").roundTripsMs?.max ?? Number.NaN;
}

// ── connections come and go ─────────────────────────────────────────────────────────────────────────────────────────

const CYCLES_PER_SECOND = 300;
const CALLS_PER_SECOND = 10_000;

const churn: Case = {
  name: "churn",
  title: "10,000 calls a second, alone and while 300 workers a second connect, register and leave",
  quick: false,
  takesS: (effort) => turnsS(effort, 2),
  run: async (context) => {
    if (context.controlsOnly) return { name: churn.name, title: churn.title, rows: [] };
    const side = engineSide("single", churn.name, {
      callers: 1,
      workers: 1,
      outstanding: 1024,
      payloadBytes: 128,
    });
    const rows = await withSides([side], context, async ([running]) => {
      if (running === undefined) throw new Error("unreachable: one side was given");
      const fleet = new LoadProcess("fleet");
      try {
        return await churnRows({ router: running.router, load: fleet }, running.load, context);
      } finally {
        await fleet.stop();
      }
    });
    return { name: churn.name, title: churn.title, rows };
  },
};

async function churnRows(
  { router, load: fleet }: Fleet,
  steady: LoadProcess,
  context: Context,
): Promise<Row[]> {
  const durationMs = context.effort.sliceMs;
  const alone: RunReport[] = [];
  const beside: RunReport[] = [];
  const cyclesPerSecond: number[] = [];
  const cycleUs: number[] = [];
  for (let round = 0; round < context.effort.slices; round++) {
    context.progress(`round ${round + 1}/${context.effort.slices}`);
    const aloneUs = await cpuOf(router, async () => {
      alone.push(checked(await timed(steady, durationMs, CALLS_PER_SECOND), "calls"));
    });
    const besideUs = await cpuOf(router, async () => {
      const churning = fleet.ask<number>({
        kind: "churn",
        port: router.port,
        durationMs,
        cyclesPerSecond: CYCLES_PER_SECOND,
      });
      beside.push(checked(await timed(steady, durationMs, CALLS_PER_SECOND), "calls"));
      cyclesPerSecond.push(await churning);
    });
    const cycles = (cyclesPerSecond.at(-1) ?? 0) * (durationMs / 1000);
    cycleUs.push(Math.max(0, besideUs - aloneUs) / cycles);
  }
  const figureOf = (reports: RunReport[]) =>
    median(reports.map(({ roundTripsMs }) => roundTripsMs?.p99 ?? Number.NaN));
  const ratio = figureOf(beside) / figureOf(alone);
  return [
    {
      name: "alone",
      title: "p99 round trip, alone",
      kind: "tercet",
      figure: { value: figureOf(alone), unit: "ms" },
      others: {},
      ratios: [],
    },
    {
      name: "churn",
      title: "p99 round trip, beside the churn",
      kind: "tercet",
      figure: { value: figureOf(beside), unit: "ms" },
      others: {
        "per cycle": { value: median(cycleUs), unit: "µs" },
        cycles: { value: median(cyclesPerSecond), unit: "/s" },
      },
      ratios: [{ control: "alone", value: ratio }],
    },
  ];
}

export const fleetCases: Case[] = [idle, register, crowded, leave, churn];
