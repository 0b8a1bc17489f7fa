// A command's connection to a running engine: an ordinary worker that calls and goes.
import { CallError, ConnectError, connect, TimeoutError } from "../worker/index.js";
import { milliseconds } from "./arguments.js";
import type { Io, Line } from "./command.js";
import { EngineError } from "./engine-error.js";

const DEFAULT_URL = "ws://127.0.0.1:49134";
const TIMEOUT_MS = 30_000;
const CONNECT_MS = 5_000;

export interface Asker {
  /** `timeoutMs`: default what the line says. */
  call(functionId: string, data: unknown, namespace?: string, timeoutMs?: number): Promise<unknown>;
}

/** Connects by the options of the line, lets `work` call, and leaves. Rejects with EngineError. */
export async function withEngine<T>(line: Line, io: Io, work: (engine: Asker) => Promise<T>): Promise<T> {
  const url = line.text("url") ?? io.env["III_URL"] ?? DEFAULT_URL;
  const timeoutMs = milliseconds(line, "timeout", TIMEOUT_MS);
  const worker = await connect({
    url,
    name: `tercet-cli:${process.pid}`,
    namespace: "default",
    reconnect: false,
    connectTimeoutMs: CONNECT_MS,
    onEvent: () => {},
  }).catch((error: unknown) => {
    throw error instanceof ConnectError
      ? new EngineError(error.code, `no engine answers at ${url}; start one with: tercet`)
      : error;
  });
  try {
    return await work({
      call: async (functionId, data, namespace, ownMs) => {
        const options = { timeoutMs: ownMs ?? timeoutMs, ...(namespace === undefined ? {} : { namespace }) };
        return worker.call(functionId, data, options).catch((error: unknown) => {
          throw engineError(error, functionId, options.timeoutMs);
        });
      },
    });
  } finally {
    await worker.close();
  }
}

function engineError(error: unknown, functionId: string, timeoutMs: number): unknown {
  if (error instanceof TimeoutError)
    return new EngineError(error.code, `${functionId} did not answer within ${timeoutMs} ms`);
  if (error instanceof CallError) return new EngineError(error.code, readable(error.message));
  return error;
}

/** Errors of worker::* carry JSON as their message; a person reads the sentence in it. */
function readable(message: string): string {
  if (!message.startsWith("{")) return message;
  try {
    const parsed: unknown = JSON.parse(message);
    if (
      typeof parsed === "object" &&
      parsed !== null &&
      "message" in parsed &&
      typeof parsed.message === "string"
    )
      return parsed.message;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // not JSON after all: a sentence that begins with a brace
  }
  return message;
}
