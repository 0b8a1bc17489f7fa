// `npm run chaos -- --minutes 10 --seed 7`: chaos for as long as one likes, then a run of corrupted bytes; prints figures, exits with 1 on a violation.
import { parseArgs } from "node:util";
import { chaos } from "./chaos.js";
import { corruption } from "./corruption.js";
import { mib } from "./invariants.js";

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "1" }, seed: { type: "string" } },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const forMs = Number(values.minutes) * 60_000;
if (!(forMs > 0) || !Number.isInteger(seed))
  throw new Error("usage: npm run chaos -- --minutes N [--seed N]");

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
console.log(`chaos for ${values.minutes} minutes, seed ${seed}`);
const { memory, violations, ...figures } = await chaos({
  seed,
  forMs,
  onCalm: ({ calms, opened, violations }) =>
    console.log(
      `  calm ${calms}: ${opened} calls opened, ${violations.length} violations ${violations.at(-1) ?? ""}`,
    ),
});
console.log(figures);
console.log(`held at each calm, MiB: ${memory.map(({ heldBytes }) => mib(heldBytes)).join(" ")}`);
console.log(`resident at each calm, MiB: ${memory.map(({ rssBytes }) => mib(rssBytes)).join(" ")}`);
const survived = await corruption({ seed, forMs: Math.min(forMs / 10, 30_000) });
console.log(`corrupted bytes: ${survived.corrupted}, connections ended: ${survived.connections}`);
const all = [...violations, ...survived.violations];
for (const violation of all) console.log(`VIOLATION ${violation}`);
console.log(`violations: ${all.length}`);
process.exitCode = all.length === 0 ? 0 : 1;
