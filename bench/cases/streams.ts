// Bytes beside calls.
//
//   stream-beside-calls   a stream as fast as it goes and 2,000 small calls a second on the same two connections: what the calls feel of
//                         it. The control is the null relay with the same records, where a call waits behind every chunk before it
//   channel               JSON channels: engine CPU per megabyte, beside a bare relay of the same messages

import { type Case, type Context, type Row, turnsS } from "../case.js";
import type { ChannelReport } from "../load/channels.js";
import type { StreamReport } from "../load/streams.js";
import { cpuUs } from "../measure.js";
import { LoadProcess, type Router, startControl, startEngine } from "../process.js";
import { checked, inTurns, type Sample, type Turn } from "../slices.js";

const CALLS_PER_SECOND = 2000;
const MB = 1e6;

type Ends = (() => Promise<void>)[];

interface Rig {
  router: Router;
  load: LoadProcess;
}

async function rigOf(start: () => Promise<Router>, script: string, ends: Ends): Promise<Rig> {
  const router = await start();
  ends.push(router.stop);
  const load = new LoadProcess(script);
  ends.push(() => load.stop());
  return { router, load };
}

async function withEnds<Result>(body: (ends: Ends) => Promise<Result>): Promise<Result> {
  const ends: Ends = [];
  try {
    return await body(ends);
  } finally {
    await Promise.all(ends.map((end) => end()));
  }
}

type Target = "engine" | "control";

function targetsOf({ controlsOnly }: Context): Target[] {
  return controlsOnly ? ["control"] : ["control", "engine"];
}

const starter = (target: Target, context: Context) => () =>
  target === "control" ? startControl("relay") : startEngine(context.engine);

// ── a stream beside calls ───────────────────────────────────────────────────────────────────────────────────────────

const beside: Case = {
  name: "stream-beside-calls",
  title: "2,000 calls/s alone, and beside a stream on the same sockets: p99 round trip",
  quick: false,
  takesS: (effort) => turnsS(effort, 4),
  run: (context) =>
    withEnds(async (ends) => {
      const turns: Turn[] = [];
      for (const target of targetsOf(context)) turns.push(...(await besideTurns(target, context, ends)));
      const otherUnits = { p50: "µs", stream: "MB/s", CPU: "µs/MB" };
      const rows = await inTurns(turns, { unit: "µs", otherUnits }, context);
      return { name: beside.name, title: beside.title, rows: rows.map(withoutStream) };
    }),
};

/** Where no stream ran there is nothing to say of one. */
function withoutStream(row: Row): Row {
  if ((row.others["stream"]?.value ?? 0) > 0) return row;
  const { p50 } = row.others;
  return { ...row, others: p50 === undefined ? {} : { p50 } };
}

async function besideTurns(target: Target, context: Context, ends: Ends): Promise<Turn[]> {
  const isEngine = target === "engine";
  const title = isEngine ? "engine" : "null relay";
  context.progress(`${title}: start`);
  const rig = await rigOf(starter(target, context), "streams", ends);
  await rig.load.ask({ kind: "open", port: rig.router.port, target });
  const kind = isEngine ? ("tercet" as const) : ("control" as const);
  const turn = (name: string, what: string, streams: boolean, against: Turn["side"]["against"]): Turn => ({
    side: { name, title: `${title}, ${what}`, kind, against },
    slice: () => besideSlice(rig, title, streams, context.effort.sliceMs),
  });
  const prefix = isEngine ? "" : "relay-";
  const [alone, stream] = [`${prefix}alone`, `${prefix}stream`];
  const turns = [
    turn(alone, "calls alone", false, {}),
    turn(stream, "beside a stream", true, {
      [alone]: undefined,
      ...(isEngine ? { "relay-stream": undefined } : {}),
    }),
  ];
  if (context.effort.warmupMs > 0)
    for (const streams of [false, true]) await besideSlice(rig, title, streams, context.effort.warmupMs);
  return turns;
}

async function besideSlice(
  { router, load }: Rig,
  title: string,
  streams: boolean,
  durationMs: number,
): Promise<Sample> {
  const before = cpuUs(router.pid);
  const request = { kind: "run", durationMs, callsPerSecond: CALLS_PER_SECOND, streams };
  const { roundTripsMs, bytes, elapsedMs } = checked(await load.ask<StreamReport>(request), title);
  if (roundTripsMs === undefined) throw new Error("the load took no times");
  if (streams && bytes === 0) throw new Error(`${title}: nothing of the stream arrived`);
  const usedUs = cpuUs(router.pid) - before;
  return {
    value: roundTripsMs.p99 * 1000,
    others: {
      p50: roundTripsMs.p50 * 1000,
      stream: bytes / MB / (elapsedMs / 1000),
      CPU: bytes === 0 ? 0 : usedUs / (bytes / MB),
    },
  };
}

// ── a channel ───────────────────────────────────────────────────────────────────────────────────────────────────────

const MESSAGES = [
  [65_536, "64 KiB"], // what SDKs cut their writes to
  [1024, "1 KiB"],
] as const;

const channel: Case = {
  name: "channel",
  title: "a JSON channel, one writer and one reader: CPU per megabyte",
  quick: false,
  takesS: (effort) => turnsS(effort, 4),
  run: (context) =>
    withEnds(async (ends) => {
      const turns: Turn[] = [];
      for (const [bytes, size] of MESSAGES)
        for (const target of targetsOf(context))
          turns.push(await channelTurn(target, bytes, size, context, ends));
      const otherUnits = { throughput: "MB/s", message: "µs" };
      return {
        name: channel.name,
        title: channel.title,
        rows: await inTurns(turns, { unit: "µs/MB", otherUnits }, context),
      };
    }),
};

async function channelTurn(
  target: Target,
  messageBytes: number,
  size: string,
  context: Context,
  ends: Ends,
): Promise<Turn> {
  const isEngine = target === "engine";
  const control = `relay-${messageBytes}`;
  const side = {
    name: isEngine ? `channel-${messageBytes}` : control,
    title: `${isEngine ? "channel" : "null relay"}, messages of ${size}`,
    kind: isEngine ? ("tercet" as const) : ("control" as const),
    against: isEngine ? { [control]: undefined } : {},
  };
  context.progress(`${side.title}: start`);
  const rig = await rigOf(starter(target, context), "channels", ends);
  await rig.load.ask({ kind: "open", port: rig.router.port, target, messageBytes });
  if (context.effort.warmupMs > 0) await channelSlice(rig, context.effort.warmupMs);
  return { side, slice: () => channelSlice(rig, context.effort.sliceMs) };
}

async function channelSlice({ router, load }: Rig, durationMs: number): Promise<Sample> {
  const before = cpuUs(router.pid);
  const { bytes, messages, elapsedMs } = await load.ask<ChannelReport>({ kind: "run", durationMs });
  const usedUs = cpuUs(router.pid) - before;
  return {
    value: usedUs / (bytes / MB),
    others: { throughput: bytes / MB / (elapsedMs / 1000), message: usedUs / messages },
  };
}

export const streamCases: Case[] = [beside, channel];
