// The body of an error record: a msgpack map {code, message, …}, written and read outside of the forwarded path.

import { pack, unpack } from "../protocol/msgpack/general.js";

export interface ErrorBody {
  code: string;
  message: string;
  stacktrace?: string;
  /** When to try again, in milliseconds. */
  retry_after_ms?: number;
}

export function packErrorBody(body: ErrorBody): Uint8Array {
  return pack(body);
}

/** The body an executor sent, or undefined when it is no map with string `code` and `message`. */
export function readErrorBody(bytes: Uint8Array): ErrorBody | undefined {
  const value = unpackMap(bytes);
  if (value === undefined) return undefined;
  const { code, message, stacktrace } = value;
  if (typeof code !== "string" || typeof message !== "string") return undefined;
  return typeof stacktrace === "string" ? { code, message, stacktrace } : { code, message };
}

function unpackMap(
  bytes: Uint8Array,
): { code?: unknown; message?: unknown; stacktrace?: unknown } | undefined {
  try {
    const value = unpack(bytes);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined; // not msgpack: the same answer as any other body that cannot be read
  }
}
