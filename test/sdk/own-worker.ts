// The worker program of worker-program.ts on this package's own SDK (tercet/worker, msgpack), so that it meets what the official ones meet.

import { createInterface } from "node:readline";
import {
  type ChannelRef,
  connect,
  type ProvidedTrigger,
  type StreamPart,
  type Trigger,
  WorkerError,
} from "../../src/worker/index.js";
import type { Command, Ended } from "./worker-program.js";

const PREFIX = process.env["PREFIX"] ?? "own";
const PART_BYTES = 50_000;
const token = process.env["TOKEN"];

const say = (line: string): void => console.log(line);

const worker = await connect({
  description: "a Node worker",
  reconnect: { baseMs: 20, capMs: 200 },
  ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
  onEvent: ({ type }) => say(`state ${type}`),
});

async function call(request: Extract<Command, { do: "call" }>): Promise<Ended> {
  const { function_id, payload, timeout_ms, namespace } = request;
  const options = {
    ...(timeout_ms === undefined ? {} : { timeoutMs: timeout_ms }),
    ...(namespace === undefined ? {} : { namespace }),
  };
  try {
    if (request.void === true) return { result: worker.cast(function_id, payload, options) };
    return { result: await worker.call(function_id, payload, options) };
  } catch (error) {
    return { code: error instanceof WorkerError ? error.code : "OTHER", text: String(error) };
  }
}

function streamOf(parts: Iterable<StreamPart>): ReadableStream<StreamPart> {
  const iterator = parts[Symbol.iterator]();
  return new ReadableStream<StreamPart>({
    pull: (controller) => {
      const next = iterator.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
  });
}

async function sumOf(stream: ReadableStream<StreamPart>): Promise<{ bytes: number; sum: number }> {
  const all = { bytes: 0, sum: 0 };
  for await (const part of stream) {
    if (typeof part === "string") continue;
    all.bytes += part.length;
    for (const byte of part) all.sum += byte;
  }
  return all;
}

worker.register(`${PREFIX}::echo`, (data) => data);
worker.register(`${PREFIX}::fails`, () => {
  throw new Error("no such order");
});
worker.register(`${PREFIX}::nothing`, () => null);
worker.register(`${PREFIX}::metadata`, (_data, { metadata }) => metadata);
worker.register(`${PREFIX}::hang`, () => {
  say("hanging");
  return new Promise(() => undefined);
});
worker.register(`${PREFIX}::event`, (data) => say(`event ${JSON.stringify(data)}`));
worker.register(`${PREFIX}::sum`, ({ body }: { body: ChannelRef }, { readable }) => sumOf(readable(body)));
worker.register(`${PREFIX}::stream`, async ({ response }: { response: ChannelRef }, { writable }) => {
  const status = '{"type":"set_status","status_code":202}';
  await streamOf([status, Buffer.from("got "), Buffer.from("it")]).pipeTo(writable(response));
});
worker.register(`${PREFIX}::call`, (request: Extract<Command, { do: "call" }>) => call(request));

const bound: Trigger[] = [];
const provider = {
  register: ({ id, functionId, config, metadata }: ProvidedTrigger<{ path?: string }>) => {
    if (config.path === "taken") throw new Error("path conflict: taken");
    say(`bound ${JSON.stringify({ id, function_id: functionId, config, metadata })}`);
  },
  unregister: ({ id }: { id: string }) => say(`unbound ${id}`),
};

async function run(command: Command): Promise<unknown> {
  switch (command.do) {
    case "call":
      return call(command);
    case "offer":
      return void worker.register(command.id, (data) => data);
    case "withdraw":
      return worker.unregister(command.id);
    case "provide":
      return void worker.registerTriggerType(command.type, provider);
    case "bind": {
      const { do: _, function_id, ...options } = command;
      return void bound.push(worker.registerTrigger({ ...options, function: function_id }));
    }
    case "unbind":
      return worker.unregisterTrigger(bound.shift()?.id ?? "");
    case "pump":
      return pump(command);
    case "pull":
      return pull(command);
    case "offer_http":
    case "observe":
      return { code: "OTHER", text: "this SDK has no such thing" };
  }
}

/** Calls a function with a stream of `bytes` bytes of `fill`. */
async function pump({ function_id, bytes, fill }: Extract<Command, { do: "pump" }>): Promise<Ended> {
  const parts = function* (): Generator<StreamPart> {
    for (let left = bytes; left > 0; left -= PART_BYTES) yield Buffer.alloc(Math.min(left, PART_BYTES), fill);
  };
  return { result: await worker.call(function_id, {}, { streams: { body: streamOf(parts()) } }) };
}

/** Calls a function with a stream to write to, and gives what came. */
async function pull({ function_id }: Extract<Command, { do: "pull" }>): Promise<unknown> {
  const messages: string[] = [];
  const bytes: Uint8Array[] = [];
  let ended = (): void => undefined;
  const closed = new Promise<void>((resolve) => (ended = resolve));
  const response = new WritableStream<StreamPart>({
    write: (part) => void (typeof part === "string" ? messages.push(part) : bytes.push(part)),
    close: () => ended(),
  });
  await worker.call(function_id, {}, { streams: { response } });
  await closed;
  return { messages, text: Buffer.concat(bytes).toString() };
}

let last: Promise<void> = Promise.resolve();
createInterface({ input: process.stdin })
  .on("line", (line) => {
    last = last.then(async () => say(`answer ${JSON.stringify((await run(JSON.parse(line))) ?? null)}`));
  })
  .on("close", () => worker.close());
