// What the engine says first: who this connection is, and what the engine allows.

import { RecordError } from "./errors.js";
import {
  CALLS_OPEN_MAX,
  CALLS_OPEN_MAX_DEFAULT,
  CHUNK_BYTES_MAX_DEFAULT,
  FRAME_BYTES_MAX_DEFAULT,
  STREAM_CREDIT_BYTES_DEFAULT,
  TIMEOUT_MS_DEFAULT,
} from "./limits.js";

export interface Welcome {
  /** The connection's id, as lists of workers show it. */
  readonly worker: string;
  /** The connection's number, as handlers elsewhere see it in `caller`. */
  readonly number: number;
  /** For coming back. */
  readonly token: string;
  /** The engine's name and version. */
  readonly engine: string;
  /** It knows the record `drain`. */
  readonly canDrain: boolean;
  readonly limits: WelcomeLimits;
}

export interface WelcomeLimits {
  readonly frameBytesMax: number;
  readonly callsOpenMax: number;
  readonly timeoutMsDefault: number;
  readonly streamCreditBytes: number;
  readonly chunkBytesMax: number;
}

type Members = Readonly<Record<string, unknown>>;

/** Reads the map of a `welcome`; limits that it does not name have the defaults of limits.ts. */
export function readWelcome(map: unknown): Welcome {
  const members = membersOf(map);
  const limits = membersOf(members["limits"] ?? {});
  const engine = membersOf(members["engine"] ?? {});
  const capabilities: readonly unknown[] = Array.isArray(members["capabilities"])
    ? members["capabilities"]
    : [];
  return {
    worker: String(members["worker"] ?? ""),
    number: positive(members["number"], 0),
    token: String(members["token"] ?? ""),
    engine: `${engine["name"] ?? "engine"} ${engine["version"] ?? "?"}`,
    canDrain: capabilities.includes("drain"),
    limits: {
      frameBytesMax: positive(limits["frame_bytes_max"], FRAME_BYTES_MAX_DEFAULT),
      callsOpenMax: Math.min(positive(limits["calls_open_max"], CALLS_OPEN_MAX_DEFAULT), CALLS_OPEN_MAX),
      timeoutMsDefault: positive(limits["timeout_ms_default"], TIMEOUT_MS_DEFAULT),
      streamCreditBytes: positive(limits["stream_credit_bytes"], STREAM_CREDIT_BYTES_DEFAULT),
      chunkBytesMax: positive(limits["chunk_bytes_max"], CHUNK_BYTES_MAX_DEFAULT),
    },
  };
}

function membersOf(value: unknown): Members {
  if (typeof value === "object" && value !== null) return value as Members; // any object can be read by key
  throw new RecordError("A welcome's element is not a map");
}

function positive(value: unknown, otherwise: number): number {
  return typeof value === "number" && value > 0 ? value : otherwise;
}
