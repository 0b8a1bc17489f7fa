// A thread that routes from the shared table as fast as it can, and counts what it found.
//
// Every route it sees must be whole: the writer publishes for each function a connection and a generation that belong
// together, and a reader that gets a pair that was never published stops the bench.

import assert from "node:assert/strict";
import { parentPort, workerData } from "node:worker_threads";
import { RoutingTable } from "../../src/router/routing-table.js";

export interface ReaderData {
  memory: SharedArrayBuffer;
  handles: Int32Array;
}

export interface ReaderReport {
  /** Routes looked up, and how many of them led somewhere (the others were just withdrawn). */
  routes: number;
  found: number;
  elapsedMs: number;
}

const ROUTES_A_TURN = 4096;

/** What the writer publishes beside a connection: a reader can check it. */
export function generationFor(connection: number): number {
  return connection * 7 + 1;
}

function read(table: RoutingTable, handles: Int32Array, durationMs: number): ReaderReport {
  const startMs = performance.now();
  const into = new Int32Array(2);
  let routes = 0;
  let found = 0;
  let at = 0;
  while (performance.now() - startMs < durationMs) {
    for (let i = 0; i < ROUTES_A_TURN; i++) {
      at = at + 1 === handles.length ? 0 : at + 1;
      if (!table.route(handles[at]!, into)) continue;
      found++;
      if (into[1] !== generationFor(into[0]!)) assert.fail(`a torn route: ${into[0]} with ${into[1]}`);
    }
    routes += ROUTES_A_TURN;
  }
  return { routes, found, elapsedMs: performance.now() - startMs };
}

if (parentPort !== null) {
  const port = parentPort;
  const { memory, handles }: ReaderData = workerData;
  const table = new RoutingTable(memory);
  port.on("message", (durationMs: number) => port.postMessage(read(table, handles, durationMs)));
}
