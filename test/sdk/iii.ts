// What the tests of the official SDKs share: the npm SDK, quiet and quick to come back, and what the engine says of its workers.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type IIIClient, type InitOptions, registerWorker } from "iii-sdk";
import type { Engine } from "../../src/engine.js";
import { eventually } from "../support/eventually.js";

/** A worker of the official SDK that is shut down when its test ends. */
export function iiiFor(t: TestContext, url: string, options: InitOptions = {}): IIIClient {
  const iii = registerWorker(url, {
    otel: { enabled: false },
    enableMetricsReporting: false,
    reconnectionConfig: { initialDelayMs: 20, maxDelayMs: 200 },
    ...options,
  });
  t.after(() => iii.shutdown());
  return iii;
}

export interface WorkerRow {
  readonly id: string;
  readonly name: string | null;
  readonly namespace: string;
  readonly runtime: string | null;
  readonly version: string | null;
  readonly description: string | null;
  readonly function_count: number;
  readonly active_invocations: number;
}

export async function workerRows(engine: Engine): Promise<WorkerRow[]> {
  // engine::workers::list answers {workers: rows}
  const { workers } = (await engine.call("engine::workers::list", {})) as { workers: WorkerRow[] };
  return workers;
}

export interface FunctionRow {
  readonly function_id: string;
  readonly worker_name: string;
  readonly namespace: string;
  readonly description?: string;
}

export async function functionRows(engine: Engine): Promise<FunctionRow[]> {
  // engine::functions::list answers {functions: rows}
  const { functions } = (await engine.call("engine::functions::list", {})) as { functions: FunctionRow[] };
  return functions;
}

/** Resolves once every one of the functions is offered. */
export async function offered(engine: Engine, ...ids: readonly string[]): Promise<void> {
  await eventually(`${ids} are offered`, async () => {
    const rows = await functionRows(engine);
    return ids.every((id) => rows.some((row) => row.function_id === id));
  });
}

/** Resolves once none of the functions is offered. */
export async function withdrawn(engine: Engine, ...ids: readonly string[]): Promise<void> {
  await eventually(`${ids} are gone`, async () => {
    const rows = await functionRows(engine);
    return ids.every((id) => rows.every((row) => row.function_id !== id));
  });
}

/** Resolves once every call that was opened has ended. */
export async function settled({ engine }: { readonly engine: Engine }): Promise<void> {
  await eventually("no call is open", () => engine.stats().callsOpen === 0);
  const { callsOpened, callsEnded } = engine.stats();
  assert.equal(callsOpened, callsEnded);
}

/** A payload without what an engine adds to an object that comes from a worker. */
export function withoutCaller(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const { _caller_worker_id: caller, ...rest } = value as Record<string, unknown>; // an object, just seen
  assert.equal(typeof caller, "string", "the caller's id is there");
  return rest;
}
