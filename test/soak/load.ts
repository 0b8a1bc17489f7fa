// The load of a soak: calls at a steady pace over both wires, and churn beside them: workers that come, register, bind, stream, and go well or badly.
//
// Everything that comes also goes. With `leak` the churning workers stay: what a soak must then notice.

import { setTimeout as sleep } from "node:timers/promises";
import { type ChannelRef, type Context, connect, type Worker } from "../../src/worker/index.js";
import { type JsonFrame, JsonPeer } from "../support/json-peer.js";
import type { Random } from "../support/random.js";

const BEAT_MS = 20;
const MSGPACK_CALLS_A_BEAT = 60;
const JSON_CALLS_A_BEAT = 6;
const CHURN_EVERY_MS = 100;
const FUNCTIONS_A_NEWCOMER = 20;
const STREAM_BYTES = 256 << 10;
/** What a newcomer says of each of its functions: something that takes room. */
const METADATA = { about: "x".repeat(1_000) };

export interface LoadOptions {
  readonly port: number;
  readonly random: Random;
  /** Churning workers stay connected. */
  readonly leak: boolean;
}

export interface LoadFigures {
  calls: number;
  newcomers: number;
  streams: number;
  failures: number;
}

export class Load {
  readonly figures: LoadFigures = { calls: 0, newcomers: 0, streams: 0, failures: 0 };
  readonly #options: LoadOptions;
  readonly #url: string;
  readonly #stayed: Worker[] = [];
  #isOver = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#url = `ws://127.0.0.1:${options.port}`;
  }

  /** Runs until {@link end}; resolves when everything it brought has left. Rejects when a call of the steady load fails. */
  async run(): Promise<void> {
    const worker = await this.#connect("soak-msgpack");
    await worker.register("soak::echo", (data) => data).ready();
    await worker.register("soak::swallow", swallow).ready();
    const caller = await this.#connect("soak-caller");
    const json = await JsonPeer.offering(this.#options.port, "soak::json");
    answerAll(json);
    const jsonCaller = await JsonPeer.announced(this.#options.port);
    const churning = this.#churn(caller);
    while (!this.#isOver) await Promise.all([this.#beat(caller, jsonCaller), sleep(BEAT_MS)]);
    await churning;
    await Promise.all([...this.#stayed, caller, worker].map((one) => one.close()));
    for (const peer of [json, jsonCaller]) peer.socket.terminate();
  }

  end(): void {
    this.#isOver = true;
  }

  async #beat(caller: Worker, jsonCaller: JsonPeer): Promise<void> {
    const calls = [
      ...Array.from({ length: MSGPACK_CALLS_A_BEAT }, (_, n) => caller.call<number>("soak::echo", n)),
      ...Array.from({ length: JSON_CALLS_A_BEAT }, async (_, n) => {
        const { result, error } = await jsonCaller.call("soak::json", n);
        if (error !== undefined) throw new Error(error.message);
        return result as number; // what the worker echoes
      }),
    ];
    const answers = await Promise.all(calls);
    const wrong = answers.some(
      (answer, at) => answer !== (at < MSGPACK_CALLS_A_BEAT ? at : at - MSGPACK_CALLS_A_BEAT),
    );
    if (wrong) throw new Error(`wrong answers: ${JSON.stringify(answers)}`);
    this.figures.calls += answers.length;
  }

  async #churn(caller: Worker): Promise<void> {
    for (let n = 0; !this.#isOver; n++) {
      const pause = sleep(CHURN_EVERY_MS);
      await this.#newcomer(n, caller);
      await pause;
    }
  }

  async #newcomer(n: number, caller: Worker): Promise<void> {
    this.figures.newcomers++;
    const { random, leak } = this.#options;
    const worker = await this.#connect(`soak-newcomer-${n}`);
    const ids = Array.from({ length: FUNCTIONS_A_NEWCOMER }, (_, at) => `soak-${n}::f${at}`);
    const ready = ids.map((id) => worker.register(id, () => n, { metadata: METADATA }).ready());
    worker.registerTrigger({ type: "soak-nobody", function: ids[0] ?? "", config: METADATA });
    await Promise.all(ready);
    if ((await caller.call<number>(random.pick(ids), {})) !== n) this.figures.failures++;
    if (random.next() < 0.3) await this.#stream(worker);
    if (leak) this.#stayed.push(worker);
    else await worker.close({ timeoutMs: random.next() < 0.5 ? 0 : 1_000 });
  }

  async #stream(worker: Worker): Promise<void> {
    const chunk = new Uint8Array(16 << 10);
    let left = STREAM_BYTES;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        if (left === 0) return controller.close();
        controller.enqueue(chunk);
        left -= chunk.length;
      },
    });
    const swallowed = await worker.call<number>("soak::swallow", {}, { streams: { body } });
    if (swallowed !== STREAM_BYTES) throw new Error(`${swallowed} of ${STREAM_BYTES} bytes arrived`);
    this.figures.streams++;
  }

  #connect(name: string): Promise<Worker> {
    return connect({ url: this.#url, name, reconnect: false, onEvent: () => {} });
  }
}

/** Reads a stream to its end and tells how many bytes it had. */
async function swallow({ body }: { body: ChannelRef }, { readable }: Context): Promise<number> {
  let bytes = 0;
  for await (const chunk of readable(body)) bytes += chunk.length;
  return bytes;
}

/** Answers every call with its data. */
function answerAll(peer: JsonPeer): void {
  peer.socket.on("message", (text) => {
    const frame = JSON.parse(String(text)) as JsonFrame; // the engine sends objects with a type
    if (frame.type === "invokefunction") peer.answer(frame, frame.data);
  });
}
