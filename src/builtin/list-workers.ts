// `engine::workers::list` and `engine::workers::info`, with the shapes, filters and order of the iii protocol (section 5).

import type { Sight } from "../access/sight.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { byBytes, detailText, type FunctionRows, isVisible } from "../registry/function-rows.js";
import type { Functions } from "../registry/functions.js";
import { DEFAULT_NAMESPACE } from "../registry/names.js";
import { OfferState, OfferWord } from "../registry/offers.js";
import { byId, type TriggerTypeRow, typeSummary } from "../registry/trigger-rows.js";
import type { Worker, Workers } from "../registry/workers.js";
import type { Calls } from "../router/calls.js";
import { ENGINE_VERSION } from "../version.js";
import { type Builtin, objectInput, optionalString, requiredString } from "./builtin.js";
import type { TriggersOfWorker } from "./triggers-of-worker.js";

const LIST = "engine::workers::list";
const INFO = "engine::workers::info";
/** The name under which the engine's own functions are listed, as SDKs and consoles know it. */
const ENGINE_WORKER = "iii-engine-functions";

/** WorkerSummary: every key always present. */
interface WorkerSummary {
  name: string | null;
  description: string | null;
  version: string | null;
  id: string;
  namespace: string;
  runtime: string | null;
  os: string | null;
  status: string;
  function_count: number;
  connected_at_ms: number;
  active_invocations: number;
  isolation: string | null;
  ip_address: string | null;
}

export class WorkerRows {
  readonly #workers: Workers;
  readonly #functions: Functions;
  readonly #calls: Calls;
  readonly #startedAtMs: number;
  readonly #builtins: () => number;

  /** `builtins`: how many functions the engine itself serves. */
  constructor(
    workers: Workers,
    functions: Functions,
    calls: Calls,
    startedAtMs: number,
    builtins: () => number,
  ) {
    this.#workers = workers;
    this.#functions = functions;
    this.#calls = calls;
    this.#startedAtMs = startedAtMs;
    this.#builtins = builtins;
  }

  summary(worker: Worker): WorkerSummary {
    const { index } = worker.connection;
    return {
      name: worker.name,
      description: worker.description,
      version: worker.version,
      id: worker.id,
      namespace: worker.namespace.name,
      runtime: worker.runtime,
      os: worker.os,
      status: "connected",
      function_count: this.#functions.countOf(index),
      connected_at_ms: worker.connectedAtMs,
      active_invocations: this.#calls.inFlight.executing(index) + this.#calls.inFlight.calling(index),
      isolation: worker.isolation,
      ip_address: worker.connection.address,
    };
  }

  /** The engine itself, as a worker in its own process. */
  engine(): WorkerSummary {
    return {
      name: ENGINE_WORKER,
      description: "The engine's own functions",
      version: ENGINE_VERSION,
      id: ENGINE_WORKER,
      namespace: DEFAULT_NAMESPACE,
      runtime: "engine",
      os: null,
      status: "available",
      function_count: this.#builtins(),
      connected_at_ms: this.#startedAtMs,
      active_invocations: 0,
      isolation: "in-process",
      ip_address: null,
    };
  }

  /** Connected workers that told a pid, as far as the viewer may see them, and the engine. */
  listed(viewer: Worker | undefined, sight: Sight): WorkerSummary[] {
    const connected = [...this.#workers.all()].filter(
      (worker) => worker.pid !== null && (viewer === undefined || sight.worker(viewer, worker)),
    );
    return [...connected.map((worker) => this.summary(worker)), this.engine()];
  }
}

export function listWorkers(rows: WorkerRows, sight: Sight): Builtin {
  return {
    id: LIST,
    description: "Lists the workers that are connected now.",
    request_format: {
      type: "object",
      properties: {
        search: { type: ["string", "null"] },
        runtime: { type: ["string", "null"] },
        status: { type: ["string", "null"] },
      },
    },
    response_format: { type: "object", properties: { workers: { type: "array" } }, required: ["workers"] },
    handle(input, caller) {
      const fields = objectInput(LIST, input);
      const search = (optionalString(LIST, fields, "search") ?? "").toLowerCase();
      const runtime = optionalString(LIST, fields, "runtime");
      const status = optionalString(LIST, fields, "status");
      const found = rows
        .listed(caller, sight)
        .filter((row) => (row.name ?? "").toLowerCase().includes(search))
        .filter((row) => runtime === undefined || row.runtime === runtime)
        .filter((row) => status === undefined || row.status === status);
      found.sort((a, b) => byBytes(a.name ?? a.id, b.name ?? b.id) || byBytes(a.id, b.id));
      return JSON.stringify({ workers: found });
    },
  };
}

