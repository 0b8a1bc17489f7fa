// A worker under chaos, in a process of its own: answers most calls, and is late, doubled, wrong, broken or silent for the rest. It ends by being killed.
//
//   node worker.js json|msgpack PORT NAME SEED
import type { JsonFrame } from "../support/json-peer.js";
import { pack, value } from "../support/msgpack-peer.js";
import { Random } from "../support/random.js";
import { canonicalAnswer } from "../support/wire.js";
import { JsonActor, MsgpackActor } from "./actor-peer.js";
import { OFFERED } from "./functions.js";

const [wire, portText, name = "", seedText] = process.argv.slice(2);
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

/** What caller.ts sends: its value twice, so that bytes spoiled on the way here are told from answers that went astray. */
function askedValue(data: unknown): number | null {
  const { n = null, twin = n } = (data ?? {}) as { n?: number; twin?: number }; // null of casts
  if (n !== twin) throw new Error(`a call came spoiled: ${JSON.stringify(data)}`); // ends this process, which is a violation
  return n;
}

const FAILED = { code: "invocation_failed", message: "as it happens" };

function jsonWorker(): JsonActor {
  const take = (frame: JsonFrame): void => {
    if (frame.type !== "invokefunction") return;
    const { invocation_id, function_id } = frame;
    const answer = { type: "invocationresult", invocation_id, function_id };
    const result = askedValue(frame.data);
    behave(
      () => peer.send({ ...answer, result }),
      () => peer.send({ ...answer, error: FAILED }),
      () => peer.sendRaw(`${JSON.stringify(answer).slice(0, -1)},"result":NaN}`),
    );
  };
  const peer = new JsonActor(port, name, {
    ready: () => {
      for (const id of OFFERED) peer.send({ type: "registerfunction", id });
    },
    received: take,
    lost: () => undefined,
  });
  return peer;
}

function msgpackWorker(): MsgpackActor {
  const take = ([kind, ticket, , , , , payload]: unknown[]): void => {
    if (kind !== 1) return;
    const n = askedValue(value(payload));
    const call = ticket as number; // the engine sends canonical records
    behave(
      () => peer.sendRaw(canonicalAnswer(2, call, pack(n))),
      () => peer.send([3, call, pack(FAILED)]),
      () => peer.send([2, call, { not: "bin" }]),
    );
  };
  const peer = new MsgpackActor(port, name, {
    ready: () => peer.send([18, 1, 0, OFFERED.map((id) => [id])]),
    received: take,
    lost: () => undefined,
  });
  return peer;
}

(wire === "json" ? jsonWorker() : msgpackWorker()).connect();
process.on("disconnect", () => process.exit());
