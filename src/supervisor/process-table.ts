// The machine's table of processes: who they are, which group they belong to, whether they carry our mark.
//
// A process id alone means nothing: ids are reused. A process is known by its id and its start time together, and a
// process of ours is recognised by the mark in its environment, which survives double forks and new sessions.
// Reads /proc; where that does not exist (macOS), `ps` tells ids, groups and start times, but no environments.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** A process for as long as it lives: the pair is never reused. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque: clock ticks since boot, or what `ps` prints. */
  readonly startTime: string;
}

export interface ProcessEntry extends ProcessIdentity {
  readonly group: number;
  readonly isZombie: boolean;
  readonly residentBytes: number;
}

const PAGE_BYTES = 4096; // what /proc counts resident memory in on x86-64 and on arm64 in its usual build
const hasProc = process.platform === "linux";

/** The process, or undefined when there is none with this id. */
export function lookUp(pid: number): ProcessEntry | undefined {
  return hasProc ? readStat(pid) : listByPs(["-p", String(pid)])[0];
}

/** Whether exactly this process still runs (a zombie does not). */
export function isRunning(identity: ProcessIdentity): boolean {
  const entry = lookUp(identity.pid);
  return entry !== undefined && !entry.isZombie && entry.startTime === identity.startTime;
}

/** Every process that can be seen and is no zombie. */
export function listProcesses(): ProcessEntry[] {
  if (!hasProc) return listByPs(["-A"]).filter((entry) => !entry.isZombie);
  const entries: ProcessEntry[] = [];
  for (const name of readdirSync("/proc")) {
    const entry = /^\d+$/.test(name) ? readStat(Number(name)) : undefined;
    if (entry !== undefined && !entry.isZombie) entries.push(entry);
  }
  return entries;
}

/** Processes whose environment has a variable that begins with `start`, as NAME=value. Empty where environments cannot be read. */
export function listMarked(start: string): ProcessEntry[] {
  return hasProc ? listProcesses().filter((entry) => hasVariable(entry.pid, start)) : [];
}

/** Whether the environment the process was started with holds exactly `variable`, as NAME=value. */
export function isMarked(pid: number, variable: string): boolean {
  return hasProc && hasVariable(pid, `${variable}\0`);
}

function hasVariable(pid: number, start: string): boolean {
  return `\0${readOrEmpty(`/proc/${pid}/environ`)}`.includes(`\0${start}`);
}

/** Sends a signal to exactly this process; false when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  return isRunning(identity) && send(identity.pid, signal);
}

/** Sends a signal to the group led by `leader`; false when no such process is left. */
export function signalGroup(leader: number, signal: NodeJS.Signals): boolean {
  return send(-leader, signal);
}

function send(target: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(target, signal);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ESRCH") return false; // it ended a moment ago, which is what was wanted
    if (code === "EPERM") return false; // it changed its user; nobody but root may end it then
    throw error;
  }
}

/** Field numbers of /proc/<pid>/stat behind the name in parentheses, which may itself hold spaces and parentheses. */
const STATE = 0;
const GROUP = 2;
const START_TIME = 19;
const RESIDENT_PAGES = 21;

function readStat(pid: number): ProcessEntry | undefined {
  const text = readOrEmpty(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const startTime = fields[START_TIME];
  if (text === "" || startTime === undefined) return undefined;
  const isZombie = fields[STATE] === "Z" || fields[STATE] === "X";
  return {
    pid,
    startTime,
    group: Number(fields[GROUP]),
    isZombie,
    residentBytes: Number(fields[RESIDENT_PAGES]) * PAGE_BYTES,
  };
}

/** A process may end between two looks: a file that is gone, or belongs to somebody else, reads as nothing. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES" || code === "EPERM") return "";
    throw error;
  }
}

function listByPs(selection: readonly string[]): ProcessEntry[] {
  try {
    const text = execFileSync("ps", [...selection, "-o", "pid=,pgid=,stat=,rss=,lstart="], {
      encoding: "utf8",
    });
    return parsePs(text);
  } catch (error) {
    // ps ends with 1 when nothing was selected
    if (error instanceof Error && "status" in error && error.status === 1) return [];
    throw error;
  }
}

/** Lines of `ps -o pid=,pgid=,stat=,rss=,lstart=`. */
export function parsePs(text: string): ProcessEntry[] {
  const entries: ProcessEntry[] = [];
  for (const line of text.split("\n")) {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\d+)\s+(.+?)\s*$/.exec(line);
    if (match === null) continue;
    const [, pid = "", group = "", state = "", kilobytes = "", startTime = ""] = match;
    entries.push({
      pid: Number(pid),
      group: Number(group),
      isZombie: state.startsWith("Z"),
      residentBytes: Number(kilobytes) * 1024,
      startTime,
    });
  }
  return entries;
}
