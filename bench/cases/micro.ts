// The parts by themselves, in this process, by tinybench: every module of bench/micro/ is a case, and so is the
// whole path of bench/path/.
//
// Such a module exports one function that takes a `Bench` and adds its rows to it. Rows are not gated: they are there to
// see where a change comes from. Figures are per turn of a row, and each row says in its name what a turn is.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Bench } from "tinybench";
import type { Case, CaseResult, Context, Effort, Row } from "../case.js";
import { DIST } from "../process.js";

type AddRows = (bench: Bench) => void | Promise<void>;

/** Folders whose modules are cases; a case is called after its folder's last word and its file. */
const FOLDERS = { micro: /\.js$/, path: /^frame-to-frame\.js$/ } as const;
type Folder = keyof typeof FOLDERS;

/** How many rows a module has is known when it is loaded: a dozen or two. */
const takesS = ({ scale }: Effort): number => 6 * scale;
/** Rows whose names begin with these are what the others are held against. */
const CONTROL = /^(?:control|copy alone|JSON\.parse)\b/;

/** Time for each row of a full run. */
const ROW_MS = 250;

function moduleCase(folder: Folder, file: string): Case {
  const stem = file.slice(0, -".js".length);
  const name = `${folder}-${stem}`;
  const title = `bench/${folder}/${stem}.ts, in process`;
  const path = join(DIST, "bench", folder, file);
  return { name, title, quick: false, takesS, run: (context) => runModule(name, title, path, context) };
}

async function runModule(name: string, title: string, path: string, context: Context): Promise<CaseResult> {
  const time = Math.round(ROW_MS * context.effort.scale);
  const bench = new Bench({ time, warmup: time > 10, warmupTime: time / 4, iterations: 1, throws: true });
  for (const addRows of await exportsOf(path)) await addRows(bench);
  bench.addEventListener("cycle", ({ task }) => context.progress(task?.name ?? ""));
  await bench.run();
  return { name, title, rows: bench.tasks.map(rowOf) };
}

async function exportsOf(path: string): Promise<AddRows[]> {
  const module: Record<string, unknown> = await import(path);
  const found = Object.entries(module).flatMap(([key, value]) => {
    // By convention: the default export, or whatever is called add…Rows, takes a Bench.
    return typeof value === "function" && (key === "default" || /^add\w*Rows$/.test(key))
      ? [value as AddRows]
      : [];
  });
  if (found.length === 0) throw new Error(`${path} exports no function that takes a Bench`);
  return found;
}

function rowOf({ name, result }: Bench["tasks"][number]): Row {
  if (!("latency" in result)) throw new Error(`${name} has no result: ${result.state}`);
  const { p50, rme } = result.latency;
  const value = p50 * 1000;
  return {
    name,
    title: name,
    kind: CONTROL.test(name) ? "control" : "tercet",
    figure: { value, unit: "µs", spread: rme / 100 },
    others: {},
    ratios: [],
  };
}

export const microCases: Case[] = (["path", "micro"] as const).flatMap((folder) => {
  const files = readdirSync(join(DIST, "bench", folder)).filter((file) => FOLDERS[folder].test(file));
  return files.map((file) => moduleCase(folder, file));
});
