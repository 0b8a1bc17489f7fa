// Chaos: one engine, workers and callers of both wires in processes of their own, killed and started again at random, all the while under a steady load.
//
// Every caller that lives to the end tells how each of its calls ended; the engine's own counters tell for all. Run by chaos.test.ts for a few seconds, or
// for as long as one likes:
//
//   npm run chaos -- --minutes 5 --seed 7
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Engine, type EngineStats, startEngine } from "../../src/engine.js";
import { createLogger } from "../../src/log.js";
import { Random } from "../support/random.js";
import { leavesNothing } from "../support/test-engine.js";
import type { Report } from "./accounts.js";
import { RULES } from "./functions.js";

export interface ChaosOptions {
  seed: number;
  forMs: number;
  /** From one death to the next. */
  deathEveryMs?: number;
}

export interface ChaosResult {
  deaths: number;
  reports: Report[];
  stats: EngineStats;
}

type Role = "worker" | "caller";

interface Cast {
  role: Role;
  wire: "json" | "msgpack";
  /** Lives to the end and reports. */
  isSpared: boolean;
  process: ChildProcess;
}

/** Who is on stage: a worker and a caller of each wire that may die, and callers that are spared to tell. */
const STAGE: readonly [Role, "json" | "msgpack", boolean][] = [
  ["worker", "json", false],
  ["worker", "msgpack", false],
  ["worker", "json", false],
  ["worker", "msgpack", false],
  ["caller", "json", false],
  ["caller", "msgpack", false],
  ["caller", "json", true],
  ["caller", "msgpack", true],
];

/** Runs chaos and rejects when anything is left behind; what the callers tell is for the caller of this to judge. */
export async function chaos({ seed, forMs, deathEveryMs = 250 }: ChaosOptions): Promise<ChaosResult> {
  const random = new Random(seed);
  const engine = await startEngine({
    listeners: [{ host: "127.0.0.1", port: 0 }],
    log: createLogger({ level: "silent" }),
    limits: { callTimeoutMs: 1_000 },
    functions: RULES,
  });
  const builtins = engine.stats().functions;
  const stage = STAGE.map(([role, wire, isSpared]) => enter(engine, random, role, wire, isSpared));
  try {
    const deaths = await play(engine, random, stage, forMs, deathEveryMs);
    const reports = await Promise.all(
      stage.filter((one) => one.role === "caller").map((one) => finish(one.process)),
    );
    for (const { process } of stage) process.kill("SIGKILL");
    await leavesNothing(engine, builtins);
    return { deaths, reports, stats: engine.stats() };
  } finally {
    for (const { process } of stage) process.kill("SIGKILL");
    await engine.close();
  }
}

function enter(
  engine: Engine,
  random: Random,
  role: Role,
  wire: "json" | "msgpack",
  isSpared: boolean,
): Cast {
  const script = fileURLToPath(new URL(`./${role}.js`, import.meta.url));
  const port = String(engine.listeners[0]?.port);
  const process = fork(script, [wire, port, String(random.below(1_000_000))], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  return { role, wire, isSpared, process };
}

/** Kills one that is not spared, at random, and has another take its place; returns how often. */
async function play(
  engine: Engine,
  random: Random,
  stage: Cast[],
  forMs: number,
  deathEveryMs: number,
): Promise<number> {
  let deaths = 0;
  for (const until = performance.now() + forMs; performance.now() < until; deaths++) {
    await sleep(deathEveryMs / 2 + random.below(deathEveryMs));
    const victim = random.pick(stage.filter((one) => !one.isSpared));
    victim.process.kill("SIGKILL");
    stage[stage.indexOf(victim)] = enter(engine, random, victim.role, victim.wire, false);
  }
  return deaths;
}

async function finish(caller: ChildProcess): Promise<Report> {
  const told = once(caller, "message");
  caller.send("finish");
  const [report] = await Promise.race([
    told,
    once(caller, "exit").then(() => {
      throw new Error("a caller that was to report has died");
    }),
  ]);
  return report as Report; // what caller.ts sends
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { minutes: { type: "string", default: "1" }, seed: { type: "string" } },
  });
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const forMs = Number(values.minutes) * 60_000;
  if (!(forMs > 0) || !Number.isInteger(seed))
    throw new Error("usage: npm run chaos -- --minutes N [--seed N]");
  console.log(`chaos for ${values.minutes} minutes, seed ${seed}`);
  const { deaths, reports, stats } = await chaos({ seed, forMs });
  for (const { sent, open, ends, faults } of reports) console.log({ sent, open, ends, faults });
  console.log({ deaths, opened: stats.callsOpened, ended: stats.callsEnded, open: stats.callsOpen });
  const isSound = reports.every((report) => report.open === 0 && report.faults.length === 0);
  process.exitCode = isSound ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
