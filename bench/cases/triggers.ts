// Ten thousand triggers of one type: what each costs to register, and what it takes when their provider restarts.
//
// Registering ends when the provider has been told of every trigger, restarting when it has been told again.

import type { Case, Context, Row } from "../case.js";
import type { RunReport } from "../load/messages.js";
import type { RestartReport, TriggerWire } from "../load/triggers.js";
import { cpuUs, median, residentBytes, spread } from "../measure.js";
import { LoadProcess, type Router, startEngine } from "../process.js";
import { checked, type Running, runLoad, withSides } from "../slices.js";
import { engineSide } from "./sides.js";

const TRIGGERS = 10_000;
const SETTLE_MS = 800;

interface Spec {
  name: string;
  title: string;
  wire: TriggerWire;
}

const SPECS: Spec[] = [
  { name: "msgpack", title: "msgpack owner and provider", wire: "msgpack" },
  { name: "json", title: "JSON owner and provider", wire: "json" },
];

function scaled({ effort }: Context): number {
  return Math.max(10, Math.round(TRIGGERS * effort.scale));
}

function settle({ effort }: Context): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SETTLE_MS * Math.min(1, effort.scale)));
}

async function withTriggers<Result>(body: (load: LoadProcess) => Promise<Result>): Promise<Result> {
  const load = new LoadProcess("triggers");
  try {
    return await body(load);
  } finally {
    await load.stop();
  }
}

// ── registered ──────────────────────────────────────────────────────────────────────────────────────────────────────

const registered: Case = {
  name: "triggers-10k",
  title: "10,000 triggers registered and told to their provider: CPU and memory each",
  quick: false,
  takesS: ({ slices, scale }) => 2 + 2 * slices * 2.5 * scale,
  run: async (context) => {
    const rows: Row[] = [];
    if (!context.controlsOnly) for (const spec of SPECS) rows.push(await registeredRow(spec, context));
    return { name: registered.name, title: registered.title, rows };
  },
};

/** A new engine for each round: memory that was used once is not given back. */
async function registeredRow(spec: Spec, context: Context): Promise<Row> {
  const cpu: number[] = [];
  const bytes: number[] = [];
  for (let round = 1; round <= context.effort.slices; round++) {
    context.progress(`${spec.title}: ${round}/${context.effort.slices}`);
    const router = await startEngine(context.engine);
    try {
      const each = await withTriggers((load) => registerOnce(spec, router, load, context));
      cpu.push(each.cpuUs);
      bytes.push(each.bytes);
    } finally {
      await router.stop();
    }
  }
  return {
    name: spec.name,
    title: spec.title,
    kind: "tercet",
    figure: { value: median(cpu), unit: "µs", spread: spread(cpu) },
    others: { resident: { value: median(bytes), unit: "B" } },
    ratios: [],
  };
}

async function registerOnce(spec: Spec, router: Router, load: LoadProcess, context: Context) {
  const triggers = scaled(context);
  await load.ask({ kind: "open", port: router.port, wire: spec.wire });
  await settle(context);
  const [cpuBefore, bytesBefore] = [cpuUs(router.pid), residentBytes(router.pid)];
  await load.ask({ kind: "register", triggers });
  const usedUs = cpuUs(router.pid) - cpuBefore;
  await settle(context);
  return { cpuUs: usedUs / triggers, bytes: (residentBytes(router.pid) - bytesBefore) / triggers };
}

// ── their provider restarts ─────────────────────────────────────────────────────────────────────────────────────────

/** Other calls are watched so long when nothing happens. */
const WATCH_MS = 500;
const CALLS_PER_SECOND = 2000;

const restarted: Case = {
  name: "provider-restart-10k",
  title: "a provider with 10,000 triggers restarts: until it has been told all again",
  quick: false,
  takesS: ({ slices }) => 4 + 2 * slices * 1.2,
  run: async (context) => {
    const rows: Row[] = [];
    if (!context.controlsOnly) for (const spec of SPECS) rows.push(...(await restartedRows(spec, context)));
    return { name: restarted.name, title: restarted.title, rows };
  },
};

function restartedRows(spec: Spec, context: Context): Promise<Row[]> {
  const traffic = { callers: 1, workers: 1, outstanding: 256, payloadBytes: 128 };
  const side = { ...engineSide("single", restarted.name, traffic), name: spec.name, title: spec.title };
  return withSides([side], context, ([running]) =>
    withTriggers(async (load) =>
      running === undefined ? [] : [await restartedRow(spec, running, load, context)],
    ),
  );
}

interface Restart {
  tookMs: number;
  engineMs: number;
  longestAloneMs: number;
  longestMs: number;
}

async function restartedRow(spec: Spec, running: Running, load: LoadProcess, context: Context): Promise<Row> {
  await load.ask({ kind: "open", port: running.router.port, wire: spec.wire });
  await load.ask({ kind: "register", triggers: scaled(context) });
  await load.ask({ kind: "restart" }); // the first finds cold code
  const rounds: Restart[] = [];
  for (let round = 1; round <= context.effort.slices; round++) {
    context.progress(`${spec.title}: ${round}/${context.effort.slices}`);
    rounds.push(await restartOnce(running, load));
  }
  const of = (key: keyof Restart) => rounds.map((one) => one[key]);
  const ms = (key: keyof Restart) => ({ value: median(of(key)), unit: "ms" });
  return {
    name: spec.name,
    title: spec.title,
    kind: "tercet",
    figure: { ...ms("tookMs"), spread: spread(of("tookMs")) },
    others: {
      "longest call": ms("longestMs"),
      alone: ms("longestAloneMs"),
      "engine CPU": ms("engineMs"),
    },
    ratios: [],
  };
}

/** Calls go on before, while and after. */
async function restartOnce(running: Running, load: LoadProcess): Promise<Restart> {
  const { pid } = running.router;
  let before = cpuUs(pid);
  const alone = await calls(running);
  const aloneUs = cpuUs(pid) - before;
  before = cpuUs(pid);
  const watching = calls(running);
  const { elapsedMs } = await load.ask<RestartReport>({ kind: "restart" });
  const beside = await watching;
  const engineMs = Math.max(0, cpuUs(pid) - before - aloneUs) / 1000;
  return { tookMs: elapsedMs, engineMs, longestAloneMs: longest(alone), longestMs: longest(beside) };
}

async function calls(running: Running): Promise<RunReport> {
  const request = { durationMs: WATCH_MS, timing: true, callsPerSecond: CALLS_PER_SECOND };
  return checked(await runLoad(running, request), running.side.title);
}

function longest({ roundTripsMs }: RunReport): number {
  return roundTripsMs?.max ?? Number.NaN;
}

export const triggerCases: Case[] = [registered, restarted];
