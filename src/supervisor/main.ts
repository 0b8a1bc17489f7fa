// The supervisor's process: forked by the engine while that is small, talks to it over the channel that fork gave both.
//
// Signals that reach the whole terminal or the whole service are the engine's to answer: it stops the workers in order
// and then lets go of this process. When the channel closes without a goodbye the engine is dead, and nothing of it may stay.
import { createLogger, type LogFormat, type LogLevel } from "../log.js";
import type { Pipe } from "./channel.js";
import { SupervisorService } from "./service.js";

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE"] as const) process.on(signal, () => {});

const [level = "info", format = "auto"] = process.argv.slice(2);
// both were checked by the schema of the configuration before the engine passed them on
const log = createLogger({ level: level as LogLevel, format: format as LogFormat, isSync: true }).child({
  part: "supervisor",
});

const pipe: Pipe = {
  send: (frame) => {
    // An engine that was killed a moment ago leaves a broken channel, which tells so by "disconnect"; without a callback it would be thrown.
    if (process.connected) process.send?.(frame, undefined, undefined, () => {});
  },
  onFrame: (listener) => process.on("message", listener),
};
const service = new SupervisorService(pipe, log);
process.once("disconnect", () => {
  void service.engineIsGone().then(() => process.exit(0));
});
