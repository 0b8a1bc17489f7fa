// The engine's options as the configuration has them: the file's words and units become the engine's.

import type { Listener } from "../config/entries.js";
import type { HttpFunctionsConfig, ObservabilityConfig } from "../config/listener-schema.js";
import type { Config } from "../config/load.js";
import type { EngineOptions, ListenerOptions } from "../engine.js";
import type { HttpSecurity } from "../http/url-policy.js";
import type { Logger } from "../log.js";
import type { ChannelLimits, Limits } from "../protocol/limits.js";
import type { Concurrency, WorkerRule } from "../registry/concurrency.js";
import { matches } from "../registry/share.js";
import { accessOptions, type Surroundings } from "./access-options.js";
import { UsageError } from "./command.js";

/** Throws UsageError when a variable names a collector whose address is none. */
export function engineOptions(
  config: Config,
  log: Logger,
  env: Readonly<Record<string, string | undefined>> = process.env,
): EngineOptions {
  const { metrics } = config;
  return {
    log,
    listeners: config.listeners.map((listener) => listenerOptions(listener, { file: config.file, env })),
    ...telemetryOf(config.observability, env),
    ...httpFunctionsOf(config.http_functions, env),
    ...(metrics.port === undefined ? {} : { metrics: { host: metrics.host, port: metrics.port } }),
    slowCallMs: config.log.slow_call_ms,
    functions: config.functions.map(({ match, share, timeout_ms, ...rule }) => ({
      match,
      ...(share === undefined ? {} : { share }),
      ...(timeout_ms === undefined ? {} : { timeoutMs: timeout_ms }),
      ...concurrencyOf(rule),
    })),
    workers: workerRules(config),
    limits: limitsOf(config),
    channelLimits: channelLimitsOf(config),
  };
}

function limitsOf({ server, limits, registration_namespace_grace_ms }: Config): Partial<Limits> {
  return {
    frameBytesMax: server.max_message_bytes,
    idleTimeoutS: server.idle_timeout_s,
    handshakeTimeoutMs: server.handshake_timeout_ms,
    registrationNamespaceGraceMs: registration_namespace_grace_ms,
    callsOpenMax: limits.calls_in_flight,
    callsOpenPerConnectionMax: limits.calls_in_flight_per_connection,
    callTimeoutMs: limits.call_timeout_ms,
    callsExecutingPerWorkerMax: limits.calls_executing_per_worker,
    queuedBytesPerCallerMax: limits.queued_bytes_per_caller,
    queuedBytesPerWorkerMax: limits.queued_bytes_per_worker,
    queuedBytesMax: limits.queued_bytes,
    memoryBytesMax: limits.memory_bytes,
    outboxSoftBytes: limits.outbox_soft_bytes,
    outboxHardBytes: limits.outbox_hard_bytes,
    connectionsMax: limits.connections,
    heldBytesMax: limits.held_bytes,
    connectionsPerAddressMax: limits.connections_per_address,
    handshakesPerAddressMax: limits.handshakes_per_address,
    functionsPerConnectionMax: limits.functions_per_connection,
    functionBytesPerConnectionMax: limits.function_bytes_per_connection,
    triggersPerConnectionMax: limits.triggers_per_connection,
    triggerBytesPerConnectionMax: limits.trigger_bytes_per_connection,
    triggerTypesPerConnectionMax: limits.trigger_types_per_connection,
  };
}

function channelLimitsOf({ limits }: Config): Partial<ChannelLimits> {
  return {
    channelsMax: limits.channels,
    channelQueueBytesMax: limits.channel_queue_bytes,
    channelsQueuedBytesMax: limits.channels_queued_bytes,
    channelOverrunBytesMax: limits.channel_overrun_bytes,
    channelTtlMs: limits.channel_ttl_ms,
  };
}

/** How many calls workers take at once: an entry's own name, or those of its replicas. */
export function workerRules({ workers }: Config): WorkerRule[] {
  return workers.flatMap(({ name, limits }) => {
    const rule = concurrencyOf(limits);
    if (rule.concurrency === undefined) return [];
    const { concurrency } = rule;
    return [name, `${name}#*`].map((match) => ({ ...rule, match, concurrency }));
  });
}

function concurrencyOf(written: {
  concurrency?: number | undefined;
  queue_calls?: number | undefined;
  queue_ms?: number | undefined;
}): Partial<Concurrency> {
  const { concurrency, queue_calls: queueCalls, queue_ms: queueMs } = written;
  return concurrency === undefined ? {} : { concurrency, queueCalls, queueMs };
}

function listenerOptions(listener: Listener, around: Surroundings): ListenerOptions {
  const access = accessOptions(listener, around);
  const { host, port, tls, origins } = listener;
  return {
    host,
    port,
    ...(tls === undefined ? {} : { tls }),
    ...(origins === undefined ? {} : { origins }),
    ...(access === undefined ? {} : { access }),
  };
}

/** The entry's address, else the one that OpenTelemetry's own variable names. */
function telemetryOf(
  written: ObservabilityConfig | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Pick<EngineOptions, "telemetry"> {
  const endpoint = written?.otlp_endpoint ?? env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  if (endpoint === undefined || endpoint === "") return {};
  if (!URL.canParse(endpoint))
    throw new UsageError(
      `the variable OTEL_EXPORTER_OTLP_ENDPOINT is no address: ${JSON.stringify(endpoint)}`,
    );
  return { telemetry: { endpoint, headers: written?.otlp_headers ?? {} } };
}

function httpFunctionsOf(
  written: HttpFunctionsConfig | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Pick<EngineOptions, "httpFunctions"> {
  if (written === undefined) return {};
  return { httpFunctions: { security: securityOf(written), env: secretsOf(written, env) } };
}

/** The variables that workers may use as secrets of HTTP functions. */
function secretsOf(
  { security: { secrets = ["*"] } }: HttpFunctionsConfig,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => secrets.some((pattern) => matches(pattern, name))),
  );
}

function securityOf({ security }: HttpFunctionsConfig): HttpSecurity {
  const { url_allowlist, block_private_ips, require_https } = security;
  return { urlAllowlist: url_allowlist, blockPrivateIps: block_private_ips, requireHttps: require_https };
}
