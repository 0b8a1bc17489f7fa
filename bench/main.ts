// npm run bench: measures the cases, prints a table per case and writes everything as JSON.
//
//   npm run bench                       all of it, under fifteen minutes
//   npm run bench -- --quick            the heart of it, within a minute
//   npm run bench -- call-128-64 …      single cases by name (a name ending in * is a prefix)
//   npm run bench -- --list             the names, and about how long each takes
//   npm run bench -- --profile CASE     and where the engine's time goes (one profile per way through it)

import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { type Case, FULL, type MeasuredCase, QUICK } from "./case.js";
import { CASES } from "./cases/index.js";
import { heading, machine, revision } from "./machine.js";
import { temporaryFolder } from "./process.js";
import { profileReport } from "./profile.js";
import { Progress } from "./progress.js";
import { type Results, writeResults } from "./results.js";
import { runCase } from "./run-case.js";
import { summary, table } from "./table.js";
import { clockTime } from "./terminal.js";

const USAGE = "npm run bench -- [--quick] [--list] [--controls] [--profile] [--out FILE] [case …]";

const { values: options, positionals: names } = parse();

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: "boolean", default: false },
        list: { type: "boolean", default: false },
        controls: { type: "boolean", default: false },
        profile: { type: "boolean", default: false },
        out: { type: "string" },
      },
    });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${USAGE}\n`);
    process.exit(2);
  }
}

function chosen(): Case[] {
  if (names.length === 0) return CASES.filter((one) => !options.quick || one.quick);
  const matches = (one: Case, name: string) =>
    name.endsWith("*") ? one.name.startsWith(name.slice(0, -1)) : one.name === name;
  const unknown = names.filter((name) => !CASES.some((one) => matches(one, name)));
  if (unknown.length > 0) {
    process.stderr.write(`No case named ${unknown.join(", ")}. See: npm run bench -- --list\n`);
    process.exit(2);
  }
  return CASES.filter((one) => names.some((name) => matches(one, name)));
}

async function bench(cases: Case[], progress: Progress): Promise<MeasuredCase[]> {
  const results: MeasuredCase[] = [];
  for (const one of cases) {
    progress.begin();
    const profile = options.profile ? temporaryFolder(`tercet-profile-${one.name}-`) : undefined;
    const result = await runCase(one, {
      effort,
      controlsOnly: options.controls,
      engine:
        profile === undefined ? {} : { nodeOptions: ["--cpu-prof", `--cpu-prof-dir=${profile.folder}`] },
      progress: (what) => progress.step(what),
    });
    progress.end();
    process.stdout.write(table(result));
    if (profile !== undefined) process.stdout.write(`${profileReport(profile.folder)}\n`);
    profile?.remove();
    results.push(result);
  }
  return results;
}

/** The names with the time each takes in a full run. */
function list(): string {
  const lines = CASES.map((one) => {
    const seconds = `${Math.ceil(one.takesS(FULL))} s`.padStart(6);
    return `${one.name.padEnd(22)}${seconds}  ${one.quick ? "quick" : "     "}  ${one.title}`;
  });
  const total = CASES.reduce((sum, one) => sum + one.takesS(FULL), 0);
  return `${lines.join("\n")}\nall of them: about ${clockTime(total)}\n`;
}

/** As somebody would type it again. */
function command(): string {
  const given = process.argv.slice(2).filter((word, at, all) => word !== "--out" && all[at - 1] !== "--out");
  return given.length === 0 ? "npm run bench" : `npm run bench -- ${given.join(" ")}`;
}

const effort = options.quick ? QUICK : FULL;

if (options.list) {
  process.stdout.write(list());
  process.exit(0);
}

const startMs = performance.now();
const startedAt = new Date().toISOString();
const where = machine();
const cases = chosen();
const progress = new Progress(cases.map((one) => ({ name: one.name, takesS: one.takesS(effort) })));
process.stdout.write(
  `${heading(where)}\n${cases.length} ${cases.length === 1 ? "case" : "cases"}, about ${clockTime(progress.totalS)}\n`,
);
const measured = await bench(cases, progress);
const results: Results = {
  command: command(),
  startedAt,
  revision: revision(),
  machine: where,
  effort,
  tookS: (performance.now() - startMs) / 1000,
  cases: measured,
};
const path = options.out ?? `bench/results/${startedAt.replaceAll(/[:.]/g, "-")}.json`;
writeResults(path, results);
process.stdout.write(`\n${summary(measured)}\n${clockTime(results.tookS)}, written to ${path}\n`);
// Worker threads and sockets of a case that was given up may still hold the process.
process.exit(measured.some(({ unmeasured }) => unmeasured.length > 0) ? 1 : 0);
