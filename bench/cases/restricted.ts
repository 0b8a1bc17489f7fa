// What access rules cost a call: caller and worker have sessions on a listener with rules, against the same on an open one.
//
// The rules are patterns, one of which is looked through in vain and one of which denies something else.

import { barsOf } from "../budget.js";
import { type Case, type Context, turnsS } from "../case.js";
import { startEngine } from "../process.js";
import { cpuPerCall, type Side } from "../slices.js";
import { engineSide, type PathName, type Traffic } from "./sides.js";

const TRAFFIC: Traffic = { callers: 1, workers: 1, outstanding: 64, payloadBytes: 128 };
const TOKEN = "a-token-of-the-bench";
const PATHS: PathName[] = ["coalesced", "json"];

export const restricted: Case = {
  name: "restricted",
  title: "calls of 128 B, 64 outstanding, from a session with access rules against one without",
  quick: false,
  takesS: (effort) => turnsS(effort, 2 * PATHS.length),
  run: async (context) => {
    const sides = context.controlsOnly ? [] : PATHS.flatMap(sidesOf);
    return { name: restricted.name, title: restricted.title, rows: await cpuPerCall(sides, context) };
  },
};

function sidesOf(path: PathName): Side[] {
  const name = `${path}-open`;
  const open = engineSide(path, restricted.name, TRAFFIC);
  return [
    { ...open, name, title: `${open.title}, no rules`, against: {} },
    {
      ...open,
      title: `${open.title}, a session with rules`,
      start: ({ engine }: Context) => startEngine({ ...engine, token: TOKEN }),
      shape: { ...open.shape, token: TOKEN },
      against: { [name]: barsOf(restricted.name, path)[name] },
    },
  ];
}
