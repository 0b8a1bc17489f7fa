// `engine::functions::list` and `engine::functions::info`, with the shapes, filters and order of the iii protocol (section 5).

import type { Sight } from "../access/sight.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import {
  byBytes,
  detailText,
  type FunctionRow,
  type FunctionRows,
  isInternal,
  isVisible,
  summaryText,
} from "../registry/function-rows.js";
import type { Functions } from "../registry/functions.js";
import { DEFAULT_NAMESPACE } from "../registry/names.js";
import type { TriggerRows } from "../registry/trigger-rows.js";
import type { Worker, Workers } from "../registry/workers.js";
import { type Builtin, objectInput, optionalBoolean, optionalString, optionalStrings } from "./builtin.js";

const LIST = "engine::functions::list";
const INFO = "engine::functions::info";
const INFO_IDS_MAX = 32; // the reference's

const nullable = (type: string) => ({ type: [type, "null"] });

export function listFunctions(rows: FunctionRows): Builtin {
  return {
    id: LIST,
    description: "Lists the registered functions.",
    request_format: {
      type: "object",
      properties: {
        search: nullable("string"),
        prefix: nullable("string"),
        worker: nullable("string"),
        workers: { type: ["array", "null"], items: { type: "string" } },
        include_internal: nullable("boolean"),
      },
    },
    response_format: {
      type: "object",
      properties: { functions: { type: "array" } },
      required: ["functions"],
    },
    handle(input, caller) {
      const filter = readFilter(objectInput(LIST, input));
      const found = rows
        .all()
        .filter((row) => passes(row, filter) && isVisible(row, caller?.session ?? null));
      sortRows(found, filter.search);
      return `{"functions":[${found.map(summaryText).join(",")}]}`;
    },
  };
}

interface Filter {
  search: string;
  prefix: string;
  owners: Set<string>;
  includeInternal: boolean;
}

function readFilter(input: Record<string, unknown>): Filter {
  const worker = optionalString(LIST, input, "worker");
  return {
    search: (optionalString(LIST, input, "search") ?? "").toLowerCase(),
    prefix: optionalString(LIST, input, "prefix") ?? "",
    owners: new Set([
      ...(worker === undefined ? [] : [worker]),
      ...(optionalStrings(LIST, input, "workers") ?? []),
    ]),
    includeInternal: optionalBoolean(LIST, input, "include_internal"),
  };
}

function passes(row: FunctionRow, filter: Filter): boolean {
  if (!row.id.startsWith(filter.prefix)) return false;
  if (filter.owners.size > 0 && !filter.owners.has(row.workerName)) return false;
  if (filter.search !== "" && rank(row, filter.search) === NO_MATCH) return false;
  return filter.includeInternal || !isHidden(row);
}

/** The engine's own functions are hidden, but for those that a queue worker offers under its prefix. */
function isHidden(row: FunctionRow): boolean {
  if (row.id.startsWith("engine::") && !row.id.startsWith("engine::queue::")) return true;
  return isInternal(row);
}

const NO_MATCH = 3;

/** 0: the id begins with the needle, or one of its segments equals it; 1: the id contains it; 2: only the description does. */
function rank(row: FunctionRow, needle: string): number {
  const id = row.id.toLowerCase();
  if (id.startsWith(needle) || id.split("::").includes(needle)) return 0;
  if (id.includes(needle)) return 1;
  return row.description?.toLowerCase().includes(needle) === true ? 2 : NO_MATCH;
}

function sortRows(rows: FunctionRow[], search: string): void {
  if (search === "") rows.sort((a, b) => byBytes(a.id, b.id));
  else rows.sort((a, b) => rank(a, search) - rank(b, search) || byBytes(a.id, b.id));
}

