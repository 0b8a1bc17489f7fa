// `engine::traces|metrics|logs|sampling|health|alerts|rollups::*` while no observability worker is connected: the shapes that consoles expect, with
// nothing in them. A worker that registers one of these ids serves it from then on, until it leaves.

import type { Clock } from "../clock.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { ENGINE_VERSION } from "../version.js";
import { type Builtin, objectInput, requiredString } from "./builtin.js";

type Input = Record<string, unknown>;
type Answer = (input: Input, nowMs: number) => object;

/** What a console shows where it expects the name of a store. */
const STORAGE = "none";
const MESSAGE = "No observability worker is connected: nothing is kept";
/** Rows of a page when the asker does not say. */
const PAGE_ROWS = 100;

interface Shape {
  id: string;
  about: string;
  /** Keys of the input that must be strings. */
  required?: readonly string[];
  answer: Answer;
}

const SHAPES: readonly Shape[] = [
  {
    id: "engine::traces::list",
    about: "Lists spans.",
    answer: (input) => ({ spans: [], total: 0, ...pageOf(input), storage: STORAGE }),
  },
  {
    id: "engine::traces::tree",
    about: "The spans of one trace as a tree.",
    required: ["trace_id"],
    answer: () => ({ roots: [], storage: STORAGE }),
  },
  {
    id: "engine::traces::group_by",
    about: "Traces grouped by an attribute.",
    required: ["attribute"],
    answer: () => ({ groups: [], storage: STORAGE }),
  },
  { id: "engine::traces::clear", about: "Forgets all spans.", answer: () => ({ success: true }) },
  {
    id: "engine::metrics::list",
    about: "Metrics of the engine and of workers.",
    answer: (_, timestamp) => ({ engine_metrics: {}, sdk_metrics: [], timestamp }),
  },
  {
    id: "engine::logs::list",
    about: "Lists log records.",
    answer: (_, timestamp) => ({ logs: [], total: 0, timestamp }),
  },
  {
    id: "engine::logs::clear",
    about: "Forgets all log records.",
    answer: () => ({ success: true, message: MESSAGE }),
  },
  {
    id: "engine::sampling::rules",
    about: "How traces and logs are sampled.",
    answer: (_, timestamp) => ({ traces: {}, logs: {}, timestamp }),
  },
  {
    id: "engine::health::check",
    about: "Whether the engine is well.",
    answer: (_, timestamp) => ({ status: "healthy", components: {}, timestamp, version: ENGINE_VERSION }),
  },
  {
    id: "engine::alerts::list",
    about: "Alerts and their rules.",
    answer: (_, timestamp) => ({ alerts: [], rules: [], firing_count: 0, message: MESSAGE, timestamp }),
  },
  {
    id: "engine::alerts::evaluate",
    about: "Evaluates the rules of alerts.",
    answer: (_, timestamp) => ({ evaluated: false, triggered_alerts: [], message: MESSAGE, timestamp }),
  },
  {
    id: "engine::rollups::list",
    about: "Metrics rolled up over time.",
    answer: (_, timestamp) => ({ rollups: [], histogram_rollups: [], message: MESSAGE, timestamp }),
  },
];

export function observabilityFunctions(clock: Clock): Builtin[] {
  return SHAPES.map(({ id, about, required = [], answer }) => ({
    id,
    description: about,
    yields: true,
    request_format: {
      type: "object",
      properties: Object.fromEntries(required.map((key) => [key, { type: "string" }])),
      required,
    },
    response_format: { type: "object" },
    handle(input) {
      const fields = objectInput(id, input);
      for (const key of required) requiredString(id, fields, key);
      return JSON.stringify(answer(fields, clock.epochMs()));
    },
  }));
}

/** `offset` and `limit` as they were asked for. */
function pageOf(input: Input): { offset: number; limit: number } {
  return { offset: countOf(input, "offset") ?? 0, limit: countOf(input, "limit") ?? PAGE_ROWS };
}

function countOf(input: Input, key: string): number | undefined {
  const value = input[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  throw new CodedError(
    ErrorCode.DeserializationError,
    `Failed to deserialize input for engine::traces::list: ${key} must be an unsigned integer`,
  );
}
