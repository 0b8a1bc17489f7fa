// Every case of the bench, in the order in which a full run goes through them.

import type { Case } from "../case.js";
import { callCases } from "./call.js";
import { cast } from "./cast.js";
import { discovery } from "./discovery.js";
import { feeds } from "./feeds.js";
import { fleetCases } from "./fleet.js";
import { latencyCases } from "./latency.js";
import { microCases } from "./micro.js";
import { pressureCases } from "./pressure.js";
import { restricted } from "./restricted.js";
import { routes } from "./routes.js";
import { sdk } from "./sdk.js";
import { spawns } from "./spawns.js";
import { storm } from "./storm.js";
import { streamCases } from "./streams.js";
import { triggerCases } from "./triggers.js";

export const CASES: Case[] = [
  ...callCases,
  ...latencyCases,
  cast,
  feeds,
  discovery,
  ...triggerCases,
  ...streamCases,
  restricted,
  ...fleetCases,
  storm,
  ...pressureCases,
  sdk,
  routes,
  spawns,
  ...microCases,
];
