// A whole engine inside the test's process, on a free port, that ends with its test.
//
// Its sockets are real. A test that needs the engine as a process of its own starts dist/src/main.js instead.

import type { TestContext } from "node:test";
import { type Engine, type EngineOptions, startEngine } from "../../src/engine.js";
import { createLogger } from "../../src/log.js";

export interface RunningEngine {
  readonly engine: Engine;
  readonly port: number;
  readonly url: string;
  /** Every line it logged so far, as JSON objects. */
  readonly logged: readonly Record<string, unknown>[];
}

export async function runEngine(
  t: TestContext,
  options: Partial<EngineOptions> & { port?: number } = {},
): Promise<RunningEngine> {
  const logged: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => logged.push(JSON.parse(line)) };
  const { port: wantedPort = 0, ...rest } = options;
  const engine = await startEngine({
    listeners: [{ host: "127.0.0.1", port: wantedPort }],
    log: createLogger({ level: "debug", format: "json", destination }),
    ...rest,
  });
  t.after(() => engine.close());
  const port = engine.listeners[0]?.port ?? 0;
  return { engine, port, url: `ws://127.0.0.1:${port}`, logged };
}
