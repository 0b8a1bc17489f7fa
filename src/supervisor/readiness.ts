// How a started process is seen to be ready: by a port that accepts, a function that answers, or signs that others bring.
import { connect } from "node:net";
import type { ReadyRules } from "../config/schema.js";
import { pause } from "./deferred.js";

const TRY_EVERY_MS = 100;
const CALL_MS = 5_000;

export type CallFunction = (functionId: string, timeoutMs: number) => Promise<unknown>;

/** Settles once the port accepts or the function answers; never when `signal` is aborted first, or for other rules. */
export async function probeUntilReady(
  rules: ReadyRules,
  call: CallFunction,
  signal: AbortSignal,
): Promise<void> {
  const { tcp, call: functionId } = rules;
  if (rules.until === "tcp" && tcp !== undefined) await repeat(() => accepts(tcp), signal);
  else if (rules.until === "call" && functionId !== undefined)
    await repeat(() => answers(call, functionId), signal);
  else await new Promise(() => {});
}

async function repeat(attempt: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (await attempt()) return;
    await pause(TRY_EVERY_MS, signal);
  }
  await new Promise(() => {}); // nobody waits any more; settling would look like success
}

export function accepts(port: number, host = "127.0.0.1"): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const finish = (isOpen: boolean): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.setTimeout(1_000, () => finish(false));
    socket.once("connect", () => finish(true));
    socket.once("error", () => finish(false));
  });
}

async function answers(call: CallFunction, functionId: string): Promise<boolean> {
  return call(functionId, CALL_MS).then(
    () => true,
    () => false,
  );
}
