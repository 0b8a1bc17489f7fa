// npm run fuzz -- --inputs 1000000 [--only NAME] [--seed N]: every fuzzer, so many inputs each, in slices with seeds of their own.
// Ends with 1 at the first wrong input, and says what repeats it.
//
// Inputs are seeded and made with knowledge of their structure, not guided by coverage: what decides here are a WebAssembly scanner, tables over bytes
// and a socket server in C++, of which an instrumentation of JavaScript sees nothing; and a second way to run would find inputs that the tests' seeds do not repeat.
import { parseArgs } from "node:util";
import { config } from "./config.js";
import { type Figures, type Fuzzer, Tally, WrongInput } from "./fuzzer.js";
import { jsonDoor } from "./json-door.js";
import { msgpack } from "./msgpack.js";
import { msgpackDoor } from "./msgpack-door.js";
import { scanner } from "./scanner.js";
import { translate } from "./translate.js";
import { upgrades } from "./upgrades.js";

const FUZZERS: readonly Fuzzer[] = [scanner, translate, msgpack, msgpackDoor, jsonDoor, upgrades, config];
const REPORT_EVERY_MS = 10_000;

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "1000000" },
    only: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const inputs = Number(values.inputs);
const seed = Number(values.seed);
const chosen = FUZZERS.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0 || !(inputs > 0) || !Number.isSafeInteger(seed)) {
  say(`usage: npm run fuzz -- [--inputs N] [--seed N] [--only ${FUZZERS.map(({ name }) => name).join("|")}]`);
  process.exit(2);
}
/** What repeats the slice that runs. Also told of a mistake of the engine's own that no check sees: it ends the process. */
let running = "";
process.on("uncaughtException", (error) => wrong(error, "the process would have ended"));

try {
  for (const fuzzer of chosen) await fuzz(fuzzer);
} catch (error) {
  if (!(error instanceof WrongInput)) throw error;
  wrong(error.cause, error.message);
}

function wrong(cause: unknown, what: string): never {
  say(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
  say(`\nWRONG: ${what}\nagain: npm run fuzz -- ${running}`);
  process.exit(1);
}

async function fuzz(fuzzer: Fuzzer): Promise<void> {
  say(`${fuzzer.name}: ${fuzzer.about}; ${inputs} inputs from seed ${seed}`);
  const tally = new Tally();
  const startedMs = performance.now();
  let reportedMs = startedMs;
  for (let done = 0, slice = seed; done < inputs; slice++) {
    const part = Math.min(fuzzer.sliceInputs, inputs - done);
    running = `--only ${fuzzer.name} --seed ${slice} --inputs ${part}`;
    for (const [what, count] of Object.entries(await fuzzer.run(slice, part))) tally.add(what, count);
    done += part;
    if (performance.now() - reportedMs < REPORT_EVERY_MS && done < inputs) continue;
    reportedMs = performance.now();
    say(`  ${done} inputs, ${Math.round((1_000 * done) / (reportedMs - startedMs))}/s`);
  }
  say(`  ${shown(tally.figures)}`);
}

function shown(figures: Figures): string {
  return Object.entries(figures)
    .map(([what, count]) => `${what}: ${count}`)
    .join(", ");
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
