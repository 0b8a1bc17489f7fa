// An example worker on the msgpack protocol, with the worker SDK of this package.
//
// It offers math::add and math::add_words; the second calls text::words of the other example, which is a JSON worker.
// Where the engine is and what this worker is called stand in the environment, set by whoever starts it (config.yaml).

import { CallError, connect } from "tercet/worker";

const worker = await connect({ description: "Adds numbers (example, msgpack)" });

interface Pair {
  a: number;
  b: number;
}

const pairSchema = {
  type: "object",
  properties: { a: { type: "number" }, b: { type: "number" } },
  required: ["a", "b"],
};

worker.register<Pair, number>(
  "math::add",
  ({ a, b }) => {
    if (typeof a !== "number" || typeof b !== "number")
      throw new CallError("invalid_input", "math::add takes two numbers, as in a=2 b=3");
    return a + b;
  },
  { description: "The sum of a and b", request: pairSchema, response: { type: "number" } },
);

worker.register<{ text: string }, number>(
  "math::add_words",
  async ({ text }, context) => {
    const { words } = await context.call<{ words: string[] }>("text::words", { text });
    return words.map(Number).reduce((sum, number) => sum + (Number.isFinite(number) ? number : 0), 0);
  },
  { description: "The sum of all numbers that occur in text" },
);

// Finishes what it is doing, then the process has nothing left to wait for and ends.
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => worker.close());
