// npm run test:restarts -- --steps 10000 --seed 1: staged cuts and rolling restarts as far as one likes. Prints the seed, so that a failure can be had again.
import { parseArgs } from "node:util";
import { startEngine } from "../../src/engine.js";
import { createLogger } from "../../src/log.js";
import { RollingFleet } from "./rolling-fleet.js";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "10000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const steps = Number(values.steps);
const engine = await startEngine({
  listeners: [{ host: "127.0.0.1", port: 0 }],
  log: createLogger({ level: "silent" }),
});
const startedAtMs = performance.now();
process.stdout.write(`cuts and rolling restarts: ${steps} steps, seed ${values.seed}\n`);
const fleet = new RollingFleet(engine, engine.listeners[0]?.port ?? 0, Number(values.seed));
const CHUNK = 1_000;
await fleet.start();
for (let done = 0; done < steps; done += CHUNK) {
  await fleet.roll(Math.min(CHUNK, steps - done));
  const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1);
  process.stdout.write(
    `${Math.min(done + CHUNK, steps)} steps, nothing missing, nothing dead; ${seconds} s\n`,
  );
}
await fleet.end();
await engine.close();
process.stdout.write(`steps taken: ${JSON.stringify(Object.fromEntries(fleet.taken))}\n`);
