// `npm run demo`: the main job on real input.
//
// Starts the real engine with a JSON worker (official SDK) and a pool of msgpack workers, and sends every package.json, README
// and licence text below node_modules to them, from a caller on each protocol. Checks every answer against its own count and hash,
// prints the figures, and ends with code 1 when one answer is missing, doubled or wrong.

import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Caller } from "./caller.js";
import { findDocuments } from "./documents.js";
import { EngineProcess } from "./engine-process.js";
import { FanOut } from "./fan-out.js";
import { connectJson } from "./json-caller.js";
import { Ledger, type Outcome } from "./ledger.js";
import { connectMsgpack } from "./msgpack-caller.js";
import { Progress } from "./progress.js";
import { reportOf } from "./report.js";
import { workersReady } from "./workers-ready.js";

const ROOT = new URL("../../../", import.meta.url);

const { values } = parseArgs({
  options: {
    /** How often every document is sent, by each caller. */
    rounds: { type: "string", default: "10" },
    /** Where the documents are. */
    folder: { type: "string", default: fileURLToPath(new URL("node_modules", ROOT)) },
    /** The engine's configuration. */
    config: { type: "string", default: fileURLToPath(new URL("bench/demo/config.yaml", ROOT)) },
    /** How long the demo waits for the next answer before it counts the rest as missing. */
    "patience-ms": { type: "string", default: "10000" },
  },
});

const rounds = countOf("rounds", values.rounds);
const patienceMs = countOf("patience-ms", values["patience-ms"]);
const documents = findDocuments(values.folder);
const place = relative(process.cwd(), values.folder) || values.folder;
console.log(`${documents.length.toLocaleString("en")} documents below ${place}`);

const engine = new EngineProcess(values.config);
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void engine.stop().then(() => process.exit(1)));
const isClean = await work(engine).catch(async (error: unknown) => {
  await engine.stop();
  throw error;
});
process.exitCode = isClean ? 0 : 1;

async function work(engine: EngineProcess): Promise<boolean> {
  const url = await engine.ready();
  const workers = await workersReady(url);
  console.log(`engine on ${url}, workers: ${workers.join(", ")}\n`);

  const ledger = new Ledger();
  const fanOuts: FanOut[] = [];
  const callers: Caller[] = [];
  for (const connect of [connectJson, connectMsgpack]) {
    const at = callers.length;
    const onOutcome = (number: number, outcome: Outcome): void => fanOuts[at]?.onOutcome(number, outcome);
    const caller = await connect(url, onOutcome);
    callers.push(caller);
    fanOuts.push(new FanOut(caller, ledger, documents, rounds));
  }

  const startMs = performance.now();
  for (const fanOut of fanOuts) fanOut.send();
  const total = fanOuts.reduce((sum, { size }) => sum + size, 0);
  const elapsedMs = (await answers(ledger, total)) - startMs;
  ledger.giveUp();

  // The engine ends first and closes the callers' connections last: what it had to say is said by then.
  const exitCode = await engine.stop();
  await Promise.all(callers.map(({ closed }) => closed));

  const run = { documents, ledger, callers: callers.map(({ protocol }) => protocol), workers, elapsedMs };
  console.log(`\n${reportOf(run)}`);
  if (exitCode !== 0) console.log(`the engine ended with code ${exitCode}:\n${engine.log.join("\n")}`);
  const isClean = ledger.isClean && ledger.calls === total && exitCode === 0;
  console.log(isClean ? "every answer came once and is right" : "NOT every answer came once and is right");
  return isClean;
}

/** Resolves when every call is answered, or no answer has come for a while: with the moment of the last one. */
async function answers(ledger: Ledger, total: number): Promise<number> {
  const progress = new Progress(process.stdout, total);
  let lastMs = performance.now();
  for (let seen = 0; ledger.answered < total; ) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (ledger.answered > seen) lastMs = performance.now();
    else if (performance.now() - lastMs > patienceMs) break;
    seen = ledger.answered;
    progress.show(seen, ledger.bytes);
  }
  progress.end(ledger.answered, ledger.bytes);
  return lastMs;
}

function countOf(option: string, text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  console.error(`--${option} is a whole number above 0, not ${JSON.stringify(text)}`);
  process.exit(2);
}
