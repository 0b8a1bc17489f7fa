// The process of an engine under test: makes one, answers what its parent asks, and ends with its parent.
//
// Its clock can be moved, and it can tell what it still holds when every connection is gone.
import { type Engine, startEngine } from "../engine.js";
import { createLogger } from "../log.js";
import type { Answer, Memory, Request, Requests, Start } from "./engine-messages.js";
import { leftovers } from "./leftovers.js";
import { ShiftedClock } from "./shifted-clock.js";

const clock = new ShiftedClock();
/** What `leak` took: kept on purpose, so that a check of memory can be seen to fail. */
const leaked: Uint8Array[] = [];
let running: { engine: Engine; builtins: number } | null = null;

type Handlers = {
  readonly [Name in keyof Requests]: (
    ask: Requests[Name]["ask"],
  ) => Requests[Name]["answer"] | Promise<Requests[Name]["answer"]>;
};

const handlers: Handlers = {
  start,
  stats: () => engine().stats(),
  call: ({ functionId, data }) => engine().call(functionId, data),
  advance: (ms) => {
    clock.advance(ms);
    return null;
  },
  jumpEpoch: (ms) => {
    clock.jumpEpoch(ms);
    return null;
  },
  memory,
  leftovers: () => leftovers(engine(), running?.builtins ?? 0),
  leak: (bytes) => {
    leaked.push(new Uint8Array(bytes).fill(1));
    return null;
  },
  close: (drainMs) => engine().close({ drainMs }),
};

function engine(): Engine {
  if (running === null) throw new Error("the engine has not been started");
  return running.engine;
}

async function start({ port, options, logLevel }: Start): Promise<number> {
  const made = await startEngine({
    ...options,
    listeners: [{ host: "127.0.0.1", port }],
    log: createLogger({ level: logLevel, format: "json" }),
    clock,
  });
  running = { engine: made, builtins: made.stats().functions };
  return made.listeners[0]?.port ?? 0;
}

function memory(): Memory {
  for (let round = 0; round < 3; round++) globalThis.gc?.(); // what the first frees may have held others
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rssBytes: rss, heldBytes: heapUsed + external };
}

async function answer({ id, name, ask }: Request): Promise<Answer> {
  try {
    const handler = handlers[name] as (ask: unknown) => unknown; // the parent's types pair name and ask
    return { id, answer: await handler(ask) };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}

process.on("message", async (request: Request) => {
  const said = await answer(request);
  process.send?.(said);
  if (request.name === "close") process.disconnect();
});
process.on("disconnect", () => process.exit());
