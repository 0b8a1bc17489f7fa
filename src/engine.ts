// The composition root: makes the parts of an engine and ties them together. Each part knows its neighbours only; this file knows them all.

import { randomUUID } from "node:crypto";
import { Access } from "./access/access.js";
import { Hooks } from "./access/hooks.js";
import type { AccessOptions } from "./access/options.js";
import { Sight } from "./access/sight.js";
import type { Builtin } from "./builtin/builtin.js";
import { createChannel } from "./builtin/create-channel.js";
import { drainWorker } from "./builtin/drain-worker.js";
import { functionInfo, listFunctions } from "./builtin/list-functions.js";
import { listTriggerTypes, triggerTypeInfo } from "./builtin/list-trigger-types.js";
import { listTriggers, triggerInfo } from "./builtin/list-triggers.js";
import { listWorkers, WorkerRows, workerInfo } from "./builtin/list-workers.js";
import { baggageFunctions, logFunctions } from "./builtin/log-functions.js";
import { observabilityFunctions } from "./builtin/observability-functions.js";
import { registerTrigger, unregisterTrigger } from "./builtin/register-trigger.js";
import { registerWorker } from "./builtin/register-worker.js";
import { top } from "./builtin/top.js";
import { TriggersOfWorker } from "./builtin/triggers-of-worker.js";
import { Channels } from "./channels/channels.js";
import { ChannelRoute } from "./channels/socket-end.js";
import { type Clock, systemClock } from "./clock.js";
import { openDoors } from "./doors.js";
import { HttpFunctions, type HttpFunctionsOptions } from "./http/http-functions.js";
import { systemResolve } from "./http/url-policy.js";
import type { Logger } from "./log.js";
import { Metric, Metrics } from "./metrics.js";
import { registerEngineFigures, registerProcessFigures } from "./operations/engine-figures.js";
import { ceilingBytes, MemoryCeiling } from "./operations/memory-ceiling.js";
import { Probes } from "./operations/probes.js";
import { CloseCode, type ErrorCode, goingDown } from "./protocol/error.js";
import { EnvelopeScanner } from "./protocol/json/scanner.js";
import {
  CHANNEL_LIMITS,
  type ChannelLimits,
  checkChannelLimits,
  checkLimits,
  FUNCTIONS_MAX,
  LIMITS,
  type Limits,
} from "./protocol/limits.js";
import type { WorkerRule } from "./registry/concurrency.js";
import { FunctionRows } from "./registry/function-rows.js";
import { Functions, type FunctionsObserver } from "./registry/functions.js";
import type { FunctionRule } from "./registry/share.js";
import { TriggerRows } from "./registry/trigger-rows.js";
import { Workers } from "./registry/workers.js";
import { Calls } from "./router/calls.js";
import { Concurrencies } from "./router/concurrencies.js";
import { Crossing } from "./router/crossing.js";
import { Departures, type WorkerObserver } from "./router/departures.js";
import { Drains } from "./router/drains.js";
import { DroppedFrames } from "./router/dropped-frames.js";
import { EndedCalls } from "./router/ended-calls.js";
import { EngineEvents, type EngineEventsOptions } from "./router/engine-events.js";
import { EnginePeer } from "./router/engine-peer.js";
import { Feeds } from "./router/feeds.js";
import { FunctionsAvailable } from "./router/functions-available.js";
import type { JsonControl } from "./router/json-control.js";
import { drawSuffix, JsonFrames } from "./router/json-frames.js";
import { Middleware } from "./router/middleware.js";
import { topicOf } from "./router/msgpack-general.js";
import { RegistrationReview } from "./router/registration-review.js";
import { RegistryView } from "./router/registry-view.js";
import { TriggerFires } from "./router/trigger-fires.js";
import { TriggerReview } from "./router/trigger-review.js";
import { TriggerSystem } from "./router/trigger-system.js";
import { WorkersAvailable } from "./router/workers-available.js";
import { OtlpExporter, type OtlpOptions } from "./telemetry/otlp-exporter.js";
import { Telemetry } from "./telemetry/telemetry.js";
import { Arena } from "./transport/arena.js";
import type { Connection } from "./transport/connection.js";
import { isLoopbackHost } from "./transport/hosts.js";
import { type BoundListener, type ListenAddress, type ListenOptions, Server } from "./transport/server.js";

