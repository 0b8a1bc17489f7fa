// `engine::log::*`: lines that workers write into the engine's log. `engine::baggage::*`: what SDKs ask of an ambient context that lives in no
// engine; baggage travels with each call.

import type { Logger } from "../log.js";
import { type Builtin, objectInput, optionalString, requiredString } from "./builtin.js";

const LEVELS = ["trace", "debug", "info", "warn", "error"] as const;

export function logFunctions(log: Logger): Builtin[] {
  const lines = log.child({ part: "worker" });
  return LEVELS.map((level) => logFunction(level, lines));
}

function logFunction(level: (typeof LEVELS)[number], log: Logger): Builtin {
  const id = `engine::log::${level}`;
  return {
    id,
    description: `Writes a line of level ${level} into the engine's log.`,
    request_format: {
      type: "object",
      properties: {
        message: { type: "string" },
        trace_id: { type: ["string", "null"] },
        span_id: { type: ["string", "null"] },
        service_name: { type: ["string", "null"] },
        data: {},
      },
      required: ["message"],
    },
    handle(input, caller) {
      const fields = objectInput(id, input);
      const message = requiredString(id, fields, "message");
      const known = ["trace_id", "span_id", "service_name"].flatMap((key) => {
        const value = optionalString(id, fields, key);
        return value === undefined ? [] : [[key, value]];
      });
      const { data } = fields;
      log[level](
        {
          worker: caller?.name ?? caller?.id,
          ...Object.fromEntries(known),
          ...(data === undefined || data === null ? {} : { data }),
        },
        message,
      );
      return null;
    },
  };
}

const GET = "engine::baggage::get";
const SET = "engine::baggage::set";
const GET_ALL = "engine::baggage::get_all";

export function baggageFunctions(): Builtin[] {
  return [
    {
      id: GET,
      description: "The value of a baggage entry outside of any call: there is none.",
      request_format: { type: "object", properties: { key: { type: "string" } }, required: ["key"] },
      response_format: {
        type: "object",
        properties: { value: { type: ["string", "null"] } },
        required: ["value"],
      },
      handle(input) {
        requiredString(GET, objectInput(GET, input), "key");
        return '{"value":null}';
      },
    },
    {
      id: SET,
      description: "Accepts a baggage entry; it has no lasting effect.",
      request_format: {
        type: "object",
        properties: { key: { type: "string" }, value: { type: "string" } },
        required: ["key", "value"],
      },
      response_format: {
        type: "object",
        properties: { success: { type: "boolean" }, note: { type: "string" } },
        required: ["success", "note"],
      },
      handle(input) {
        const fields = objectInput(SET, input);
        requiredString(SET, fields, "key");
        requiredString(SET, fields, "value");
        return JSON.stringify({
          success: true,
          note: "Baggage travels with each call: set it where the call is made",
        });
      },
    },
    {
      id: GET_ALL,
      description: "All baggage entries outside of any call: there are none.",
      request_format: { type: "object" },
      response_format: { type: "object", properties: { baggage: { type: "object" } }, required: ["baggage"] },
      handle(input) {
        objectInput(GET_ALL, input);
        return '{"baggage":{}}';
      },
    },
  ];
}
