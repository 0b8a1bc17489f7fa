// Records at the msgpack door over real sockets, tens of frames a round and one record a frame. A round ends at the first frame that is no record: the stranger is thrown
// out for it, and for nothing else, and comes back.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { eventually } from "../support/eventually.js";
import { MsgpackPeer } from "../support/msgpack-peer.js";
import { Random } from "../support/random.js";
import { type FuzzedEngine, WAIT_MS, withEngine } from "./fuzzed-engine.js";
import { type Figures, type Fuzzer, Tally, WrongInput } from "./fuzzer.js";
import { isWellFormed, type Known, record } from "./records.js";

const NAME = "msgpack-door";
const FRAMES_PER_ROUND = 64;
const ROUNDS_PER_HEALTHY_CALL = 8;
const STREAM_CREDIT_BYTES = 1 << 20;
/** A request that no record asks for. */
const MARKER = 999_999;

export const msgpackDoor: Fuzzer = {
  name: NAME,
  about:
    "records of every kind, bent: frames that are none end their connection with 4400, others never do; a healthy pair is served; nothing is left",
  sliceInputs: 50_000,
  run,
};

async function run(seed: number, inputs: number): Promise<Figures> {
  const tally = new Tally();
  const random = new Random(seed);
  let done = 0;
  try {
    await withEngine(async (engine) => {
      await engine.jsonOffering("mine::json");
      let stranger = await Stranger.come(engine);
      for (let round = 0; done < inputs; round++) {
        const sent = await stranger.round(random, Math.min(FRAMES_PER_ROUND, inputs - done), tally);
        done += sent;
        if (stranger.isOut) stranger = await Stranger.come(engine);
        if (round % ROUNDS_PER_HEALTHY_CALL === 0) await engine.served(round);
      }
    });
  } catch (error) {
    throw new WrongInput(NAME, seed, done, error);
  }
  return tally.figures;
}

/** One connection that sends what it likes. */
class Stranger {
  isOut = false;
  readonly #peer: MsgpackPeer;
  readonly #known: Known;

  constructor(peer: MsgpackPeer, handles: readonly number[]) {
    this.#peer = peer;
    this.#known = { handles, tickets: [], channels: [] };
  }

  static async come({ port, keep }: FuzzedEngine): Promise<Stranger> {
    const peer = keep(await MsgpackPeer.connect(port));
    const handles = await peer.register(["fuzz::0", "fuzz::1"]);
    const [id, key] = [randomUUID(), randomUUID()];
    peer.send([9, 0, id, key, 1, 0, 1], [9, 1, id, key, 0, STREAM_CREDIT_BYTES, 0]); // a stream to itself: what it writes comes back
    return new Stranger(peer, handles);
  }

  /** Sends up to `count` records, and sees to it that the engine has read them, or thrown this peer out for the last. */
  async round(random: Random, count: number, tally: Tally): Promise<number> {
    const known = this.#known;
    let wellFormed = true;
    let sent = 0;
    let last: Buffer = Buffer.alloc(0);
    for (; sent < count && wellFormed; sent++) {
      last = record(random, known);
      wellFormed = isWellFormed(last);
      this.#peer.sendBytes(last);
    }
    tally.add("records", wellFormed ? sent : sent - 1);
    known.tickets.length = 0;
    if (wellFormed) await this.#read(tally);
    else await this.#thrownOut(last, tally);
    return sent;
  }

  async #read(tally: Tally): Promise<void> {
    this.#peer.send([22, MARKER, []]);
    for (;;) {
      const [kind, request, code] = await this.#peer.next("the marker", WAIT_MS);
      if (kind === 23 && request === MARKER) return;
      if (kind === 1 && this.#known.tickets.length < 20) this.#known.tickets.push(Number(request));
      tally.add(kind === 25 ? `refused: ${String(code)}` : `got: kind ${Number(kind)}`);
    }
  }

  async #thrownOut(last: Buffer, tally: Tally): Promise<void> {
    const { socket, closed } = this.#peer;
    const isClosed = () => socket.readyState === socket.CLOSED;
    await eventually(`thrown out for ${last.toString("hex")}`, isClosed, WAIT_MS);
    const { code, reason } = await closed;
    assert.deepEqual([code, reason], [4400, "malformed_record"], last.toString("hex"));
    tally.add("thrown out");
    this.isOut = true;
  }
}
