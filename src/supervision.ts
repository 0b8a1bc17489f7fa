// Engine and supervisor tied together: what the supervisor may ask of the engine, and the functions that control it.
//
// Also keeps the state of the configuration (in force, refused, waiting for a restart) for /healthz and `tercet status`.
import { checkMayControl, isLoopback } from "./access/controller.js";
import { optionalWhole } from "./builtin/builtin.js";
import type { Config } from "./config/load.js";
import type { Engine } from "./engine.js";
import { DRAIN_MS_MAX } from "./protocol/limits.js";
import { OfferState, OfferWord } from "./registry/offers.js";
import type { Worker } from "./registry/workers.js";
import type { DrainResult, EnginePort, Registration, RegistrationChange } from "./supervisor/engine-port.js";
import type { Draft, ReloadOutcome } from "./supervisor/messages.js";
import type { Supervisor } from "./supervisor/supervisor.js";
import { type Transition, UNIT_STATES, type UnitState } from "./supervisor/transition.js";
import { type ControlFunction, workerFunctions, workerRow } from "./supervisor/worker-functions.js";
import { ENGINE_VERSION } from "./version.js";

/** The engine through the eyes of its supervisor. */
export class SupervisedEngine implements EnginePort {
  readonly #engine: Engine;
  readonly #listeners = new Set<(change: RegistrationChange) => void>();
  /** What was told of a connection last: a worker tells its name and its process after it has connected. */
  readonly #told = new Map<string, { worker: Worker; registration: Registration }>();

  constructor(engine: Engine) {
    this.#engine = engine;
    engine.observe({
      connected: (worker) => this.#seen(worker),
      metadataUpdated: (worker) => this.#seen(worker),
      disconnected: (worker) => this.#gone(worker),
    });
  }

  onRegistration(listener: (change: RegistrationChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async drain(workerId: string, boundMs: number): Promise<DrainResult> {
    const told = this.#told.get(workerId);
    if (told === undefined) return { callsLeft: 0 };
    return this.#engine.drains.worker(told.worker, boundMs);
  }

  standsBy(workerId: string): readonly string[] {
    const { functions } = this.#engine;
    const isStandby = (_fn: number, offer: number): boolean =>
      functions.offers.get(offer, OfferWord.state) === OfferState.Standby;
    return this.#offered(workerId, isStandby);
  }

  solelyServed(workerId: string): readonly string[] {
    const { lists, offers } = this.#engine.functions;
    return this.#offered(
      workerId,
      (fn, offer) => !lists.hasOther(fn, offers.get(offer, OfferWord.connection)),
    );
  }

  /** Ids of what a connection offers. */
  #offered(workerId: string, isMeant: (fn: number, offer: number) => boolean): readonly string[] {
    const told = this.#told.get(workerId);
    const { functions } = this.#engine;
    const ids: string[] = [];
    if (told === undefined) return ids;
    functions.eachOf(told.worker.connection.index, (fn, offer) => {
      if (isMeant(fn, offer)) ids.push(functions.names.id(fn));
    });
    return ids;
  }

  call(functionId: string, data: unknown, timeoutMs: number, namespace = "default"): Promise<unknown> {
    return this.#engine.call(functionId, data, { timeoutMs, namespace });
  }

  #seen(worker: Worker): void {
    const registration = registrationOf(worker);
    if (registration === undefined) return;
    this.#told.set(worker.id, { worker, registration });
    this.#tell({ kind: "joined", registration });
  }

  #gone(worker: Worker): void {
    const told = this.#told.get(worker.id);
    if (told === undefined) return;
    this.#told.delete(worker.id);
    this.#tell({ kind: "left", registration: told.registration });
  }

  #tell(change: RegistrationChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

/** Undefined while the worker has told neither its name nor its process. */
function registrationOf(worker: Worker): Registration | undefined {
  const { id, name, pid, namespace, connection } = worker;
  if (name === null && pid === null) return undefined;
  return {
    workerId: id,
    name: name ?? "",
    namespace: namespace.name,
    pid: pid ?? undefined,
    isLocal: isLoopback(connection.address),
  };
}

export type ConfigState =
  | { readonly state: "in_force" }
  | { readonly state: "invalid"; readonly text: string }
  | { readonly state: "restart_needed"; readonly keys: readonly string[] };

/** What is in force, and what the file would rather have. */
export class ConfigStatus {
  config: Config;
  state: ConfigState = { state: "in_force" };
  loadedMs = Date.now();

  constructor(config: Config) {
    this.config = config;
  }

  took(outcome: ReloadOutcome): void {
    if (outcome.kind === "invalid") this.state = { state: "invalid", text: outcome.text };
    else if (outcome.kind === "restart_needed") this.state = { state: "restart_needed", keys: outcome.keys };
    else this.state = { state: "in_force" };
    if (outcome.kind === "applied") this.loadedMs = Date.now();
  }
}

export interface Control {
  readonly engine: Engine;
  readonly supervisor: Supervisor;
  readonly status: ConfigStatus;
  /** The engine is to end, with so much time for calls in flight, in milliseconds; undefined: as it is configured. Gives the time. */
  drain(drainMs: number | undefined): number;
  /** Told after the answer of a reload has been given. */
  onReloaded(outcome: ReloadOutcome): void;
}

