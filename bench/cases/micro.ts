// The parts by themselves, in this process, by tinybench: every module of bench/micro/ is a case.
//
// Such a module exports one function that takes a `Bench` and adds its rows to it. Rows are not gated: they are there to
// see where a change comes from. Figures are per turn of a row, and each row says in its name what a turn is.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Bench } from "tinybench";
import type { Case, CaseResult, Context, Row } from "../case.js";
import { DIST } from "../process.js";

type AddRows = (bench: Bench) => void | Promise<void>;

const FOLDER = join(DIST, "bench/micro");

/** Time for each row of a full run. */
const ROW_MS = 250;

function microCase(file: string): Case {
  const name = `micro-${file.slice(0, -".js".length)}`;
  const title = `bench/micro/${file.slice(0, -".js".length)}.ts, in process`;
  return { name, title, quick: false, run: (context) => runMicro(name, title, file, context) };
}

async function runMicro(name: string, title: string, file: string, context: Context): Promise<CaseResult> {
  const time = Math.round(ROW_MS * context.effort.scale);
  const bench = new Bench({ time, warmup: time > 10, warmupTime: time / 4, iterations: 1, throws: true });
  for (const addRows of await exportsOf(file)) await addRows(bench);
  bench.addEventListener("cycle", ({ task }) => context.progress(task?.name ?? ""));
  await bench.run();
  return { name, title, rows: bench.tasks.map(rowOf) };
}

async function exportsOf(file: string): Promise<AddRows[]> {
  const module: Record<string, unknown> = await import(join(FOLDER, file));
  const found = Object.entries(module).flatMap(([key, value]) => {
    // By convention: the default export, or whatever is called add…Rows, takes a Bench.
    return typeof value === "function" && (key === "default" || /^add\w*Rows$/.test(key))
      ? [value as AddRows]
      : [];
  });
  if (found.length === 0) throw new Error(`bench/micro/${file} exports no function that takes a Bench`);
  return found;
}

function rowOf({ name, result }: Bench["tasks"][number]): Row {
  if (!("latency" in result)) throw new Error(`${name} has no result: ${result.state}`);
  const { p50, rme } = result.latency;
  const value = p50 * 1000;
  return {
    name,
    title: name,
    kind: "tercet",
    figure: { value, unit: "µs", spread: rme / 100 },
    others: {},
    ratios: [],
  };
}

export const microCases: Case[] = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".js"))
  .map(microCase);
