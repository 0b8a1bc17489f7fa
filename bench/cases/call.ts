// The call cells: one caller, one worker, N calls outstanding, payloads of three sizes, five ways through the engine.
//
// What is measured is the CPU time of the router per call (caller → router → worker → router → caller).

import { REACH } from "../budget.js";
import { type Case, type Context, turnsS } from "../case.js";
import { cpuPerCall } from "../slices.js";
import { controlSide, engineSide, natsSide, PATH_NAMES, type Traffic } from "./sides.js";

const PAYLOADS = [
  [128, "128 B"],
  [1024, "1 KiB"],
  [65_536, "64 KiB"],
] as const;
const OUTSTANDING = [1, 64, 1024] as const;
const CONTROLS = ["relay", "gathered", "pooled", "json-relay", "json-corked"] as const;
/** In cells without bars the strongest of each kind is enough. */
const CONTROLS_WITHOUT_BARS = ["pooled", "json-corked"] as const;
/** With one call outstanding there is nothing to gather. */
const CONTROLS_OF_ONE = ["relay", "json-relay"] as const;
const QUICK = new Set(["call-128-64", "call-128-1024"]);

function callCase(payloadBytes: number, payload: string, outstanding: number): Case {
  const name = `call-${payloadBytes}-${outstanding}`;
  const title = `calls of ${payload}, ${outstanding.toLocaleString("en")} outstanding`;
  const traffic: Traffic = { callers: 1, workers: 1, outstanding, payloadBytes };
  const hasBars = Object.hasOwn(REACH, name);
  const controlNames = outstanding === 1 ? CONTROLS_OF_ONE : hasBars ? CONTROLS : CONTROLS_WITHOUT_BARS;
  return {
    name,
    title,
    quick: QUICK.has(name),
    takesS: (effort) => turnsS(effort, controlNames.length + Number(hasBars) + PATH_NAMES.length),
    run: async (context) => {
      const controls = [
        ...controlNames.map((control) => controlSide(control, traffic)),
        ...(hasBars ? natsSide(traffic) : []),
      ];
      const paths = context.controlsOnly ? [] : PATH_NAMES.map((path) => engineSide(path, name, traffic));
      return { name, title, rows: await cpuPerCall([...controls, ...paths], context) };
    },
  };
}

/** 64 callers × 64 workers, one call outstanding on each: every receiver gets one frame a turn. */
const pairs: Case = {
  name: "pairs-64",
  title: "64 callers × 64 workers, one call outstanding on each, 128 B",
  quick: false,
  takesS: (effort) => turnsS(effort, 7),
  run: async (context) => {
    const traffic: Traffic = { callers: 64, workers: 64, outstanding: 1, payloadBytes: 128 };
    const controls = [
      controlSide("relay", traffic),
      controlSide("gathered", traffic),
      controlSide("pooled", traffic),
      controlSide("json-relay", traffic),
      ...natsSide(traffic),
    ];
    const paths = context.controlsOnly
      ? []
      : (["single", "json"] as const).map((path) => engineSide(path, "pairs-64", traffic));
    return { name: pairs.name, title: pairs.title, rows: await cpuPerCall([...controls, ...paths], context) };
  },
};

/** Fewer connections where a run is only to show that it works. */
function shrunk(traffic: Traffic, { effort }: Context): Traffic {
  const most = Math.max(10, Math.round(1000 * Math.min(1, 5 * effort.scale)));
  const { callers, workers, outstanding, payloadBytes } = traffic;
  return { callers: Math.min(most, callers), workers: Math.min(most, workers), outstanding, payloadBytes };
}

/** Uneven: the work is the same, the sockets are not. */
function unevenCase(name: string, title: string, full: Traffic): Case {
  return {
    name,
    title,
    quick: false,
    takesS: (effort) => turnsS(effort, 5) + 4,
    run: async (context) => {
      const traffic = shrunk(full, context);
      const controls = [controlSide("spread", traffic), ...natsSide(traffic)];
      const paths = context.controlsOnly
        ? []
        : (["coalesced", "single", "json"] as const).map((path) => engineSide(path, name, traffic));
      return { name, title, rows: await cpuPerCall([...controls, ...paths], context) };
    },
  };
}

const fanOut = unevenCase("fan-out-1000", "1 caller → 1,000 workers, 1,000 outstanding, 128 B", {
  callers: 1,
  workers: 1000,
  outstanding: 1000,
  payloadBytes: 128,
});

const fanIn = unevenCase("fan-in-1000", "1,000 callers → 1 worker, one outstanding on each, 128 B", {
  callers: 1000,
  workers: 1,
  outstanding: 1,
  payloadBytes: 128,
});

export const callCases: Case[] = [
  ...PAYLOADS.flatMap(([bytes, payload]) =>
    OUTSTANDING.map((outstanding) => callCase(bytes, payload, outstanding)),
  ),
  pairs,
  fanOut,
  fanIn,
];
