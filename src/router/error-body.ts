// What an error tells a caller: a map {code, message, …}, in msgpack for one wire and as JSON text for the other. Written and read outside of the forwarded path.

import { ErrorCode } from "../protocol/error.js";
import { pack, unpack } from "../protocol/msgpack/general.js";

export interface ErrorBody {
  code: string;
  message: string;
  stacktrace?: string | undefined;
  /** When to try again, in milliseconds. */
  retry_after_ms?: number | undefined;
}

/** When a refused caller may try again if nothing better is known: a few turns of a busy engine. */
const RETRY_AFTER_MS = 100;

/** Codes of what passes by itself. */
const PASSING: ReadonlySet<string> = new Set([
  ErrorCode.Overloaded,
  ErrorCode.Draining,
  ErrorCode.RateLimited,
]);

/** An error of the engine's own. What passes by itself says when to try again; default 100 ms. */
export function engineErrorBody(code: string, message: string, retryAfterMs = RETRY_AFTER_MS): ErrorBody {
  return PASSING.has(code) ? { code, message, retry_after_ms: retryAfterMs } : { code, message };
}

export function packErrorBody({ code, message, stacktrace, retry_after_ms }: ErrorBody): Uint8Array {
  return pack({
    code,
    message,
    ...(stacktrace === undefined ? {} : { stacktrace }),
    ...(retry_after_ms === undefined ? {} : { retry_after_ms }),
  });
}

/** The JSON text of an error as callers see it. */
export function errorText({ code, message, stacktrace, retry_after_ms }: ErrorBody): Uint8Array {
  return Buffer.from(JSON.stringify({ code, message, stacktrace, retry_after_ms }), "utf8");
}

/** The body an executor sent, or undefined when it is no map with string `code` and `message`. */
export function readErrorBody(bytes: Uint8Array): ErrorBody | undefined {
  const value = unpackMap(bytes);
  if (value === undefined) return undefined;
  const { code, message, stacktrace, retry_after_ms } = value;
  if (typeof code !== "string" || typeof message !== "string") return undefined;
  return {
    code,
    message,
    stacktrace: typeof stacktrace === "string" ? stacktrace : undefined,
    retry_after_ms: milliseconds(retry_after_ms),
  };
}

/** A number of milliseconds as a peer gave it; undefined when it is none. */
export function milliseconds(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

function unpackMap(bytes: Uint8Array): Partial<Record<keyof ErrorBody, unknown>> | undefined {
  try {
    const value = unpack(bytes);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined; // not msgpack: the same answer as any other body that cannot be read
  }
}