/** One address, and who may come through it; without `access` everybody who reaches it may do everything. */
export interface ListenerOptions extends ListenOptions {
  access?: AccessOptions;
}

export interface EngineOptions {
  /** Where to listen; several are one engine. Default one, 127.0.0.1:49134. Port 0 picks a free one. */
  listeners?: readonly ListenerOptions[];
  /** Bounds that differ from the defaults. */
  limits?: Partial<Limits>;
  /** Bounds of channels that differ from the defaults. */
  channelLimits?: Partial<ChannelLimits>;
  /** Where `/metrics` is served, besides `/healthz` and `/readyz`. Absent: on the listeners that are bound to the loopback interface and have no rules. */
  metrics?: ListenAddress;
  /** Calls that take this long are logged as slow, in milliseconds; 0 (default): none. */
  slowCallMs?: number;
  /** Which functions are shared, how many calls they take at once, and which have a time of their own. */
  functions?: readonly FunctionRule[];
  /** How many calls workers take at once, by their names. */
  workers?: readonly WorkerRule[];
  /** Serves functions that are an HTTP request, to addresses that this allows. Absent: they are refused. */
  httpFunctions?: Omit<HttpFunctionsOptions, "clock">;
  /** The OTLP collector that workers' telemetry goes to. Absent: it is dropped and counted. */
  telemetry?: OtlpOptions;
  log: Logger;
  clock?: Clock;
}

/** What an engine counts and holds at one moment. */
export interface EngineStats {
  connections: number;
  workers: number;
  functions: number;
  callsOpened: number;
  callsEnded: number;
  callsOpen: number;
  channelsOpen: number;
  counters: Readonly<Record<string, number>>;
}

export const DEFAULT_LISTENER: ListenAddress = { host: "127.0.0.1", port: 49_134 };

export class Engine {
  readonly workers = new Workers();
  readonly functions: Functions;
  readonly calls: Calls;
  readonly concurrencies: Concurrencies;
  readonly memory: MemoryCeiling;
  readonly metrics = new Metrics();
  readonly server: Server;
  readonly peer: EnginePeer;
  readonly departures: Departures;
  readonly drains: Drains;
  readonly channels: Channels;
  readonly triggers: TriggerSystem;
  readonly feeds: Feeds;
  readonly access: Access;
  readonly endedCalls: EndedCalls;
  readonly probes: Probes;
  /** Where it listens, with the ports that were chosen. */
  readonly listeners: BoundListener[] = [];
  readonly #log: Logger;
  readonly #http: HttpFunctions | null;
  readonly #exporter: OtlpExporter | null;
  #builtins = 0;
  readonly #fires: TriggerFires;
  #functionsAvailable: FunctionsAvailable | null = null;
  /** Where the metrics are served, with the port that was chosen; null: beside the workers' endpoint. */
  metricsListener: ListenAddress | null = null;
  readonly #metricsAddress: ListenAddress | null;

