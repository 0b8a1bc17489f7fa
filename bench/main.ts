// npm run bench: measures the cases, prints a table per case and writes everything as JSON.
//
//   npm run bench                       all of it, under fifteen minutes
//   npm run bench -- --quick            the heart of it, within a minute
//   npm run bench -- call-128-64 …      single cases by name (a name ending in * is a prefix)
//   npm run bench -- --list             the names
//   npm run bench -- --profile CASE     and where the engine's time goes (one profile per way through it)

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Case, type CaseResult, FULL, QUICK } from "./case.js";
import { CASES } from "./cases/index.js";
import { profileReport } from "./profile.js";
import { heading, machine, Progress, type Results, revision, summary, table, write } from "./report.js";

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

async function bench(cases: Case[]): Promise<CaseResult[]> {
  const progress = new Progress(cases.length);
  const effort = options.quick ? QUICK : FULL;
  const results: CaseResult[] = [];
  for (const one of cases) {
    progress.begin(one.name);
    const folder = options.profile ? mkdtempSync(join(tmpdir(), `tercet-profile-${one.name}-`)) : undefined;
    const engine = folder === undefined ? {} : { nodeOptions: ["--cpu-prof", `--cpu-prof-dir=${folder}`] };
    const step = (what: string) => progress.step(what);
    const result = await one.run({ effort, controlsOnly: options.controls, engine, progress: step });
    progress.end();
    process.stdout.write(table(result));
    if (folder !== undefined) process.stdout.write(`${profileReport(folder)}\n`);
    results.push(result);
  }
  return results;
}

if (options.list) {
  for (const one of CASES) process.stdout.write(`${one.name.padEnd(22)} ${one.title}\n`);
} else {
  const startedAt = new Date().toISOString();
  const where = machine();
  process.stdout.write(`${heading(where)}\n`);
  const cases = await bench(chosen());
  const results: Results = {
    startedAt,
    revision: revision(),
    machine: where,
    effort: options.quick ? QUICK : FULL,
    cases,
  };
  const path = options.out ?? `bench/results/${startedAt.replaceAll(/[:.]/g, "-")}.json`;
  write(path, results);
  process.stdout.write(`\n${summary(cases)}\nwritten to ${path}\n`);
  process.exit(0);
}
