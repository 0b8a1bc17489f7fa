// The sides of a call cell: six controls and the five ways through the engine, all under the same load.

import { barsOf } from "../budget.js";
import type { Context } from "../case.js";
import type { LoadShape } from "../load/messages.js";
import type { WireName } from "../load/role.js";
import { onPath, startControl, startEngine, startNats } from "../process.js";
import type { Side } from "../slices.js";

/** How many connections and calls; the wires are the side's own. */
export type Traffic = Pick<LoadShape, "callers" | "workers" | "outstanding" | "payloadBytes">;

interface ControlSpec {
  title: string;
  wire: WireName;
  program: string;
  args?: string[];
}

const CONTROLS = {
  relay: { title: "null relay, frame by frame", wire: "msgpack", program: "relay" },
  gathered: { title: "null relay, gathered (slice)", wire: "msgpack", program: "relay-gathered" },
  pooled: { title: "null relay, gathered (pooled)", wire: "msgpack", program: "relay-pooled" },
  spread: { title: "null relay, one to many", wire: "msgpack", program: "relay-spread" },
  "json-relay": { title: "JSON.parse/stringify relay", wire: "json", program: "relay-json" },
  "json-corked": {
    title: "JSON.parse/stringify, corked",
    wire: "json",
    program: "relay-json",
    args: ["--corked"],
  },
} as const satisfies Record<string, ControlSpec>;

export type ControlName = keyof typeof CONTROLS | "nats";

export function controlSide(name: keyof typeof CONTROLS, traffic: Traffic): Side {
  const { title, wire, program, ...rest } = CONTROLS[name];
  const args = "args" in rest ? [...rest.args] : [];
  return {
    name,
    title,
    kind: "control",
    target: "control",
    start: () => startControl(program, args),
    shape: { ...traffic, callerWire: wire, workerWire: wire, coalesced: false },
    against: {},
  };
}

/** Empty where `nats-server` is not installed: nothing depends on it. */
export function natsSide(traffic: Traffic): Side[] {
  if (!onPath("nats-server")) return [];
  return [
    {
      name: "nats",
      title: "nats-server",
      kind: "control",
      target: "control",
      start: startNats,
      shape: { ...traffic, callerWire: "nats", workerWire: "nats", coalesced: false },
      against: {},
    },
  ];
}

const PATHS = {
  coalesced: { title: "msgpack, coalesced", callerWire: "msgpack", workerWire: "msgpack", coalesced: true },
  single: {
    title: "msgpack, one record a frame",
    callerWire: "msgpack",
    workerWire: "msgpack",
    coalesced: false,
  },
  json: { title: "JSON", callerWire: "json", workerWire: "json", coalesced: false },
  "json-msgpack": { title: "JSON → msgpack", callerWire: "json", workerWire: "msgpack", coalesced: false },
  "msgpack-json": { title: "msgpack → JSON", callerWire: "msgpack", workerWire: "json", coalesced: false },
} as const satisfies Record<
  string,
  Pick<LoadShape, "callerWire" | "workerWire" | "coalesced"> & { title: string }
>;

export type PathName = keyof typeof PATHS;
export const PATH_NAMES: PathName[] = ["coalesced", "single", "json", "json-msgpack", "msgpack-json"];

/** Every path is also shown against these, whether there is a bar or not. */
const SHOWN = {
  coalesced: ["gathered", "pooled", "spread", "nats"],
  single: ["relay", "gathered", "pooled", "spread"],
  json: ["json-relay", "json-corked"],
  "json-msgpack": ["json-relay", "json-corked"],
  "msgpack-json": ["json-relay", "json-corked"],
} as const satisfies Record<PathName, readonly ControlName[]>;

export function engineSide(name: PathName, caseName: string, traffic: Traffic): Side {
  const { title, ...wires } = PATHS[name];
  const bars = barsOf(caseName, name);
  return {
    name,
    title,
    kind: "tercet",
    target: "engine",
    start: (context: Context) => startEngine(context.engine),
    shape: { ...traffic, ...wires },
    against: Object.fromEntries(SHOWN[name].map((control) => [control, bars[control]])),
  };
}
