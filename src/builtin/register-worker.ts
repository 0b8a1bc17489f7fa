// `engine::workers::register`: a worker says who it is, and where it lives.

import { CodedError, ErrorCode } from "../protocol/error.js";
import { DEFAULT_NAMESPACE } from "../registry/names.js";
import { cleanText, isBlank, type Worker, type Workers } from "../registry/workers.js";
import type { Departures } from "../router/departures.js";
import type { JsonControl } from "../router/json-control.js";
import { type Builtin, objectInput, optionalString } from "./builtin.js";

const ID = "engine::workers::register";

export function registerWorker(workers: Workers, control: JsonControl, departures: Departures): Builtin {
  return {
    id: ID,
    description:
      "Tells the engine a worker's name, namespace and metadata; every SDK sends it after connecting.",
    request_format: {
      type: "object",
      properties: {
        runtime: { type: ["string", "null"] },
        version: { type: ["string", "null"] },
        name: { type: ["string", "null"] },
        description: { type: ["string", "null"] },
        os: { type: ["string", "null"] },
        isolation: { type: ["string", "null"] },
        pid: { type: ["integer", "null"], minimum: 0 },
        namespace: { type: ["string", "null"] },
        telemetry: { type: ["object", "null"] },
      },
    },
    response_format: { type: "object", properties: { success: { type: "boolean" } }, required: ["success"] },
    handle: (input, caller) =>
      JSON.stringify({ success: register(objectInput(ID, input), caller, workers, control, departures) }),
  };
}

function register(
  input: Record<string, unknown>,
  caller: Worker | undefined,
  workers: Workers,
  control: JsonControl,
  departures: Departures,
): boolean {
  if (caller === undefined)
    throw new CodedError(
      ErrorCode.DeserializationError,
      `Failed to deserialize input for ${ID}: missing field \`_caller_worker_id\``,
    );
  const text = (key: string) => optionalString(ID, input, key);
  const metadata = {
    runtime: text("runtime"),
    version: text("version"),
    name: cleanText(text("name")),
    description: cleanText(text("description")),
    os: text("os"),
    isolation: text("isolation"),
  };
  const pid = readPid(input["pid"]);
  const declared = text("namespace");
  checkTelemetry(input["telemetry"]);
  if (declared !== undefined && isBlank(declared))
    throw new CodedError(ErrorCode.InvalidNamespace, "The namespace must not be blank");
  checkDeclared(declared ?? DEFAULT_NAMESPACE, caller);
  const namespace = caller.isResolved ? caller.namespace.name : (declared ?? DEFAULT_NAMESPACE);
  const holder = metadata.name === null ? undefined : workers.claimName(caller, metadata.name, namespace);
  if (holder !== undefined && caller.connection.isMsgpack)
    throw new CodedError(
      ErrorCode.WorkerNameTaken,
      `Another living worker of namespace ${namespace} has the name ${metadata.name}`,
    );
  if (holder !== undefined) {
    control.rejectName(caller, namespace, metadata.name ?? "", holder);
    return false;
  }
  caller.runtime = metadata.runtime ?? "unknown";
  caller.version = metadata.version ?? null;
  caller.description = metadata.description ?? caller.description;
  caller.os = metadata.os ?? caller.os;
  caller.isolation = metadata.isolation ?? caller.isolation;
  caller.pid = pid ?? caller.pid;
  control.resolve(caller, namespace);
  departures.updated(caller);
  return true;
}

function checkDeclared(namespace: string, { session }: Worker): void {
  if (session === null || session.mayDeclare(namespace)) return;
  throw new CodedError(ErrorCode.Forbidden, session.undeclarable(namespace));
}

function readPid(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffffffff) return value;
  throw new CodedError(
    ErrorCode.DeserializationError,
    `Failed to deserialize input for ${ID}: pid must be an unsigned 32-bit integer`,
  );
}

function checkTelemetry(value: unknown): void {
  if (value === undefined || value === null) return;
  if (typeof value !== "object" || Array.isArray(value))
    throw new CodedError(
      ErrorCode.DeserializationError,
      `Failed to deserialize input for ${ID}: telemetry must be an object`,
    );
}
