// `limits` of config.yaml: the bounds of the engine that an operator may change.
//
// Defaults and maxima are the engine's own (protocol/limits.ts), so that whatever can be written here can be held there.
import {
  CHANNEL_LIMIT_MAXIMA,
  CHANNEL_LIMITS,
  LIMITS as ENGINE,
  LIMIT_MAXIMA as MOST,
} from "../protocol/limits.js";
import { z } from "./zod.js";

const int = (min: number, max: number, text: string) => z.int().min(min).max(max).describe(text);
const bound = (key: keyof typeof ENGINE, about: string, least = 1) =>
  int(least, MOST[key], about).default(ENGINE[key]);
const channelBound = (key: keyof typeof CHANNEL_LIMITS, about: string) =>
  int(1, CHANNEL_LIMIT_MAXIMA[key], about).default(CHANNEL_LIMITS[key]);

export const bounds = z
  .strictObject({
    calls_in_flight: bound("callsOpenMax", "Calls awaiting an answer, in total."),
    calls_in_flight_per_connection: bound(
      "callsOpenPerConnectionMax",
      "Calls awaiting an answer that one connection may have opened.",
    ),
    calls_executing_per_worker: bound(
      "callsExecutingPerWorkerMax",
      "Calls that a worker executes at once if nobody says how many it takes; more wait in the engine, where callers take turns.",
    ),
    queued_bytes_per_caller: bound(
      "queuedBytesPerCallerMax",
      "Bytes of the calls of one caller that wait for busy workers; beyond them it is answered `overloaded`.",
      1024,
    ),
    queued_bytes_per_worker: bound(
      "queuedBytesPerWorkerMax",
      "Bytes of the calls that wait for one worker.",
      1024,
    ),
    queued_bytes: bound("queuedBytesMax", "Bytes of all calls that wait for busy workers.", 1024),
    memory_bytes: bound(
      "memoryBytesMax",
      "Resident memory of the engine near which new calls and connections are refused while what is under way completes; 128 MiB at least; 0: three quarters of what the machine or the container has.",
      0,
    ),
    call_timeout_ms: bound(
      "callTimeoutMs",
      "Deadline of a call that carries none, in milliseconds; longer than the SDKs' own five minutes.",
    ),
    outbox_soft_bytes: bound(
      "outboxSoftBytes",
      "Bytes waiting for a slow connection above which new calls to it are answered `overloaded`.",
      1024,
    ),
    outbox_hard_bytes: bound(
      "outboxHardBytes",
      "Bytes waiting for a slow connection above which it is closed; holds the soft bound and one message.",
      1024,
    ),
    held_bytes: bound(
      "heldBytesMax",
      "Bytes of registrations that wait until a connection has told its namespace, or while a hook looks at one.",
      1024,
    ),
    connections: bound("connectionsMax", "Connections at once, all listeners together."),
    connections_per_address: bound(
      "connectionsPerAddressMax",
      "Connections of one address at once, channels and telemetry sockets included; of IPv6, of one /64.",
    ),
    handshakes_per_address: bound(
      "handshakesPerAddressMax",
      "Sockets of one address that have not asked for anything yet; each is cut within 12 seconds.",
    ),
    functions_per_connection: bound(
      "functionsPerConnectionMax",
      "Functions that one connection may register.",
    ),
    function_bytes_per_connection: bound(
      "functionBytesPerConnectionMax",
      "Bytes of description, formats and metadata of these; the same again for trigger types.",
    ),
    triggers_per_connection: bound("triggersPerConnectionMax", "Triggers that one connection may have."),
    trigger_bytes_per_connection: bound(
      "triggerBytesPerConnectionMax",
      "Bytes of ids, config and metadata of these.",
    ),
    trigger_types_per_connection: bound(
      "triggerTypesPerConnectionMax",
      "Trigger types that one connection may provide.",
    ),
    channels: channelBound("channelsMax", "Channels at once."),
    channel_queue_bytes: channelBound(
      "channelQueueBytesMax",
      "Bytes waiting in one channel above which its writer is stopped.",
    ),
    channels_queued_bytes: channelBound(
      "channelsQueuedBytesMax",
      "Bytes waiting in all channels above which every writer with something waiting is stopped.",
    ),
    channel_overrun_bytes: channelBound(
      "channelOverrunBytesMax",
      "Bytes waiting in one channel above which it is cut, on systems where a writer's socket cannot be stopped.",
    ),
    channel_ttl_ms: channelBound(
      "channelTtlMs",
      "Age at which a channel with an end that nobody took goes, in milliseconds; looked at once a minute.",
    ),
  })
  .prefault({})
  .describe("Bounds on what waits inside the engine.");
