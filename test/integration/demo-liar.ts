// A worker that spoils the demo: a wrong hash for one document, no answer at all for another.

import { connect } from "tercet/worker";
import { answerOf, DIGEST_FUNCTION, type Question } from "../../bench/demo/digest.js";

const worker = await connect();
worker.register<Question, unknown>(DIGEST_FUNCTION, (question) => {
  if (question.path === "all of README") return new Promise(() => undefined);
  const answer = answerOf(question, "liar");
  return question.path === "everything" ? { ...answer, sha256: answer.sha256.replace(/^./, "x") } : answer;
});
process.once("SIGTERM", () => worker.close({ timeoutMs: 0 }));