  constructor(options: EngineOptions) {
    const limits: Limits = { ...LIMITS, ...options.limits };
    checkLimits(limits);
    const clock = options.clock ?? systemClock;
    const { log } = options;
    this.#log = log;
    const arena = new Arena(limits.callsOpenMax, ceilingBytes(limits));
    const { metrics, workers } = this;
    const channelLimits = { ...CHANNEL_LIMITS, ...options.channelLimits };
    checkChannelLimits(channelLimits);
    this.channels = new Channels({ limits: channelLimits, clock, metrics, log });
    const routes = [new ChannelRoute(this.channels, limits.frameBytesMax)];
    this.#exporter =
      options.telemetry === undefined
        ? null
        : new OtlpExporter(options.telemetry, systemResolve, metrics, log);
    const telemetry = new Telemetry(metrics, this.#exporter);
    const takeTelemetry = (frame: Uint8Array): void => {
      if (!telemetry.take(frame)) metrics.add(Metric.frames_malformed);
    };
    this.server = new Server({
      limits,
      metrics,
      log,
      clock,
      arena,
      routes,
      telemetry: takeTelemetry,
    });
    const { server } = this;
    this.feeds = new Feeds({ clock, server, workers, metrics });
    const observer: FunctionsObserver = {
      changed: (fn, change) => {
        this.#functionsAvailable?.changed(fn, change);
        this.feeds.functionChanged(fn, change);
      },
      sharedOwner: (fn, connection, isOwner) => {
        const owner = server.connections[connection];
        if (owner?.isMsgpack !== true || !owner.isOpen) return;
        if (isOwner) owner.subscribe(topicOf(fn));
        else owner.unsubscribe(topicOf(fn));
      },
      withdrawn: (fn, connection) => this.concurrencies.withdrawn(connection, fn),
    };
    const generationOf = (connection: number) => server.slots.generations[connection] ?? 0;
    const rules = { functions: options.functions ?? [], workers: options.workers ?? [] };
    const { connectionsMax } = limits;
    this.functions = new Functions(FUNCTIONS_MAX, connectionsMax, rules.functions, observer, generationOf);
    const { functions } = this;
    const { connections, outboxes: loop } = server;
    const prefixBytes = new Uint16Array(connectionsMax + 1);
    const shape = { limits, clock, metrics, functions, workers, connections, arena, loop, prefixBytes };
    this.calls = new Calls(shape);
    const { calls } = this;
    this.concurrencies = new Concurrencies(calls.queues, functions.names, rules);
    this.memory = new MemoryCeiling(limits, { server, calls, channels: this.channels, clock, log });
    this.triggers = new TriggerSystem({ limits, clock, metrics, log, workers, connections });
    this.departures = new Departures(workers, functions, calls, this.triggers.registrar, log);
    this.peer = new EnginePeer(calls, functions, log);
    const scanner = new EnvelopeScanner(arena.memory);
    const frames = new JsonFrames(arena, calls, functions.names, drawSuffix(randomUUID()), prefixBytes);
    const crossing = new Crossing({
      calls,
      names: functions.names,
      arena,
      metrics,
      frames,
      engine: this.peer,
      frameBytesMax: limits.frameBytesMax,
    });
    const refuse = (connection: Connection, code: ErrorCode, message: string): void => {
      if (connection.isMsgpack) doors.msgpackControl.refuse(connection, null, code, message);
      else frames.send(connection, { type: "error", error: { code, message } });
    };
    const context = { connectionsMax, clock, log, metrics, server, functions, engine: this.peer, refuse };
    this.access = new Access(context, new Uint8Array(connectionsMax + 1), prefixBytes);
    const { access } = this;
    const middleware = new Middleware(calls, this.peer);
    const hooks = new Hooks(this.peer);
    const { httpFunctions } = options;
    this.#http = httpFunctions === undefined ? null : new HttpFunctions({ clock, ...httpFunctions });
    const shared = {
      access,
      telemetry,
      middleware,
      hooks,
      review: new RegistrationReview(hooks, this.#http),
      limits,
      clock,
      log,
      metrics,
      dropped: new DroppedFrames({ metrics, log, clock, workers }),
      server,
      functions,
      workers,
      departures: this.departures,
      calls,
      arena,
      scanner,
      frames,
      crossing,
      engine: this.peer,
      concurrencies: this.concurrencies,
    };
    const triggerReview = new TriggerReview({ access, hooks, waiting: server.waiting });
    this.drains = new Drains({ clock, functions, calls, workers, server });
    const doors = openDoors({
      ...shared,
      triggers: this.triggers,
      triggerReview,
      feeds: this.feeds,
      drains: this.drains,
      channels: this.channels,
    });
    const { json, msgpack, general, jsonControl } = doors;
    crossing.attach(general);
    this.peer.attach(crossing);
    calls.attach({ json, msgpack, engine: this.peer }, msgpack);
    server.attach({ json, msgpack }, access);
    this.#metricsAddress = options.metrics ?? null;
    this.endedCalls = new EndedCalls({ ...shared, log });
    this.endedCalls.logSlow(options.slowCallMs ?? 0);
    const figures = () => {
      const { workers, functions, callsOpen } = this.stats();
      return { workers, functions, calls_open: callsOpen, ...server.renewals.health() };
    };
    this.probes = new Probes({ metrics, durations: calls.durations, figures });
    registerEngineFigures(this, limits);
    registerProcessFigures(metrics);
    const fires = new TriggerFires({ ...shared, ...this.triggers, general, prefixBytes });
    this.#fires = fires;
    const functionRows = new FunctionRows(functions, workers);
    this.#serveBuiltins(jsonControl, clock.epochMs(), functionRows, triggerReview);
    this.#serveTriggerTypes(fires, functionRows, clock);
    for (const builtin of observabilityFunctions(clock)) this.serve(builtin);
    this.serve(top(this, clock.epochMs()));
  }

  #serveTriggerTypes(fires: TriggerFires, rows: FunctionRows, clock: Clock): void {
    const { functions, metrics } = this;
    const workersAvailable = new WorkersAvailable(fires);
    this.#functionsAvailable = new FunctionsAvailable({
      fires,
      functions,
      rows,
      clock,
      metrics,
      sessionOf: (trigger) => {
        const { triggers } = this.triggers;
        return this.workers.of(triggers.owner(trigger))?.session ?? triggers.askedBy.get(trigger) ?? null;
      },
    });
    this.triggers.serve(workersAvailable);
    this.triggers.serve(this.#functionsAvailable);
    this.observe(workersAvailable);
  }

