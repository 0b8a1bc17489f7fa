// The words of the bench: a case measures rows; a row has figures; a figure may be held against another row's.
//
// Absolute figures drift with the machine and with whatever else runs on it. What is compared and gated are ratios
// between rows of one case, which take turns in short slices, so that both see the same weather.

import type { SpawnOptions } from "./process.js";

/** How long and how often; `--quick` and the tests choose smaller ones. */
export interface Effort {
  warmupMs: number;
  sliceMs: number;
  slices: number;
  /** Scales counts that are not durations: connections, registrations. 1 in a full run. */
  scale: number;
}

export const FULL: Effort = { warmupMs: 700, sliceMs: 800, slices: 3, scale: 1 };
export const QUICK: Effort = { warmupMs: 300, sliceMs: 350, slices: 3, scale: 0.1 };
/** Only to see that a case is alive. */
export const ONCE: Effort = { warmupMs: 0, sliceMs: 30, slices: 1, scale: 0.01 };

export interface Context {
  effort: Effort;
  /** Leave the engine out: to measure the machine, or where there is no engine yet. */
  controlsOnly: boolean;
  /** Tells what is being measured now. */
  progress(what: string): void;
  /** How the engine is started: the tree it is built in, options of Node. */
  engine: SpawnOptions;
  /** This row cannot be measured, and why; the others go on. */
  giveUp(row: RowName, why: unknown): void;
}

export type RowName = Pick<Row, "name" | "title">;

/** Processes to start and connections to open, for each side of a case; rough. */
const START_S = 0.4;

/** About how long `sides` take that are measured in turns, in seconds. */
export function turnsS({ warmupMs, sliceMs, slices }: Effort, sides: number): number {
  return sides * (START_S + (warmupMs + slices * sliceMs) / 1000);
}

export interface Figure {
  value: number;
  unit: string;
  /** Half the interquartile range over the slices, relative to the median. */
  spread?: number;
  /** For the file only: a person looking at the table does not need it. */
  isQuiet?: true;
}

/** `row` ÷ `control`, both of this case (or a figure with a bar of its own); the smaller the better. */
export interface Ratio {
  control: string;
  /** The median over the turns. */
  value: number;
  /** Between these it lies with nine chances in ten; only where there were turns enough to say so. */
  low?: number;
  high?: number;
  /** The bar of budget.ts; undefined where none is set. */
  reach?: number;
  /** Where the bar is a figure of its own and not a ratio to another row's: its unit. `control` says what is counted. */
  unit?: string;
}

export interface Row {
  name: string;
  title: string;
  kind: "control" | "tercet";
  /** What the row is judged by. */
  figure: Figure;
  /** Shown beside it. */
  others: Record<string, Figure>;
  ratios: Ratio[];
}

export interface CaseResult {
  name: string;
  title: string;
  rows: Row[];
}

/** What became of a case, for the table and the file. */
export interface MeasuredCase extends CaseResult {
  /** Rows that could not be measured; the case itself, when none could. */
  unmeasured: (RowName & { why: string })[];
  tookS: number;
}

export interface Case {
  /** What the command line says: `npm run bench -- call-128-64`. */
  name: string;
  title: string;
  /** Part of `--quick`. */
  quick: boolean;
  /** About how long it takes, in seconds. */
  takesS(effort: Effort): number;
  run(context: Context): Promise<CaseResult>;
}
