// The official Rust SDK (crates.io iii-sdk, unmodified, three versions) on the real engine.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { runEngine } from "../support/running-engine.js";
import { RUST_SDKS } from "./official-sdks.js";
import { testAccess } from "./sdk-access.js";
import { testCalls } from "./sdk-calls.js";
import { testChannels } from "./sdk-channels.js";
import { testTriggers } from "./sdk-triggers.js";
import { type Ended, type OfficialSdk, sdkTest, started } from "./worker-program.js";

// The versions beside each other: the SDK waits two seconds before it comes back, and cannot be told otherwise.
describe("Rust", { concurrency: true }, () => {
  for (const sdk of RUST_SDKS) describe(sdk.version, { concurrency: 1 }, () => testVersion(sdk));
});

function testVersion(sdk: OfficialSdk): void {
  testCalls(sdk);
  testChannels(sdk);
  if (sdk.knowsTriggers) testTriggers(sdk);
  testAccess(sdk);
  if (sdk.version !== "0.23.0") testObservers(sdk);
}

function testObservers(sdk: OfficialSdk): void {
  sdkTest(
    sdk,
    "observers are not supported here: the SDK says so, and the worker serves on",
    async (t, spawn) => {
      const running = await runEngine(t);
      const far = await started(spawn, t, running);
      const ended = await far.ask({ do: "observe", source: "far::nothing", target: "far::echo" });
      assert.equal((ended as Ended).code, "UNSUPPORTED"); // as every program answers
      assert.equal(await running.engine.call("far::echo", 1), 1);
    },
  );
}
