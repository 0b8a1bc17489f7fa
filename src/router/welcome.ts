// What the engine says first on the msgpack wire: who the worker is, and what it may do. Mirror of hello.ts.

import {
  CALL_TIMEOUT_MS_MAX,
  CHUNK_BYTES_MAX,
  ID_BYTES_MAX,
  type Limits,
  STREAM_CREDIT_BYTES,
  STREAMS_OPEN_MAX,
} from "../protocol/limits.js";
import { Kind } from "../protocol/msgpack/records.js";
import type { Worker } from "../registry/workers.js";
import { ENGINE_VERSION } from "../version.js";

const PROTOCOL_VERSION = 1;
const CAPABILITIES = ["shared", "cast_all", "cancel", "streams", "triggers", "watch", "drain"];

/** The record for a worker that has just said hello. */
export function welcome(worker: Worker, limits: Limits): readonly unknown[] {
  return [
    Kind.Welcome,
    {
      version: PROTOCOL_VERSION,
      worker: worker.id,
      number: worker.connection.handle >>> 0,
      token: worker.token,
      capabilities: CAPABILITIES,
      limits: limitsOf(limits),
      engine: { name: "tercet", version: ENGINE_VERSION },
    },
  ];
}

function limitsOf(limits: Limits): Record<string, number> {
  return {
    frame_bytes_max: limits.frameBytesMax,
    calls_open_max: limits.callsOpenPerConnectionMax,
    timeout_ms_default: limits.callTimeoutMs,
    timeout_ms_max: CALL_TIMEOUT_MS_MAX,
    functions_max: limits.functionsPerConnectionMax,
    function_bytes_max: limits.functionBytesPerConnectionMax,
    triggers_max: limits.triggersPerConnectionMax,
    trigger_bytes_max: limits.triggerBytesPerConnectionMax,
    trigger_types_max: limits.triggerTypesPerConnectionMax,
    id_bytes_max: ID_BYTES_MAX,
    streams_open_max: STREAMS_OPEN_MAX,
    stream_credit_bytes: STREAM_CREDIT_BYTES,
    chunk_bytes_max: CHUNK_BYTES_MAX,
  };
}
