// Processes that a worker left behind: members of its group, and those that forked away from it.
//
// Every launch carries its own mark in the environment, which its descendants inherit wherever they fork to. One look
// at the process table serves all who ask within a moment: looking costs milliseconds when a machine runs hundreds.

import { pause } from "./deferred.js";
import {
  isMarked,
  listMarked,
  listProcesses,
  type ProcessEntry,
  type ProcessIdentity,
  signalProcess,
} from "./process-table.js";

const MARK_NAME = "III_SUPERVISION";
const GATHER_MS = 20;
const POLL_MS = 50;

/** `run` is unique for one start of the engine, `launch` for one process within it. */
export function markOf(run: string, launch: number): string {
  return `${MARK_NAME}=${run}.${launch}`;
}

let pending: Promise<ProcessEntry[]> | undefined;

function processesSoon(): Promise<ProcessEntry[]> {
  pending ??= pause(GATHER_MS).then(() => {
    pending = undefined;
    return listProcesses();
  });
  return pending;
}

/** Groups of launches that live: their members are nobody else's leftovers, and need not be looked into. */
const living = new Set<number>();

export function groupLives(group: number): void {
  living.add(group);
}

export function groupEnded(group: number): void {
  living.delete(group);
}

/** One launch that has ended: its mark, and its leader as it was. */
export interface Launched extends ProcessIdentity {
  readonly mark: string;
}

/** What still runs of a launch. Whoever is older than its leader cannot be its child. */
async function leftoversOf(launched: Launched): Promise<ProcessEntry[]> {
  const processes = await processesSoon();
  if (process.platform !== "linux") return processes.filter(({ group }) => group === launched.pid);
  const sinceTicks = Number(launched.startTime);
  const young = processes.filter(
    ({ startTime, group }) => Number(startTime) >= sinceTicks && !living.has(group),
  );
  return young.filter(({ pid }) => isMarked(pid, launched.mark));
}

/** Ends what is left of a launch: asks, waits up to `graceMs`, then kills. True when something had to be killed. */
export async function sweep(launched: Launched, graceMs: number, hurry: AbortSignal): Promise<boolean> {
  let left = await leftoversOf(launched);
  for (const each of left) signalProcess(each, "SIGTERM");
  const deadline = performance.now() + graceMs;
  while (left.length > 0 && performance.now() < deadline && !hurry.aborted) {
    await pause(POLL_MS, hurry);
    left = await leftoversOf(launched);
  }
  for (const each of left) signalProcess(each, "SIGKILL");
  return left.length > 0;
}

/** Ends every process of an earlier supervisor of this run: those it told of, and those that carry the run's mark. */
export async function sweepRun(
  run: string,
  known: readonly ProcessIdentity[],
  graceMs: number,
): Promise<number> {
  const find = (): ProcessIdentity[] => [
    ...known.filter((each) => signalProcess(each, "SIGCONT")),
    ...ofRun(run),
  ];
  let left = find();
  const count = new Set(left.map(({ pid }) => pid)).size;
  for (const each of left) signalProcess(each, "SIGTERM");
  const deadline = performance.now() + graceMs;
  while (left.length > 0 && performance.now() < deadline) {
    await pause(POLL_MS);
    left = find();
  }
  for (const each of left) signalProcess(each, "SIGKILL");
  return count;
}

function ofRun(run: string): ProcessEntry[] {
  return listMarked(`${MARK_NAME}=${run}.`);
}
