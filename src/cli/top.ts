// `tercet top`: what a running engine does, live: calls a second and how long they take, the busiest workers and functions, queues, refusals.
import { quantileMs } from "../router/durations.js";
import { milliseconds } from "./arguments.js";
import { type Command, ENGINE_OPTIONS, type Io } from "./command.js";
import { type Asker, withEngine } from "./engine-client.js";
import { ExitCode } from "./exit-codes.js";
import { number, type Row, rowOf, rowsOf, text } from "./replies.js";
import { age, bytes, table } from "./table.js";

const TOP = "engine::top";
const INTERVAL_MS = 1_000;
const INTERVAL_MS_MIN = 100;
/** Rows of the screen that are not rows of the two tables: head, figures, blank lines, heads of the tables. */
const FRAME_ROWS = 12;
const SCREEN_ROWS = 40;

export const command: Command = {
  summary: "Shows live what the engine does: calls, times, workers, functions, queues, refusals.",
  usage: "top",
  options: {
    ...ENGINE_OPTIONS,
    interval: {
      type: "string",
      short: "i",
      value: "MS",
      about: `Pause between two looks, in milliseconds; default ${INTERVAL_MS}, at least ${INTERVAL_MS_MIN}.`,
    },
    once: { type: "boolean", about: "Look once over one interval and end." },
  },
  details: "  Ends with Ctrl-C. Rates are those since the look before.",
  run: async (line, io) => {
    const intervalMs = Math.max(INTERVAL_MS_MIN, milliseconds(line, "interval", INTERVAL_MS));
    const show = line.flag("json") ? showJson : io.isTerminal && !line.flag("once") ? redraw : append;
    return withEngine(line, io, (engine) =>
      follow(engine, intervalMs, line.flag("once"), (before, now) => show(io, before, now)),
    );
  },
};

async function follow(
  engine: Asker,
  intervalMs: number,
  isOnce: boolean,
  show: (before: Row, now: Row) => void,
): Promise<ExitCode> {
  let before = rowOf(await engine.call(TOP, {}));
  do {
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
    const now = rowOf(await engine.call(TOP, {}));
    show(before, now);
    before = now;
  } while (!isOnce);
  return ExitCode.Ok;
}

function showJson(io: Io, _before: Row, now: Row): void {
  io.out(`${JSON.stringify(now)}\n`);
}

function append(io: Io, before: Row, now: Row): void {
  io.out(`${screen(before, now, SCREEN_ROWS).join("\n")}\n`);
}

