// `engine::registered-triggers::list` and `engine::registered-triggers::info`: triggers, with the shapes, filters and order of the iii protocol (section 5).
//
// As in the reference only live triggers appear; with `include_parked` the parked and rejected ones do too, each with its state and why.

import type { Sight } from "../access/sight.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { byId, type TriggerRows } from "../registry/trigger-rows.js";
import { TriggerState, type Triggers } from "../registry/triggers.js";
import type { Worker } from "../registry/workers.js";
import { type Builtin, objectInput, optionalBoolean, optionalString, requiredString } from "./builtin.js";

const LIST = "engine::registered-triggers::list";
const INFO = "engine::registered-triggers::info";
const nullable = (type: string) => ({ type: [type, "null"] });

export function listTriggers(triggers: Triggers, rows: TriggerRows, sight: Sight): Builtin {
  return {
    id: LIST,
    description:
      "Lists the registered triggers: the live ones, or with include_parked all of them with their state.",
    request_format: {
      type: "object",
      properties: {
        search: nullable("string"),
        trigger_type: nullable("string"),
        function_id: nullable("string"),
        worker: nullable("string"),
        include_internal: nullable("boolean"),
        include_parked: nullable("boolean"),
      },
    },
    response_format: {
      type: "object",
      properties: { registered_triggers: { type: "array" } },
      required: ["registered_triggers"],
    },
    handle(input, caller) {
      const fields = objectInput(LIST, input);
      const includeParked = optionalBoolean(LIST, fields, "include_parked");
      const passes = readFilter(fields, triggers, rows);
      const found: { trigger: number; id: string }[] = [];
      triggers.each((trigger) => {
        const isShown = includeParked ? triggers.state(trigger) !== TriggerState.Asked : rows.isLive(trigger);
        if (isShown && passes(trigger) && isVisible(caller, trigger, sight))
          found.push({ trigger, id: triggers.id(trigger) });
      });
      found.sort(byId);
      const texts = found.map(({ trigger }) => rows.summary(trigger, includeParked));
      return `{"registered_triggers":[${texts.join(",")}]}`;
    },
  };
}

function readFilter(
  input: Record<string, unknown>,
  triggers: Triggers,
  rows: TriggerRows,
): (trigger: number) => boolean {
  const search = (optionalString(LIST, input, "search") ?? "").toLowerCase();
  const type = optionalString(LIST, input, "trigger_type");
  const functionId = optionalString(LIST, input, "function_id");
  const worker = optionalString(LIST, input, "worker");
  const includeInternal = optionalBoolean(LIST, input, "include_internal");
  const isFound = (text: string) => text.toLowerCase().includes(search);
  return (trigger) => {
    const target = triggers.functionId(trigger);
    const typeName = triggers.typeName(trigger);
    if (functionId !== undefined && functionId !== target) return false;
    if (type !== undefined && type !== typeName) return false;
    if (!includeInternal && target.startsWith("engine::")) return false;
    if (worker !== undefined && worker !== rows.workerName(trigger)) return false;
    return search === "" || isFound(target) || isFound(typeName) || isFound(triggers.id(trigger));
  };
}

function isVisible(caller: Worker | undefined, trigger: number, sight: Sight): boolean {
  return caller === undefined || sight.trigger(caller, trigger);
}

export function triggerInfo(triggers: Triggers, rows: TriggerRows, sight: Sight): Builtin {
  return {
    id: INFO,
    description: "Tells everything about one trigger.",
    request_format: {
      type: "object",
      properties: { id: { type: "string" }, include_parked: nullable("boolean") },
      required: ["id"],
    },
    response_format: { type: "object" },
    handle(input, caller) {
      const fields = objectInput(INFO, input);
      const id = requiredString(INFO, fields, "id");
      const includeParked = optionalBoolean(INFO, fields, "include_parked");
      const trigger = triggers.find(id);
      const isShown =
        trigger !== 0 &&
        (includeParked ? triggers.state(trigger) !== TriggerState.Asked : rows.isLive(trigger));
      if (!isShown || !isVisible(caller, trigger, sight))
        throw new CodedError(ErrorCode.NotFound, `Trigger ${id} is not registered`);
      return rows.detail(trigger, includeParked);
    },
  };
}
