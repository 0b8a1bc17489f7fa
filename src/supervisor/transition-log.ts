// A change of a declared process as one line of the log.
import type { LogFields, Logger } from "../log.js";
import { describeEnding } from "./restart-policy.js";
import type { Transition, UnitState } from "./transition.js";

type Level = "debug" | "info" | "warn" | "error";

const LEVELS: Readonly<Record<UnitState, Level>> = {
  waiting: "info",
  starting: "info",
  ready: "info",
  unready: "warn",
  stopping: "info",
  stopped: "info",
  completed: "info",
  backoff: "warn",
  crash_loop: "error",
  failed: "error",
};

export function logTransition(log: Logger, transition: Transition): void {
  const { worker, state, reason, pid, exit, uptimeMs, restarts, nextStartMs, lastLines, timeMs } = transition;
  const fields: LogFields = {
    worker,
    state,
    ...(pid === undefined ? {} : { pid }),
    ...(exit === undefined ? {} : { exit: describeEnding(exit) }),
    ...(uptimeMs === undefined ? {} : { uptimeMs }),
    ...(restarts === 0 ? {} : { restarts }),
    ...(nextStartMs === undefined ? {} : { nextStartInMs: Math.max(0, nextStartMs - timeMs) }),
    ...(lastLines === undefined || lastLines.length === 0 ? {} : { lastLines }),
  };
  const words = state.replace("_", " ");
  log[LEVELS[state]](
    fields,
    reason === undefined || reason === ""
      ? `worker ${worker} ${words}`
      : `worker ${worker} ${words}: ${reason}`,
  );
}
