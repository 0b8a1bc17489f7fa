// The official Python SDK (PyPI iii-sdk, unmodified, two versions) on the real engine. It knows what the npm release does not:
// namespaces, and that a worker's name may be taken; and its receive loop is the most easily lost of all.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { runEngine } from "../support/running-engine.js";
import { iiiFor, offered, settled } from "./iii.js";
import { PYTHON_SDKS } from "./official-sdks.js";
import { testAccess } from "./sdk-access.js";
import { testCalls } from "./sdk-calls.js";
import { testChannels } from "./sdk-channels.js";
import { testTriggers } from "./sdk-triggers.js";
import { type Ended, type OfficialSdk, sdkTest, started } from "./worker-program.js";

describe("Python", { concurrency: true }, () => {
  for (const sdk of PYTHON_SDKS) describe(sdk.version, { concurrency: 1 }, () => testVersion(sdk));
});

function testVersion(sdk: OfficialSdk): void {
  testCalls(sdk);
  testChannels(sdk);
  testTriggers(sdk);
  testAccess(sdk);

  sdkTest(
    sdk,
    "a payload or a result with NaN ends its call with a coded error, and nothing else",
    async (t, spawn) => {
      const running = await runEngine(t);
      await started(spawn, t, running, { NAN: "1" });
      const iii = iiiFor(t, running.url);
      iii.registerFunction("json::echo", async (data) => data);
      await offered(running.engine, "json::echo", "far::nan");
      const call = (request: Record<string, unknown>) =>
        running.engine.call("far::call", request) as Promise<Ended>; // as every program answers
      assert.equal((await call({ function_id: "json::echo", nan: true })).code, "payload_invalid");
      await assert.rejects(
        iii.trigger({ function_id: "far::nan", payload: {} }),
        /^InvocationError: answer_invalid/,
      );
      assert.equal(await iii.trigger({ function_id: "far::echo", payload: 1 }), 1);
      await settled(running);
    },
  );
}
