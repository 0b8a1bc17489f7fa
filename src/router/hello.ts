// What a msgpack worker says of itself in its first record.

import { CALLS_OPEN_MAX, ID_BYTES_MAX, TIMER_MS_MAX } from "../protocol/limits.js";
import { type Cursor, ElementError } from "../protocol/msgpack/cursor.js";
import { unpack } from "../protocol/msgpack/general.js";
import type { Concurrency } from "../registry/concurrency.js";
import { DEFAULT_NAMESPACE } from "../registry/names.js";
import { cleanText, isBlank } from "../registry/workers.js";

export interface Hello {
  version: number;
  name: string | null;
  namespace: string;
  runtime: string | null;
  version_text: string | null;
  os: string | null;
  description: string | null;
  isolation: string | null;
  pid: number | null;
  previous: { worker: string; token: string } | null;
  concurrency: Concurrency | null;
}

/** Reads the map of a hello. Throws ElementError. */
export function readHello(cursor: Cursor): Hello {
  if (!cursor.isMap()) throw new ElementError("hello holds a map");
  cursor.raw();
  const map = readMap(cursor.bytes.subarray(cursor.start, cursor.end));
  const namespace = text(map, "namespace") ?? DEFAULT_NAMESPACE;
  if (isBlank(namespace)) throw new ElementError("hello.namespace must not be blank");
  if (Buffer.byteLength(namespace) > ID_BYTES_MAX)
    throw new ElementError(`hello.namespace must have at most ${ID_BYTES_MAX} bytes`);
  return {
    version: integer(map, "version") ?? 0,
    name: cleanText(text(map, "name")),
    namespace,
    runtime: text(map, "runtime"),
    version_text: text(map, "sdk_version"),
    os: text(map, "os"),
    description: cleanText(text(map, "description")),
    isolation: text(map, "isolation"),
    pid: integer(map, "pid"),
    previous: readPrevious(map["previous"]),
    concurrency: readConcurrency(map),
  };
}

/** `concurrency`, `queue_calls`, `queue_ms`: how many calls it takes at once. */
function readConcurrency(map: Record<string, unknown>): Concurrency | null {
  const concurrency = bound(map, "concurrency", 1, CALLS_OPEN_MAX);
  const queueCalls = bound(map, "queue_calls", 0, CALLS_OPEN_MAX);
  const queueMs = bound(map, "queue_ms", 0, TIMER_MS_MAX);
  return concurrency === undefined ? null : { concurrency, queueCalls, queueMs };
}

function bound(map: Record<string, unknown>, key: string, min: number, max: number): number | undefined {
  const value = integer(map, key) ?? undefined;
  if (value !== undefined && (value < min || value > max))
    throw new ElementError(`hello.${key} must be ${min} to ${max}, not ${value}`);
  return value;
}

function readMap(bytes: Uint8Array): Record<string, unknown> {
  try {
    // The cursor has seen that it is a map; msgpackr makes an object of it.
    return unpack(bytes) as Record<string, unknown>;
  } catch (cause) {
    throw new ElementError(`hello cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

function readPrevious(value: unknown): Hello["previous"] {
  if (typeof value !== "object" || value === null) return null;
  const { worker, token }: { worker?: unknown; token?: unknown } = value;
  return typeof worker === "string" && typeof token === "string" ? { worker, token } : null;
}

function text(map: Record<string, unknown>, key: string): string | null {
  const value = map[key];
  if (value === undefined || value === null) return null;
  if (typeof value !== "string") throw new ElementError(`hello.${key} must be a str`);
  return value;
}

function integer(map: Record<string, unknown>, key: string): number | null {
  const value = map[key];
  if (value === undefined || value === null) return null;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > 0xffffffff)
    throw new ElementError(`hello.${key} must be an unsigned integer`);
  return value;
}
