// A change of the registry told to a thousand subscribers, one change at a time: on the msgpack feed, as a worker's event and
// as the snapshot of all functions on the JSON wire.
//
// The floors send frames of the same length: native publish for the msgpack feed, which is one record for everybody; one
// prebuilt frame to each for JSON subscribers, whose frames differ in their heads. The subscribers' own functions
// are in the snapshot, so a thousand of them make it 80 KB; an event is 200 bytes.

import { barsOf } from "../budget.js";
import { type Case, type Context, type Row, turnsS } from "../case.js";
import type { FeedName, FeedOpen, FeedReport, FeedRun } from "../load/feeds.js";
import { cpuUs } from "../measure.js";
import { LoadProcess, type Router, startControl, startEngine } from "../process.js";
import { checked, inTurns, type Sample, type Turn } from "../slices.js";

const SUBSCRIBERS = 1000;

interface Spec {
  name: string;
  title: string;
  feed: FeedName;
  /** What sends a frame of the same length to as many. */
  control: { name: string; title: string; how: "publish" | "send" };
  /** One publication a slice, after this rest; else one after the other. */
  restMs?: number;
}

const FEEDS: Spec[] = [
  {
    name: "watch",
    title: "msgpack feed",
    feed: "watch",
    control: { name: "publish", title: "native publish, as long", how: "publish" },
  },
  {
    name: "workers-available",
    title: "workers-available, JSON",
    feed: "workers",
    control: { name: "prebuilt", title: "one prebuilt frame to each, as long", how: "send" },
  },
  {
    name: "functions-available",
    title: "functions-available, JSON snapshot",
    feed: "functions",
    restMs: 1000, // the engine rests about as long after so large a push, so the floor has to
    control: { name: "prebuilt-snapshot", title: "one prebuilt snapshot to each, as long", how: "send" },
  },
];

export const feeds: Case = {
  name: "feeds-1000",
  title: "a change of the registry to 1,000 subscribers, one at a time: CPU per delivery",
  quick: false,
  takesS: (effort) => turnsS(effort, 6) + 10 * effort.scale,
  run: async (context) => {
    const ends: Ends = [];
    try {
      const turns: Turn[] = [];
      for (const spec of FEEDS) turns.push(...(await turnsOf(spec, context, ends)));
      const otherUnits = { frame: "B", "deliveries/s": "/s" };
      const rows = await inTurns(turns, { unit: "µs/delivery", otherUnits }, context);
      return { name: feeds.name, title: feeds.title, rows };
    } finally {
      await Promise.all(ends.map((end) => end()));
    }
  },
};

type Pace = Pick<FeedRun, "durationMs" | "restMs">;
type Ends = (() => Promise<void>)[];

/** The engine first: it says how long its frames are. */
async function turnsOf(spec: Spec, context: Context, ends: Ends): Promise<Turn[]> {
  const { control } = spec;
  const reach = barsOf(feeds.name, spec.name)[control.name];
  const subscribers = Math.max(10, Math.round(SUBSCRIBERS * Math.min(1, 5 * context.effort.scale)));
  const pace = spec.restMs === undefined ? undefined : { durationMs: 0, restMs: spec.restMs };
  const side = { ...spec, kind: "tercet" as const, against: { [control.name]: reach } };
  const open = { kind: "open" as const, feed: spec.feed, subscribers, frameBytes: 0 };
  const engine = context.controlsOnly
    ? undefined
    : await opened(side, () => startEngine(context.engine), open, pace, context, ends);
  const frameBytes = engine?.frameBytes ?? CONTROL_FRAME_BYTES;
  const floor = await opened(
    { ...control, kind: "control", against: {} },
    () => startControl("fanout", [control.how]),
    { ...open, feed: "prebuilt", frameBytes },
    pace,
    context,
    ends,
  );
  return [floor, engine].flatMap((one) => (one === undefined ? [] : [one.turn]));
}

/** Where there is no engine to be as long as. */
const CONTROL_FRAME_BYTES = 128;

async function opened(
  side: Turn["side"] & Pick<Row, "title">,
  start: () => Promise<Router>,
  open: Omit<FeedOpen, "port">,
  pace: Pace | undefined,
  context: Context,
  ends: Ends,
): Promise<{ turn: Turn; frameBytes: number }> {
  context.progress(`${side.title}: start`);
  const router = await start();
  ends.push(router.stop);
  const load = new LoadProcess("feeds");
  ends.push(() => load.stop());
  await load.ask({ ...open, port: router.port });
  const { warmupMs, sliceMs } = context.effort;
  const { frameBytes } = await load.ask<FeedReport>({ kind: "run", durationMs: warmupMs, restMs: 0 });
  const slice = () => feedSlice(side.title, router, load, pace ?? { durationMs: sliceMs, restMs: 0 });
  return { turn: { side, slice }, frameBytes };
}

async function feedSlice(title: string, router: Router, load: LoadProcess, pace: Pace): Promise<Sample> {
  const before = cpuUs(router.pid);
  const report = checked(await load.ask<FeedReport>({ kind: "run", ...pace }), title);
  const value = (cpuUs(router.pid) - before) / report.calls;
  const { frameBytes, calls, elapsedMs } = report;
  return { value, others: { frame: frameBytes, "deliveries/s": (calls / elapsedMs) * 1000 } };
}
