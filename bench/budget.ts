// The bars: what each row has to reach, as a ratio to a control row of the same case and run.
//
// A number here is a promise to whoever runs `npm run bench`. The gate has budgets of its own, at the end of this file:
// they are about not becoming slower than what was reached, with room for what medians move between two runs.

import type { PathName, Traffic } from "./cases/sides.js";

/** Bars of one row: control name → highest ratio; or, for what has no control, unit → highest figure. */
export type Bars = Record<string, number>;

/** case → row → bars. The figures in front of the comments are the bar; the comments say where it comes from. */
export const REACH: Record<string, Record<string, Bars>> = {
  "call-128-64": {
    // One batch of 64 records a turn: the relay pays per frame, we per record.
    coalesced: { gathered: 0.55, pooled: 0.75, nats: 0.55 },
    // The same frames as the relay: what is left to win is one slice and one send per frame.
    single: { gathered: 0.85, pooled: 1.15 },
    json: { "json-relay": 0.4, "json-corked": 0.65 },
  },
  "call-128-1024": {
    coalesced: { gathered: 0.3, pooled: 0.6, nats: 0.45 },
    single: { gathered: 0.65, pooled: 1.3 },
    json: { "json-relay": 0.38, "json-corked": 0.65 },
  },
  "call-1024-1024": {
    coalesced: { gathered: 0.35, pooled: 0.65, nats: 0.5 },
    single: { gathered: 0.5, pooled: 0.75 },
    json: { "json-relay": 0.25, "json-corked": 0.4 },
  },
  "call-65536-64": {
    // Bytes decide here: both copy them twice through the kernel; the engine saves the slice.
    coalesced: { gathered: 0.75, nats: 0.85 },
    single: { gathered: 0.75 },
    json: { "json-relay": 0.25 },
  },
  // One frame per receiver and turn: nothing to gather, so the outbox must cost nothing.
  "pairs-64": { single: { relay: 1.15 } },
  // One encoded record for everybody, handed to native publish; JSON frames differ in their heads, so each is a send.
  "cast-1000": { "cast-msgpack": { publish: 1.3 }, "cast-json": { prebuilt: 1.3 } },
  // The same two ways out: one record for everybody, or one payload behind heads that differ.
  "feeds-1000": {
    watch: { publish: 1.3 },
    "workers-available": { prebuilt: 1.3 },
    "functions-available": { "prebuilt-snapshot": 1.3 },
  },
  // Counted by the engine: whatever the number of subscribers, a change is serialised once.
  "discovery-5000": { watch: { serialised: 1 }, "functions-available": { serialised: 1 } },
  // A bare socket is 1.7 KiB; ours has an outbox, a slot and a worker beside it.
  "idle-5000": { msgpack: { KiB: 2.5 }, json: { KiB: 2.5 } },
  // A handful of typed-array stores and one hash insertion each; the id's bytes are most of the memory.
  "register-100k": {
    "msgpack-bulk": { µs: 1, B: 400 },
    "json-frames": { µs: 2, B: 400 },
    "msgpack-1000": { µs: 2, B: 400 },
  },
  // A route is one load whatever the size of the table; what remains is cache misses.
  "functions-100k": { many: { one: 1.03 } },
  // 9 µs where hand-written ws clients and a JSON relay take 26.
  sdk: { sdk: { "ws-json": 0.35 } },
  // Two hops through the kernel are nearly all of it; the engine's own work is a few microseconds.
  "latency-1": { single: { relay: 1.15 } },
  // Spawning is the supervisor's: what the engine does for it is a small message now and then.
  "spawns-50": { single: { relay: 1.3 } },
  "latency-half": { single: { relay: 1.3 } },
};

/** Bars for a row; empty where none is set. */
export function barsOf(caseName: string, row: string): Bars {
  return REACH[caseName]?.[row] ?? {};
}

/** When the slices of the control differ by more than this (see `spread`), a ratio that may or may not be over its budget says nothing. */
export const CONTROL_SPREAD_MAX = 0.12;

export interface GateCase {
  name: string;
  path: PathName;
  control: "gathered" | "pooled" | "json-corked" | "json-relay" | "relay";
  traffic: Traffic;
  /** Highest head ÷ base. */
  budget: number;
  /** Highest head ÷ control, for where there is no base: what is reached, and a third, which a shared machine needs. */
  alone: number;
  /** Most garbage collections of the engine per million calls. */
  collectionsMax: number;
  why: string;
  quick: boolean;
}

const one = (payloadBytes: number, outstanding: number): Traffic => ({
  callers: 1,
  workers: 1,
  outstanding,
  payloadBytes,
});

/**
 * What is compared with a base revision. Medians of seven turns of two builds of one tree differed by up to 4 % (msgpack
 * coalesced, where a call is a fifth of a microsecond) and 3 % elsewhere; each budget is that and a little.
 *
 * Collections: uWebSockets makes an ArrayBuffer per frame, so a path of one record per frame has 30 to 70 per million
 * calls. A coalesced one has 0 to 0.3 with 1,024 calls outstanding, up to 1.2 on a machine so busy that its turns are short and its
 * frames small; with 64 it has 3 to 6. A small object per call adds two to four, a number that has to be boxed one: so it is the
 * cell with 1,024 outstanding that notices.
 */
export const GATE_CASES: GateCase[] = [
  {
    name: "call-128-64",
    path: "coalesced",
    control: "gathered",
    traffic: one(128, 64),
    budget: 1.07,
    alone: 0.5,
    collectionsMax: 10,
    why: "the main path of our own clients",
    quick: true,
  },
  {
    name: "call-128-1024",
    path: "coalesced",
    control: "gathered",
    traffic: one(128, 1024),
    budget: 1.08,
    alone: 0.16,
    collectionsMax: 1.5,
    why: "a fifth of a microsecond: 15 ns are the budget",
    quick: true,
  },
  {
    name: "call-128-64",
    path: "single",
    control: "gathered",
    traffic: one(128, 64),
    budget: 1.06,
    alone: 1.0,
    collectionsMax: 37,
    why: "the price of a frame, most of it uWebSockets' own",
    quick: false,
  },
  {
    name: "call-128-64",
    path: "json",
    control: "json-corked",
    traffic: one(128, 64),
    budget: 1.06,
    alone: 0.8,
    collectionsMax: 55,
    why: "scan, patch, relay: what official SDKs see",
    quick: true,
  },
  {
    name: "call-1024-1024",
    path: "json",
    control: "json-corked",
    traffic: one(1024, 1024),
    budget: 1.06,
    alone: 0.35,
    collectionsMax: 57,
    why: "payload bytes weigh more than calls here",
    quick: false,
  },
  {
    name: "pairs-64",
    path: "single",
    control: "relay",
    traffic: { callers: 64, workers: 64, outstanding: 1, payloadBytes: 128 },
    budget: 1.06,
    alone: 1.4,
    collectionsMax: 85,
    why: "nothing to gather: the outbox must cost nothing",
    quick: false,
  },
];
