// A caller under chaos, in a process of its own: calls at a steady pace, cancels and casts now and then, and keeps account of every call. Told a number
// by its parent it calls no more, waits so many milliseconds at most until nothing is open, and reports; "go" sets it off again.
//
//   node caller.js json|msgpack PORT NAME SEED strict|again
import { randomUUID } from "node:crypto";
import { eventually } from "../support/eventually.js";
import { errorOf, pack, value } from "../support/msgpack-peer.js";
import { Random } from "../support/random.js";
import { canonicalCall, canonicalCancel, canonicalCast } from "../support/wire.js";
import { Account } from "./accounts.js";
import { JsonActor, MsgpackActor } from "./actor-peer.js";
import { CALLED } from "./functions.js";

const PACE_MS = 10;
const CALLS_EACH = 2;
const [wire, portText, name = "", seedText, mode] = process.argv.slice(2);
const port = Number(portText);
const random = new Random(Number(seedText));
const account = new Account(mode === "again");

interface Caller {
  readonly isReady: boolean;
  connect(): void;
  call(id: string, n: number): void;
  cast(id: string): void;
  cancel(): void;
}

function jsonCaller(): Caller {
  const peer = new JsonActor(port, name, {
    ready: () => undefined,
    received: (frame) => {
      if (frame.type === "invocationresult")
        account.ended(frame.invocation_id ?? "", frame.error?.code ?? "result", frame.result);
    },
    lost: () => account.connectionLost(),
  });
  return {
    get isReady() {
      return peer.isReady;
    },
    connect: () => peer.connect(),
    call(function_id, n) {
      const invocation_id = randomUUID();
      const frame = { type: "invokefunction", invocation_id, function_id, data: { n, twin: n } };
      if (peer.send(frame)) account.sent(invocation_id, n);
    },
    cast: (function_id) =>
      void peer.send({ type: "invokefunction", function_id, data: null, action: { type: "void" } }),
    cancel: () => undefined, // the JSON wire has no such message
  };
}

class MsgpackCaller implements Caller {
  readonly #peer: MsgpackActor;
  #handles = new Map<string, number>();
  readonly #functions = new Map<string, string>();
  #next = 1;

  constructor() {
    this.#peer = new MsgpackActor(port, name, {
      ready: () => this.#resolve(),
      received: (record) => this.#take(record),
      lost: () => {
        this.#handles = new Map();
        this.#functions.clear();
        account.connectionLost();
      },
    });
  }

  get isReady(): boolean {
    return this.#peer.isReady;
  }

  connect(): void {
    this.#peer.connect();
  }

  call(id: string, n: number): void {
    const call = this.#next++;
    const handle = this.#handles.get(id) ?? 0;
    const timeoutMs = random.pick([0, 0, 40, 1_500]);
    if (handle === 0) this.#resolve();
    const hasLeft =
      handle === 0
        ? this.#peer.send([1, call, id, timeoutMs, 0, null, pack({ n, twin: n })])
        : this.#peer.sendRaw(canonicalCall(call, handle, pack({ n, twin: n }), timeoutMs));
    if (!hasLeft) return;
    account.sent(String(call), n);
    this.#functions.set(String(call), id);
  }

  cast(id: string): void {
    this.#peer.sendRaw(canonicalCast(this.#handles.get(id) ?? 0, random.below(2), pack(null)));
  }

  cancel(): void {
    this.#peer.sendRaw(canonicalCancel(Number(account.anyOpen() ?? 0)));
  }

  #resolve(): void {
    this.#peer.send([22, 1, [...CALLED]]);
  }

  #take(record: unknown[]): void {
    if (record[0] === 23)
      CALLED.forEach((id, at) => void this.#handles.set(id, (record[2] as Buffer).readUInt32BE(4 * at))); // a bin of uint32, as PROTOCOL.md says
    if (record[0] !== 2 && record[0] !== 3) return;
    const call = String(record[1]);
    const code = record[0] === 2 ? "result" : errorOf(record).code;
    account.ended(call, code, code === "result" ? value(record[2]) : undefined);
    if (code === "function_not_found") this.#handles.delete(this.#functions.get(call) ?? "");
    this.#functions.delete(call);
  }
}

const caller = wire === "json" ? jsonCaller() : new MsgpackCaller();
let isPaused = false;
let calls = 0;
caller.connect();
setInterval(() => {
  if (isPaused || !caller.isReady) return;
  // a value that no other caller asks for: an answer to somebody else is told by it
  for (let each = 0; each < CALLS_EACH; each++)
    caller.call(random.pick(CALLED), (process.pid % 4_000) * 1e6 + calls++);
  if (random.next() < 0.1) caller.cast(random.pick(CALLED));
  if (random.next() < 0.1) caller.cancel();
}, PACE_MS);

process.on("message", async (asked) => {
  if (asked === "go") isPaused = false;
  if (typeof asked !== "number") return;
  isPaused = true;
  await eventually("every call has ended", () => account.open === 0, asked).catch(() => undefined); // the report tells what is open
  process.send?.(account.report());
});
process.on("disconnect", () => process.exit());
