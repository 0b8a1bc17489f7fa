// Random edits of a config.yaml under a running engine: add, remove, change, tune, break, fix; written in three ways.
//
// A model says which processes must run after each edit. After a valid one exactly these run, those that did not
// change under the process id they had; after a broken one nothing has changed. Run alone for a long series:
//
//   node dist/test/integration/random-edits.js [edits, default 200] [seed]
import { strict as assert } from "node:assert";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { connect, type Worker } from "../../src/worker/index.js";
import { eventually } from "../support/eventually.js";
import { Random } from "../support/random.js";
import { Tercet } from "../support/tercet.js";

interface Declared {
  /** Part of its environment: a change needs new processes. */
  version: number;
  /** Its stop.grace_ms: a change needs none. */
  graceMs: number;
  replicas: number;
}

type Model = Map<string, Declared>;

const BREAKS = [
  "  - { name: a b, command: [x] }\n",
  "  - {\n",
  "sever: {}\n",
  "  - { name: nope, command: [nowhere-to-be-found] }\n",
  "\tx: 1\n",
  "  - { name: c, command: [sleep], depends_on: [d] }\n",
];

function textOf(model: Model, mark: string): string {
  const entries = [...model].map(
    ([name, { version, graceMs, replicas }]) =>
      `  - { name: ${name}, command: [sleep, '1000'], ready: started, replicas: ${replicas}, stop: { grace_ms: ${graceMs} }, env: { VERSION: ${version}, ${mark} } }\n`,
  );
  const list = entries.length === 0 ? "workers: []\n" : `workers:\n${entries.join("")}`;
  return `server: { port: 0 }\nlog: { level: info }\nreload: { settle_ms: 20, on_invalid: keep }\n${list}`;
}

/** Changes the model by one random step; false for a step that breaks the file instead. */
function edit(model: Model, random: Random, step: number): boolean {
  const pick = [...model.keys()][random.below(model.size)];
  const declared = pick === undefined ? undefined : model.get(pick);
  const dice = random.next();
  if (dice < 0.2) return false;
  if (dice < 0.45 || declared === undefined || pick === undefined)
    model.set(`w${step}`, { version: 1, graceMs: 1000, replicas: 1 + random.below(3) });
  else if (dice < 0.6) model.delete(pick);
  else if (dice < 0.75) declared.version++;
  else if (dice < 0.85) declared.graceMs++;
  else declared.replicas = random.below(4);
  return true;
}

/** Process name to everything a change of which needs a new process. */
function expected(model: Model): Map<string, string> {
  const processes = new Map<string, string>();
  for (const [name, { version, replicas }] of model) {
    if (replicas === 1) processes.set(name, `${name} ${version}`);
    else
      for (let index = 0; index < replicas; index++) processes.set(`${name}#${index}`, `${name} ${version}`);
  }
  return processes;
}

function writeSomehow(file: string, text: string, random: Random): void {
  const dice = random.next();
  if (dice < 0.4) return writeFileSync(file, text);
  if (dice < 0.6) rmSync(file);
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

interface Row {
  readonly name: string;
  readonly state: string;
  readonly pid?: number;
}

async function rows(client: Worker): Promise<Row[]> {
  const reply = (await client.call("worker::list", {})) as { workers: Row[] }; // the function's documented shape
  return reply.workers;
}

async function stateOf(client: Worker): Promise<string> {
  const reply = (await client.call("engine::status", {})) as { config: { state: string } }; // the function's documented shape
  return reply.config.state;
}

export interface EditReport {
  readonly edits: number;
  readonly valid: number;
  readonly broken: number;
  /** Times that a process had to live through an edit, and did. */
  readonly kept: number;
}

/** Runs a whole series; throws at the first process too many, too few, or new without need. */
export async function randomEdits(
  edits: number,
  seed: number,
  onStep: (step: number) => void = () => {},
): Promise<EditReport> {
  const random = new Random(seed);
  const it = new Tercet();
  const mark = `TERCET_TEST_WORKER: ${it.directory}`;
  const model: Model = new Map();
  let before = new Map<string, { identity: string; pid: number | undefined }>();
  const report = { edits, valid: 0, broken: 0, kept: 0 };
  it.spawn(textOf(model, mark));
  const client = await connect({ url: await it.url(), reconnect: false, onEvent: () => {} });
  try {
    for (let step = 1; step <= edits; step++) {
      const isValid = edit(model, random, step);
      const text = textOf(model, mark);
      const broken = BREAKS[random.below(BREAKS.length)] ?? "";
      writeSomehow(
        join(it.directory, "config.yaml"),
        isValid ? text : text.replace("workers: []\n", "workers:\n") + broken,
        random,
      );
      const where = `seed ${seed}, edit ${step}`;
      if (isValid) report.valid++;
      else report.broken++;
      if (!isValid)
        await eventually(`${where}: it is refused`, async () => (await stateOf(client)) === "invalid");
      before = await settled(client, isValid ? expected(model) : undefined, before, report, where);
      const running = before.size === 0 ? [] : [...before.values()].map(({ pid }) => pid ?? 0);
      await eventually(`${where}: exactly the declared processes run`, () =>
        sameNumbers(it.workers(), running),
      );
      onStep(step);
    }
    it.signal("SIGTERM");
    assert.equal(await it.exited(), 0, `seed ${seed}: it ended in order`);
  } catch (error) {
    const last = it.lines.slice(-30).map((line) => JSON.stringify(line));
    throw new Error(`${String(error)}\n${last.join("\n")}\n${it.err}`);
  } finally {
    await client.close();
    await it.close();
  }
  return report;
}

/** Waits until the declared processes are ready (`wanted` undefined: the same as before), then compares process ids. */
async function settled(
  client: Worker,
  wanted: Map<string, string> | undefined,
  before: ReadonlyMap<string, { identity: string; pid: number | undefined }>,
  report: { kept: number },
  where: string,
): Promise<Map<string, { identity: string; pid: number | undefined }>> {
  const target = wanted ?? new Map([...before].map(([name, { identity }]) => [name, identity]));
  const list = await eventually(`${where}: ${[...target.keys()].join(", ") || "none"} ready`, async () => {
    const found = await rows(client);
    const isThere =
      found.length === target.size && found.every(({ name, state }) => target.has(name) && state === "ready");
    const isFresh = found.every(
      ({ name, pid }) => before.get(name)?.pid !== pid || before.get(name)?.identity === target.get(name),
    );
    const isTaken = wanted === undefined || (await stateOf(client)) === "in_force";
    return isThere && isFresh && isTaken ? found : undefined;
  });
  const now = new Map(list.map(({ name, pid }) => [name, { identity: target.get(name) ?? "", pid }]));
  for (const [name, { identity, pid }] of now) {
    const known = before.get(name);
    if (known === undefined || known.identity !== identity) continue;
    assert.equal(pid, known.pid, `${where}: ${name} did not change and has another process`);
    report.kept++;
  }
  return now;
}

function sameNumbers(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((each) => other.includes(each));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [edits = "200", seed = String(Date.now() % 100_000)] = process.argv.slice(2);
  process.stdout.write(`seed ${seed}\n`);
  const report = await randomEdits(Number(edits), Number(seed), (step) => {
    if (step % 10 === 0) process.stdout.write(`${step} `);
  });
  process.stdout.write(`\n${JSON.stringify(report)}\n`);
}
