// The trigger type `engine::functions-available`: the whole set of functions, whenever it changed.
//
//   change ──(end of the turn)──> push ──> pause ──> push of the latest state, if it changed meanwhile ──> …
//
// The first change is pushed at once. After a push there is a pause that grows with the bytes pushed, and however much happens in it, only the state at its
// end is pushed. What a subscriber may rely on: a snapshot is the registry at one moment, later than every event it got before; every change
// is in the snapshot that follows it; a change that is undone before it was pushed is not told. A new subscriber gets the present state without waiting
// for a change. One that does not keep up is passed over and gets the latest state when it does.
//
// A snapshot is serialised once for all. Beyond SNAPSHOT_BYTES_MAX it leaves out descriptions and metadata (`abridged: true`), and when that is not enough
// it holds as many rows as fit (`truncated: true`, `function_count` tells how many there are): no frame that would end an SDK's connection.

import type { Session } from "../access/session.js";
import type { Clock } from "../clock.js";
import { Metric, type Metrics } from "../metrics.js";
import {
  SNAPSHOT_BYTES_MAX,
  SNAPSHOT_BYTES_PER_PAUSE_MS,
  SNAPSHOT_PAUSE_MS_MAX,
  SNAPSHOT_PAUSE_MS_MIN,
} from "../protocol/limits.js";
import type { FunctionRow, FunctionRows } from "../registry/function-rows.js";
import { isVisible, summaryText } from "../registry/function-rows.js";
import { FunctionChange, type Functions } from "../registry/functions.js";
import type { FireEvent, TriggerFires } from "./trigger-fires.js";
import { jsonBytes } from "./trigger-values.js";
import type { EngineTriggerType } from "./trigger-wire.js";
import { eventOf } from "./workers-available.js";

export interface FunctionsAvailableOptions {
  fires: TriggerFires;
  functions: Functions;
  rows: FunctionRows;
  clock: Clock;
  metrics: Metrics;
  /** The session that asked for a trigger; null: who did may see everything. */
  sessionOf: (trigger: number) => Session | null;
}

export class FunctionsAvailable implements EngineTriggerType {
  readonly id = "engine::functions-available";
  readonly description = "The set of functions changed; config is ignored.";
  readonly #o: FunctionsAvailableOptions;
  readonly #subscribers = new Set<number>();
  /** Subscribers that have not got the latest state: new ones, and those that did not keep up. */
  readonly #behind = new Set<number>();
  /** Subscribers with a session: each gets a snapshot of what it may see. */
  readonly #guarded = new Map<number, Session>();
  /** What changed since the last push, by namespace and id; what came and went is in it no more. */
  readonly #changes = new Map<string, FunctionChange>();
  #isTimed = false;

  constructor(options: FunctionsAvailableOptions) {
    this.#o = options;
  }

  bound(trigger: number): void {
    this.#subscribers.add(trigger);
    this.#behind.add(trigger);
    const session = this.#o.sessionOf(trigger);
    if (session !== null) this.#guarded.set(trigger, session);
    this.#wake();
  }

  unbound(trigger: number): void {
    this.#subscribers.delete(trigger);
    this.#behind.delete(trigger);
    this.#guarded.delete(trigger);
    if (this.#subscribers.size === 0) this.#changes.clear();
  }

  changed(fn: number, change: FunctionChange): void {
    if (this.#subscribers.size === 0 || change === FunctionChange.Served) return;
    const { names } = this.#o.functions;
    const key = `${names.namespace(fn)}\0${names.id(fn)}`;
    const before = this.#changes.get(key);
    if (before === undefined) this.#changes.set(key, change);
    else if (before !== change) this.#changes.delete(key); // it is as it was
    this.#wake();
  }

  #wake(): void {
    if (this.#isTimed) return;
    this.#isTimed = true;
    this.#o.clock.after(0, this.#push);
  }

  readonly #push = (): void => {
    this.#isTimed = false;
    const due = this.#changes.size > 0 ? this.#subscribers : this.#behind;
    if (due.size === 0) return;
    const { late, bytes } = this.#guarded.size === 0 ? this.#fireAll(due, null) : this.#fireApart(due);
    const pauseMs = pauseAfter(bytes);
    this.#changes.clear();
    this.#behind.clear();
    for (const trigger of late) this.#behind.add(trigger);
    this.#isTimed = true;
    this.#o.clock.after(pauseMs, this.#push);
  };

  #fireAll(
    due: ReadonlySet<number> | readonly number[],
    session: Session | null,
  ): { late: number[]; bytes: number } {
    const event = this.#snapshot(session);
    const count = "size" in due ? due.size : due.length;
    return { late: this.#o.fires.fireAll(due, event, false), bytes: event.json.length * count };
  }

  /** One snapshot for all who may see everything, one for each who may not. */
  #fireApart(due: ReadonlySet<number>): { late: number[]; bytes: number } {
    const open = [...due].filter((trigger) => !this.#guarded.has(trigger));
    const told = open.length === 0 ? [] : [this.#fireAll(open, null)];
    for (const trigger of due) {
      const session = this.#guarded.get(trigger);
      if (session !== undefined) told.push(this.#fireAll([trigger], session));
    }
    return { late: told.flatMap(({ late }) => late), bytes: told.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  #snapshot(session: Session | null): FireEvent {
    const { rows, metrics } = this.#o;
    const all = rows.all().filter((row) => isVisible(row, session));
    metrics.add(Metric.snapshots_serialised);
    const json = snapshotBytes(all);
    if (json.isAbridged) metrics.add(Metric.snapshots_abridged);
    return eventOf(json.bytes, () => abridged(all));
  }
}

/** How long to wait after so many bytes were pushed, in milliseconds. */
export function pauseAfter(bytes: number): number {
  const pauseMs = SNAPSHOT_PAUSE_MS_MIN + Math.floor(bytes / SNAPSHOT_BYTES_PER_PAUSE_MS);
  return Math.min(pauseMs, SNAPSHOT_PAUSE_MS_MAX);
}

/** The event of these rows, never longer than SNAPSHOT_BYTES_MAX. */
function snapshotBytes(rows: readonly FunctionRow[]): { bytes: Uint8Array; isAbridged: boolean } {
  const whole = jsonBytes(`${HEAD}${rows.map(summaryText).join(",")}]}`);
  if (whole.length <= SNAPSHOT_BYTES_MAX) return { bytes: whole, isAbridged: false };
  return { bytes: abridged(rows), isAbridged: true };
}

const HEAD = '{"event":"functions_changed","functions":[';

/** Without what only listings need; cut where it would pass the bound. */
function abridged(rows: readonly FunctionRow[]): Uint8Array {
  const texts: string[] = [];
  let left = SNAPSHOT_BYTES_MAX - HEAD.length - TAIL_BYTES_MAX;
  for (const row of rows) {
    const text = summaryText({ ...row, description: undefined, card: undefined });
    left -= Buffer.byteLength(text) + 1;
    if (left < 0) break;
    texts.push(text);
  }
  const cut = texts.length < rows.length ? `,"truncated":true,"function_count":${rows.length}` : "";
  return jsonBytes(`${HEAD}${texts.join(",")}],"abridged":true${cut}}`);
}

/** Room for what stands behind the rows. */
const TAIL_BYTES_MAX = 128;
