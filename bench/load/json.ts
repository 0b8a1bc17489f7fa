// The caller and the worker of the load on the JSON wire: frames byte for byte as the official Node SDK writes them
// (key order and spacing of its JSON.stringify), with ids and stamps patched in place.

import { Calls } from "./calls.js";
import { upgraded } from "./connection.js";
import { FramePeer } from "./frame-peer.js";
import { Marker } from "./marker.js";
import { Outgoing } from "./outgoing.js";
import { asJson, asMsgpack, document } from "./payload.js";
import {
  type CallerOptions,
  type CallerRole,
  capacityOf,
  enginePath,
  type RoleOptions,
  type WorkerOptions,
  type WorkerRole,
} from "./role.js";
import { STAMPS, slotOf } from "./stamp.js";

/** Shaped as the SDK's `crypto.randomUUID()`; the slot number stands in the last four digits. */
const ID = "c2539f92-6f1b-4c7e-9a53-5d0e8b710000";
const ID_BYTES = ID.length;
const SLOT_AT = ID_BYTES - 4;

const ID_KEY = Buffer.from('"invocation_id":"');
export const JSON_STAMP_KEY = Buffer.from('"stamp":"');
const FUNCTION_KEY = Buffer.from('"function_id":"');

/** A connection that speaks JSON. */
export class JsonPeer extends FramePeer {
  sendJson(message: object): void {
    this.connection.send(Buffer.from(JSON.stringify(message)), false);
  }
}

async function peerFor(role: "caller" | "worker", options: RoleOptions): Promise<JsonPeer> {
  if (options.target === "control")
    return new JsonPeer(await upgraded(options.port, `/${role}/${options.number}`));
  const peer = new JsonPeer(await upgraded(options.port, enginePath(options.token)));
  peer.sendJson(announce(`bench-${role}-${options.number}-${process.pid}`));
  return peer;
}

/** What the SDK sends first. */
export function announce(name: string): object {
  return {
    type: "invokefunction",
    function_id: "engine::workers::register",
    data: { runtime: "node", version: "0.22.1", name, os: "linux", pid: process.pid, isolation: null },
    action: { type: "void" },
  };
}

function documentOf(options: RoleOptions): object {
  return document(options.payloadBytes, options.sizedIn === "json" ? asJson : asMsgpack);
}

/** Where the value behind `key` begins in a frame we wrote ourselves. */
function valueAt(frame: Buffer, key: Buffer): number {
  const at = frame.indexOf(key);
  if (at === -1) throw new Error(`no ${key} in ${frame.subarray(0, 80)}`);
  return at + key.length;
}

export async function jsonCaller(options: CallerOptions): Promise<CallerRole> {
  const peer = await peerFor("caller", options);
  const { functions } = options;
  const record = Buffer.from(
    JSON.stringify({
      type: "invokefunction",
      invocation_id: ID,
      function_id: functions[0],
      data: documentOf(options),
    }),
  );
  const capacity = capacityOf(record.length, options.slots);
  const out = new Outgoing(peer.connection.socket, { record, binary: false, coalesced: false, capacity });
  const slotAt = valueAt(record, ID_KEY) + SLOT_AT;
  const stampAt = valueAt(record, JSON_STAMP_KEY);
  const functionAt = valueAt(record, FUNCTION_KEY) + (functions[0]?.length ?? 0) - 4;
  const functionWords = functions.map((id) => Buffer.from(id.slice(-4)).readUInt32BE());
  const send = (slot: number) => {
    const at = out.next();
    const { view } = out.batch;
    view.setUint32(at + slotAt, STAMPS[slot]!);
    view.setUint32(at + stampAt, STAMPS[slot]!);
    if (functionWords.length > 1)
      view.setUint32(at + functionAt, functionWords[slot % functionWords.length]!);
  };
  const calls = new Calls(options.slots, send);
  const id = new Marker(ID_KEY);
  const stamp = new Marker(JSON_STAMP_KEY);
  const onResult: typeof peer.onFrame = (bytes, view, at, length) => {
    const found = id.find(bytes, view, at, length);
    if (found === -1) return; // workerregistered and other news
    const slot = slotOf(view.getUint32(found + SLOT_AT));
    const foundStamp = stamp.find(bytes, view, at, length);
    if (foundStamp === -1) calls.failed(slot, bytes.toString("latin1", at, at + Math.min(length, 300)));
    else calls.answered(slot, view.getUint32(foundStamp));
  };
  peer.onFrame = onResult;
  peer.connection.onTurnEnd = () => out.flush();

  /** The JSON wire has no word for "is it there": one call to the first and the last function, until both answer. */
  const ready = async (): Promise<void> => {
    const asked = new Set([functions[0], functions.at(-1)]);
    for (const functionId of asked) {
      while (!(await answers(peer, functionId ?? "", documentOf(options)))) await pause(5);
    }
    peer.onFrame = onResult;
  };
  return {
    calls,
    ready: options.target === "engine" ? ready : async () => {},
    flush: () => out.flush(),
    close: () => peer.connection.close(),
  };
}

function answers(peer: JsonPeer, functionId: string, data: object): Promise<boolean> {
  return new Promise((resolve) => {
    peer.onFrame = (bytes, _view, at, length) => {
      const text = bytes.toString("latin1", at, at + length);
      if (text.includes(ID)) resolve(!text.includes('"error"'));
    };
    peer.sendJson({ type: "invokefunction", invocation_id: ID, function_id: functionId, data });
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export async function jsonWorker(options: WorkerOptions): Promise<WorkerRole> {
  const peer = await peerFor("worker", options);
  if (options.target === "engine") {
    for (const id of options.functions) peer.sendJson({ type: "registerfunction", id });
  }
  const record = Buffer.from(
    JSON.stringify({
      type: "invocationresult",
      invocation_id: ID,
      function_id: options.functions[0],
      result: documentOf(options),
    }),
  );
  const capacity = capacityOf(record.length, options.callsAtOnce);
  const out = new Outgoing(peer.connection.socket, { record, binary: false, coalesced: false, capacity });
  const idAt = valueAt(record, ID_KEY);
  const stampAt = valueAt(record, JSON_STAMP_KEY);
  const functionAt = valueAt(record, FUNCTION_KEY) + (options.functions[0]?.length ?? 0) - 4;
  const manyFunctions = options.functions.length > 1;
  const id = new Marker(ID_KEY);
  const stamp = new Marker(JSON_STAMP_KEY);
  const functionKey = new Marker(FUNCTION_KEY);
  const role = { answered: 0, close: () => peer.connection.close() };
  peer.onFrame = (bytes, view, at, length) => {
    const foundId = id.find(bytes, view, at, length);
    const foundStamp = stamp.find(bytes, view, at, length);
    if (foundId === -1 || foundStamp === -1) return;
    const start = out.next();
    const { view: to } = out.batch;
    for (let i = 0; i < ID_BYTES; i += 4) to.setUint32(start + idAt + i, view.getUint32(foundId + i));
    to.setUint32(start + stampAt, view.getUint32(foundStamp));
    if (manyFunctions) {
      const foundFunction = functionKey.find(bytes, view, at, length);
      to.setUint32(
        start + functionAt,
        view.getUint32(foundFunction + (options.functions[0]?.length ?? 0) - 4),
      );
    }
    role.answered++;
  };
  peer.connection.onTurnEnd = () => out.flush();
  return role;
}
