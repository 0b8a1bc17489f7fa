// A worker of the official npm SDK in a process of its own, made to be killed: victim::echo answers, victim::hang never does
// and says on standard output when a call has reached it.

import { registerWorker } from "iii-sdk";

const iii = registerWorker(process.env["III_URL"] ?? "", {
  otel: { enabled: process.env["OTEL_ENABLED"] === "true" },
});
iii.registerFunction("victim::echo", async (data: unknown) => data);
iii.registerFunction("victim::hang", () => {
  console.log("hanging");
  return new Promise(() => undefined);
});
