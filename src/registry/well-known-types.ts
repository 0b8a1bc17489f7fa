// The trigger types that the modules of the iii ecosystem provide: whom they belong to when their provider has no name, and what their config
// and their calls look like where the provider does not say.
//
// Written from what the official SDKs' typings and captured calls say. Where these say nothing, a schema allows any object.

export interface WellKnownType {
  /** The module of the reference that provides it. */
  readonly owner: string;
  /** JSON Schema of a trigger's config. */
  readonly configuration: object;
  /** JSON Schema of what the function is called with. */
  readonly request: object;
  /** JSON Schema of what the function should answer, where somebody waits for it. */
  readonly response?: object;
}

const text = { type: "string" };
const texts = { type: "object", additionalProperties: text };
const anything = {};
const object = (properties: Record<string, object>, ...required: string[]): object => ({
  type: "object",
  properties,
  ...(required.length === 0 ? {} : { required }),
});
const condition = {
  ...text,
  description: "A function that is asked first; when it answers false, nothing is called.",
};
const channel = object(
  { channel_id: text, access_key: text, direction: { enum: ["read", "write"] } },
  "channel_id",
  "access_key",
  "direction",
);
const joinOrLeave = {
  owner: "iii-stream",
  configuration: object({ condition_function_id: condition }),
  request: object(
    { subscription_id: text, stream_name: text, group_id: text, id: text, context: anything },
    "subscription_id",
    "stream_name",
    "group_id",
  ),
};
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

const HTTP: WellKnownType = {
  owner: "iii-http",
  configuration: object(
    { api_path: text, http_method: { enum: METHODS }, condition_function_id: condition },
    "api_path",
  ),
  request: object(
    {
      body: anything,
      headers: texts,
      method: text,
      path: text,
      path_params: texts,
      query_params: texts,
      request_body: channel,
      response: channel,
      trigger: object({ type: { const: "http" }, path: text, method: text }),
    },
    "headers",
    "method",
    "path",
    "path_params",
    "query_params",
  ),
  response: object({ status_code: { type: "integer" }, headers: texts, body: anything }),
};

const CRON: WellKnownType = {
  owner: "iii-cron",
  configuration: object(
    {
      expression: { ...text, description: "Six fields or seven: seconds first, years last." },
      condition_function_id: condition,
    },
    "expression",
  ),
  request: object(
    { trigger: { const: "cron" }, job_id: text, scheduled_time: text, actual_time: text },
    "trigger",
    "job_id",
    "scheduled_time",
    "actual_time",
  ),
};

const STATE: WellKnownType = {
  owner: "iii-state",
  configuration: object({ scope: text, key: text, condition_function_id: condition }),
  request: object(
    {
      type: { const: "state" },
      event_type: { enum: ["state:created", "state:updated", "state:deleted"] },
      scope: text,
      key: text,
      old_value: anything,
      new_value: anything,
    },
    "type",
    "event_type",
    "scope",
    "key",
  ),
};

const STREAM: WellKnownType = {
  owner: "iii-stream",
  configuration: object(
    { stream_name: text, group_id: text, item_id: text, condition_function_id: condition },
    "stream_name",
  ),
  request: object(
    {
      type: { const: "stream" },
      timestamp: { type: "integer" },
      streamName: text,
      groupId: text,
      id: text,
      event: object({ type: { enum: ["create", "update", "delete"] }, data: anything }, "type", "data"),
    },
    "type",
    "timestamp",
    "streamName",
    "groupId",
    "event",
  ),
};

/** Any object as config, anything as payload. */
function open(owner: string): WellKnownType {
  return { owner, configuration: object({}), request: anything };
}

export const WELL_KNOWN_TYPES: ReadonlyMap<string, WellKnownType> = new Map([
  ["http", HTTP],
  ["cron", CRON],
  ["state", STATE],
  ["stream", STREAM],
  ["stream:join", joinOrLeave],
  ["stream:leave", joinOrLeave],
  [
    "subscribe",
    {
      owner: "iii-pubsub",
      configuration: object({ topic: text, condition_function_id: condition }, "topic"),
      request: anything,
    },
  ],
  ["durable:subscriber", open("queue")],
  ["log", open("iii-observability")],
  ["trace", open("iii-observability")],
  ["configuration", open("configuration")],
]);
