// `engine::top`: everything that `tercet top` shows, as figures since the engine started; whoever asks twice sees what happened in between.

import { checkMayControl } from "../access/controller.js";
import type { Metrics } from "../metrics.js";
import type { Functions } from "../registry/functions.js";
import { INDEX_MASK } from "../registry/slots.js";
import type { Workers } from "../registry/workers.js";
import type { Calls } from "../router/calls.js";
import { quantileMs } from "../router/durations.js";
import type { EndedCalls } from "../router/ended-calls.js";
import { ENGINE_VERSION } from "../version.js";
import { type Builtin, objectInput } from "./builtin.js";

const TOP = "engine::top";
/** Rows of workers and of functions in an answer, the busiest: more than a screen holds. */
const ROWS_MAX = 200;

/** The parts of an engine that are looked at. */
export interface Watched {
  readonly metrics: Metrics;
  readonly calls: Calls;
  readonly workers: Workers;
  readonly functions: Functions;
  readonly endedCalls: EndedCalls;
}

interface WorkerRow {
  id: string;
  name: string | null;
  namespace: string;
  /** Calls it executes now, that wait for it, that it has executed modulo 2^32, and that it waits for. */
  executing: number;
  queued: number;
  executed: number;
  calling: number;
  outbox_bytes: number;
}

interface FunctionRow {
  id: string;
  namespace: string;
  /** Calls that ended since the first of the recent askers asked. */
  calls: number;
  p50_ms: number | null;
  p99_ms: number | null;
}

/** Names of every namespace are in the answer, and asking makes each call cost a look-up: it is for those who may control the engine. Throws FORBIDDEN. */
export function top(engine: Watched, startedAtMs: number): Builtin {
  return {
    id: TOP,
    description:
      "Tells what the engine does now: counters, gauges, durations of calls, the busiest workers and functions. Calls are counted by function while somebody asks.",
    response_format: { type: "object" },
    handle(input, caller) {
      checkMayControl(TOP, caller);
      objectInput(TOP, input);
      return JSON.stringify({
        version: ENGINE_VERSION,
        started_at_ms: startedAtMs,
        now_ms: performance.now(),
        ...figures(engine),
        durations: [...engine.calls.durations.counts],
        workers: workerRows(engine),
        functions: functionRows(engine),
      });
    },
  };
}

/** `counters` and `gauges` by name. */
function figures({ metrics }: Watched): Record<"counters" | "gauges", Record<string, number>> {
  const found = { counters: {} as Record<string, number>, gauges: {} as Record<string, number> };
  for (const { name, kind, read } of [...metrics.counters(), ...metrics.figures])
    found[kind === "counter" ? "counters" : "gauges"][name] = read();
  return found;
}

function workerRows({ workers, calls }: Watched): WorkerRow[] {
  const rows = [...workers.all()].map(({ id, name, namespace, connection }) => ({
    id,
    name,
    namespace: namespace.name,
    executing: calls.inFlight.executing(connection.index),
    queued: calls.queues.lengthOf(connection.index),
    executed: calls.inFlight.executed(connection.index),
    calling: calls.inFlight.calling(connection.index),
    outbox_bytes: connection.outbox.load,
  }));
  rows.sort((a, b) => b.executing + b.calling - (a.executing + a.calling) || b.executed - a.executed);
  return rows.slice(0, ROWS_MAX);
}

function functionRows({ endedCalls, functions }: Watched): FunctionRow[] {
  const rows: FunctionRow[] = [];
  for (const [fn, { counts }] of endedCalls.byFunction()) {
    if (functions.slots.indexOf(fn) === 0) continue;
    rows.push({
      id: functions.names.id(fn & INDEX_MASK),
      namespace: functions.names.namespace(fn & INDEX_MASK),
      calls: counts.reduce((sum, count) => sum + count, 0),
      p50_ms: quantileMs(counts, 0.5),
      p99_ms: quantileMs(counts, 0.99),
    });
  }
  rows.sort((a, b) => b.calls - a.calls);
  return rows.slice(0, ROWS_MAX);
}
