// One of the demo's pool of workers: the SDK of this package on the msgpack protocol.

import { connect } from "tercet/worker";
import { answerOf, DIGEST_FUNCTION, type Question } from "./digest.js";

const name = process.env["III_WORKER_NAME"] ?? "msgpack";
const worker = await connect();
worker.register<Question, unknown>(DIGEST_FUNCTION, (question) => answerOf(question, name));

process.once("SIGTERM", () => worker.close());
