// `worker::*`: the supervisor's functions for whoever is connected, with the reference's shapes where it has them.
//
// Errors are coded W…; their message is JSON as the reference's, so that its clients can read it.
import { CodedError } from "../protocol/error.js";
import { ChannelError } from "./channel.js";
import type { LogsQuery, UnitLines } from "./messages.js";
import type { Supervisor } from "./supervisor.js";
import { hasProcess, type UnitStatus } from "./transition.js";

export interface ControlFunction {
  readonly description: string;
  readonly handler: (input: unknown) => Promise<unknown>;
}

const WAIT_MS = 60_000; // the reference's bound for a start that is waited for
const TAIL_DEFAULT = 100;
const TAIL_MAX = 1_000;
const FOLLOW_MS_MAX = 25_000; // shorter than the default timeout of SDK calls

const Code = {
  BadPayload: "W105",
  ConsentRequired: "W104",
  NotFound: "W110",
  Spawn: "W160",
  StartTimeout: "W161",
  Internal: "W900",
} as const;

/** All of them by id; register them in namespace `default`. */
export function workerFunctions(supervisor: Supervisor): Record<string, ControlFunction> {
  return {
    "worker::list": {
      description: "Declared workers and what each is doing. {running_only?}",
      handler: (input) => list(supervisor, input),
    },
    "worker::start": {
      description: "Starts a declared worker. {name, wait?: true}",
      handler: (input) => start(supervisor, input),
    },
    "worker::stop": {
      description: "Drains and stops a declared worker. {name, yes: true}",
      handler: (input) => stop(supervisor, input),
    },
    "worker::restart": {
      description: "Drains, stops and starts a declared worker. {name, wait?: true}",
      handler: (input) => restart(supervisor, input),
    },
    "worker::status": {
      description: "Everything known about a declared worker. {name}",
      handler: (input) => status(supervisor, input),
    },
    "worker::logs": {
      description:
        "Recent output of a declared worker. {name, tail?: 100, after?: {process: sequence}, wait_ms?: 0}",
      handler: (input) => logs(supervisor, input),
    },
  };
}

async function list(supervisor: Supervisor, input: unknown): Promise<unknown> {
  const { running_only: isRunningOnly } = objectOf(input);
  const units = await supervisor.status();
  const rows = units.map(workerRow);
  return { workers: isRunningOnly === true ? rows.filter(({ running }) => running) : rows };
}

/** A process as `worker::list` and `engine::status` tell it: the reference's keys first, then ours. */
export function workerRow(unit: UnitStatus): { name: string; running: boolean } & Record<string, unknown> {
  const {
    name,
    worker,
    state,
    pid,
    namespace,
    restarts,
    sinceMs,
    nextStartMs,
    memoryBytes,
    isRegistered,
    reason,
    lastExit,
  } = unit;
  return {
    name,
    running: hasProcess(state),
    status: wordOf(unit),
    ...(pid === undefined ? {} : { pid }),
    worker,
    namespace,
    state,
    since_ms: sinceMs,
    restarts,
    restarts_in_window: unit.restartsInWindow,
    registered: isRegistered,
    next_start_ms: nextStartMs ?? null,
    memory_bytes: memoryBytes ?? null,
    reason: reason ?? null,
    last_exit:
      lastExit === undefined
        ? null
        : { code: lastExit.code, signal: lastExit.signal, at_ms: lastExit.timeMs },
  };
}

function wordOf({ state }: UnitStatus): "running" | "starting" | "stopped" {
  if (state === "starting") return "starting";
  return hasProcess(state) ? "running" : "stopped";
}

async function start(supervisor: Supervisor, input: unknown): Promise<unknown> {
  const body = objectOf(input);
  const name = nameOf(body);
  await refusing(name, () => supervisor.startWorker(name));
  return started(supervisor, name, body["wait"] !== false);
}

async function restart(supervisor: Supervisor, input: unknown): Promise<unknown> {
  const body = objectOf(input);
  const name = nameOf(body);
  await refusing(name, () => supervisor.restartWorker(name));
  return started(supervisor, name, body["wait"] !== false);
}

async function started(supervisor: Supervisor, name: string, isWaiting: boolean): Promise<unknown> {
  const units = await supervisor.settled(name, isWaiting ? WAIT_MS : 0);
  const bad = isWaiting ? units.find(({ state }) => state !== "ready" && state !== "completed") : undefined;
  if (bad !== undefined) {
    const code = hasProcess(bad.state) || bad.state === "waiting" ? Code.StartTimeout : Code.Spawn;
    throw operationError(code, `${bad.name} is ${bad.state}: ${bad.reason ?? "no reason known"}`, {
      state: bad.state,
    });
  }
  const pid = units[0]?.pid;
  return { name, ...(pid === undefined ? {} : { pid }), processes: units.map(workerRow) };
}

