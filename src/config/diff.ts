// What changes between two configurations, and what each change takes.
//
// One table says for every key whether it can change in a running engine; a new key without an entry does not compile.
// Pure: nothing is applied here.
import { isDeepStrictEqual } from "node:util";
import type { Listener, WorkerSpec } from "./entries.js";
import type { Config } from "./load.js";

export type Effect = "live" | "restart";

type Block = "server" | "limits" | "log" | "metrics" | "reload";
type BlockKey = { [B in Block]: `${B}.${Extract<keyof Config[B], string>}` }[Block];

/** Keys that change as a whole; the last three are told by entries of `workers`. */
type WholeKey =
  | "registration_namespace_grace_ms"
  | "functions"
  | "listeners"
  | "http_functions"
  | "observability";

/** What a change of a top-level key takes: nothing, or a restart of the engine. */
export const EFFECT = {
  "server.host": "restart",
  "server.port": "restart",
  "server.tls": "restart",
  "server.origins": "restart",
  "server.max_message_bytes": "restart",
  "server.idle_timeout_s": "restart",
  "server.handshake_timeout_ms": "restart",
  "server.drain_ms": "live",
  "server.shutdown_timeout_ms": "live",
  "limits.calls_in_flight": "restart",
  "limits.calls_in_flight_per_connection": "restart",
  "limits.calls_executing_per_worker": "restart",
  "limits.queued_bytes_per_caller": "restart",
  "limits.queued_bytes_per_worker": "restart",
  "limits.queued_bytes": "restart",
  "limits.memory_bytes": "restart",
  "limits.call_timeout_ms": "restart",
  "limits.outbox_soft_bytes": "restart",
  "limits.outbox_hard_bytes": "restart",
  "limits.connections": "restart",
  "limits.held_bytes": "restart",
  "limits.connections_per_address": "restart",
  "limits.handshakes_per_address": "restart",
  "limits.functions_per_connection": "restart",
  "limits.function_bytes_per_connection": "restart",
  "limits.triggers_per_connection": "restart",
  "limits.trigger_bytes_per_connection": "restart",
  "limits.trigger_types_per_connection": "restart",
  "limits.channels": "restart",
  "limits.channel_queue_bytes": "restart",
  "limits.channels_queued_bytes": "restart",
  "limits.channel_overrun_bytes": "restart",
  "limits.channel_ttl_ms": "restart",
  "log.level": "live",
  "log.format": "restart",
  "log.slow_call_ms": "live",
  "metrics.host": "restart",
  "metrics.port": "restart",
  "reload.watch": "live",
  "reload.settle_ms": "live",
  "reload.on_invalid": "live",
  registration_namespace_grace_ms: "restart",
  functions: "restart",
  listeners: "restart",
  http_functions: "restart",
  observability: "restart",
} as const satisfies Record<BlockKey | WholeKey, Effect>;

export type ConfigKey = keyof typeof EFFECT;

/** What a change of a key of an entry takes: nothing, or new processes of that worker. */
export const ENTRY_EFFECT = {
  name: "restart",
  command: "restart",
  cwd: "restart",
  env: "restart",
  inherit_env: "restart",
  namespace: "restart",
  replicas: "live",
  depends_on: "live",
  restart: "live",
  ready: "live",
  liveness: "live",
  stop: "live",
  limits: "live",
  watch: "live",
  log: "live",
} as const satisfies Record<keyof WorkerSpec, Effect>;

export interface KeyChange {
  readonly key: ConfigKey;
  readonly effect: Effect;
  readonly from: unknown;
  readonly to: unknown;
}

export interface WorkersDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** New processes are needed. */
  readonly changed: readonly string[];
  /** Taken over by the running processes. */
  readonly adjusted: readonly string[];
  readonly unchanged: readonly string[];
}

export interface ConfigDiff {
  readonly keys: readonly KeyChange[];
  readonly workers: WorkersDiff;
}

export function diffConfig(from: Config, to: Config): ConfigDiff {
  const keys: KeyChange[] = [];
  for (const key of Object.keys(EFFECT) as ConfigKey[]) {
    const [before, after] = [settingOf(from, key), settingOf(to, key)];
    if (!isDeepStrictEqual(before, after)) keys.push({ key, effect: EFFECT[key], from: before, to: after });
  }
  return { keys, workers: diffWorkers(from.workers, to.workers) };
}

/** Whether both configurations mean the same. */
export function isEmptyDiff({ keys, workers }: ConfigDiff): boolean {
  return (
    keys.length +
      workers.added.length +
      workers.removed.length +
      workers.changed.length +
      workers.adjusted.length ===
    0
  );
}

export function diffWorkers(from: readonly WorkerSpec[], to: readonly WorkerSpec[]): WorkersDiff {
  const before = new Map(from.map((spec) => [spec.name, spec]));
  const after = new Set(to.map(({ name }) => name));
  const diff = {
    added: [] as string[],
    removed: [] as string[],
    changed: [] as string[],
    adjusted: [] as string[],
    unchanged: [] as string[],
  };
  for (const { name } of from) if (!after.has(name)) diff.removed.push(name);
  for (const spec of to) {
    const known = before.get(spec.name);
    if (known === undefined) diff.added.push(spec.name);
    else diff[changeOf(known, spec)].push(spec.name);
  }
  return diff;
}

/** How much of a worker has to change for `to` to hold. */
export function changeOf(from: WorkerSpec, to: WorkerSpec): "changed" | "adjusted" | "unchanged" {
  let change: "adjusted" | "unchanged" = "unchanged";
  for (const key of Object.keys(ENTRY_EFFECT) as (keyof WorkerSpec)[]) {
    if (isDeepStrictEqual(from[key], to[key])) continue;
    if (ENTRY_EFFECT[key] === "restart") return "changed";
    change = "adjusted";
  }
  return change;
}

function settingOf(config: Config, key: ConfigKey): unknown {
  if (key === "listeners") return config.listeners.filter((listener) => !isServerBlock(listener));
  if (key === "http_functions" || key === "observability") return config[key];
  if (key === "functions" || key === "registration_namespace_grace_ms") return config[key];
  const [block = "", name = ""] = key.split(".");
  // the table's keys are made of exactly these blocks and their keys
  return (config[block as Block] as Record<string, unknown>)[name];
}

/** The listener of the server block is told by server.host and server.port. */
function isServerBlock(listener: Listener): boolean {
  return listener.name === "server";
}
