// A caller under chaos, in a process of its own: calls at a steady pace, cancels and casts now and then, and keeps account of every call. Told "finish" by
// its parent it calls no more, waits for what is open, and reports; it may be killed before.
//
//   node caller.js json|msgpack PORT SEED
import { randomUUID } from "node:crypto";
import { setInterval } from "node:timers";
import { eventually } from "../support/eventually.js";
import { JsonPeer } from "../support/json-peer.js";
import { errorOf, MsgpackPeer, pack, value } from "../support/msgpack-peer.js";
import { Random } from "../support/random.js";
import { canonicalCall, canonicalCancel, canonicalCast } from "../support/wire.js";
import { Account } from "./accounts.js";
import { CALLED } from "./functions.js";

const FOR_EVER_MS = 2 ** 31 - 1;
const PACE_MS = 10;
const CALLS_EACH = 3;
const FINISH_MS = 15_000;
const [wire, portText, seedText] = process.argv.slice(2);
const port = Number(portText);
const random = new Random(Number(seedText));
const account = new Account();

interface Caller {
  call(id: string, n: number): void;
  cast(id: string): void;
  cancel(): void;
}

async function jsonCaller(): Promise<Caller> {
  const peer = await JsonPeer.announced(port);
  const read = async (): Promise<never> => {
    for (;;) {
      const frame = await peer.next("an answer", FOR_EVER_MS);
      if (frame.type === "invocationresult")
        account.ended(frame.invocation_id ?? "", frame.error?.code ?? "result", frame.result);
    }
  };
  void read();
  return {
    call(function_id, n) {
      const invocation_id = randomUUID();
      account.sent(invocation_id, n);
      peer.send({ type: "invokefunction", invocation_id, function_id, data: { n } });
    },
    cast: (function_id) =>
      peer.send({ type: "invokefunction", function_id, data: null, action: { type: "void" } }),
    cancel: () => undefined, // the JSON wire has no such message
  };
}

async function msgpackCaller(): Promise<Caller> {
  const peer = await MsgpackPeer.connect(port);
  const handles = new Map<string, number>();
  const functions = new Map<string, string>();
  let next = 1;
  const read = async (): Promise<never> => {
    for (;;) {
      const record = await peer.next("a record", FOR_EVER_MS);
      if (record[0] === 23)
        CALLED.forEach((id, at) => void handles.set(id, (record[2] as Buffer).readUInt32BE(4 * at)));
      if (record[0] !== 2 && record[0] !== 3) continue;
      const call = String(record[1]);
      const code = record[0] === 2 ? "result" : errorOf(record).code;
      account.ended(call, code, code === "result" ? value(record[2]) : undefined);
      if (code === "function_not_found") handles.delete(functions.get(call) ?? "");
      functions.delete(call);
    }
  };
  void read();
  return {
    call(id, n) {
      const call = next++;
      account.sent(String(call), n);
      functions.set(String(call), id);
      const handle = handles.get(id) ?? 0;
      const timeoutMs = random.pick([0, 0, 40, 1_500]);
      if (handle === 0) peer.send([1, call, id, timeoutMs, 0, null, pack({ n })], [22, 1, [...CALLED]]);
      else peer.sendBytes(canonicalCall(call, handle, pack({ n }), timeoutMs));
    },
    cast: (id) => peer.sendBytes(canonicalCast(handles.get(id) ?? 0, random.below(2), pack(null))),
    cancel: () => peer.sendBytes(canonicalCancel(Number(account.anyOpen() ?? 0))),
  };
}

const caller = await (wire === "json" ? jsonCaller() : msgpackCaller());
let isFinishing = false;
setInterval(() => {
  if (isFinishing) return;
  for (let each = 0; each < CALLS_EACH; each++) caller.call(random.pick(CALLED), random.below(1_000_000));
  if (random.next() < 0.1) caller.cast(random.pick(CALLED));
  if (random.next() < 0.1) caller.cancel();
}, PACE_MS);
process.on("message", async () => {
  isFinishing = true;
  await eventually("every call has ended", () => account.open === 0, FINISH_MS).catch(() => undefined); // the report tells what is open
  process.send?.(account.report());
});
process.on("disconnect", () => process.exit());
