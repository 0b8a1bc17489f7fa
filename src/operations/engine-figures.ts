// The figures of a running engine and of its process, registered with the metrics: what is held now, and the bounds it is held to.
//
// They are read when somebody asks (a scrape, `tercet top`), so they may look at every connection; nothing here is on the path of a call.

import { readdirSync } from "node:fs";
import { type EventLoopUtilization, performance } from "node:perf_hooks";
import type { Metrics } from "../metrics.js";
import type { Limits } from "../protocol/limits.js";
import type { Functions } from "../registry/functions.js";
import type { Workers } from "../registry/workers.js";
import type { Calls } from "../router/calls.js";
import type { Connection } from "../transport/connection.js";
import type { Server } from "../transport/server.js";
import type { MemoryCeiling } from "./memory-ceiling.js";
import { residentBytes } from "./resident-memory.js";

/** The parts of an engine whose figures these are. */
export interface EngineParts {
  readonly metrics: Metrics;
  readonly calls: Calls;
  readonly server: Server;
  readonly channels: { readonly open: number };
  readonly triggers: {
    readonly triggers: { readonly count: number };
    readonly types: { readonly count: number };
  };
  readonly workers: Workers;
  readonly functions: Functions;
  readonly memory: MemoryCeiling;
}

export function registerEngineFigures(engine: EngineParts, limits: Limits): void {
  const { metrics, calls, server, channels, triggers } = engine;
  metrics.counter("calls_opened", "Calls that entered the engine.", () => calls.inFlight.opened);
  metrics.counter("calls_ended", "Calls that ended, however they did.", () => calls.inFlight.ended);
  metrics.gauge("calls_open", "Calls awaiting an answer: opened less ended.", () => calls.inFlight.open);
  metrics.gauge(
    "memory_ceiling_bytes",
    "Resident memory near which new work is refused.",
    () => engine.memory.bytes,
  );
  metrics.gauge(
    "memory_waiting_bytes",
    "Bytes waiting in the engine, of all kinds.",
    () => engine.memory.waitingBytes,
  );
  metrics.gauge("memory_near_ceiling", "1 while new work is refused for memory.", () =>
    Number(engine.memory.isNear),
  );
  metrics.gauge("calls_waiting", "Calls waiting for busy workers.", () => calls.queues.length);
  metrics.gauge("calls_waiting_bytes", "Bytes of these calls.", () => calls.queues.bytes);
  metrics.gauge("connections", "Worker connections.", () => server.slots.open);
  metrics.gauge("workers", "Workers that were let in.", () => engine.workers.count);
  metrics.gauge(
    "functions",
    "Functions registered, the engine's own included.",
    () => engine.functions.count,
  );
  metrics.gauge("triggers", "Triggers, active and parked.", () => triggers.triggers.count);
  metrics.gauge("trigger_types", "Trigger types provided.", () => triggers.types.count);
  metrics.gauge("channels", "Channels that are not over.", () => channels.open);
  metrics.gauge(
    "connections_held_back",
    "Connections whose frames wait: for access, or for a hook.",
    () => server.waiting.count,
  );
  metrics.gauge("outbox_bytes", "Bytes waiting for all connections to read them.", () =>
    loads(server.connections).reduce((sum, load) => sum + load, 0),
  );
  metrics.gauge("outbox_largest_bytes", "Bytes waiting for the connection with the most.", () =>
    loads(server.connections).reduce((most, load) => Math.max(most, load), 0),
  );
  for (const [key, bound] of Object.entries(limits))
    metrics.gauge(`limit_${snakeCase(key)}`, `The bound ${key} in force.`, () => Number(bound));
}

function loads(connections: readonly (Connection | undefined)[]): number[] {
  return connections.map((connection) => connection?.outbox.load ?? 0);
}

/** "outboxSoftBytes" as "outbox_soft_bytes". */
function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Figures of this process, under the names that Prometheus clients use, less the prefix. */
export function registerProcessFigures(metrics: Metrics): void {
  const startedS = Date.now() / 1000 - process.uptime();
  metrics.gauge("process_resident_memory_bytes", "Resident memory of the engine's process.", () =>
    residentBytes(),
  );
  metrics.gauge(
    "process_start_time_seconds",
    "When the engine's process started, in seconds since 1970.",
    () => startedS,
  );
  metrics.gauge("process_open_fds", "File descriptors the engine's process has open.", openDescriptors);
  metrics.counter("process_cpu_seconds", "Processor time the engine's process has used.", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  let last: EventLoopUtilization = performance.eventLoopUtilization();
  metrics.gauge(
    "event_loop_utilization",
    "Share of the time since the last look that the event loop was busy, 0 to 1.",
    () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
  );
}

/** NaN where the system has no list of them. */
function openDescriptors(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch (error) {
    if (error instanceof Error && "code" in error) return Number.NaN; // not Linux, or no descriptor left to look with
    throw error;
  }
}
