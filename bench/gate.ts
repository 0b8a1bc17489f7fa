// npm run bench:gate: has this tree become slower than another one?
//
//   npm run bench:gate -- --base REVISION    builds REVISION in a temporary folder and lets both engines take turns
//                                            against the same control rows; fails where head ÷ base is over its budget
//   npm run bench:gate                       without a base (a first or shallow clone): fails where the ratio to the
//                                            control row is over its budget
//
// When the control itself moves between slices, nothing can be said: the case is inconclusive and measured again.
// Exit codes: 0 within budget · 1 beyond · 2 wrong usage · 3 still inconclusive after the last attempt.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CONTROL_SPREAD_MAX, GATE_CASES, type GateCase } from "./budget.js";
import { type Context, type Effort, FULL, type Row } from "./case.js";
import { controlSide, engineSide } from "./cases/sides.js";
import { COUNT_COLLECTIONS } from "./process.js";
import { heading, machine, Progress, table } from "./report.js";
import { cpuPerCall, type Side } from "./slices.js";

const ATTEMPTS = 3;
/** More, shorter slices than the tables take: medians of ratios gain from many turns. */
const EFFORT: Effort = { ...FULL, sliceMs: 500, slices: 7 };
const QUICK_EFFORT: Effort = { ...FULL, warmupMs: 400, sliceMs: 300, slices: 5 };

const USAGE = "npm run bench:gate -- [--base REVISION] [--quick]";

function parse(): { base: string | undefined; quick: boolean } {
  try {
    const { values } = parseArgs({
      options: { base: { type: "string" }, quick: { type: "boolean", default: false } },
    });
    return { base: values.base, quick: values.quick };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${USAGE}\n`);
    process.exit(2);
  }
}

type Verdict = "within" | "beyond" | "inconclusive";

interface Judged {
  verdict: Verdict;
  why: string;
}

/** A base revision, built; `remove` takes the folder and the worktree away again. */
interface Base {
  dist: string;
  remove(): void;
}

function buildBase(revision: string): Base {
  const folder = join(mkdtempSync(join(tmpdir(), "tercet-gate-")), "tree");
  const git = (...args: string[]) => execFileSync("git", args, { stdio: "pipe" });
  git("worktree", "add", "--detach", "--force", folder, revision);
  const remove = () => {
    git("worktree", "remove", "--force", folder);
    rmSync(resolve(folder, ".."), { recursive: true, force: true });
  };
  try {
    symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
    // The build's warnings are the base's own affair; when it fails, the error carries what it wrote.
    execFileSync("npm", ["run", "--silent", "build"], { cwd: folder, stdio: "pipe" });
  } catch (error) {
    remove();
    throw error;
  }
  return { dist: join(folder, "dist"), remove };
}

function sidesOf(one: GateCase, base: Base | undefined): Side[] {
  const control = controlSide(one.control, one.traffic);
  const head = {
    ...engineSide(one.path, one.name, one.traffic),
    name: "head",
    title: `${one.path}, this tree`,
  };
  if (base === undefined) {
    return [control, { ...head, against: { [one.control]: one.alone } }];
  }
  const title = `${one.path}, base`;
  const engine = { ...head, name: "base", title, against: { [one.control]: undefined } };
  const start = (context: Context) =>
    head.start({ ...context, engine: { ...context.engine, dist: base.dist } });
  return [
    control,
    { ...engine, start },
    { ...head, against: { base: one.budget, [one.control]: undefined } },
  ];
}

/**
 * Judged by garbage collections first, which are a count and do not depend on the weather: one object per call is a few
 * per million, where its time would hide in the noise. Then by the ratio, unless the control did not hold still.
 */
export function judge(rows: Row[], one: GateCase, hasBase: boolean): Judged {
  const head = row(rows, "head");
  const collections = head.others["collections/M"]?.value ?? Number.NaN;
  if (!(collections <= one.collectionsMax)) {
    const found = `${collections.toFixed(2)} garbage collections per million calls`;
    return {
      verdict: "beyond",
      why: `${found}, at most ${one.collectionsMax}: something allocates per call`,
    };
  }
  const [against, most] = hasBase ? ["base", one.budget] : [one.control, one.alone];
  const ratio = head.ratios.find(({ control }) => control === against);
  if (ratio === undefined) throw new Error(`${one.name} was not measured against ${against}`);
  const why = `${ratio.value.toFixed(3)} × ${against}, at most ${most} (${one.why}); ${collections.toFixed(2)} collections/M`;
  if (ratio.value <= most) return { verdict: "within", why };
  const moved = row(rows, one.control).figure.spread ?? 0;
  if (moved <= CONTROL_SPREAD_MAX) return { verdict: "beyond", why };
  return { verdict: "inconclusive", why: `${why}; but the control moved by ${(100 * moved).toFixed(0)} %` };
}

function row(rows: Row[], name: string): Row {
  const found = rows.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`${name} was not measured`);
  return found;
}

async function measured(one: GateCase, base: Base | undefined, context: Context): Promise<Judged> {
  let judged: Judged = { verdict: "inconclusive", why: "not measured" };
  for (let attempt = 1; attempt <= ATTEMPTS && judged.verdict !== "within"; attempt++) {
    const rows = await cpuPerCall(sidesOf(one, base), context);
    process.stdout.write(table({ name: one.name, title: `${one.path}, attempt ${attempt}`, rows }));
    const next = judge(rows, one, base !== undefined);
    // Beyond the budget twice in a row is an answer; once may be the weather.
    if (next.verdict === "beyond" && judged.verdict === "beyond") return next;
    judged = next;
    process.stdout.write(`  ${judged.verdict}: ${judged.why}\n`);
  }
  return judged;
}

async function gate(): Promise<number> {
  const { base: revision, quick } = parse();
  process.stdout.write(`${heading(machine())}\n`);
  const base = revision === undefined ? undefined : buildBase(revision);
  try {
    const cases = GATE_CASES.filter((one) => !quick || one.quick);
    const progress = new Progress(cases.length);
    const context: Context = {
      effort: quick ? QUICK_EFFORT : EFFORT,
      engine: { nodeOptions: COUNT_COLLECTIONS },
      controlsOnly: false,
      progress: (what) => progress.step(what),
    };
    const verdicts: Verdict[] = [];
    for (const one of cases) {
      progress.begin(`${one.name} ${one.path}`);
      const { verdict, why } = await measured(one, base, context);
      progress.end();
      process.stdout.write(`${verdict.padEnd(13)} ${one.name} ${one.path}: ${why}\n`);
      verdicts.push(verdict);
    }
    if (verdicts.includes("beyond")) return 1;
    return verdicts.includes("inconclusive") ? 3 : 0;
  } finally {
    base?.remove();
  }
}

// Imported by its test; run as a program otherwise.
if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(await gate());
