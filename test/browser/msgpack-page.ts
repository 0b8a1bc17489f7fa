// The page's work on this package's own worker SDK: the built files, as a browser loads them.

import { connect, type Worker } from "tercet/worker";
import { type PageWorker, type Part, work } from "./page-worker.js";

export async function start(url: string): Promise<void> {
  await work(pageWorker(await connect({ url, name: "page", reconnect: { baseMs: 20, capMs: 200 } })));
}

function pageWorker(worker: Worker): PageWorker {
  return {
    register: async (id, handler) => void (await worker.register(id, (data: never) => handler(data)).ready()),
    call: (id, data) => worker.call(id, data),
    cast: (id, data) => worker.cast(id, data),
    read: (ref) => readAll(worker.readable(ref)),
    write: (ref, parts) => writeAll(worker.writable(ref), parts),
    close: () => void worker.close({ timeoutMs: 0 }),
  };
}

type Streamed = Uint8Array | string;

async function readAll(stream: ReadableStream<Streamed>): Promise<Part[]> {
  const parts: Part[] = [];
  const reader = stream.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read())
    parts.push(typeof next.value === "string" ? next.value : next.value.slice()); // a copy of its own
  return parts;
}

async function writeAll(stream: WritableStream<Streamed>, parts: readonly Part[]): Promise<void> {
  const writer = stream.getWriter();
  for (const part of parts) await writer.write(part);
  await writer.close();
}
