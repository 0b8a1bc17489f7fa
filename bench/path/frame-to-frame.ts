// From a received frame to the frame sent for it, there and back, in process: calls of 128 B from one caller to one
// worker. A turn is CALLS_A_TURN calls, each answered.
//
// What the bench itself does in a turn (copying its frames, writing answers) is a row of its own: the control.

import assert from "node:assert/strict";
import type { Bench } from "tinybench";
import { callRecord, Kind, resultRecord } from "../load/msgpack.js";
import { InProcess, type Peer } from "./in-process.js";

const CALLS_A_TURN = 1024;
const PAYLOAD = Buffer.alloc(128, 1);
const ID = "c2539f92-6f1b-4c7e-9a53-5d0e8b710000";

export default function addPathRows(bench: Bench): void {
  addMsgpack(bench, "one frame", CALLS_A_TURN);
  addMsgpack(bench, "a frame each", 1);
  addJson(bench);
  const frames = repeated(callRecord(1, 1, PAYLOAD), CALLS_A_TURN);
  const copy = Buffer.alloc(frames.length);
  bench.add(`control: 1,024 calls of 128 B copied twice, there and back`, () => {
    for (let i = 0; i < 4; i++) copy.set(frames);
    assert.equal(copy[0], frames[0]);
  });
}

function repeated(record: Buffer, count: number): Buffer {
  return Buffer.concat(new Array(count).fill(record));
}

/** The records of `whole`, `recordsAFrame` to a frame, each frame a copy of its own, as it comes from a socket. */
function receiveAll(host: InProcess, peer: Peer, whole: Uint8Array, frameBytes: number): void {
  for (let at = 0; at < whole.length; at += frameBytes)
    host.receive(peer, whole.subarray(at, at + frameBytes));
}

function addMsgpack(bench: Bench, name: string, recordsAFrame: number): void {
  const host = new InProcess();
  const worker = host.connect("msgpack");
  const caller = host.connect("msgpack");
  for (const peer of [worker, caller]) host.hello(peer);
  host.ask(worker, [Kind.Register, 1, 0, [["path::echo"]]]);
  const resolved = host.ask(caller, [Kind.Resolve, 1, ["path::echo"]]);
  const [, , handles] = resolved;
  assert.ok(handles instanceof Uint8Array);
  const handle = Buffer.from(handles).readUInt32BE();
  const one = callRecord(1, handle, PAYLOAD);
  const calls = repeated(one, CALLS_A_TURN);
  for (let number = 0; number < CALLS_A_TURN; number++)
    calls.writeUInt32BE(number + 1, number * one.length + 3);
  const received = new Uint8Array(calls.length);
  const answer = resultRecord(0, PAYLOAD);
  const answers = new Uint8Array(repeated(answer, CALLS_A_TURN));
  bench.add(`msgpack, 1,024 calls of 128 B and their answers, ${name}`, () => {
    received.set(calls);
    receiveAll(host, caller, received, recordsAFrame * one.length);
    host.endTurn();
    assert.equal(worker.kept.length, calls.length);
    writeTickets(worker, one.length, answers, answer.length);
    receiveAll(host, worker, answers, recordsAFrame * answer.length);
    host.endTurn();
    assert.equal(caller.kept.length, answers.length);
    assert.equal(host.engine.stats().callsOpen, 0);
    worker.kept.clear();
    caller.kept.clear();
  });
}

function writeTickets(worker: Peer, callBytes: number, answers: Uint8Array, answerBytes: number): void {
  const { bytes } = worker.kept;
  for (let call = 0; call < CALLS_A_TURN; call++) {
    const from = call * callBytes + 3;
    const to = call * answerBytes + 3;
    for (let i = 0; i < 4; i++) answers[to + i] = bytes[from + i]!;
  }
}

function addJson(bench: Bench): void {
  const host = new InProcess();
  const worker = host.connect("json");
  const caller = host.connect("json");
  const say = (peer: Peer, message: object) => host.receive(peer, Buffer.from(JSON.stringify(message)));
  for (const peer of [worker, caller]) {
    const data = { runtime: "bench", name: `path-${peer.connection.index}` };
    say(peer, {
      type: "invokefunction",
      function_id: "engine::workers::register",
      data,
      action: { type: "void" },
    });
  }
  say(worker, { type: "registerfunction", id: "path::echo" });
  host.endTurn();
  const data = {
    text: "x".repeat(56),
    items: [
      { id: 1, ok: true },
      { id: 2, ok: false },
    ],
  };
  const call = Buffer.from(
    JSON.stringify({ type: "invokefunction", invocation_id: ID, function_id: "path::echo", data }),
  );
  const result = Buffer.from(
    JSON.stringify({ type: "invocationresult", invocation_id: ID, function_id: "path::echo", result: data }),
  );
  const idAt = result.indexOf(ID);
  const callIdAt = call.indexOf(ID);
  const received = new Uint8Array(call.length);
  const answer = new Uint8Array(result.length);
  for (const peer of [worker, caller]) peer.kept.clear();
  bench.add("JSON, 1,024 calls of 128 B and their answers, a frame each", () => {
    for (let number = 0; number < CALLS_A_TURN; number++) {
      call.write(number.toString(16).padStart(4, "0"), callIdAt + ID.length - 4, "latin1");
      received.set(call);
      host.receive(caller, received);
    }
    host.endTurn();
    assert.equal(worker.kept.ends.length, CALLS_A_TURN);
    for (let number = 0; number < CALLS_A_TURN; number++) {
      answer.set(result);
      copyId(worker, number, answer, idAt);
      host.receive(worker, answer);
    }
    host.endTurn();
    assert.equal(caller.kept.ends.length, CALLS_A_TURN);
    assert.equal(host.engine.stats().callsOpen, 0);
    worker.kept.clear();
    caller.kept.clear();
  });
}

const ID_KEY = Buffer.from('"invocation_id":"');

function copyId(worker: Peer, frame: number, answer: Uint8Array, idAt: number): void {
  const { bytes, ends } = worker.kept;
  const at = bytes.indexOf(ID_KEY, frame === 0 ? 0 : ends[frame - 1]) + ID_KEY.length;
  answer.set(bytes.subarray(at, at + ID.length), idAt);
}