  /** Adds a function of the engine's own, in namespace `default`. */
  serve(builtin: Builtin): void {
    this.peer.serve(builtin);
    this.#builtins++;
  }

  /** Provides one more trigger type of the engine's own, in namespace `default`; its events are told through what is returned. */
  provideEvents(options: EngineEventsOptions): EngineEvents {
    const events = new EngineEvents(options, this.#fires, this.triggers.triggers);
    this.triggers.serve(events);
    return events;
  }

  /** Follows workers as they come and go. */
  observe(observer: WorkerObserver): void {
    this.departures.observe(observer);
  }

  /** Binds one more listener. Throws ListenError, CertificateError. */
  listen(address: ListenerOptions): BoundListener {
    if (address.access !== undefined) this.access.protect(this.server.listenerCount, address.access);
    const { host } = address;
    const isOpen = this.#metricsAddress === null && address.access === undefined && isLoopbackHost(host);
    const pages = isOpen ? this.probes.pagesWithMetrics : this.probes.pages;
    const bound = { host, port: this.server.listen(address, pages), tls: address.tls !== undefined };
    this.listeners.push(bound);
    return bound;
  }

  /** Binds the listener of the metrics, where they have one of their own. Throws ListenError. */
  listenForMetrics(): void {
    const address = this.#metricsAddress;
    if (address === null) return;
    const port = this.server.listenForPages(address, this.probes.pagesWithMetrics);
    this.metricsListener = { host: address.host, port };
  }

  /** Calls a worker's function from inside the process. Rejects with CodedError. `data` is any JSON value. */
  async call(
    functionId: string,
    data: unknown,
    options: { namespace?: string; timeoutMs?: number } = {},
  ): Promise<unknown> {
    const json = await this.peer.call(
      options.namespace ?? "default",
      functionId,
      JSON.stringify(data ?? null),
      options.timeoutMs ?? 30_000,
    );
    return json === null ? null : JSON.parse(json);
  }

  stats(): EngineStats {
    const { inFlight } = this.calls;
    return {
      connections: this.server.slots.open,
      workers: this.workers.count,
      functions: this.functions.count,
      callsOpened: inFlight.opened,
      callsEnded: inFlight.ended,
      callsOpen: inFlight.open,
      channelsOpen: this.channels.open,
      counters: this.metrics.snapshot(),
    };
  }

  /** Stops accepting connections and calls, lets calls in flight finish for at most `drainMs`. Tells how many are still open then. */
  async drain(drainMs: number): Promise<{ callsOpen: number }> {
    this.probes.isDraining = true;
    this.server.stopListening();
    this.calls.refuseNew();
    return { callsOpen: await this.drains.all(drainMs) };
  }

  /** Drains as `drain` does, then closes every connection with a code that tells SDKs to come back. */
  async close(options: { drainMs?: number } = {}): Promise<{ callsLost: number }> {
    const { callsOpen: callsLost } = await this.drain(options.drainMs ?? 0);
    this.server.close(CloseCode.GoingDown, goingDown(this.server.slots.open));
    this.calls.deadlines.close();
    this.memory.close();
    this.channels.close();
    await this.#http?.close();
    await this.#exporter?.close();
    this.#log.debug({ callsLost }, "engine closed");
    return { callsLost };
  }

  #serveBuiltins(
    control: JsonControl,
    startedAtMs: number,
    functionRows: FunctionRows,
    review: TriggerReview,
  ): void {
    const workerRows = new WorkerRows(
      this.workers,
      this.functions,
      this.calls,
      startedAtMs,
      () => this.#builtins,
    );
    const { triggers, types, registrar, binder } = this.triggers;
    const { functions, workers, feeds } = this;
    const triggerRows = new TriggerRows({ triggers, types, functions, workers, functionRows });
    const sight = new Sight(this.access, functions, triggers);
    feeds.attach(
      new RegistryView({ triggers, types, functions, workers, functionRows, triggerRows, sight }),
      functions,
    );
    binder.changed = (trigger) => feeds.triggerChanged(trigger);
    registrar.typeChanged = (namespace, id) => feeds.typeChanged(namespace, id);
    this.observe(feeds);
    this.observe(this.concurrencies);
    const ofWorker = new TriggersOfWorker(triggerRows, triggers, types, this.functions, this.workers);
    this.serve(listFunctions(functionRows));
    this.serve(functionInfo(functions, workers, functionRows, triggerRows, sight));
    this.serve(listWorkers(workerRows, sight));
    this.serve(createChannel(this.channels));
    this.serve(workerInfo(workers, functions, workerRows, functionRows, ofWorker, sight));
    this.serve(listTriggerTypes(triggerRows, sight));
    this.serve(triggerTypeInfo(types, workers, triggerRows, sight));
    this.serve(listTriggers(triggers, triggerRows, sight));
    this.serve(triggerInfo(triggers, triggerRows, sight));
    this.serve(registerTrigger(registrar, review));
    this.serve(unregisterTrigger(registrar, triggers, sight));
    this.serve(registerWorker(this.workers, control, this.departures));
    this.serve(drainWorker(workers, functions, this.drains, sight));
    for (const builtin of [...logFunctions(this.#log), ...baggageFunctions()]) this.serve(builtin);
  }
}

/** Makes an engine and binds its listeners: when this resolves it serves. Rejects with ListenError when a listener cannot be bound. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const engine = new Engine(options);
  try {
    for (const address of options.listeners ?? [DEFAULT_LISTENER]) engine.listen(address);
    engine.listenForMetrics();
  } catch (cause) {
    await engine.close();
    throw cause;
  }
  return engine;
}
