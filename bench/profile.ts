// Where the engine's time goes: reads a V8 CPU profile and lists the functions by their own time.
//
//   npm run bench -- --profile call-128-64     runs the cell with the engine under --cpu-prof and prints the list

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

export interface SelfTime {
  /** `function file:line`, or V8's own words in brackets. */
  where: string;
  /** Of the time the process was not idle. */
  share: number;
}

const IDLE = "(idle)";

/** Functions by self time, the costliest first; waiting for sockets does not count. */
function selfTimes(profile: Profile): SelfTime[] {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const us = new Map<string, number>();
  for (const [index, id] of profile.samples.entries()) {
    const name = names.get(id) ?? "?";
    us.set(name, (us.get(name) ?? 0) + Math.max(0, profile.timeDeltas[index] ?? 0));
  }
  us.delete(IDLE);
  const total = [...us.values()].reduce((sum, value) => sum + value, 0);
  return [...us].map(([where, value]) => ({ where, share: value / total })).sort((a, b) => b.share - a.share);
}

function nameOf({ functionName, url, lineNumber }: Profile["nodes"][number]["callFrame"]): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (url === "") return name;
  const path = url.startsWith("file:") ? fileURLToPath(url) : url;
  return `${name} ${path.split("/").slice(-2).join("/")}:${lineNumber + 1}`;
}

/** The list for every profile in a folder, as text. */
export function profileReport(folder: string, functions = 15): string {
  const files = readdirSync(folder).filter((name) => name.endsWith(".cpuprofile"));
  return files.map((name) => `\n${name}\n${listed(join(folder, name), functions)}`).join("\n");
}

function listed(path: string, functions: number): string {
  const profile: Profile = JSON.parse(readFileSync(path, "utf8"));
  const lines = selfTimes(profile).slice(0, functions);
  return lines.map(({ where, share }) => `${(100 * share).toFixed(1).padStart(5)} %  ${where}`).join("\n");
}
