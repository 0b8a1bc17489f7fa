// What a person sees: a table per case as soon as it is measured, a line of progress in between; and the JSON file.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { dirname } from "node:path";
import type { CaseResult, Effort, Figure, Ratio, Row } from "./case.js";
import { onPath, pinned } from "./process.js";

const tty = process.stdout.isTTY === true;
const paint = (code: number) => (text: string) => (tty ? `\x1b[${code}m${text}\x1b[0m` : text);
const bold = paint(1);
const dim = paint(2);
const green = paint(32);
const red = paint(31);
const cyan = paint(36);

const BAR_WIDTH = 18;

export function table(result: CaseResult): string {
  const widest = Math.max(...result.rows.map((row) => row.title.length));
  const highest = Math.max(...result.rows.map((row) => row.figure.value));
  const lines = result.rows.map((row) => line(row, widest, highest));
  return `\n${bold(result.name)}  ${result.title}\n${lines.join("\n")}\n`;
}

function line(row: Row, widest: number, highest: number): string {
  const title = row.title.padEnd(widest);
  const cells = [
    row.kind === "tercet" ? cyan(`▸ ${title}`) : `  ${title}`,
    figure(row.figure).padStart(14),
    dim(bar(row.figure.value / highest)),
    dim(beside(row).padStart(9)),
    row.ratios.map(ratio).join("   "),
  ];
  return cells.join("  ").trimEnd();
}

/** The first of the other figures, named unless its unit says what it is. */
function beside(row: Row): string {
  const [first] = Object.entries(row.others);
  if (first === undefined) return "";
  const [name, value] = first;
  return value.unit === "/s" || value.unit === row.figure.unit ? figure(value) : `${name} ${figure(value)}`;
}

function bar(share: number): string {
  return "▇".repeat(Math.max(1, Math.round(share * BAR_WIDTH))).padEnd(BAR_WIDTH);
}

/** Three significant digits, and k or M in front of "/s". */
export function figure({ value, unit }: Figure): string {
  if (unit === "/s")
    return value >= 1e6 ? `${(value / 1e6).toFixed(2)} M/s` : `${(value / 1e3).toFixed(0)} k/s`;
  return `${digits(value)} ${unit}`;
}

function digits(value: number): string {
  const magnitude = Math.abs(value);
  return value.toFixed(magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : 2);
}

function ratio({ control, value, reach }: Ratio): string {
  const text = `${value.toFixed(2)} × ${control}`;
  if (reach === undefined) return dim(text);
  return value <= reach ? green(`${text} ≤ ${reach} ✓`) : red(`${text} > ${reach} ✗`);
}

/** One line on a terminal, rewritten in place; on anything else a line per case. */
export class Progress {
  readonly #total: number;
  readonly #startMs = Date.now();
  #case = "";
  #done = 0;

  constructor(total: number) {
    this.#total = total;
  }

  begin(name: string): void {
    this.#case = name;
    if (!process.stderr.isTTY) process.stderr.write(`[${this.#done + 1}/${this.#total}] ${name}\n`);
  }

  step(what: string): void {
    if (!process.stderr.isTTY) return;
    const width = 20;
    const full = Math.round((this.#done / this.#total) * width);
    const meter = "█".repeat(full) + "░".repeat(width - full);
    process.stderr.write(
      `\r\x1b[K${meter} ${this.#done}/${this.#total} ${this.#elapsed()}  ${this.#case}  ${what}`,
    );
  }

  end(): void {
    this.#done++;
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  }

  #elapsed(): string {
    const seconds = Math.round((Date.now() - this.#startMs) / 1000);
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryGiB: number;
  kernel: string;
  node: string;
  uws: string;
  nats: string | undefined;
  pinned: boolean;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: readFileSync("/proc/sys/kernel/osrelease", "utf8").trim(),
    node: process.version,
    uws: versionOf("uWebSockets.js"),
    nats: onPath("nats-server")
      ? execFileSync("nats-server", ["--version"], { encoding: "utf8" }).trim()
      : undefined,
    pinned,
  };
}

function versionOf(name: string): string {
  const manifest: { name: string; version: string } = JSON.parse(
    readFileSync(`node_modules/${name}/package.json`, "utf8"),
  );
  return `${manifest.name} ${manifest.version}`;
}

export function heading(where: Machine): string {
  const pins = where.pinned ? "router on core 0, load on core 1" : "not pinned: figures are noisier";
  return dim(
    `${where.cpu}, ${where.cores} cores, Linux ${where.kernel} · Node ${where.node}, ${where.uws}` +
      `${where.nats === undefined ? "" : `, ${where.nats}`} · ${pins}`,
  );
}

export interface Results {
  startedAt: string;
  revision: string;
  machine: Machine;
  effort: Effort;
  cases: CaseResult[];
}

export function write(path: string, results: Results): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
}

export function revision(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8", stdio: "pipe" }).trim();
  } catch {
    return "unknown"; // not a git checkout: an installed package can be measured too
  }
}

/** How many bars were reached, for the last line. */
export function summary(results: CaseResult[]): string {
  const bars = results.flatMap(({ rows }) =>
    rows.flatMap((row) => row.ratios.filter(({ reach }) => reach !== undefined)),
  );
  const reached = bars.filter(({ value, reach }) => reach !== undefined && value <= reach).length;
  if (bars.length === 0) return "";
  const text = `${reached} of ${bars.length} bars reached`;
  return reached === bars.length ? green(text) : red(text);
}