export function functionInfo(
  functions: Functions,
  workers: Workers,
  rows: FunctionRows,
  triggers: TriggerRows,
  sight: Sight,
): Builtin {
  const finder = new FunctionFinder(functions, workers, sight);
  return {
    id: INFO,
    description: "Tells everything about one function, or about up to 32.",
    request_format: {
      type: "object",
      properties: {
        function_id: nullable("string"),
        function_ids: { type: ["array", "null"], items: { type: "string" } },
        namespace: nullable("string"),
      },
    },
    response_format: { type: "object" },
    handle(input, caller) {
      const fields = objectInput(INFO, input);
      const single = optionalString(INFO, fields, "function_id");
      const many = optionalStrings(INFO, fields, "function_ids");
      const namespace = optionalString(INFO, fields, "namespace");
      if ((single === undefined) === (many === undefined))
        throw new CodedError(ErrorCode.InvalidArguments, "Give exactly one of function_id and function_ids");
      if (single !== undefined) return detail(rows.row(finder.one(single, namespace, caller)), triggers);
      return batch([...new Set(many)], namespace, finder, rows, triggers, caller);
    },
  };
}

function detail(row: FunctionRow, triggers: TriggerRows): string {
  return detailText(row, triggers.boundTo(row.fn));
}

function batch(
  ids: string[],
  namespace: string | undefined,
  finder: FunctionFinder,
  rows: FunctionRows,
  triggers: TriggerRows,
  caller: Worker | undefined,
): string {
  if (ids.length === 0) throw new CodedError(ErrorCode.InvalidArguments, "function_ids must not be empty");
  if (ids.length > INFO_IDS_MAX)
    throw new CodedError(
      ErrorCode.InvalidArguments,
      `function_ids may name at most ${INFO_IDS_MAX} functions, not ${ids.length}`,
    );
  const details = ids.map((id) => {
    const fn = finder.find(id, namespace, caller);
    if (fn !== 0) return detail(rows.row(fn), triggers);
    const error = mayKnowOf(id, namespace, caller) ? "not_found" : "forbidden";
    return JSON.stringify({ function_id: id, error });
  });
  return `{"functions":[${details.join(",")}]}`;
}

/** Whether the caller may be told that nobody offers a name: otherwise what is hidden from it could be told from what is not there. */
function mayKnowOf(id: string, namespace: string | undefined, caller: Worker | undefined): boolean {
  const session = caller?.session ?? null;
  const facts = { id, namespace: namespace ?? DEFAULT_NAMESPACE, metadata: () => undefined };
  return session === null || session.maySee(facts);
}

/** Of what the caller may see: an explicit namespace is strict; without one `default` comes first, then the only namespace that has the id. */
class FunctionFinder {
  readonly #functions: Functions;
  readonly #workers: Workers;
  readonly #sight: Sight;

  constructor(functions: Functions, workers: Workers, sight: Sight) {
    this.#functions = functions;
    this.#workers = workers;
    this.#sight = sight;
  }

  /** 0: not found. */
  find(id: string, namespace: string | undefined, caller: Worker | undefined): number {
    if (namespace !== undefined) return this.#in(namespace, id, caller);
    const homes = this.#homes(id, caller);
    if (homes.includes(DEFAULT_NAMESPACE)) return this.#in(DEFAULT_NAMESPACE, id, caller);
    return homes.length === 1 ? this.#in(homes[0] ?? "", id, caller) : 0;
  }

  /** Throws NOT_FOUND with what would help, or FORBIDDEN. */
  one(id: string, namespace: string | undefined, caller: Worker | undefined): number {
    const fn = this.find(id, namespace, caller);
    if (fn !== 0) return fn;
    const homes = this.#homes(id, caller);
    if (homes.length === 0 && !mayKnowOf(id, namespace, caller))
      throw new CodedError(ErrorCode.Forbidden, `function '${id}' is not visible to this session`);
    const message =
      homes.length === 0
        ? `Function ${id} is not registered`
        : `Function ${id} is ambiguous; it is registered in namespaces: ${homes.sort(byBytes).join(", ")}`;
    throw new CodedError(ErrorCode.NotFound, message);
  }

  #homes(id: string, caller: Worker | undefined): string[] {
    return this.#workers.namespaceNames().filter((name) => this.#in(name, id, caller) !== 0);
  }

  #in(namespace: string, id: string, caller: Worker | undefined): number {
    const bytes = Buffer.from(id, "utf8");
    const fn = this.#functions.names.find(this.#workers.namespace(namespace), bytes, 0, bytes.length);
    return fn === 0 || caller === undefined || this.#sight.function(caller, fn) ? fn : 0;
  }
}
