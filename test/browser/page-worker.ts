// What a page does as a worker, whatever wire it speaks: json-page.ts and msgpack-page.ts bring the wire. Runs in the browser.

export interface ChannelRef {
  readonly channel_id: string;
  readonly access_key: string;
  readonly direction: "read" | "write";
}

export type Part = Uint8Array<ArrayBuffer> | string;

/** A connection as the page sees it. */
export interface PageWorker {
  register(id: string, handler: (data: never) => unknown): Promise<void>;
  call(id: string, data: unknown): Promise<unknown>;
  cast(id: string, data: unknown): void;
  /** Everything that is written to a channel, to its end. */
  read(ref: ChannelRef): Promise<Part[]>;
  write(ref: ChannelRef, parts: readonly Part[]): Promise<void>;
  close(): void;
}

export const STATUS = '{"type":"set_status","status_code":202}';

/** Offers page::add, fails, ask, tell, sum and stream. */
export async function work(worker: PageWorker): Promise<void> {
  await worker.register("page::add", ({ a, b }: { a: number; b: number }) => a + b);
  await worker.register("page::echo", (data: unknown) => data);
  await worker.register("page::fails", () => {
    throw new Error("the page cannot");
  });
  await worker.register("page::ask", (question: { id: string; data: unknown }) => ask(worker, question));
  await worker.register("page::tell", ({ id, data }: { id: string; data: unknown }) => worker.cast(id, data));
  await worker.register("page::sum", async ({ body }: { body: ChannelRef }) => sum(await worker.read(body)));
  await worker.register("page::stream", async ({ response }: { response: ChannelRef }) => {
    const bytes = new TextEncoder().encode("got it");
    await worker.write(response, [STATUS, bytes.slice(0, 4), bytes.slice(4)]);
    return null;
  });
  window.addEventListener("pagehide", () => worker.close());
}

async function ask(worker: PageWorker, { id, data }: { id: string; data: unknown }): Promise<unknown> {
  try {
    return { result: await worker.call(id, data) };
  } catch (error) {
    return { code: (error as { code?: string }).code }; // both wires have errors with codes
  }
}

function sum(parts: readonly Part[]): { bytes: number; sum: number } {
  let bytes = 0;
  let total = 0;
  for (const part of parts) {
    if (typeof part === "string") continue;
    bytes += part.length;
    for (const byte of part) total += byte;
  }
  return { bytes, sum: total };
}
