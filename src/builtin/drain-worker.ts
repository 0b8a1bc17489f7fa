// `engine::workers::drain`: a worker, or one function of it, gets no more calls; the answer comes when those in flight have ended.

import { checkMayControl } from "../access/controller.js";
import type { Sight } from "../access/sight.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { DRAIN_MS_DEFAULT, DRAIN_MS_MAX } from "../protocol/limits.js";
import type { Functions } from "../registry/functions.js";
import type { Worker, Workers } from "../registry/workers.js";
import type { Drained, Drains } from "../router/drains.js";
import { type Builtin, objectInput, optionalString, optionalWhole, requiredString } from "./builtin.js";
import { findWorker } from "./list-workers.js";

const ID = "engine::workers::drain";

export function drainWorker(workers: Workers, functions: Functions, drains: Drains, sight: Sight): Builtin {
  return {
    id: ID,
    description:
      "Drains a worker by its name or connection id, or with function_id that function of it: no new calls, those in flight may end, then it leaves.",
    request_format: {
      type: "object",
      properties: {
        name: { type: "string" },
        namespace: { type: ["string", "null"] },
        function_id: { type: ["string", "null"] },
        timeout_ms: {
          type: ["integer", "null"],
          minimum: 0,
          maximum: DRAIN_MS_MAX,
          description: `how long calls in flight may take; default ${DRAIN_MS_DEFAULT}`,
        },
      },
      required: ["name"],
    },
    response_format: {
      type: "object",
      properties: {
        id: { type: "string" },
        name: { type: ["string", "null"] },
        functions: { type: "integer" },
        calls_left: { type: "integer" },
        left: { type: "boolean" },
      },
      required: ["id", "name", "functions", "calls_left", "left"],
    },
    async handle(input, caller) {
      checkMayControl(ID, caller);
      const fields = objectInput(ID, input);
      const name = requiredString(ID, fields, "name");
      const isSeen = (worker: Worker): boolean => caller === undefined || sight.worker(caller, worker);
      const byId = workers.byId(name);
      const namespace = optionalString(ID, fields, "namespace");
      const worker = byId !== undefined && isSeen(byId) ? byId : findWorker(workers, name, namespace, isSeen);
      const functionId = optionalString(ID, fields, "function_id");
      const boundMs = optionalWhole(ID, fields, "timeout_ms", DRAIN_MS_MAX) ?? DRAIN_MS_DEFAULT;
      const drained =
        functionId === undefined
          ? await drains.leave(worker, boundMs, caller === worker ? 1 : 0)
          : await drains.function(worker, offered(functions, worker, functionId), boundMs);
      return JSON.stringify(reply(worker, drained, functionId === undefined));
    },
  };
}

/** `left`: its connection is closed, or about to be. */
function reply(worker: Worker, { functions, callsLeft }: Drained, isWhole: boolean): object {
  const left = isWhole && worker.connection.isMsgpack;
  return { id: worker.id, name: worker.name, functions, calls_left: callsLeft, left };
}

function offered(functions: Functions, worker: Worker, id: string): number {
  const bytes = Buffer.from(id, "utf8");
  const fn = functions.names.find(worker.namespace, bytes, 0, bytes.length);
  if (functions.isOffered(worker.connection.index, worker.namespace, bytes, 0, bytes.length)) return fn;
  throw new CodedError(
    ErrorCode.NotFound,
    `Worker ${worker.name ?? worker.id} offers no function ${id} in namespace ${worker.namespace.name}`,
  );
}
