// A command's connection to a running engine: an ordinary worker that calls and goes.
import { readFileSync } from "node:fs";
import {
  CallError,
  ConnectError,
  type ConnectOptions,
  connect,
  TimeoutError,
  type Worker,
} from "../worker/index.js";
import type { SocketTls } from "../worker/socket.js";
import { milliseconds } from "./arguments.js";
import { type Io, type Line, UsageError } from "./command.js";
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
  const timeoutMs = milliseconds(line, "timeout", TIMEOUT_MS);
  const worker = await connectToEngine(line, io, { reconnect: false });
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

/** Connects by the options of the line. Rejects with EngineError, UsageError. */
export async function connectToEngine(
  line: Line,
  io: Io,
  options: Pick<ConnectOptions, "reconnect"> = {},
): Promise<Worker> {
  const url = line.text("url") ?? io.env["III_URL"] ?? DEFAULT_URL;
  const token = io.env["TERCET_TOKEN"] ?? ""; // an argument would be seen by everybody who lists processes
  try {
    return await connect({
      url,
      name: `tercet-cli:${process.pid}`,
      namespace: "default",
      connectTimeoutMs: CONNECT_MS,
      onEvent: () => {},
      ...(token === "" ? {} : { headers: { authorization: `Bearer ${token}` } }),
      tls: tlsOf(line),
      ...options,
    });
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    throw new EngineError(
      error.code,
      isAbsent(error) ? `no engine answers at ${url}; start one with: tercet` : error.message,
    );
  }
}

/** Nobody listens there, as against somebody who refuses, or whom we do not believe. */
function isAbsent({ code, message }: ConnectError): boolean {
  return code === "connect_failed" && !/certificate|SSL|TLS|Unexpected server response/i.test(message);
}

function tlsOf(line: Line): SocketTls {
  const files = { ca: line.text("ca"), cert: line.text("cert"), key: line.text("cert-key") };
  const given = Object.entries(files).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(given.map(([name, file]) => [name, readPem(file)]));
}

function readPem(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
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
