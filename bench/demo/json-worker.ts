// One of the demo's workers: the official iii-sdk on the JSON protocol.

import { registerWorker } from "iii-sdk";
import { answerOf, DIGEST_FUNCTION, type Question } from "./digest.js";

const name = process.env["III_WORKER_NAME"] ?? "json";
const iii = registerWorker(process.env["III_URL"] ?? "ws://127.0.0.1:49134", {
  otel: { enabled: false },
  enableMetricsReporting: false,
});
iii.registerFunction(DIGEST_FUNCTION, async (question: Question) => answerOf(question, name));

process.once("SIGTERM", () => iii.shutdown());
