// A reader thread of the routing table: takes routes from the shared memory as fast as it can and checks each against what only a whole, current
// route can be. Told by flags in shared memory when to stop.
//
// The writer gives every route of a handle a generation that follows from its target and its handle (see `generationFor`), so a torn route cannot
// look whole; and it publishes, per function, the highest handle that it has withdrawn, so a stale route cannot look current.
import { parentPort, workerData } from "node:worker_threads";
import { RoutingTable } from "../../src/router/routing-table.js";

export interface ReaderData {
  routes: SharedArrayBuffer;
  /** Per function index: the handle that is registered now, or 0. Written before a registration and before a withdrawal. */
  handles: SharedArrayBuffer;
  /** Per function index: every handle generation up to this one has been withdrawn. Written after the withdrawal. */
  withdrawn: SharedArrayBuffer;
  /** Word 0: stop. Word 1: readers that are ready. Word 2: routes that were torn or stale, so that nobody need wait longer than for the first. */
  flags: SharedArrayBuffer;
  functions: number;
}

export interface ReaderReport {
  reads: number;
  found: number;
  torn: number;
  stale: number;
}

/** What the writer puts beside a target of a handle. */
export function generationFor(handle: number, target: number): number {
  return (Math.imul(handle, 31) ^ Math.imul(target, 0x9e3779b1)) | 0;
}

function run(data: ReaderData): ReaderReport {
  const table = new RoutingTable(data.routes);
  const handles = new Int32Array(data.handles);
  const withdrawn = new Int32Array(data.withdrawn);
  const flags = new Int32Array(data.flags);
  const route = new Int32Array(2);
  const report: ReaderReport = { reads: 0, found: 0, torn: 0, stale: 0 };
  Atomics.add(flags, 1, 1);
  for (let turn = 0; Atomics.load(flags, 0) === 0; turn++) {
    const index = 1 + (turn % data.functions);
    const handle = Atomics.load(handles, index);
    const goneBefore = Atomics.load(withdrawn, index);
    report.reads++;
    if (handle === 0 || !table.route(handle, route)) continue;
    report.found++;
    const [target = 0, generation = 0] = route;
    const isTorn = generation !== generationFor(handle, target);
    const isStale = handle >>> 20 <= goneBefore;
    if (isTorn) report.torn++;
    if (isStale) report.stale++;
    if (isTorn || isStale) Atomics.add(flags, 2, 1);
  }
  return report;
}

if (parentPort !== null) parentPort.postMessage(run(workerData as ReaderData)); // the test that starts this thread gives it such data