/** Tells every change of a declared process to whoever binds a trigger of type `engine::worker-processes`. */
export function tellProcesses(engine: Engine, supervisor: Supervisor): void {
  const events = engine.provideEvents({
    id: "engine::worker-processes",
    description:
      "A declared process changed its state; config may narrow it by lists: workers, processes, states.",
    filters: { workers: "worker", processes: "process", states: "state" },
  });
  supervisor.on("transition", (transition) => events.tell(eventOf(transition)));
}

/** Counts the declared processes by state, and their restarts; those that start for the first time keep the engine from being ready. */
export function countProcesses({ metrics, probes }: Engine, supervisor: Supervisor): void {
  const states = new Map<string, UnitState>();
  const firstStarts = new Set<string>();
  let restarts = 0;
  supervisor.on("transition", ({ worker, state, restarts: ofThis }) => {
    if (state === "stopped") states.delete(worker);
    else states.set(worker, state);
    if (state === "starting" && ofThis > 0) restarts++;
    const isFirst = ofThis === 0 && (state === "waiting" || state === "starting");
    if (isFirst) firstStarts.add(worker);
    else firstStarts.delete(worker);
  });
  probes.reportReadiness(() =>
    firstStarts.size === 0 ? null : `declared workers are starting: ${[...firstStarts].join(", ")}`,
  );
  metrics.counter("worker_process_restarts", "Declared processes started again.", () => restarts);
  for (const counted of UNIT_STATES.filter((state) => state !== "stopped"))
    metrics.gauge(
      `worker_processes_${counted}`,
      `Declared processes in state ${counted}.`,
      () => [...states.values()].filter((state) => state === counted).length,
    );
}

/** The event as its receivers get it; what does not apply is null. */
function eventOf(transition: Transition): Record<string, unknown> {
  const {
    worker,
    entry,
    state,
    previous,
    timeMs,
    pid,
    reason,
    exit,
    lastLines,
    uptimeMs,
    restarts,
    nextStartMs,
  } = transition;
  return {
    event: "worker_process",
    worker: entry,
    process: worker,
    state,
    previous,
    at_ms: timeMs,
    pid: pid ?? null,
    reason: reason ?? null,
    exit_code: exit?.code ?? null,
    signal: exit?.signal ?? null,
    last_lines: lastLines ?? [],
    uptime_ms: uptimeMs ?? null,
    restarts,
    next_start_ms: nextStartMs ?? null,
  };
}

/** Registers `worker::*`, `engine::status` and `engine::config::*` with the engine. */
export function serveControl(control: Control): void {
  const { engine, supervisor } = control;
  const all: Record<string, ControlFunction> = {
    ...workerFunctions(supervisor),
    ...controlFunctions(control),
  };
  for (const [id, { description, handler }] of Object.entries(all)) {
    engine.serve({
      id,
      description,
      handle: async (input, caller) => {
        checkMayControl(id, caller);
        return JSON.stringify((await handler(input)) ?? null);
      },
    });
  }
}

function controlFunctions({
  engine,
  supervisor,
  status,
  drain,
  onReloaded,
}: Control): Record<string, ControlFunction> {
  const startedMs = Date.now();
  return {
    "engine::status": {
      description: "The engine at a glance: listeners, configuration, workers, calls.",
      handler: async () => ({
        version: ENGINE_VERSION,
        pid: process.pid,
        supervisor_pid: supervisor.pid ?? null,
        started_ms: startedMs,
        listeners: engine.listeners,
        certificates: engine.server.renewals.states().map(({ expiresMs, ...rest }) => ({
          ...rest,
          expires_ms: expiresMs,
        })),
        config: { file: status.config.file ?? null, loaded_ms: status.loadedMs, ...status.state },
        stats: engine.stats(),
        workers: (await supervisor.status()).map(workerRow),
      }),
    },
    "engine::drain": {
      description: "Ends the engine as SIGTERM does: no new calls, those in flight may end. {timeout_ms?}",
      handler: async (input) => {
        const askedMs = drainMsOf(input);
        const callsOpen = await engine.drains.all(0);
        return { drain_ms: drain(askedMs), calls_open: callsOpen };
      },
    },
    "engine::config::reload": {
      description: "Reads the configuration file again and makes it true.",
      handler: async () => {
        const outcome = await supervisor.reload();
        setImmediate(() => onReloaded(outcome));
        return outcome;
      },
    },
    "engine::config::plan": {
      description: "What a reload would do now. {text?, shown_as?}",
      handler: (input) => supervisor.plan(draftOf(input)),
    },
  };
}

/** Undefined where none is asked for, also by an input that is no object. */
function drainMsOf(input: unknown): number | undefined {
  const fields = typeof input === "object" && input !== null ? { ...input } : {};
  return optionalWhole("engine::drain", fields, "timeout_ms", DRAIN_MS_MAX);
}

/** A whole file as text, which the engine then need not read: it opens no path that a peer names. */
function draftOf(input: unknown): Draft | undefined {
  if (typeof input !== "object" || input === null || !("text" in input) || typeof input.text !== "string")
    return undefined;
  const shownAs = "shown_as" in input && typeof input.shown_as === "string" ? input.shown_as : "draft";
  return { text: input.text, shownAs };
}
