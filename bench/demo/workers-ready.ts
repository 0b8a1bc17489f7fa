// Waits until every worker that the engine's configuration declares is connected and offers something.

import { connect, type Worker } from "tercet/worker";

const WAIT_MS_MAX = 30_000;
const POLL_MS = 20;

/** What `worker::list` tells of a declared worker, and `engine::workers::list` of a connected one. */
interface Declared {
  readonly name: string;
  readonly state: string;
}
interface Connected {
  readonly name: string | null;
  readonly function_count: number;
}

/** Their names. Rejects when one of them is not there in time. */
export async function workersReady(url: string): Promise<string[]> {
  const observer = await connect({ url, name: "demo-observer" });
  try {
    for (const deadlineMs = Date.now() + WAIT_MS_MAX; ; ) {
      const { names, waitingFor } = await look(observer);
      if (waitingFor.length === 0) return names;
      if (Date.now() > deadlineMs) throw new Error(`not ready: ${waitingFor.join(", ")}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } finally {
    await observer.close();
  }
}

async function look(observer: Worker): Promise<{ names: string[]; waitingFor: string[] }> {
  const declared = await observer.call<{ workers: Declared[] }>("worker::list", {});
  const connected = await observer.call<{ workers: Connected[] }>("engine::workers::list", {});
  const serving = connected.workers.filter((row) => row.function_count > 0).map(({ name }) => name);
  const waitingFor = declared.workers
    .filter(({ name }) => !serving.includes(name))
    .map(({ name, state }) => `${name} (${state})`);
  return { names: declared.workers.map(({ name }) => name), waitingFor };
}
