// From options to a connected worker.

import { variable } from "./environment.js";
import { CONNECT_TIMEOUT_MS_DEFAULT, WAITING_MAX_DEFAULT } from "./limits.js";
import type { ConnectOptions, WorkerEvent } from "./options.js";
import { loadSocket } from "./socket.js";
import { Worker, type WorkerOptions } from "./worker.js";

const URL_DEFAULT = "ws://127.0.0.1:49134";

/**
 * Connects to an engine and resolves with the worker once the engine knows it.
 *
 * Tries again, with growing random pauses, for `connectTimeoutMs`; rejects with ConnectError when the engine
 * refuses (`worker_name_taken`, …) or is not there in time (`connect_failed`).
 */
export async function connect(options: ConnectOptions = {}): Promise<Worker> {
  const worker = new Worker(await loadSocket(), workerOptions(options));
  await worker.open();
  return worker;
}

/** The options with every default in its place. */
export function workerOptions(options: ConnectOptions): WorkerOptions {
  const { description, headers, tls, toJSONSchema, concurrency, queueCalls, queueMs } = options;
  const name = options.name ?? variable("III_WORKER_NAME");
  const namespace = options.namespace ?? variable("III_NAMESPACE");
  return {
    url: options.url ?? variable("III_URL") ?? URL_DEFAULT,
    hello: { name, namespace, description, concurrency, queue_calls: queueCalls, queue_ms: queueMs },
    socket: { headers, tls },
    reconnect: options.reconnect ?? {},
    connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS_DEFAULT,
    whileDisconnected: options.whileDisconnected ?? "wait",
    waitingMax: options.waitingMax ?? WAITING_MAX_DEFAULT,
    stacktraces: options.stacktraces ?? true,
    toJSONSchema,
    onEvent: options.onEvent ?? warn,
  };
}

/** What nobody listens to must still be seen, where it is a problem that will not heal by itself. */
function warn(event: WorkerEvent): void {
  if (event.type === "refused")
    console.warn(`tercet: refused${functionList(event.functions)} (${event.code}): ${event.message}`);
  if (event.type === "trigger_state" && event.error !== undefined)
    console.warn(
      `tercet: trigger ${event.trigger} ${event.state} (${event.error.code}): ${event.error.message}`,
    );
  if (event.type === "trigger_failed")
    console.warn(`tercet: unregistering trigger ${event.trigger} failed:`, event.error);
  if (event.type === "cast_failed") console.warn(`tercet: a cast of ${event.function} failed:`, event.error);
  if (event.type === "drain" && event.functions === undefined)
    console.warn("tercet: drained by an operator: finishing what is running, and closing");
  if (event.type === "closed") console.warn(`tercet: closed for good (${event.code}): ${event.reason}`);
}

function functionList(functions: readonly string[]): string {
  return functions.length === 0 ? "" : ` ${functions.join(", ")}`;
}
