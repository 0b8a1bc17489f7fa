// Frames at the JSON door over real sockets, tens a round: calls, answers, registrations, triggers, written right and bent. Nobody is thrown out for any of them.
import assert from "node:assert/strict";
import { JsonPeer } from "../support/json-peer.js";
import { type MsgpackPeer, pack } from "../support/msgpack-peer.js";
import { Random } from "../support/random.js";
import { canonicalAnswer } from "../support/wire.js";
import { envelope } from "./envelopes.js";
import { type FuzzedEngine, WAIT_MS, withEngine } from "./fuzzed-engine.js";
import { type Figures, type Fuzzer, Tally, WrongInput } from "./fuzzer.js";

const NAME = "json-door";
const FRAMES_PER_ROUND = 64;
const ROUNDS_PER_HEALTHY_CALL = 8;
/** No frame of a stranger has this id, so its answer says that all before it was read. */
const MARKER = "00000000-0000-4000-8000-00000000feed";

export const jsonDoor: Fuzzer = {
  name: NAME,
  about: "frames of every type, bent, end no connection; a healthy pair is served; nothing is left",
  sliceInputs: 50_000,
  run,
};

async function run(seed: number, inputs: number): Promise<Figures> {
  const tally = new Tally();
  let done = 0;
  try {
    await withEngine(async (engine) => {
      const random = new Random(seed);
      const [packed] = await engine.msgpackOffering(["mine::packed"]);
      packed.onRecord = (record) => echo(packed, record);
      const peer = await stranger(engine);
      const calls: string[] = [];
      for (let round = 0; done < inputs; round++) {
        const count = Math.min(FRAMES_PER_ROUND, inputs - done);
        for (let n = 0; n < count; n++) send(peer, random, envelope(random, calls));
        calls.splice(0, calls.length, ...(await read(peer, tally)));
        done += count;
        while (packed.inbox.length > 0) await packed.next(); // answered as they came
        if (round % ROUNDS_PER_HEALTHY_CALL === 0) await engine.served(round);
      }
      assert.equal(peer.socket.readyState, peer.socket.OPEN);
      tally.add("malformed", engine.counter("frames_malformed"));
    });
  } catch (error) {
    throw new WrongInput(NAME, seed, done, error);
  }
  return tally.figures;
}

async function stranger({ port, keep }: FuzzedEngine): Promise<JsonPeer> {
  const peer = keep(await JsonPeer.connect(port));
  peer.announce({});
  peer.register("fuzz::json");
  return peer;
}

function send(peer: JsonPeer, random: Random, text: string): void {
  if (random.next() < 0.1) peer.socket.send(Buffer.from(text), { binary: true });
  else peer.sendText(text);
}

function echo(peer: MsgpackPeer, [kind, ticket]: readonly unknown[]): void {
  if (kind === 1) peer.sendBytes(canonicalAnswer(2, Number(ticket), pack([1])));
}

/** Reads all that came until the engine has read what was sent; gives the calls among it. */
async function read(peer: JsonPeer, tally: Tally): Promise<string[]> {
  const calls: string[] = [];
  peer.send({ type: "invokefunction", invocation_id: MARKER, function_id: "engine::none", data: null });
  for (;;) {
    const frame = await peer.next("the marker's answer", WAIT_MS);
    if (frame.type === "invocationresult" && frame.invocation_id === MARKER) return calls;
    if (frame.type === "invokefunction" && calls.length < 20) calls.push(frame.invocation_id ?? "");
    tally.add(`got: ${frame.type}`);
  }
}
