// npm run test:model -- --steps 100000 --seed 1: the model test as far as one likes. Prints the seed, so that a failure can be walked again.
import { parseArgs } from "node:util";
import { startEngine } from "../../src/engine.js";
import { createLogger } from "../../src/log.js";
import { RandomWalk } from "./random-walk.js";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "100000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const steps = Number(values.steps);
const seed = Number(values.seed);
const engine = await startEngine({
  listeners: [{ host: "127.0.0.1", port: 0 }],
  log: createLogger({ level: "silent" }),
});
const startedAt = performance.now();
process.stdout.write(`model test: ${steps} steps, seed ${seed}\n`);
const walk = new RandomWalk(engine, engine.listeners[0]?.port ?? 0, seed);
const CHUNK = 10_000;
try {
  for (let done = 0; done < steps; done += CHUNK) {
    await walk.walk(Math.min(CHUNK, steps - done));
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
    process.stdout.write(`${Math.min(done + CHUNK, steps)} steps agree, ${seconds} s\n`);
  }
  await walk.end();
} finally {
  await walk.abandon();
  await engine.close();
}
process.stdout.write(`steps taken: ${JSON.stringify(Object.fromEntries(walk.taken))}\n`);