export function workerInfo(
  workers: Workers,
  functions: Functions,
  workerRows: WorkerRows,
  functionRows: FunctionRows,
  triggers: TriggersOfWorker,
  sight: Sight,
): Builtin {
  const sees = (caller: Worker | undefined, worker: Worker): boolean =>
    caller === undefined || sight.worker(caller, worker);
  return {
    id: INFO,
    description: "Tells everything about one worker: its functions, trigger types and triggers.",
    request_format: {
      type: "object",
      properties: { name: { type: "string" }, namespace: { type: ["string", "null"] } },
      required: ["name"],
    },
    response_format: { type: "object" },
    handle(input, caller) {
      const fields = objectInput(INFO, input);
      const name = requiredString(INFO, fields, "name");
      const namespace = optionalString(INFO, fields, "namespace");
      if (name === ENGINE_WORKER && (namespace ?? DEFAULT_NAMESPACE) === DEFAULT_NAMESPACE)
        return engineEnvelope(workerRows, functionRows, triggers, caller);
      const worker = findWorker(workers, name, namespace, (one) => sees(caller, one));
      return envelope(worker, functions, workerRows, functionRows, triggers, sight, caller);
    },
  };
}

/** The worker of this name; without a namespace in `default`, or wherever there is only one. Throws CodedError NOT_FOUND. */
export function findWorker(
  workers: Workers,
  name: string,
  namespace: string | undefined,
  isSeen: (worker: Worker) => boolean,
): Worker {
  const at = (home: string): Worker | undefined => {
    const worker = workers.byName(home, name);
    return worker !== undefined && isSeen(worker) ? worker : undefined;
  };
  const homes = workers.namespaceNames().filter((home) => at(home) !== undefined);
  const home =
    namespace ??
    (homes.includes(DEFAULT_NAMESPACE) ? DEFAULT_NAMESPACE : homes.length === 1 ? homes[0] : undefined);
  const worker = home === undefined ? undefined : at(home);
  if (worker !== undefined) return worker;
  const elsewhere = homes.sort(byBytes).join(", ");
  throw new CodedError(
    ErrorCode.NotFound,
    homes.length === 0
      ? `Worker ${name} is not connected`
      : namespace === undefined
        ? `Worker ${name} is ambiguous; it is connected in namespaces: ${elsewhere}`
        : `Worker ${name} is not connected in namespace ${namespace}; it is connected in: ${elsewhere}`,
  );
}

function envelope(
  worker: Worker,
  functions: Functions,
  workerRows: WorkerRows,
  functionRows: FunctionRows,
  triggers: TriggersOfWorker,
  sight: Sight,
  caller: Worker | undefined,
): string {
  const summary = {
    ...workerRows.summary(worker),
    ...(worker.pid === null ? {} : { pid: worker.pid }),
    internal: false,
  };
  const served: number[] = [];
  functions.eachOf(worker.connection.index, (fn, offer) => {
    if (functions.offers.get(offer, OfferWord.state) === OfferState.Serving) served.push(fn);
  });
  const types = triggers.typesOf(worker).filter(({ id }) => caller === undefined || sight.type(caller, id));
  return envelopeText(summary, served, functionRows, triggers, types, caller);
}

function engineEnvelope(
  workerRows: WorkerRows,
  functionRows: FunctionRows,
  triggers: TriggersOfWorker,
  caller: Worker | undefined,
): string {
  const served = functionRows
    .all()
    .filter((row) => row.workerName === ENGINE_WORKER)
    .map((row) => row.fn);
  return envelopeText({ ...workerRows.engine(), internal: true }, served, functionRows, triggers, [], caller);
}

function envelopeText(
  worker: object,
  served: number[],
  functionRows: FunctionRows,
  triggers: TriggersOfWorker,
  types: TriggerTypeRow[],
  caller: Worker | undefined,
): string {
  const seen = served
    .map((fn) => functionRows.row(fn))
    .filter((row) => isVisible(row, caller?.session ?? null));
  const rows = seen.sort((a, b) => byBytes(a.id, b.id));
  const functions = rows.map((row) => detailText(row, triggers.rows.boundTo(row.fn))).join(",");
  const typeTexts = types.sort(byId).map(typeSummary).join(",");
  const triggerTexts = triggers.calling(seen.map((row) => row.fn)).join(",");
  return `{"worker":${JSON.stringify(worker)},"functions":[${functions}],"trigger_types":[${typeTexts}],"registered_triggers":[${triggerTexts}]}`;
}
