// Our own SDK (tercet/worker) in a process of its own: what official SDKs do with channels, triggers and listeners with rules, on the
// other wire. Its calls, and what befalls its connection, are tested in test/worker.

import { OWN_SDK } from "./official-sdks.js";
import { testAccess } from "./sdk-access.js";
import { testChannels } from "./sdk-channels.js";
import { testTriggers } from "./sdk-triggers.js";

testChannels(OWN_SDK);
testTriggers(OWN_SDK);
testAccess(OWN_SDK);
