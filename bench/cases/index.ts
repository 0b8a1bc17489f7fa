// Every case of the bench, in the order in which a full run goes through them.

import type { Case } from "../case.js";
import { callCases } from "./call.js";
import { cast } from "./cast.js";
import { fleetCases } from "./fleet.js";
import { latencyCases } from "./latency.js";
import { microCases } from "./micro.js";
import { routes } from "./routes.js";
import { sdk } from "./sdk.js";
import { spawns } from "./spawns.js";

export const CASES: Case[] = [
  ...callCases,
  ...latencyCases,
  cast,
  ...fleetCases,
  sdk,
  routes,
  spawns,
  ...microCases,
];
