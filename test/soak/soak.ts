// Soak: the real engine as a process under a steady load with churn, for as long as one likes; its resident memory is sampled every second, drawn, and must
// be flat.
//
//   npm run soak -- --minutes 20 [--seed N] [--svg FILE]
//
// `--leak` lets churning workers stay, to see the soak fail.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { lineChart } from "../../bench/plot.js";
import { freePort } from "../../src/testing/free-port.js";
import { connect } from "../../src/worker/index.js";
import { Child } from "../support/child.js";
import { eventually } from "../support/eventually.js";
import { Random } from "../support/random.js";
import { Load, type LoadFigures } from "./load.js";
import { type Sample, type Trend, trendOf, WARM_UP_SHARE } from "./trend.js";

const MAIN = fileURLToPath(new URL("../../src/main.js", import.meta.url));
const MIB = 1 << 20;

export interface SoakOptions {
  readonly forMs: number;
  readonly seed: number;
  readonly leak?: boolean;
  /** Default a second. */
  readonly sampleEveryMs?: number;
  /** Told of every sample. */
  readonly onSample?: (sample: Sample, figures: LoadFigures) => void;
}

export interface SoakResult {
  readonly samples: readonly Sample[];
  readonly trend: Trend;
  readonly figures: LoadFigures;
  /** What the engine still held when the load had left, besides who asked; all 0 when nothing was left behind. */
  readonly left: Readonly<Record<string, number>>;
}

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { forMs, seed, leak = false, sampleEveryMs = 1_000 } = options;
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "tercet-soak-"));
  const file = join(directory, "config.yaml");
  writeFileSync(file, `{ server: { port: ${port} }, log: { level: warn } }`);
  const engine = new Child([process.execPath, MAIN, "--config", file], {});
  try {
    const url = `ws://127.0.0.1:${port}`;
    const before = await eventually("the engine answers", () => gaugesOf(url).catch(() => undefined), 20_000);
    const load = new Load({ port, random: new Random(seed), leak });
    const running = load.run();
    const samples = await Promise.race([
      sampled(options, engine.process.pid ?? 0, forMs, sampleEveryMs, load),
      running,
    ]);
    if (samples === undefined) throw new Error("the load ended before its time");
    load.end();
    await running;
    const left = await eventually("the load has left the engine", async () => {
      const gauges = await gaugesOf(url);
      const rest = Object.fromEntries(HELD.map((name) => [name, (gauges[name] ?? 0) - (before[name] ?? 0)]));
      return Object.values(rest).every((value) => value === 0) && rest;
    });
    return { samples, trend: trendOf(samples), figures: load.figures, left };
  } finally {
    await engine.end();
    rmSync(directory, { recursive: true });
  }
}

/** Gauges that must come back to what they were. */
const HELD = ["connections", "workers", "functions", "triggers", "channels", "calls_open", "outbox_bytes"];

async function gaugesOf(url: string): Promise<Record<string, number>> {
  const asker = await connect({ url, name: "soak-gauges", reconnect: false, onEvent: () => {} });
  try {
    return (await asker.call<{ gauges: Record<string, number> }>("engine::top", {})).gauges;
  } finally {
    await asker.close();
  }
}

async function sampled(
  { onSample }: SoakOptions,
  pid: number,
  forMs: number,
  everyMs: number,
  load: Load,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const startedMs = performance.now();
  for (let atMs = 0; atMs < forMs; atMs = performance.now() - startedMs) {
    const sample = { atMs, bytes: residentBytes(pid) };
    samples.push(sample);
    onSample?.(sample, load.figures);
    await sleep(everyMs);
  }
  return samples;
}

function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kib === undefined) throw new Error(`process ${pid} has no resident memory: it is gone`);
  return Number(kib) * 1024;
}

function plot({ samples, trend, figures }: SoakResult, minutes: string): string {
  return lineChart({
    title: `Resident memory of the engine over ${minutes} minutes: ${figures.calls.toLocaleString("en-US")} calls, ${figures.newcomers.toLocaleString("en-US")} workers came and went`,
    x: "minutes",
    y: "MiB",
    series: [
      { name: "resident memory", points: samples.map(({ atMs, bytes }) => [atMs / 60_000, bytes / MIB]) },
      { name: `trend: ${mib(trend.growthBytes)}`, points: trendLine(samples, trend) },
    ],
  });
}

function trendLine(samples: readonly Sample[], { baseBytes, growthBytes }: Trend): [number, number][] {
  const endMs = samples.at(-1)?.atMs ?? 0;
  return [
    [(endMs * WARM_UP_SHARE) / 60_000, baseBytes / MIB],
    [endMs / 60_000, (baseBytes + growthBytes) / MIB],
  ];
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "20" },
      seed: { type: "string", default: "1" },
      svg: { type: "string" },
      leak: { type: "boolean", default: false },
    },
  });
  const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
  if (!(minutes > 0) || !Number.isInteger(seed))
    throw new Error("usage: npm run soak -- --minutes N [--seed N] [--svg FILE] [--leak]");
  console.log(`soak for ${minutes} minutes, seed ${seed}`);
  let toldMs = 0;
  const onSample = ({ atMs, bytes }: Sample, { calls, newcomers, streams }: LoadFigures): void => {
    if (atMs < toldMs) return;
    toldMs += 60_000;
    console.log(
      `${String(Math.floor(atMs / 60_000)).padStart(4)} min  ${mib(bytes).padStart(10)}  ${calls} calls, ${newcomers} workers came, ${streams} streams`,
    );
  };
  const result = await soak({ forMs: minutes * 60_000, seed, leak: values.leak, onSample });
  const { trend, figures, left } = result;
  if (values.svg !== undefined) writeFileSync(values.svg, plot(result, values.minutes));
  console.log({ ...figures, left });
  console.log(
    `${trend.isFlat ? "flat" : "GROWING"}: ${mib(trend.growthBytes)} over the time after the warm-up, from ${mib(trend.baseBytes)}; allowed ${mib(trend.allowedBytes)}`,
  );
  process.exitCode = trend.isFlat && figures.failures === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
