// `engine::register_trigger` and `engine::unregister_trigger`: triggers that belong to nobody and outlive whoever asked for them.

import { CodedError, ErrorCode } from "../protocol/error.js";
import { DEFAULT_NAMESPACE } from "../registry/names.js";
import type { TriggerRegistrar } from "../router/trigger-registrar.js";
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

export function registerTrigger(registrar: TriggerRegistrar): Builtin {
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
      const session = caller?.session ?? null;
      const type = requiredString(REGISTER, fields, "trigger_type");
      const functionId = requiredString(REGISTER, fields, "function_id");
      if (session !== null && !session.mayUseTriggerType(type))
        throw new CodedError(
          ErrorCode.Forbidden,
          `trigger type '${type}' not allowed (add to allowed_trigger_types)`,
        );
      const id = await registrar.registerForGood({
        type,
        functionId: session?.prefixed(functionId) ?? functionId,
        namespace: DEFAULT_NAMESPACE,
        home: DEFAULT_NAMESPACE,
        triggerNamespace: optionalString(REGISTER, fields, "trigger_namespace"),
        config: bytesOf(text, "config") ?? NULL_TEXT,
        metadata: bytesOf(text, "metadata") ?? NOTHING,
      });
      return JSON.stringify({ id });
    },
  };
}

export function unregisterTrigger(registrar: TriggerRegistrar): Builtin {
  return {
    id: UNREGISTER,
    description: "Removes a trigger, whoever registered it.",
    request_format: {
      type: "object",
      properties: { id: { type: "string" }, trigger_type: nullable("string") },
      required: ["id"],
    },
    response_format: { type: "object", properties: { removed: { type: "boolean" } }, required: ["removed"] },
    handle(input) {
      const id = requiredString(UNREGISTER, objectInput(UNREGISTER, input), "id");
      return JSON.stringify({ removed: registrar.unregister(id, null) });
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
