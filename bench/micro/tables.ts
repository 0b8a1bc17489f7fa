// What a forwarded call does to the engine's tables, each step alone: take and free a slot, enter and leave the calls
// in flight, look a route up, see where a record ends, write its head. A turn is CALLS_A_TURN of them.

import assert from "node:assert/strict";
import type { Bench } from "tinybench";
import { canonicalCallEnd, readU32, writeU32 } from "../../src/protocol/msgpack/records.js";
import { type Handle, Slots } from "../../src/registry/slots.js";
import { InFlight } from "../../src/router/in-flight.js";
import { RoutingTable } from "../../src/router/routing-table.js";
import { callRecord } from "../load/msgpack.js";

export const CALLS_A_TURN = 1024;
const CONNECTIONS = 64;
const FUNCTIONS = 100_000;

export default function addTableRows(bench: Bench): void {
  addSlots(bench);
  addInFlight(bench);
  addRoutes(bench);
  addRecords(bench);
}

function addSlots(bench: Bench): void {
  const slots = new Slots<"call">(1 << 16, "wrap");
  const open = new Int32Array(CALLS_A_TURN);
  bench.add("slots: 1,024 taken, found and freed", () => {
    for (let i = 0; i < CALLS_A_TURN; i++) open[i] = slots.take();
    for (let i = 0; i < CALLS_A_TURN; i++) slots.free(slots.indexOf(open[i]!));
    assert.equal(slots.open, 0);
  });
}

function addInFlight(bench: Bench): void {
  const calls = new InFlight(1 << 16, CONNECTIONS);
  const tickets: Handle<"call">[] = new Array(CALLS_A_TURN).fill(0);
  bench.add("in flight: 1,024 calls entered, found and ended", () => {
    for (let i = 0; i < CALLS_A_TURN; i++)
      tickets[i] = calls.enter(1 + (i & 31), i, 33 + (i & 15), 1, i >> 6, 0);
    for (let i = 0; i < CALLS_A_TURN; i++) calls.leave(calls.slotOf(tickets[i]!, 33 + (i & 15)));
    assert.equal(calls.open, 0);
  });
}

/** One function is a cache hit; spread over all of them most routes are not. */
function addRoutes(bench: Bench): void {
  const table = new RoutingTable(FUNCTIONS);
  const slots = new Slots<"function">(FUNCTIONS, "retire");
  const handles = Int32Array.from({ length: FUNCTIONS }, () => slots.take());
  for (const handle of handles) table.publish(handle, 1, 1);
  for (const [name, step] of [
    ["one function", 0],
    ["100,000 functions", 7919],
  ] as const) {
    let at = 0;
    bench.add(`routes: 1,024 looked up, ${name}`, () => {
      let found = 0;
      for (let i = 0; i < CALLS_A_TURN; i++) {
        found += table.target(handles[at]!);
        at = (at + step) % FUNCTIONS;
      }
      assert.equal(found, CALLS_A_TURN);
    });
  }
}

function addRecords(bench: Bench): void {
  const one = callRecord(7, 9, Buffer.alloc(128, 1));
  const frame = Buffer.concat(new Array(CALLS_A_TURN).fill(one));
  bench.add("records: 1,024 calls of 128 B cut out of one frame", () => {
    let calls = 0;
    for (let at = 0; at < frame.length; calls++) at = canonicalCallEnd(frame, at, frame.length);
    assert.equal(calls, CALLS_A_TURN);
  });
  bench.add("records: 1,024 numbers read and written in place", () => {
    for (let at = 3; at < frame.length; at += one.length) writeU32(frame, at, readU32(frame, at) + 1);
    assert.ok(readU32(frame, 3) !== 7);
  });
}
