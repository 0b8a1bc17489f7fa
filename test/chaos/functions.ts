// The functions that chaos is about: some with one owner and standbys, some shared by rule, one that nobody offers.
import type { FunctionRule } from "../../src/registry/share.js";

export const RULES: readonly FunctionRule[] = [
  { match: "pool::*", share: "least_outstanding" },
  { match: "ring::*", share: "round_robin" },
];

export const OFFERED = ["solo::0", "solo::1", "solo::2", "pool::0", "pool::1", "ring::0"] as const;
export const CALLED = [...OFFERED, "nobody::offers"] as const;
