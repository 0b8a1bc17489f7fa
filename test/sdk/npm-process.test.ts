// The official npm SDK (iii-sdk 0.22.1, unmodified) in a process of its own: the tests that all official SDKs share.

import { NPM_SDK } from "./official-sdks.js";
import { testAccess } from "./sdk-access.js";
import { testCalls } from "./sdk-calls.js";
import { testChannels } from "./sdk-channels.js";
import { testTriggers } from "./sdk-triggers.js";

testCalls(NPM_SDK);
testChannels(NPM_SDK);
testTriggers(NPM_SDK);
testAccess(NPM_SDK);
