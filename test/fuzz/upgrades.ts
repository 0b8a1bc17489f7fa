// Hostile requests at the upgrade door, as raw bytes over sockets of their own: whatever they are, they end, with a status that the door or its parser knows.
import assert from "node:assert/strict";
import { eventually } from "../support/eventually.js";
import { Random } from "../support/random.js";
import { WAIT_MS, withEngine } from "./fuzzed-engine.js";
import { type Figures, type Fuzzer, Tally, WrongInput } from "./fuzzer.js";
import { knock } from "./upgrade-requests.js";

const NAME = "upgrades";
const PER_HEALTHY_CALL = 1_000;
/** The door's own, and those of uWebSockets' parser: 0 is a close without an answer. */
const KNOWN = [0, 101, 200, 400, 403, 404, 421, 426, 431, 505];

export const upgrades: Fuzzer = {
  name: NAME,
  about: "requests bent in every place end with a known status; a healthy pair is served; no socket is left",
  sliceInputs: 20_000,
  run,
};

async function run(seed: number, inputs: number): Promise<Figures> {
  const tally = new Tally();
  let wrong = 0;
  try {
    await withEngine(async ({ engine, port, served, counter }) => {
      const random = new Random(seed);
      const healthy = engine.stats().connections;
      for (let done = 0; done < inputs; done += PER_HEALTHY_CALL) {
        await knock(port, random, Math.min(PER_HEALTHY_CALL, inputs - done), (status, input) => {
          wrong = done + input;
          assert.ok(KNOWN.includes(status), `status ${status}`);
          tally.add(`status ${status}`);
        });
        await served(done);
      }
      const left = "only the healthy are left";
      await eventually(left, () => engine.stats().connections === healthy, WAIT_MS);
      for (const name of ["origins_refused", "hosts_refused", "handshakes_failed"])
        tally.add(name, counter(name));
    });
  } catch (error) {
    throw new WrongInput(NAME, seed, wrong, error);
  }
  return tally.figures;
}
