// How trigger types and triggers appear in listings: the shapes of the iii protocol (section 5.0), as JSON text.
//
// Formats, config and metadata were kept as they were spelled and go out the same way. What the reference has no keys for (the state of a trigger that
// is not active, its last error, when the engine last fired it) is added only for those who ask with `include_parked`.

import { cardMember } from "./card.js";
import { configSummary } from "./config-summary.js";
import { byBytes, detailText, type FunctionRows, ownerFromId } from "./function-rows.js";
import type { Functions } from "./functions.js";
import { namespaceKey } from "./names.js";
import type { TriggerTypes } from "./trigger-types.js";
import { REASON_NAMES, TriggerState, type Triggers } from "./triggers.js";
import { WELL_KNOWN_TYPES } from "./well-known-types.js";
import type { Workers } from "./workers.js";

/** What a listing needs of one type. */
export interface TriggerTypeRow {
  type: number;
  id: string;
  namespace: string;
  workerName: string;
  description: string;
}

const STATE_NAMES = {
  [TriggerState.Active]: "active",
  [TriggerState.Parked]: "parked",
  [TriggerState.Rejected]: "rejected",
  [TriggerState.Asked]: "asked",
  [TriggerState.Removed]: "removed",
} as const satisfies Record<TriggerState, string>;

export interface TriggerRowsOptions {
  triggers: Triggers;
  types: TriggerTypes;
  functions: Functions;
  workers: Workers;
  functionRows: FunctionRows;
}

export class TriggerRows {
  readonly #o: TriggerRowsOptions;

  constructor(options: TriggerRowsOptions) {
    this.#o = options;
  }

  typeRow(type: number): TriggerTypeRow {
    const { types, workers } = this.#o;
    const id = types.names.id(type);
    const card = types.card(type);
    const description: unknown = JSON.parse((card && cardMember(card, "description")) ?? '""');
    const owner = workers.of(types.provider(type))?.name;
    return {
      type,
      id,
      namespace: types.names.namespace(type),
      workerName: owner ?? WELL_KNOWN_TYPES.get(id)?.owner ?? ownerFromId(id),
      description: typeof description === "string" ? description : "",
    };
  }

  typeRows(): TriggerTypeRow[] {
    const rows: TriggerTypeRow[] = [];
    this.#o.types.each((type) => rows.push(this.typeRow(type)));
    return rows;
  }

  /** TriggerTypeDetail: the summary with its schemas (its provider's, else those that its well-known name stands for) and how many live triggers its id has, all namespaces together. */
  typeDetail(row: TriggerTypeRow): string {
    const { types, triggers } = this.#o;
    const card = types.card(row.type);
    const known = WELL_KNOWN_TYPES.get(row.id);
    const schema = (key: string, said: string | undefined, usual: object | undefined): string => {
      const json = said ?? (usual && JSON.stringify(usual));
      return json === undefined ? "" : `,"${key}":${json}`;
    };
    const said = (member: string) => (card === undefined ? undefined : cardMember(card, member));
    let instances = 0;
    types.each((type) => {
      if (types.names.id(type) === row.id) instances += triggers.countBound(type);
    });
    const schemas = [
      schema("configuration_schema", said("trigger_request_format"), known?.configuration),
      schema("request_schema", said("call_request_format"), known?.request),
      schema("response_schema", undefined, known?.response),
    ];
    return `${typeSummary(row).slice(0, -1)}${schemas.join("")},"instance_count":${instances}}`;
  }

  /** Live triggers that call a function, as `{id, trigger_type, config}`; a JSON array. */
  boundTo(fn: number): string {
    const { functions, triggers } = this.#o;
    const namespace = namespaceKey(functions.names.namespace(fn));
    const bound = triggers
      .ofTarget(namespace, functions.names.id(fn))
      .filter((trigger) => this.isLive(trigger));
    return `[${bound.map((trigger) => `{${this.#head(trigger)},"config":${this.#config(trigger)}}`).join(",")}]`;
  }

  isLive(trigger: number): boolean {
    return this.#o.triggers.state(trigger) === TriggerState.Active;
  }

  /** The name of the worker that offers the function a trigger calls. */
  workerName(trigger: number): string {
    const { triggers, functionRows } = this.#o;
    const fn = this.targetOf(trigger);
    return fn === 0 ? ownerFromId(triggers.functionId(trigger)) : functionRows.row(fn).workerName;
  }

  /** The function a trigger calls, or 0 when nobody offers it. */
  targetOf(trigger: number): number {
    const { functions, triggers, workers } = this.#o;
    const id = Buffer.from(triggers.functionId(trigger), "utf8");
    return functions.names.find(workers.namespace(triggers.namespace(trigger)), id, 0, id.length);
  }

  /** RegisteredTriggerSummary. `withState`: with the keys that the reference does not have. */
  summary(trigger: number, withState: boolean): string {
    const config = this.#config(trigger);
    return `{${this.#body(trigger)},"config":${config},"config_summary":${JSON.stringify(configSummary(config))}${withState ? this.#state(trigger) : ""}}`;
  }

  /** RegisteredTriggerDetail. */
  detail(trigger: number, withState: boolean): string {
    const { functionRows, triggers } = this.#o;
    const metadata = triggers.metadata.text(trigger);
    const fn = this.targetOf(trigger);
    const type = triggers.type(trigger);
    const parts = [
      this.#body(trigger),
      `"config":${this.#config(trigger)}`,
      ...(metadata === undefined ? [] : [`"metadata":${metadata}`]),
      `"trigger":${type === 0 ? "null" : this.typeDetail(this.typeRow(type))}`,
      `"function":${fn === 0 ? "null" : detailText(functionRows.row(fn), this.boundTo(fn))}`,
    ];
    return `{${parts.join(",")}${withState ? this.#state(trigger) : ""}}`;
  }

  #head(trigger: number): string {
    const { triggers } = this.#o;
    return `"id":${JSON.stringify(triggers.id(trigger))},"trigger_type":${JSON.stringify(triggers.typeName(trigger))}`;
  }

  #body(trigger: number): string {
    const { triggers } = this.#o;
    return `${this.#head(trigger)},"function_id":${JSON.stringify(triggers.functionId(trigger))},"worker_name":${JSON.stringify(this.workerName(trigger))}`;
  }

  #config(trigger: number): string {
    return this.#o.triggers.config.text(trigger) ?? "null";
  }

  #state(trigger: number): string {
    const { triggers } = this.#o;
    const reason = REASON_NAMES[triggers.reason(trigger)];
    const lastFiredAtMs = triggers.lastFiredAtMs[trigger] ?? 0;
    const state = {
      namespace: triggers.namespace(trigger),
      state: STATE_NAMES[triggers.state(trigger)],
      ...(reason === null ? {} : { reason }),
      ...(lastFiredAtMs === 0 ? {} : { last_fired_at_ms: lastFiredAtMs }),
    };
    const error = triggers.error.text(trigger);
    return `,${JSON.stringify(state).slice(1, -1)}${error === undefined ? "" : `,"last_error":${error}`}`;
  }
}

/** TriggerTypeSummary: every key always present. */
export function typeSummary(row: TriggerTypeRow): string {
  return JSON.stringify({
    id: row.id,
    namespace: row.namespace,
    worker_name: row.workerName,
    description: row.description,
  });
}

export function byId<Row extends { id: string }>(a: Row, b: Row): number {
  return byBytes(a.id, b.id);
}
