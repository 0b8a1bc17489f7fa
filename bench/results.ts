// The file that a run leaves: what was measured, on what, by which command.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Effort, MeasuredCase } from "./case.js";
import type { Machine } from "./machine.js";

export interface Results {
  /** As it was typed. */
  command: string;
  startedAt: string;
  revision: string;
  machine: Machine;
  effort: Effort;
  tookS: number;
  cases: MeasuredCase[];
}

/** The run that README.md shows. */
export const REFERENCE = "bench/results/reference.json";

export function writeResults(path: string, results: Results): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
}

export function readResults(path: string): Results {
  return JSON.parse(readFileSync(path, "utf8"));
}
