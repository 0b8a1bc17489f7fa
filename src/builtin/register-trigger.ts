// `engine::register_trigger` and `engine::unregister_trigger`: triggers that belong to nobody and outlive whoever asked for them.

import { randomUUID } from "node:crypto";
import type { Sight } from "../access/sight.js";
import { DEFAULT_NAMESPACE } from "../registry/names.js";
import type { Triggers } from "../registry/triggers.js";
import type { TriggerRegistrar } from "../router/trigger-registrar.js";
import type { TriggerReview } from "../router/trigger-review.js";
import {
  type Builtin,
  type InputText,
  memberText,
  objectInput,
  optionalString,
  requiredString,
} from "./builtin.js";

const REGISTER = "engine::register_trigger";
const UNREGISTER = "engine::unregister_trigger";
const nullable = (type: string) => ({ type: [type, "null"] });

/** A session is held to the same rules as by message: its types, its prefix, the listener's hook, and what it may call. */
export function registerTrigger(registrar: TriggerRegistrar, review: TriggerReview): Builtin {
  return {
    id: REGISTER,
    description:
      "Registers a trigger that belongs to no worker; its function is looked up in namespace default. Waits up to ten seconds for the provider's word.",
    request_format: {
      type: "object",
      properties: {
        trigger_type: { type: "string" },
        function_id: { type: "string" },
        config: {},
        metadata: {},
        trigger_namespace: nullable("string"),
      },
      required: ["trigger_type", "function_id"],
    },
    response_format: { type: "object", properties: { id: { type: "string" } }, required: ["id"] },
    async handle(input, caller, text) {
      const fields = objectInput(REGISTER, input);
      const request = {
        id: randomUUID(),
        type: requiredString(REGISTER, fields, "trigger_type"),
        functionId: requiredString(REGISTER, fields, "function_id"),
        namespace: DEFAULT_NAMESPACE,
        home: DEFAULT_NAMESPACE,
        triggerNamespace: optionalString(REGISTER, fields, "trigger_namespace"),
        config: bytesOf(text, "config") ?? NULL_TEXT,
        metadata: bytesOf(text, "metadata") ?? NOTHING,
      };
      const asked = caller === undefined ? request : await review.trigger(caller, request);
      const id = await registrar.registerForGood(asked, caller?.session ?? null);
      return JSON.stringify({ id });
    },
  };
}

/** A session removes what it may see, and nothing else. */
export function unregisterTrigger(registrar: TriggerRegistrar, triggers: Triggers, sight: Sight): Builtin {
  return {
    id: UNREGISTER,
    description: "Removes a trigger, whoever registered it.",
    request_format: {
      type: "object",
      properties: { id: { type: "string" }, trigger_type: nullable("string") },
      required: ["id"],
    },
    response_format: { type: "object", properties: { removed: { type: "boolean" } }, required: ["removed"] },
    handle(input, caller) {
      const id = requiredString(UNREGISTER, objectInput(UNREGISTER, input), "id");
      const trigger = triggers.find(id);
      const isSeen = trigger !== 0 && (caller === undefined || sight.trigger(caller, trigger));
      return JSON.stringify({ removed: isSeen && registrar.unregister(id, null) });
    },
  };
}

const NULL_TEXT = Buffer.from("null", "utf8");
const NOTHING = new Uint8Array(0);

/** A member of the input as it was spelled; undefined when it is absent or null. */
function bytesOf(text: InputText, key: string): Uint8Array | undefined {
  const spelled = memberText(text(), key);
  return spelled === undefined || spelled === "null" ? undefined : Buffer.from(spelled, "utf8");
}
