// `tercet drain`: a worker, one function of it, or the whole engine gets no more calls, finishes those it has, and leaves.

import { DRAIN_MS_DEFAULT } from "../protocol/limits.js";
import { milliseconds } from "./arguments.js";
import { type Command, ENGINE_URL_OPTIONS, type Io, type Line, UsageError } from "./command.js";
import { type Asker, withEngine } from "./engine-client.js";
import { ExitCode } from "./exit-codes.js";
import { number, type Row, rowOf, text } from "./replies.js";

/** How much longer than the drain its answer may take. */
const MARGIN_MS = 10_000;

export const command: Command = {
  summary: "Lets a worker, a function of it, or the engine finish what it has, without new calls, and leave.",
  usage: "drain WORKER[/FUNCTION] | drain --engine",
  details:
    "WORKER is the name or the connection id of a connected worker, FUNCTION the id of a function that it offers. Others that offer the same functions take over at once. A worker on msgpack is told, and its connection is closed when it has finished; one on JSON stays connected, without calls. A declared worker that ends is started again as its restart policy says: use stop to keep it down. With --engine the engine ends as it does on SIGTERM. Ends with 4 when calls were still open at the bound.",
  options: {
    ...ENGINE_URL_OPTIONS,
    engine: { type: "boolean", about: "Drain the engine, which then ends." },
    namespace: {
      type: "string",
      short: "n",
      value: "NAME",
      about:
        "Namespace of the worker; default `default`, or the only one where there is a worker of this name.",
    },
    timeout: {
      type: "string",
      short: "t",
      value: "MS",
      about: `How long calls in flight may take, in milliseconds; default ${DRAIN_MS_DEFAULT}, of the engine server.drain_ms.`,
    },
  },
  run: async (line, io) => {
    const [target, ...more] = line.rest;
    if (more.length > 0) throw new UsageError(`unexpected ${JSON.stringify(more[0])}`);
    if ((target === undefined) !== line.flag("engine"))
      throw new UsageError(
        "drain what? write: tercet drain math, tercet drain math/math::add, or tercet drain --engine",
      );
    return withEngine(line, io, (engine) =>
      target === undefined ? drainEngine(engine, line, io) : drainWorker(engine, target, line, io),
    );
  },
};

async function drainWorker(engine: Asker, target: string, line: Line, io: Io): Promise<ExitCode> {
  const slash = target.indexOf("/");
  const name = slash === -1 ? target : target.slice(0, slash);
  const boundMs = milliseconds(line, "timeout", DRAIN_MS_DEFAULT);
  const body = {
    name,
    namespace: line.text("namespace") ?? null,
    function_id: slash === -1 ? null : target.slice(slash + 1),
    timeout_ms: boundMs,
  };
  const reply = rowOf(await engine.call("engine::workers::drain", body, undefined, boundMs + MARGIN_MS));
  io.out(
    line.flag("json") ? `${JSON.stringify(reply)}\n` : `${target}: ${workerText(reply, slash !== -1)}\n`,
  );
  return number(reply, "calls_left") > 0 ? ExitCode.Lost : ExitCode.Ok;
}

function workerText(reply: Row, isFunction: boolean): string {
  const left = number(reply, "calls_left");
  const isGone = reply["left"] === true;
  const open = left === 0 ? "" : `, ${left} calls ${isGone ? "cut off" : "still open"}`;
  if (isFunction) return `drained and unregistered${open}`;
  return `drained ${number(reply, "functions")} functions${isGone ? " and left" : "; it stays connected"}${open}`;
}

async function drainEngine(engine: Asker, line: Line, io: Io): Promise<ExitCode> {
  const written = line.text("timeout");
  const body = written === undefined ? {} : { timeout_ms: milliseconds(line, "timeout", DRAIN_MS_DEFAULT) };
  const reply = rowOf(await engine.call("engine::drain", body));
  const open = text(reply, "calls_open", "0");
  io.out(
    line.flag("json")
      ? `${JSON.stringify(reply)}\n`
      : `engine: ends when its ${open} calls in flight have, in ${text(reply, "drain_ms")} ms at most; its exit code tells whether one was lost\n`,
  );
  return ExitCode.Ok;
}
