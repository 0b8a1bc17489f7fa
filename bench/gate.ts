// npm run bench:gate: has this tree become slower than another one?
//
//   npm run bench:gate -- --base REVISION    builds REVISION in a temporary folder and lets both engines take turns
//                                            against the same control rows; fails where head ÷ base is over its budget
//   npm run bench:gate                       without a base (a first or shallow clone): fails where the ratio to the
//                                            control row is over its budget
//
// All sides take turns, and what is judged is the median of the ratios turn by turn together with the interval in which it lies with
// nine chances in ten. Turns are added until that interval lies on one side of the budget. When it does not after the last turn,
// the case is inconclusive and measured again with fresh processes, as is one that was found beyond: once may be the weather.
// Exit codes: 0 within budget · 1 beyond · 2 wrong usage · 3 still inconclusive after the last attempt.

import { execFileSync } from "node:child_process";
import { symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CONTROL_SPREAD_MAX, GATE_CASES, type GateCase } from "./budget.js";
import { type Context, type Effort, FULL, type Row, turnsS } from "./case.js";
import { controlSide, engineSide } from "./cases/sides.js";
import { heading, machine } from "./machine.js";
import { COUNT_COLLECTIONS, temporaryFolder } from "./process.js";
import { Progress } from "./progress.js";
import { CPU_PER_CALL, type Running, type Side, slicesOf, Turns, withSides } from "./slices.js";
import { table } from "./table.js";
import { undoAtExit } from "./undo.js";

const ATTEMPTS = 3;
/** Shorter slices than the tables take: medians of ratios gain from many turns. `slices` is how many are taken between two looks. */
const EFFORT: Effort = { ...FULL, sliceMs: 400, slices: 7 };
const QUICK_EFFORT: Effort = { ...FULL, warmupMs: 400, sliceMs: 250, slices: 7 };
/** After so many looks a case is judged as it stands. */
const LOOKS = 4;

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

/** `open`: the turns so far leave it open on which side of the budget the ratio lies. */
type Verdict = "within" | "beyond" | "inconclusive" | "open";

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
  const outer = temporaryFolder("tercet-gate-");
  const folder = join(outer.folder, "tree");
  const git = (...args: string[]) => execFileSync("git", args, { stdio: "pipe" });
  const removeTree = () => git("worktree", "remove", "--force", folder);
  const forget = undoAtExit(removeTree);
  git("worktree", "add", "--detach", "--force", folder, revision);
  const remove = () => {
    forget();
    removeTree();
    outer.remove();
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
 * per million, where its time would hide in the noise. Then by the ratio, as soon as the turns so far can say it. After the
 * last turn its median decides, unless it is over the budget and the control did not hold still either.
 */
export function judge(rows: Row[], one: GateCase, hasBase: boolean, isLast: boolean): Judged {
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
  const { value, low = 0, high = Number.POSITIVE_INFINITY } = ratio;
  const moved = row(rows, one.control).figure.spread ?? 0;
  const why = [
    `${value.toFixed(3)} × ${against} (${low.toFixed(3)} to ${high.toFixed(3)}), at most ${most}: ${one.why}`,
    `${collections.toFixed(2)} collections/M`,
    `the control moved by ${(100 * moved).toFixed(0)} %`,
  ].join("; ");
  if (high <= most) return { verdict: "within", why };
  if (low > most) return { verdict: "beyond", why };
  if (!isLast) return { verdict: "open", why };
  if (value <= most) return { verdict: "within", why };
  return { verdict: moved <= CONTROL_SPREAD_MAX ? "beyond" : "inconclusive", why };
}

function row(rows: Row[], name: string): Row {
  const found = rows.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`${name} was not measured`);
  return found;
}

/** Turns until they say something, LOOKS times as many at most. */
async function measuredOnce(one: GateCase, hasBase: boolean, running: Running[], context: Context) {
  const turns = new Turns(slicesOf(running, CPU_PER_CALL, context), CPU_PER_CALL, context);
  for (let look = 1; ; look++) {
    await turns.take(context.effort.slices);
    const rows = turns.rows();
    const judged = judge(rows, one, hasBase, look === LOOKS);
    if (judged.verdict !== "open") return { rows, judged };
  }
}

async function measured(one: GateCase, base: Base | undefined, context: Context): Promise<Judged> {
  const hasBase = base !== undefined;
  let judged: Judged = { verdict: "inconclusive", why: "not measured" };
  for (let attempt = 1; attempt <= ATTEMPTS && judged.verdict !== "within"; attempt++) {
    const startMs = performance.now();
    const { rows, judged: next } = await withSides(sidesOf(one, base), context, (running) =>
      measuredOnce(one, hasBase, running, context),
    );
    const title = `${one.path}, attempt ${attempt}`;
    const tookS = (performance.now() - startMs) / 1000;
    process.stdout.write(table({ name: one.name, title, rows, unmeasured: [], tookS }));
    // Beyond the budget twice in a row is an answer; once may be the weather.
    if (next.verdict === "beyond" && judged.verdict === "beyond") return next;
    judged = next;
    process.stdout.write(`  ${judged.verdict}: ${judged.why}\n`);
  }
  return judged;
}

function contextOf(effort: Effort, progress: Progress): Context {
  return {
    effort,
    engine: { nodeOptions: COUNT_COLLECTIONS },
    controlsOnly: false,
    progress: (what) => progress.step(what),
    giveUp: ({ title }, why) => {
      throw new Error(`${title} cannot be measured`, { cause: why });
    },
  };
}

async function gate(): Promise<number> {
  const { base: revision, quick } = parse();
  process.stdout.write(`${heading(machine())}\n`);
  const base = revision === undefined ? undefined : buildBase(revision);
  try {
    const cases = GATE_CASES.filter((one) => !quick || one.quick);
    const effort = quick ? QUICK_EFFORT : EFFORT;
    const sides = base === undefined ? 2 : 3;
    const plan = cases.map(({ name, path }) => ({ name: `${name} ${path}`, takesS: turnsS(effort, sides) }));
    const progress = new Progress(plan);
    const context = contextOf(effort, progress);
    const verdicts: Verdict[] = [];
    for (const one of cases) {
      progress.begin();
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
