// A real engine on a free port of this process for one test; at the end every peer is gone and nothing may be left behind.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type Engine, type EngineOptions, startEngine } from "../../src/engine.js";
import { createLogger } from "../../src/log.js";
import { eventually } from "./eventually.js";
import { JsonPeer } from "./json-peer.js";
import { MsgpackPeer } from "./msgpack-peer.js";

export interface TestEngine {
  engine: Engine;
  port: number;
  json: (data?: object) => Promise<JsonPeer>;
  jsonOffering: (...ids: string[]) => Promise<JsonPeer>;
  msgpack: (hello?: object) => Promise<MsgpackPeer>;
  msgpackOffering: (
    ids: readonly string[],
    hello?: object,
    share?: string,
  ) => Promise<[MsgpackPeer, number[]]>;
  /** Closes this peer, too, when the test ends. */
  keep: <P extends JsonPeer | MsgpackPeer>(peer: P) => P;
  counter: (name: string) => number;
}

export async function testEngine(
  t: Pick<TestContext, "after">,
  options: Partial<EngineOptions> = {},
): Promise<TestEngine> {
  const engine = await startEngine({
    listeners: [{ host: "127.0.0.1", port: 0 }],
    log: createLogger({ level: "silent" }),
    ...options,
    limits: { callsOpenMax: 65_535, ...options.limits },
  });
  const port = engine.listeners[0]?.port ?? 0;
  const builtins = engine.stats().functions;
  const peers: (JsonPeer | MsgpackPeer)[] = [];
  const keep = <P extends JsonPeer | MsgpackPeer>(peer: P): P => {
    peers.push(peer);
    return peer;
  };
  t.after(async () => {
    for (const peer of peers) peer.socket.terminate();
    await leavesNothing(engine, builtins);
    await engine.close();
  });
  return {
    engine,
    port,
    json: async (data = {}) => keep(await JsonPeer.announced(port, data)),
    jsonOffering: async (...ids) => keep(await JsonPeer.offering(port, ...ids)),
    msgpack: async (hello = {}) => keep(await MsgpackPeer.connect(port, hello)),
    msgpackOffering: async (ids, hello = {}, share) => {
      const [peer, handles] = await MsgpackPeer.offering(port, ids, hello, share);
      return [keep(peer), handles];
    },
    keep,
    counter: (name) => engine.stats().counters[name] ?? Number.NaN,
  };
}

/** All connections are gone: no call, no function, no worker, no baggage of theirs is. */
export async function leavesNothing(engine: Engine, builtins: number): Promise<void> {
  await eventually("every connection is gone", () => engine.stats().connections === 0);
  const stats = engine.stats();
  assert.equal(stats.callsOpened, stats.callsEnded + stats.callsOpen, "opened = ended + open");
  assert.equal(stats.callsOpen, 0, "no call is left");
  assert.equal(stats.workers, 0, "no worker is left");
  assert.equal(stats.functions, builtins, "no function is left");
  assert.equal(engine.functions.offers.count, builtins, "no offer is left");
  assert.equal(engine.functions.names.count, builtins, "no name is left");
  assert.equal(engine.calls.baggage.size, 0, "no baggage is left");
  const { queues } = engine.calls;
  assert.deepEqual([queues.length, queues.bytes, queues.workers], [0, 0, 0], "nothing waits");
  for (let index = 0; index < engine.server.slots.end; index++) engine.calls.inFlight.checkEmpty(index);
}
