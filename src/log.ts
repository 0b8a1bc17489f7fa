// The only door to pino: the engine's log.
//
// One line per event: JSON where a program reads, words and colours where a person does (a terminal). Lines are
// gathered and written without blocking the thread that routes calls; `flush` writes what is left before an exit.
// A level can be changed while running and reaches every child logger.
import { writeSync } from "node:fs";
import pino from "pino";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
export type LogFormat = "auto" | "readable" | "json";

/** A sink of whole lines. */
export interface LogDestination {
  write(line: string): unknown;
}

export interface LoggerOptions {
  /** Default "info". */
  readonly level?: LogLevel;
  /** Default "auto": readable when the destination is a terminal, JSON otherwise. */
  readonly format?: LogFormat;
  /** Default: standard output. */
  readonly destination?: LogDestination;
  /** True writes each line before returning: for a process that may be killed at any time. Default false. */
  readonly isSync?: boolean;
}

export type LogFields = Readonly<Record<string, unknown>>;

export interface LogMethod {
  (message: string): void;
  (fields: LogFields, message: string): void;
}

export interface Logger {
  readonly trace: LogMethod;
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  readonly fatal: LogMethod;
  readonly level: string;
  /** A logger that adds these fields to every line; `part` names the part of the engine. */
  child(fields: LogFields): Logger;
  /** Changes the level of this logger and of all its children. */
  setLevel(level: LogLevel): void;
  /** Writes what is still gathered, synchronously. */
  flush(): void;
}

const PENDING_BYTES_MAX = 8 << 20; // a reader that stalls costs at most this much memory; further lines are lost

/** Makes the root logger of a process. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const out = options.destination ?? standardOutput(options.isSync ?? false);
  const isReadable = isReadableFor(options);
  const stream = isReadable
    ? { write: (line: string) => out.write(readableLine(line, useColour(options))) }
    : out;
  const family: WeakRef<pino.Logger>[] = [];
  let pruneAt = 64; // children of closed connections are collected; their places must be as well
  const remember = (child: pino.Logger): void => {
    family.push(new WeakRef(child));
    if (family.length < pruneAt) return;
    const alive = family.filter((member) => member.deref() !== undefined);
    family.splice(0, family.length, ...alive);
    pruneAt = Math.max(64, 2 * alive.length);
  };
  const root = pino({ level: options.level ?? "info", base: null, onChild: remember, formatters }, stream);
  remember(root);
  return wrap(root, family, () => flushOf(out));
}

const formatters = { level: (label: string) => ({ level: label }) };

function standardOutput(isSync: boolean): LogDestination {
  const out = pino.destination({ fd: 1, sync: isSync, maxLength: PENDING_BYTES_MAX });
  const flushSync = out.flushSync.bind(out);
  let hasSaid = false;
  out.on("error", (error: Error) => {
    out.flushSync = () => undefined; // it would try for ever: an exit must not wait for room on a disk
    if (!hasSaid) sayUnwritten(error);
    hasSaid = true;
  });
  out.on("write", () => {
    out.flushSync = flushSync;
  });
  return out;
}

/** A full disk must not end the engine: what cannot be written is kept up to the bound and tried again with the next line. Said once, beside the log. */
function sayUnwritten(error: Error): void {
  try {
    writeSync(2, `tercet: the log cannot be written, going on without it: ${error.message}\n`);
  } catch {
    // standard error is on the same full disk, or nobody reads it: there is no place left to complain
  }
}

function flushOf(out: LogDestination): void {
  if (!("flushSync" in out) || typeof out.flushSync !== "function") return;
  try {
    out.flushSync();
  } catch (error) {
    // Opened a moment ago or its reader is gone: there is no place left to write to, nor to complain.
    if (!(error instanceof Error)) throw error;
  }
}

function wrap(logger: pino.Logger, family: WeakRef<pino.Logger>[], flush: () => void): Logger {
  const method =
    (level: Exclude<LogLevel, "silent">) =>
    (fields: LogFields | string, message?: string): void =>
      typeof fields === "string" ? logger[level](fields) : logger[level](fields, message);
  return {
    trace: method("trace"),
    debug: method("debug"),
    info: method("info"),
    warn: method("warn"),
    error: method("error"),
    fatal: method("fatal"),
    get level() {
      return logger.level;
    },
    child: (fields) => wrap(logger.child(fields), family, flush),
    setLevel: (level) => {
      for (const member of family) {
        const alive = member.deref();
        if (alive !== undefined) alive.level = level;
      }
    },
    flush,
  };
}

function isReadableFor(options: LoggerOptions): boolean {
  if (options.format === "readable") return true;
  if (options.format === "json") return false;
  return options.destination === undefined && process.stdout.isTTY === true;
}

function useColour(options: LoggerOptions): boolean {
  return (
    options.destination === undefined &&
    process.stdout.isTTY === true &&
    process.env["NO_COLOR"] === undefined
  );
}

const COLOURS: Readonly<Record<string, string>> = {
  trace: "\u001b[90m",
  debug: "\u001b[90m",
  info: "\u001b[32m",
  warn: "\u001b[33m",
  error: "\u001b[31m",
  fatal: "\u001b[35m",
};

/** One JSON line of pino's as `time LEVEL part: message  key=value …`; a worker's own output as `time LEVEL worker| text`. */
export function readableLine(line: string, isColoured: boolean): string {
  // pino wrote it a moment ago, always an object with these three
  const { level, time, msg, part, ...rest } = JSON.parse(line) as {
    level: string;
    time: number;
    msg?: string;
  } & Record<string, unknown>;
  const clock = new Date(time).toTimeString().slice(0, 8) + "." + String(time % 1000).padStart(3, "0");
  const word = level.toUpperCase().padEnd(5);
  const shown = isColoured ? `${COLOURS[level] ?? ""}${word}\u001b[0m` : word;
  const { worker, pid, stream, ...others } = rest;
  const isOutput = typeof worker === "string" && stream !== undefined;
  const from = isOutput ? `${worker}| ` : part === undefined ? "" : `${String(part)}: `;
  const fields = Object.entries(isOutput ? others : rest).map(([key, value]) => `${key}=${fieldText(value)}`);
  return `${[`${clock} ${shown} ${from}${msg ?? ""}`, ...fields].join("  ")}\n`;
}

function fieldText(value: unknown): string {
  if (typeof value === "string") return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  if (isErrorShape(value)) return value.stack ?? value.message;
  return JSON.stringify(value);
}

function isErrorShape(value: unknown): value is { message: string; stack?: string } {
  return typeof value === "object" && value !== null && "message" in value && "stack" in value;
}