async function stop(supervisor: Supervisor, input: unknown): Promise<unknown> {
  const body = objectOf(input);
  const name = nameOf(body);
  if (body["yes"] !== true)
    throw operationError(Code.ConsentRequired, "stopping a worker needs yes: true", { name });
  const reports = await refusing(name, () => supervisor.stopWorker(name));
  const killed = reports.filter(({ wasKilled }) => wasKilled).map((report) => report.name);
  return {
    name,
    stopped: true,
    killed,
    calls_left: reports.reduce((sum, { callsLeft }) => sum + callsLeft, 0),
  };
}

async function status(supervisor: Supervisor, input: unknown): Promise<unknown> {
  const name = nameOf(objectOf(input));
  const units = (await supervisor.status()).filter((unit) => unit.name === name || unit.worker === name);
  const [first] = units;
  if (first === undefined) throw await notFound(supervisor, name);
  const lines = await supervisor.logs({ name, count: 20 });
  const pick = (stream: string): string[] =>
    lines.flatMap((unit) => unit.lines.filter((line) => line.stream === stream).map(({ text }) => text));
  return {
    name,
    installed: true,
    worker_type: "local",
    running: units.some(({ state }) => hasProcess(state)),
    pid: first.pid ?? null,
    version: null,
    logs_dir: lines[0]?.file ?? null,
    stderr_tail: pick("stderr"),
    stdout_tail: pick("stdout"),
    hint: first.reason ?? null,
    processes: units.map(workerRow),
  };
}

async function logs(supervisor: Supervisor, input: unknown): Promise<unknown> {
  const body = objectOf(input);
  const name = nameOf(body);
  const count = Math.min(TAIL_MAX, numberOf(body, "tail", TAIL_DEFAULT));
  const waitMs = Math.min(FOLLOW_MS_MAX, numberOf(body, "wait_ms", 0));
  const after = afterOf(body["after"]);
  const query: LogsQuery = { name, count, waitMs, ...(after === undefined ? {} : { after }) };
  const units = await refusing(name, () => supervisor.logs(query));
  if (units.length === 0) throw await notFound(supervisor, name);
  const texts = (stream: string): string[] =>
    units.flatMap((unit) => unit.lines.filter((line) => line.stream === stream).map(({ text }) => text));
  return {
    name,
    logs_dir: units[0]?.file ?? null,
    stdout: texts("stdout"),
    stderr: texts("stderr"),
    processes: units.map(linesOf),
  };
}

function linesOf({ name, file, lastSequence, lines }: UnitLines): unknown {
  const rows = lines.map(({ sequence, timeMs, pid, stream, text, droppedBytes }) => ({
    sequence,
    time_ms: timeMs,
    pid,
    stream,
    text,
    dropped_bytes: droppedBytes,
  }));
  return { name, file: file ?? null, last_sequence: lastSequence, lines: rows };
}

function afterOf(value: unknown): Record<string, number> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}

function objectOf(input: unknown): Record<string, unknown> {
  if (input === null || input === undefined) return {};
  if (typeof input !== "object" || Array.isArray(input))
    throw operationError(Code.BadPayload, "the payload must be an object", {});
  return { ...input };
}

function nameOf(body: Record<string, unknown>): string {
  const { name } = body;
  if (typeof name !== "string" || name === "")
    throw operationError(Code.BadPayload, "name must be the name of a declared worker", { key: "name" });
  return name;
}

function numberOf(body: Record<string, unknown>, key: string, fallback: number): number {
  const value = body[key] ?? fallback;
  if (typeof value !== "number" || !(value >= 0))
    throw operationError(Code.BadPayload, `${key} must be a number, 0 or more`, { key });
  return Math.floor(value);
}

async function refusing<T>(name: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error;
    throw operationError(error.code === Code.NotFound ? Code.NotFound : Code.Internal, error.message, {
      name,
    });
  }
}

async function notFound(supervisor: Supervisor, name: string): Promise<CodedError> {
  const known = (await supervisor.status()).map((unit) => unit.name);
  return operationError(
    Code.NotFound,
    `there is no declared worker ${JSON.stringify(name)}; declared: ${known.join(", ") || "none"}`,
    { name },
  );
}

function operationError(code: string, message: string, details: Record<string, unknown>): CodedError {
  return new CodedError(code, JSON.stringify({ type: "WorkerOpError", code, message, details }));
}
