// Reader threads route from the shared table while a writer churns it: what the sequence check costs, and that no
// reader ever sees half a route.

import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { type Handle, Slots } from "../../src/registry/slots.js";
import { RoutingTable } from "../../src/router/routing-table.js";
import { type Case, type Context, turnsS } from "../case.js";
import { generationFor, type ReaderReport } from "../path/route-reader.js";
import { DIST } from "../process.js";
import { inTurns, type Sample } from "../slices.js";

const FUNCTIONS = 1000;
const READERS = 1;
const CONNECTIONS = 64;
/** Changes between two looks at the event loop. */
const CHANGES_A_TURN = 256;

export const routes: Case = {
  name: "routes-churn",
  title: `routes looked up by ${READERS === 1 ? "another thread" : `${READERS} threads`}, with and without a writer that never pauses`,
  quick: false,
  takesS: (effort) => turnsS(effort, 2),
  run: async (context) => {
    const table = new RoutingTable(FUNCTIONS);
    const slots = new Slots<"function">(FUNCTIONS, "wrap");
    const handles = Int32Array.from({ length: FUNCTIONS }, () => slots.take());
    const readers = Array.from({ length: READERS }, () => {
      return new Worker(join(DIST, "bench/path/route-reader.js"), {
        workerData: { memory: table.memory, handles },
      });
    });
    try {
      for (const handle of handles) publish(table, handle, 1);
      const turn = (name: string, title: string, write: boolean, against: Record<string, undefined>) => ({
        side: { name, title, kind: "tercet" as const, against },
        slice: () => slice(readers, write ? { table, handles } : undefined, context),
      });
      const turns = [
        turn("quiet", "nobody writes", false, {}),
        turn("churned", "a writer without pause", true, { quiet: undefined }),
      ];
      const units = { unit: "ns/route", otherUnits: { "routes/s": "/s", "changes/s": "/s" } };
      return { name: routes.name, title: routes.title, rows: await inTurns(turns, units, context) };
    } finally {
      await Promise.all(readers.map((reader) => reader.terminate()));
    }
  },
};

function publish(table: RoutingTable, handle: Handle<"function">, connection: number): void {
  table.publish(handle, connection, generationFor(connection));
}

interface Churned {
  table: RoutingTable;
  handles: Int32Array;
}

async function slice(readers: Worker[], churned: Churned | undefined, { effort }: Context): Promise<Sample> {
  const reports = readers.map(async (reader) => {
    const answer = once(reader, "message");
    reader.postMessage(effort.sliceMs);
    const [report]: ReaderReport[] = await answer;
    if (report === undefined) throw new Error("a reader ended without a report");
    return report;
  });
  const all = Promise.all(reports);
  const changes = churned === undefined ? 0 : await churnUntil(all, churned);
  const done = await all;
  const routesPerSecond = done.reduce((sum, { routes, elapsedMs }) => sum + (routes / elapsedMs) * 1000, 0);
  return {
    value: (1e9 * readers.length) / routesPerSecond,
    others: { "routes/s": routesPerSecond, "changes/s": (changes / effort.sliceMs) * 1000 },
  };
}

/** Withdraws and publishes, going through all functions, until the readers are done. */
async function churnUntil(done: Promise<unknown>, { table, handles }: Churned): Promise<number> {
  let isDone = false;
  const mark = () => {
    isDone = true;
  };
  done.then(mark, mark);
  let changes = 0;
  while (!isDone) {
    for (let i = 0; i < CHANGES_A_TURN; i++) {
      const handle = handles[changes % handles.length]!;
      table.withdraw(handle);
      publish(table, handle, 1 + (changes++ % CONNECTIONS));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return changes;
}
