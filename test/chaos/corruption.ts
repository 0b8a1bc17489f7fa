// Corrupted bytes, for survival only: peers whose every line changes bytes at random. What they are told may be anything; the engine lives, serves a healthy
// pair beside them, keeps its account of calls, and holds nothing when they have left.
import { setTimeout as sleep } from "node:timers/promises";
import { balance, eventually, startTestEngine, type TestEngine } from "../../src/testing/index.js";
import { connect, type Worker } from "../../src/worker/index.js";
import { Random } from "../support/random.js";
import { canonicalCall } from "../support/wire.js";
import { JsonActor, MsgpackActor } from "./actor-peer.js";

export interface CorruptionResult {
  readonly corrupted: number;
  readonly connections: number;
  readonly healthyCalls: number;
  readonly violations: readonly string[];
}

const PACE_MS = 5;

export async function corruption({
  seed,
  forMs,
}: {
  seed: number;
  forMs: number;
}): Promise<CorruptionResult> {
  const random = new Random(seed);
  const engine = await startTestEngine({ limits: { callTimeoutMs: 500 } });
  const faults = { corrupt: 0.05, split: 0.2 };
  const line = await engine.line({ random: () => random.next(), faults });
  const spoiled = [talkJson(line.port), talkMsgpack(line.port)];
  const worker = await connect({ url: engine.url, name: "healthy" });
  worker.register("healthy::echo", (value: number) => value);
  const violations: string[] = [];
  let healthyCalls = 0;
  for (
    const until = performance.now() + forMs;
    performance.now() < until && engine.isRunning;
    healthyCalls++
  ) {
    await sleep(PACE_MS);
    violations.push(...(await echo(worker, healthyCalls)));
  }
  for (const peer of spoiled) peer.end();
  await worker.close();
  line.close();
  violations.push(...(await aftermath(engine)));
  return { corrupted: line.counts.corrupted, connections: line.accepted, healthyCalls, violations };
}

async function echo(worker: Worker, value: number): Promise<string[]> {
  const answer = await worker.call<number>("healthy::echo", value).catch(String);
  return answer === value ? [] : [`a healthy call of ${value} got ${answer}`];
}

async function aftermath(engine: TestEngine): Promise<string[]> {
  if (!engine.isRunning) return ["the engine's process has ended"];
  let left: string[] = [];
  const isEmpty = async (): Promise<boolean> => {
    left = await engine.leftovers();
    return left.length === 0;
  };
  await eventually("nothing is left", isEmpty).catch(() => undefined); // `left` tells
  const found = [...left, ...balance(await engine.stats())];
  await engine.close();
  return found;
}

interface Talker {
  end(): void;
}

/** Registers, calls itself and answers itself, without looking at what comes. */
function talkJson(port: number): Talker {
  const peer = new JsonActor(port, "spoiled-json", {
    ready: () => void peer.send({ type: "registerfunction", id: "spoiled::json" }),
    received: ({ type, invocation_id, function_id }) => {
      if (type === "invokefunction")
        peer.send({ type: "invocationresult", invocation_id, function_id, result: 1 });
    },
    lost: () => undefined,
  });
  const call = { type: "invokefunction", function_id: "spoiled::json", data: { n: 1 } };
  return talking(peer, () => peer.send({ ...call, invocation_id: crypto.randomUUID() }));
}

function talkMsgpack(port: number): Talker {
  let handle = 0;
  const peer = new MsgpackActor(port, "spoiled-msgpack", {
    ready: () => void peer.send([18, 1, 0, [["spoiled::msgpack"]]]),
    received: ([kind, call, handles]) => {
      if (kind === 19 && Buffer.isBuffer(handles) && handles.length >= 4) handle = handles.readUInt32BE(0);
      if (kind === 1) peer.send([2, call, Buffer.of(1)]);
    },
    lost: () => undefined,
  });
  return talking(peer, () =>
    peer.sendRaw(canonicalCall(1 + Math.floor(Math.random() * 1e6), handle, Buffer.of(1))),
  );
}

function talking(peer: JsonActor | MsgpackActor, call: () => unknown): Talker {
  peer.isForgiving = true;
  peer.connect();
  const timer = setInterval(call, PACE_MS);
  return {
    end() {
      clearInterval(timer);
      peer.end();
    },
  };
}
