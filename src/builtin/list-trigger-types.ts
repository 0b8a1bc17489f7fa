// `engine::triggers::list` and `engine::triggers::info`: trigger types, with the shapes, filters and order of the iii protocol (section 5).

import type { Sight } from "../access/sight.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { DEFAULT_NAMESPACE } from "../registry/names.js";
import { byId, type TriggerRows, type TriggerTypeRow, typeSummary } from "../registry/trigger-rows.js";
import type { TriggerTypes } from "../registry/trigger-types.js";
import type { Workers } from "../registry/workers.js";
import { type Builtin, objectInput, optionalBoolean, optionalString, requiredString } from "./builtin.js";

const LIST = "engine::triggers::list";
const INFO = "engine::triggers::info";
const nullable = (type: string) => ({ type: [type, "null"] });

export function listTriggerTypes(rows: TriggerRows, sight: Sight): Builtin {
  return {
    id: LIST,
    description: "Lists the trigger types that somebody provides.",
    request_format: {
      type: "object",
      properties: {
        search: nullable("string"),
        prefix: nullable("string"),
        worker: nullable("string"),
        include_internal: nullable("boolean"),
      },
    },
    response_format: { type: "object", properties: { triggers: { type: "array" } }, required: ["triggers"] },
    handle(input, caller) {
      const passes = readFilter(objectInput(LIST, input));
      const isSeen = ({ id }: TriggerTypeRow): boolean => caller === undefined || sight.type(caller, id);
      const found = rows.typeRows().filter(passes).filter(isSeen).sort(byId);
      return `{"triggers":[${found.map(typeSummary).join(",")}]}`;
    },
  };
}

function readFilter(input: Record<string, unknown>): (row: TriggerTypeRow) => boolean {
  const search = (optionalString(LIST, input, "search") ?? "").toLowerCase();
  const prefix = optionalString(LIST, input, "prefix") ?? "";
  const worker = optionalString(LIST, input, "worker");
  const includeInternal = optionalBoolean(LIST, input, "include_internal");
  return ({ id, description, workerName }) =>
    id.startsWith(prefix) &&
    (worker === undefined || worker === workerName) &&
    (includeInternal || !id.startsWith("engine::")) &&
    (id.toLowerCase().includes(search) || description.toLowerCase().includes(search));
}

export function triggerTypeInfo(
  types: TriggerTypes,
  workers: Workers,
  rows: TriggerRows,
  sight: Sight,
): Builtin {
  return {
    id: INFO,
    description: "Tells everything about one trigger type.",
    request_format: {
      type: "object",
      properties: { id: { type: "string" }, namespace: nullable("string") },
      required: ["id"],
    },
    response_format: { type: "object" },
    handle(input, caller) {
      const fields = objectInput(INFO, input);
      const id = requiredString(INFO, fields, "id");
      const namespace = optionalString(INFO, fields, "namespace") ?? DEFAULT_NAMESPACE;
      const type = types.find(workers.namespace(namespace), id);
      if (type === 0 || (caller !== undefined && !sight.type(caller, id)))
        throw new CodedError(
          ErrorCode.NotFound,
          `Trigger type ${id} is not registered in namespace ${namespace}`,
        );
      return rows.typeDetail(rows.typeRow(type));
    },
  };
}