/** Over what was drawn before: every line to its end, then what is left below. */
function redraw(io: Io, before: Row, now: Row): void {
  const rows = process.stdout.rows ?? SCREEN_ROWS;
  const columns = process.stdout.columns ?? 120;
  const lines = screen(before, now, rows - 1).map((line) => line.slice(0, columns));
  io.out(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join("\n")}\u001b[J`);
}

function screen(before: Row, now: Row, rowsMax: number): string[] {
  const seconds = Math.max(0.001, (number(now, "now_ms") - number(before, "now_ms")) / 1_000);
  const counters = new Rates(rowOf(before["counters"]), rowOf(now["counters"]), seconds);
  const gauges = rowOf(now["gauges"]);
  const space = Math.max(2, rowsMax - FRAME_ROWS);
  const workers = workerTable(before, now, seconds, Math.ceil(space / 2));
  const functions = functionTable(before, now, seconds, space - Math.ceil(space / 2));
  return [
    `tercet ${text(now, "version")}  up ${age(number(now, "started_at_ms"))}`,
    "",
    callsLine(before, now, counters, gauges),
    `workers   ${text(gauges, "workers")} workers, ${text(gauges, "connections")} connections, ${text(gauges, "functions")} functions, ${text(gauges, "triggers")} triggers, ${text(gauges, "channels")} channels`,
    `waiting   ${bytes(number(gauges, "outbox_bytes"))} in outboxes, ${bytes(number(gauges, "outbox_largest_bytes"))} in the largest${queuedText(gauges)}`,
    `network   ${bytes(counters.of("bytes_received"))}/s in, ${bytes(counters.of("bytes_sent"))}/s out`,
    `process   ${bytes(number(gauges, "process_resident_memory_bytes"))} resident, ${percent(counters.of("process_cpu_seconds"))} of a core, event loop ${percent(number(gauges, "event_loop_utilization"))} busy`,
    `refusals  ${refusalsText(counters)}`,
    "",
    ...workers,
    "",
    ...functions,
  ];
}

function callsLine(before: Row, now: Row, counters: Rates, gauges: Row): string {
  const [from, to] = [numbersOf(before, "durations"), numbersOf(now, "durations")];
  const counts = to.map((count, bucket) => count - (from[bucket] ?? 0));
  return `calls     ${perSecond(counters.of("calls_ended"))} ended, p50 ${time(quantileMs(counts, 0.5))}, p99 ${time(quantileMs(counts, 0.99))}; ${text(gauges, "calls_open")} open`;
}

function queuedText(gauges: Row): string {
  return `; ${text(gauges, "calls_waiting")} calls waiting for busy workers${number(gauges, "memory_near_ceiling") === 1 ? "; NEAR THE MEMORY CEILING" : ""}`;
}

/** Counters of what was refused, dropped, cut or ended before its time: those that ever counted. */
const REFUSALS =
  /refused|overloaded|dropped|forbidden|not_found|deadline|stopped|slow|malformed|invalid|unmatched|overrun|rejected|limited/;

function refusalsText(counters: Rates): string {
  const found = counters.names().filter((name) => REFUSALS.test(name) && counters.total(name) > 0);
  if (found.length === 0) return "none so far";
  return found
    .map(
      (name) =>
        `${name} ${counters.total(name)}${counters.of(name) > 0 ? ` (${perSecond(counters.of(name))})` : ""}`,
    )
    .join(", ");
}

function workerTable(before: Row, now: Row, seconds: number, rowsMax: number): string[] {
  const earlier = new Map(rowsOf(before, "workers").map((row) => [text(row, "id"), number(row, "executed")]));
  const rows = rowsOf(now, "workers").map((row) => {
    const was = earlier.get(text(row, "id"));
    const rate = was === undefined ? 0 : ((number(row, "executed") - was) >>> 0) / seconds;
    return { row, rate };
  });
  rows.sort((a, b) => b.rate - a.rate || number(b.row, "calling") - number(a.row, "calling"));
  return tableOf(
    ["WORKER", "NAMESPACE", "CALLS/S", "EXECUTING", "QUEUED", "WAITING FOR", "OUTBOX"],
    rows.map(({ row, rate }) => [
      text(row, "name", text(row, "id")),
      text(row, "namespace"),
      perSecond(rate),
      text(row, "executing"),
      text(row, "queued"),
      text(row, "calling"),
      bytes(number(row, "outbox_bytes")),
    ]),
    rowsMax,
  );
}

function functionTable(before: Row, now: Row, seconds: number, rowsMax: number): string[] {
  const nameOf = (row: Row): string => `${text(row, "namespace")} ${text(row, "id")}`;
  const earlier = new Map(rowsOf(before, "functions").map((row) => [nameOf(row), number(row, "calls")]));
  const rows = rowsOf(now, "functions").map((row) => ({
    row,
    rate: Math.max(0, number(row, "calls") - (earlier.get(nameOf(row)) ?? 0)) / seconds,
  }));
  rows.sort((a, b) => b.rate - a.rate);
  return tableOf(
    ["FUNCTION", "NAMESPACE", "CALLS/S", "P50", "P99"],
    rows.map(({ row, rate }) => [
      text(row, "id"),
      text(row, "namespace"),
      perSecond(rate),
      time(number(row, "p50_ms")),
      time(number(row, "p99_ms")),
    ]),
    rowsMax,
  );
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[], rowsMax: number): string[] {
  const shown = rows.slice(0, rowsMax);
  const lines = table(head, shown).trimEnd().split("\n");
  return rows.length > shown.length ? [...lines, `… ${rows.length - shown.length} more`] : lines;
}

/** Counters of two looks, and how fast they grew in between. */
class Rates {
  readonly #before: Row;
  readonly #now: Row;
  readonly #seconds: number;

  constructor(before: Row, now: Row, seconds: number) {
    this.#before = before;
    this.#now = now;
    this.#seconds = seconds;
  }

  names(): string[] {
    return Object.keys(this.#now);
  }

  total(name: string): number {
    return number(this.#now, name);
  }

  of(name: string): number {
    return (number(this.#now, name) - number(this.#before, name)) / this.#seconds;
  }
}

function numbersOf(row: Row, key: string): number[] {
  const list = row[key];
  return Array.isArray(list) ? list.map(Number) : [];
}

function perSecond(rate: number): string {
  return `${rate >= 100 ? Math.round(rate).toLocaleString("en-US") : rate.toFixed(1)}/s`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function time(ms: number | null): string {
  if (ms === null) return "-";
  if (ms < 1) return `${Math.round(ms * 1_000)} µs`;
  return ms < 1_000 ? `${ms.toPrecision(3)} ms` : `${(ms / 1_000).toPrecision(3)} s`;
}
