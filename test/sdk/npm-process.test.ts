// The official npm SDK (iii-sdk 0.22.1, unmodified) in a process of its own: the tests that all official SDKs share.

import { fileURLToPath } from "node:url";
import { testAccess } from "./sdk-access.js";
import { testCalls } from "./sdk-calls.js";
import { testChannels } from "./sdk-channels.js";
import { testTriggers } from "./sdk-triggers.js";
import type { OfficialSdk } from "./worker-program.js";

const PROGRAM = fileURLToPath(new URL("npm-worker.js", import.meta.url));

const sdk: OfficialSdk = {
  label: "npm 0.22.1",
  runtime: "node",
  version: "0.22.1",
  knowsNamespaces: false,
  knowsTriggers: true,
  command: async () => [process.execPath, PROGRAM],
};

testCalls(sdk);
testChannels(sdk);
testTriggers(sdk);
testAccess(sdk);
