// A worker under chaos, in a process of its own: answers most calls, and is late, doubled, wrong, broken or silent for the rest. It ends by being killed.
//
//   node worker.js json|msgpack PORT SEED
import { JsonPeer } from "../support/json-peer.js";
import { MsgpackPeer, pack, value } from "../support/msgpack-peer.js";
import { Random } from "../support/random.js";
import { canonicalAnswer } from "../support/wire.js";
import { OFFERED } from "./functions.js";

const FOR_EVER_MS = 2 ** 31 - 1;
const [wire, portText, seedText] = process.argv.slice(2);
const port = Number(portText);
const random = new Random(Number(seedText));

/** How one call is answered. `say` sends one answer; `broken` one that cannot be read. */
function behave(say: () => void, fail: () => void, broken: () => void): void {
  const dice = random.next();
  if (dice < 0.8) return say();
  if (dice < 0.88) return void setTimeout(say, random.below(60));
  if (dice < 0.91) {
    say();
    return say();
  }
  if (dice < 0.94) return fail();
  if (dice < 0.97) return broken();
  // the rest is never answered
}

async function jsonWorker(): Promise<void> {
  const peer = await JsonPeer.announced(port, { name: `json-${process.pid}`, pid: process.pid });
  for (const id of OFFERED) peer.register(id);
  for (;;) {
    const frame = await peer.next("a call", FOR_EVER_MS);
    if (frame.type !== "invokefunction") continue;
    const { invocation_id, function_id } = frame;
    const n = (frame.data as { n?: number } | null)?.n;
    behave(
      () => peer.answer(frame, n),
      () =>
        peer.send({
          type: "invocationresult",
          invocation_id,
          function_id,
          error: { code: "invocation_failed", message: "as it happens" },
        }),
      () =>
        peer.sendText(
          `{"type":"invocationresult","invocation_id":"${invocation_id}","function_id":"${function_id}","result":NaN}`,
        ),
    );
  }
}

async function msgpackWorker(): Promise<void> {
  const [peer] = await MsgpackPeer.offering(port, OFFERED, {
    name: `msgpack-${process.pid}`,
    pid: process.pid,
  });
  for (;;) {
    const [kind, ticket, , , , , payload] = await peer.next("a call", FOR_EVER_MS);
    if (kind !== 1) continue;
    const n = (value(payload) as { n?: number } | null)?.n ?? null;
    const call = ticket as number; // the engine sends canonical records
    behave(
      () => peer.sendBytes(canonicalAnswer(2, call, pack(n))),
      () => peer.send([3, call, pack({ code: "invocation_failed", message: "as it happens" })]),
      () => peer.send([2, call, { not: "bin" }]),
    );
  }
}

await (wire === "json" ? jsonWorker() : msgpackWorker());
