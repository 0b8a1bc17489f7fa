// An engine by script and workers on it that end with their test.

import type { TestContext } from "node:test";
import { type ConnectOptions, connect, type Worker, type WorkerEvent } from "../../src/worker/index.js";
import { type Script, ScriptedEngine } from "../support/scripted-engine.js";

export async function engineFor(t: TestContext, script: Script = {}): Promise<ScriptedEngine> {
  const engine = await ScriptedEngine.start(script);
  t.after(() => engine.stop());
  return engine;
}

export async function workerFor(
  t: TestContext,
  engine: { readonly url: string },
  options: ConnectOptions = {},
): Promise<Worker> {
  const worker = await connect({ url: engine.url, onEvent: () => {}, ...options });
  t.after(() => worker.close({ timeoutMs: 0 }));
  return worker;
}

/** A place for a worker's events, and `onEvent` to fill it. */
export function eventLog(): {
  readonly events: WorkerEvent[];
  readonly onEvent: (event: WorkerEvent) => void;
} {
  const events: WorkerEvent[] = [];
  return { events, onEvent: (event) => events.push(event) };
}

/** Comes back almost at once: for tests that are not about the pauses. */
export const SOON = { baseMs: 1, capMs: 5 };
