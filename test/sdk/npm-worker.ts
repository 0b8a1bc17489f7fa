// The worker program of worker-program.ts on the official npm SDK (iii-sdk 0.22.1).
//
// What needs no process of its own is tested in npm*.test.ts; this one is for what could end a process.

import { createInterface } from "node:readline";
import { InvocationError, registerWorker, TriggerAction } from "iii-sdk";
import type { ChannelReader, ChannelWriter } from "iii-sdk/channel";
import { createChannel } from "iii-sdk/helpers";
import type { Command, Ended } from "./worker-program.js";

const PREFIX = process.env["PREFIX"] ?? "npm";
const PART_BYTES = 100_000;
const token = process.env["TOKEN"];

const iii = registerWorker(process.env["III_URL"] ?? "", {
  workerDescription: "a Node worker",
  otel: { enabled: false },
  enableMetricsReporting: false,
  reconnectionConfig: { initialDelayMs: 50, maxDelayMs: 200 },
  ...(token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } }),
});

const say = (line: string): void => console.log(line);
const sumOf = (bytes: Uint8Array) => ({
  bytes: bytes.length,
  sum: bytes.reduce((sum, byte) => sum + byte, 0),
});

async function call(request: Extract<Command, { do: "call" }>): Promise<Ended> {
  const { function_id, payload, timeout_ms } = request;
  const more = {
    ...(timeout_ms === undefined ? {} : { timeoutMs: timeout_ms }),
    ...(request.void === true ? { action: TriggerAction.Void() } : {}),
  };
  try {
    return { result: await iii.trigger({ function_id, payload, ...more }) };
  } catch (error) {
    const code = error instanceof InvocationError ? error.code : "OTHER";
    return { code, text: String(error) };
  }
}

const functions: Record<string, Parameters<typeof iii.registerFunction>[1]> = {
  echo: async (data) => data,
  fails: async () => Promise.reject(new Error("no such order")),
  nothing: async () => null,
  metadata: async (_data, metadata) => metadata,
  call,
  hang: () => {
    say("hanging");
    return new Promise(() => undefined);
  },
  event: async (data) => say(`event ${JSON.stringify(data)}`),
  sum: async ({ body }: { body: ChannelReader }) => sumOf(await body.readAll()),
  stream: async ({ response }: { response: ChannelWriter }) => {
    response.sendMessage('{"type":"set_status","status_code":202}');
    response.stream.write("got ");
    response.stream.end("it");
  },
};
for (const [name, handler] of Object.entries(functions)) iii.registerFunction(`${PREFIX}::${name}`, handler);

const offered = new Map<string, ReturnType<typeof iii.registerFunction>>();
const bound: { unregister(): void }[] = [];
const provider = {
  registerTrigger: async ({
    id,
    function_id,
    config,
    metadata,
  }: {
    id: string;
    function_id: string;
    config: { path?: string };
    metadata?: unknown;
  }) => {
    if (config.path === "taken") throw new Error("path conflict: taken");
    say(`bound ${JSON.stringify({ id, function_id, config, metadata })}`);
  },
  unregisterTrigger: async ({ id }: { id: string }) => say(`unbound ${id}`),
};

async function run(command: Command): Promise<unknown> {
  switch (command.do) {
    case "call":
      return call(command);
    case "offer":
      return void offered.set(
        command.id,
        iii.registerFunction(command.id, async (data) => data),
      );
    case "offer_http":
      return void offered.set(command.id, iii.registerFunction(command.id, { url: command.url }));
    case "withdraw":
      return offered.get(command.id)?.unregister();
    case "provide":
      return void iii.registerTriggerType({ id: command.type, description: "of a Node worker" }, provider);
    case "bind": {
      const { do: _, ...request } = command;
      return void bound.push(iii.registerTrigger(request));
    }
    case "unbind":
      return bound.shift()?.unregister();
    case "observe":
      return { code: "OTHER", text: "this SDK has no observers" };
    case "pump":
      return pump(command);
    case "pull":
      return pull(command);
  }
}

/** Makes a channel, calls a function with its reader, and writes `bytes` bytes of `fill` to it. */
async function pump({ function_id, bytes, fill }: Extract<Command, { do: "pump" }>): Promise<Ended> {
  const { readerRef, writer } = await createChannel(iii);
  const answer = iii.trigger({ function_id, payload: { body: readerRef } });
  for (let left = bytes; left > 0; left -= PART_BYTES)
    writer.stream.write(Buffer.alloc(Math.min(left, PART_BYTES), fill));
  writer.stream.end();
  return { result: await answer };
}

/** Makes a channel, calls a function with its writer, and reads what comes. */
async function pull({ function_id }: Extract<Command, { do: "pull" }>): Promise<unknown> {
  const { reader, writerRef } = await createChannel(iii, 4);
  const messages: string[] = [];
  reader.onMessage((message) => messages.push(message));
  const all = reader.readAll();
  await iii.trigger({ function_id, payload: { response: writerRef } });
  return { messages, text: (await all).toString() };
}

let last: Promise<void> = Promise.resolve();
createInterface({ input: process.stdin })
  .on("line", (line) => {
    last = last.then(async () => say(`answer ${JSON.stringify((await run(JSON.parse(line))) ?? null)}`));
  })
  .on("close", () => iii.shutdown());
