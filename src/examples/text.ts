// An example worker on the JSON protocol, with the official SDK as it is (npm iii-sdk).
//
// It offers text::words and text::measure; the second calls math::add of the other example, which is a msgpack worker.
// The SDK finds this worker's name in the environment by itself; the engine's address is handed to it.

import { registerWorker } from "iii-sdk";

const iii = registerWorker(process.env["III_URL"] ?? "ws://127.0.0.1:49134", {
  workerDescription: "Splits and measures text (example, JSON)",
  otel: { enabled: false },
  enableMetricsReporting: false,
});

const wordsOf = (text: unknown): string[] => String(text ?? "").match(/[\p{L}\p{N}'-]+/gu) ?? [];

iii.registerFunction("text::words", async ({ text }: { text: string }) => ({ words: wordsOf(text) }), {
  description: "The words of text, in order",
});

iii.registerFunction(
  "text::measure",
  async ({ text }: { text: string }) => {
    let letters = 0;
    const words = wordsOf(text);
    for (const word of words) {
      const payload = { a: letters, b: [...word].length };
      letters = await iii.trigger<typeof payload, number>({ function_id: "math::add", payload });
    }
    return { words: words.length, letters };
  },
  { description: "How many words text has, and how many letters they have together" },
);

// The SDK keeps the process alive until it is shut down.
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => iii.shutdown());
