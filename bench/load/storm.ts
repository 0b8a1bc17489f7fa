// Workers that come back after an outage: each connects, says hello and registers in one frame; who is turned away tries again after a random pause.

import { performance } from "node:perf_hooks";
import type { Connection } from "./connection.js";
import { MsgpackPeer } from "./msgpack.js";

export interface StormRequest {
  kind: "storm";
  port: number;
  workers: number;
  functionsEach: number;
  /** Each begins at a random time of this; 0: all in one turn. */
  spreadMs: number;
}

export interface StormReport {
  /** From the first connection to the last registration. */
  absorbedMs: number;
  /** Connections that were refused or reset, and tried again. */
  retries: number;
}

/** As SDKs do: full jitter below a bound that doubles. */
const RETRY_MS = 1_000;
const RETRIES_MAX = 8;

/** Settles when every worker is registered; its connections are added to `connections`. */
export async function storm(
  { port, workers, functionsEach, spreadMs }: StormRequest,
  connections: Connection[],
): Promise<StormReport> {
  const begunMs = performance.now();
  const report = { absorbedMs: 0, retries: 0 };
  const one = async (number: number): Promise<void> => {
    if (spreadMs > 0) await pause(Math.random() * spreadMs);
    const ids = Array.from({ length: functionsEach }, (_, index) => [stormId(number, index)]);
    for (let attempt = 0; ; attempt++) {
      const peer = await MsgpackPeer.onEngine(port).catch(() => undefined);
      if (peer !== undefined) {
        connections.push(peer.connection);
        await peer.register(ids);
        return;
      }
      if (attempt === RETRIES_MAX) throw new Error(`worker ${number} was turned away ${attempt + 1} times`);
      report.retries++;
      await pause(Math.random() * RETRY_MS * 2 ** attempt);
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, number) => one(number)));
  report.absorbedMs = performance.now() - begunMs;
  return report;
}

export function stormId(worker: number, index: number): string {
  return `bench::storm-${worker}-${index}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
