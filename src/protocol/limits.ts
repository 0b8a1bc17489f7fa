// Every bound of the engine, with its reason. Nothing grows without a name in this file.
//
// `LIMITS` are the defaults of what an operator may change (config.yaml, `limits` and `server`); the other constants are facts of the
// wire or of the tables. Their relations are asserted when this module loads.

import { assert } from "../assert.js";

/** Calls in flight at once in the whole engine: 20 bits of a ticket are the slot. */
export const CALLS_OPEN_MAX = (1 << 20) - 1;
/** Functions registered at once, standbys and owners of shared functions counted each: 20 bits of a handle are the index. */
export const FUNCTIONS_MAX = (1 << 20) - 1;
/** Triggers at once, active and parked: half of what 20 bits can number, so that the names they bring along fit the other tables. */
export const TRIGGERS_MAX = (1 << 19) - 1;
/** Claims to provide a trigger type at once: far more than there are workers in a usual fleet. */
export const TRIGGER_TYPES_MAX = 65_535;
/** Bytes of the description, formats and metadata of a function: a megabyte of them is a mistake. */
export const CARD_BYTES_MAX = 1 << 20;
/** Bytes of the description and formats of a trigger type, and of the config and metadata of a trigger: as of a function. */
export const TRIGGER_BYTES_MAX = 1 << 20;
/** Characters kept of a provider's refusal, to be shown in listings; its owner is told all of it. */
export const TRIGGER_ERROR_CHARS_MAX = 1_024;
/**
 * Bytes of what is said about functions, about trigger types, and about triggers, of all connections, each for itself: they lie in stores whose offsets are int32, and in which as
 * much may be garbage as lives.
 */
export const REGISTRY_BYTES_MAX = 1 << 29;
/** Bytes of the names in one table, for the same reason. */
export const NAMES_BYTES_MAX = 1 << 29;
/** How long `engine::register_trigger` waits for a provider's answer before it takes the trigger as accepted, in milliseconds; the reference's. */
export const TRIGGER_ANSWER_MS = 10_000;

/** Calls that may wait for a worker that takes few at once, when nothing else is said: a burst, not a backlog. */
export const QUEUE_CALLS_MIN = 16;
/** The least memory ceiling: an engine at rest takes about half of it. */
export const MEMORY_BYTES_MIN = 128 * (1 << 20);
/** How long a call may wait for a worker that said how many it takes, when nothing else is said, in milliseconds. */
export const QUEUE_MS = 1_000;

/** Bytes of a `functions-available` snapshot: with its head it stays below the mebibyte at which the Python SDK closes its connection. */
export const SNAPSHOT_BYTES_MAX = (1 << 20) - (1 << 14);
/** The shortest pause between two `functions-available` pushes, in milliseconds. */
export const SNAPSHOT_PAUSE_MS_MIN = 100;
/** The longest; the reference polls every five seconds. */
export const SNAPSHOT_PAUSE_MS_MAX = 5_000;
/** Bytes pushed (snapshot times subscribers) that lengthen the pause by a millisecond: 50 MB a second, a twentieth of a core. */
export const SNAPSHOT_BYTES_PER_PAUSE_MS = 50_000;

/** Changes of the registry that a watcher may have missed and still get without starting over; a quarter of an hour of a fleet that restarts. */
export const FEED_CHANGES_MAX = 65_536;
/** Changes in one record of a feed: a few hundred kilobytes at most. */
export const FEED_RECORD_CHANGES_MAX = 2_048;
/** Feeds one connection may watch. */
export const WATCHES_PER_CONNECTION_MAX = 16;

/** Lines of the slow-call log in a second: enough to see what is slow, too few to make it slower. */
export const SLOW_CALL_LINES_PER_S = 10;
/** Functions that are counted one by one while somebody watches: more than a screen shows; a kilobyte each. */
export const WATCHED_FUNCTIONS_MAX = 4_096;
/** How long calls are counted by function after the last question for it, in milliseconds. */
export const WATCH_MS = 5_000;

/** Connections at once: more than the file descriptors of a usual process, and the per-connection tables stay small. */
export const CONNECTIONS_MAX = 65_535;

/** Nesting of a JSON frame that every official SDK still reads (the Rust SDK's parser stops at 127); the envelope is level 1. */
export const JSON_DEPTH_MAX = 127;
/** Nesting of a payload, which sits inside the envelope. */
export const PAYLOAD_DEPTH_MAX = JSON_DEPTH_MAX - 1;
/** Nesting of a function's formats and metadata: in a listing they sit below the envelope, the result, its array and the function. */
export const CARD_DEPTH_MAX = JSON_DEPTH_MAX - 4;
/** Nesting of a trigger's config: `engine::workers::info` shows it six levels down in its answer's frame. */
export const TRIGGER_DEPTH_MAX = JSON_DEPTH_MAX - 6;
/** Digits of an integer in a JSON frame: Python's `int` refuses longer ones with an exception. */
export const JSON_INTEGER_DIGITS_MAX = 4_300;

/** Bytes of a function id, a trigger id, a namespace: long enough for any sane name, short enough to be copied about. */
export const ID_BYTES_MAX = 1_024;
/** Ids of functions that are no more, kept for the answers of calls that outlive them. */
export const FORMER_IDS_MAX = 4_096;
/** Characters of a worker's name and description; the reference cuts there. */
export const WORKER_TEXT_CHARS_MAX = 280;
/** The deadline a caller may ask for: a day. Ticks stay far below 2^31. */
export const CALL_TIMEOUT_MS_MAX = 86_400_000;
/** Bytes that may wait for a connection that has not been let in yet: a worker's first registrations, with schemas. */
export const UNADMITTED_BYTES_MAX = 1 << 20;
/** Connections whose access is being decided at once: beyond them newcomers are turned away, so that strangers cannot hold more than a gigabyte. */
export const ADMISSIONS_MAX = 1_024;
/** Sockets that have not asked for anything yet, of all addresses together: with TLS each may cost 50 KB. uWebSockets cuts them 10 to 12 s after accept. */
export const HANDSHAKES_MAX = 8_192;
/** Pause between two log lines about refused strangers of one kind, in milliseconds: they must not write the log full. */
export const REFUSAL_LOG_PAUSE_MS = 10_000;
/** How often the files of certificates are looked at, in milliseconds; a change is taken up when two looks in a row see the same. */
export const CERTIFICATE_LOOK_MS = 1_000;
/** How long an auth function or a key set may take before access is refused, in milliseconds. */
export const AUTH_TIMEOUT_MS = 10_000;
/** How long the calls in flight of a worker that is drained may take when nobody says: shorter than the default timeout of SDK calls, which may have asked for it. */
export const DRAIN_MS_DEFAULT = 20_000;
/** The longest that a drain may be asked to wait: an hour, in which an operator has long looked. */
export const DRAIN_MS_MAX = 3_600_000;
/** Workers that an engine takes back in a millisecond without others noticing: an upgrade, a hello and a registration cost about 0.2 ms of it. */
export const RECONNECTS_PER_MS = 1;
/** Over at least this time workers spread their coming back: a process that starts again needs it. */
export const RECONNECT_MS_MIN = 250;
/** And at most: a full house of connections comes back twice as fast then, which the bench row `reconnect-storm` shows to be bearable. */
export const RECONNECT_MS_MAX = 30_000;
/** How long a registration hook may take before the registration is refused, in milliseconds. */
export const HOOK_TIMEOUT_MS = 10_000;
/** Decisions that one session remembers: more functions than one client calls, a megabyte of memory. */
export const SESSION_DECISIONS_MAX = 16_384;

/** Messages a channel holds before its writer is stopped, when its maker does not say; the reference's. */
export const CHANNEL_MESSAGES_DEFAULT = 64;
export const CHANNEL_MESSAGES_MAX = 1_024;

/** Bytes of one chunk of a stream: a small record waits behind one of them at most where they take turns. */
export const CHUNK_BYTES_MAX = 65_536;
/** Bytes that a writer may send before it is granted more, and that may thus wait of one stream: four chunks, so that granting keeps ahead of sending. */
export const STREAM_CREDIT_BYTES = 4 * CHUNK_BYTES_MAX;
/** Bytes waiting for a connection's socket above which it gets no more chunks. */
export const STREAM_SOCKET_BYTES_MAX = 2 * CHUNK_BYTES_MAX;
/** Streams that one connection may have open. */
export const STREAMS_OPEN_MAX = 1_024;

/** Channels that failed before their reader came and that are kept to tell it why; the oldest go. Readers come within a call's way, so a few would do. */
export const CHANNELS_FAILED_MAX = 1_024;

/** The bounds of channels. */
export interface ChannelLimits {
  /** Channels at once. */
  channelsMax: number;
  /** Bytes waiting in one channel above which its writer is stopped. What its socket gives in the same turn still comes: ten reads of 512 KiB, or one message. */
  channelQueueBytesMax: number;
  /** Bytes waiting in all channels above which every writer with something waiting is stopped. */
  channelsQueuedBytesMax: number;
  /** Bytes waiting in one channel above which it is cut, where a writer cannot be stopped. */
  channelOverrunBytesMax: number;
  /** Bytes handed to a reader's socket that the kernel has not taken, above which the channel holds back. */
  channelSinkBytesMax: number;
  /** How often old channels are looked for, in milliseconds. */
  channelSweepMs: number;
  /** Age at which a channel with an end that nobody took goes, in milliseconds. */
  channelTtlMs: number;
}

export interface Limits {
  /** Bytes of one WebSocket message, either way in. */
  frameBytesMax: number;
  /** Calls one connection may have open (made by it). */
  callsOpenPerConnectionMax: number;
  /** Calls open in the whole engine. */
  callsOpenMax: number;
  /** Calls that a worker executes at once when nobody has said how many it takes; more wait in the engine, where callers take turns. */
  callsExecutingPerWorkerMax: number;
  /** Bytes of the calls of one caller that wait in queues. */
  queuedBytesPerCallerMax: number;
  /** Bytes of the calls that wait for one worker. */
  queuedBytesPerWorkerMax: number;
  /** Bytes of all calls that wait in queues. */
  queuedBytesMax: number;
  /** Resident bytes near which new work is refused; 0 = three quarters of what the machine or the container has. */
  memoryBytesMax: number;
  /** Functions one connection may register. */
  functionsPerConnectionMax: number;
  /** Bytes of description, formats and metadata of all these; the same again for the trigger types of a connection. */
  functionBytesPerConnectionMax: number;
  /** Triggers one connection may have, active and parked; the same for all that were made through `engine::register_trigger` together. */
  triggersPerConnectionMax: number;
  /** Bytes of ids, config and metadata of all these. */
  triggerBytesPerConnectionMax: number;
  /** Trigger types one connection may provide. */
  triggerTypesPerConnectionMax: number;
  /** Connections at once, all listeners together. */
  connectionsMax: number;
  /** Connections, channels and telemetry sockets that one address may have open; of IPv6, one /64. */
  connectionsPerAddressMax: number;
  /** Sockets of one address that have not asked for anything yet, TLS handshakes among them. */
  handshakesPerAddressMax: number;
  /** Time of a call whose caller names none, in milliseconds. */
  callTimeoutMs: number;
  /** Bytes waiting for one connection above which new calls to it are `overloaded`. */
  outboxSoftBytes: number;
  /** Bytes waiting for one connection above which it is closed hard. */
  outboxHardBytes: number;
  /** Bytes of registrations held back until a JSON connection tells its namespace. */
  heldBytesMax: number;
  /** How long a JSON connection may stay without telling its namespace before it is put in `default`, in milliseconds. */
  registrationNamespaceGraceMs: number;
  /** A connection from which nothing comes for this long is closed, in seconds; 0 = never, else 8 to 960. */
  idleTimeoutS: number;
  /** From the upgrade to `hello`, in milliseconds. What comes before is bounded by uWebSockets: 10 to 12 s from accept to a whole request head. */
  handshakeTimeoutMs: number;
}

const MIB = 1 << 20;
/** setTimeout counts in a signed 32-bit integer. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

export const LIMITS: Limits = {
  frameBytesMax: 64 * MIB, // what the reference's WebSocket stack takes
  callsOpenPerConnectionMax: 65_536, // a caller above this is not waiting for answers any more
  callsOpenMax: CALLS_OPEN_MAX,
  callsExecutingPerWorkerMax: 2_048, // more in its inbox make a worker no faster, and a quiet caller waits behind them
  queuedBytesPerCallerMax: 8 * MIB, // as the soft bound of an outbox, which is where they would wait otherwise
  queuedBytesPerWorkerMax: 16 * MIB, // two such callers: one alone cannot fill it
  queuedBytesMax: 256 * MIB, // sixteen such workers
  memoryBytesMax: 0, // the rest is for workers, and for what memory the kernel keeps for sockets
  functionsPerConnectionMax: 262_144, // a quarter of the table: one worker cannot fill it
  functionBytesPerConnectionMax: 64 * MIB, // 400,000 functions as SDKs describe them; an eighth of the store
  triggersPerConnectionMax: 65_536, // an eighth of the table: one worker cannot fill it
  triggerBytesPerConnectionMax: 64 * MIB, // a kilobyte for each
  triggerTypesPerConnectionMax: 4_096, // a sixteenth of the table
  connectionsMax: CONNECTIONS_MAX,
  connectionsPerAddressMax: 16_384, // a quarter of the table: one address cannot fill it
  handshakesPerAddressMax: 2_048, // four times what the kernel queues for accept at once: a fleet that comes back after a restart fits
  callTimeoutMs: 330_000, // longer than a caller's own five minutes, so that the engine does not cut it short
  outboxSoftBytes: 8 * MIB, // half a second of a gigabit link
  outboxHardBytes: 136 * MIB, // two frames of the largest size beyond the soft bound: an idle worker can always be sent one
  heldBytesMax: 16 * MIB, // 100,000 registrations with schemas
  registrationNamespaceGraceMs: 5_000, // the reference's
  idleTimeoutS: 120, // SDKs ping every 20 s
  handshakeTimeoutMs: 10_000, // the reference's
};

export const CHANNEL_LIMITS: ChannelLimits = {
  channelsMax: 65_536, // as connections
  channelQueueBytesMax: 4 * MIB, // the default number of messages of the size that SDKs cut their writes to: 64 of 64 KiB
  channelsQueuedBytesMax: 512 * MIB, // 128 channels at their bound
  channelOverrunBytesMax: 64 * MIB, // the largest message
  channelSinkBytesMax: MIB, // enough for the kernel never to wait for us
  channelSweepMs: 60_000, // the reference's
  channelTtlMs: 300_000, // the reference's
};

/** The highest value of each bound that the engine can hold: configurations are checked against it. */
export const LIMIT_MAXIMA: Limits = {
  frameBytesMax: 128 * MIB, // received, answered and gathered it fits the 2 GiB of the arena, also when frames grew to it by steps
  callsOpenPerConnectionMax: CALLS_OPEN_MAX,
  callsOpenMax: CALLS_OPEN_MAX,
  callsExecutingPerWorkerMax: CALLS_OPEN_MAX,
  queuedBytesPerCallerMax: 2 ** 40, // whatever memory there is
  queuedBytesPerWorkerMax: 2 ** 40,
  queuedBytesMax: 2 ** 40,
  memoryBytesMax: 2 ** 50,
  functionsPerConnectionMax: FUNCTIONS_MAX,
  functionBytesPerConnectionMax: REGISTRY_BYTES_MAX,
  triggersPerConnectionMax: TRIGGERS_MAX,
  triggerBytesPerConnectionMax: REGISTRY_BYTES_MAX,
  triggerTypesPerConnectionMax: TRIGGER_TYPES_MAX,
  connectionsMax: CONNECTIONS_MAX,
  connectionsPerAddressMax: CONNECTIONS_MAX,
  handshakesPerAddressMax: HANDSHAKES_MAX,
  callTimeoutMs: CALL_TIMEOUT_MS_MAX,
  outboxSoftBytes: (1024 - 128) * MIB, // the hard one, less a frame
  outboxHardBytes: 1024 * MIB, // uWebSockets counts what waits for a socket in 31 bits; a frame may come on top
  heldBytesMax: 1024 * MIB, // a buffer of its own for each connection that waits
  registrationNamespaceGraceMs: TIMER_MS_MAX,
  idleTimeoutS: 960, // uWebSockets'
  handshakeTimeoutMs: TIMER_MS_MAX,
};

/** As {@link LIMIT_MAXIMA}. */
export const CHANNEL_LIMIT_MAXIMA: ChannelLimits = {
  channelsMax: 1 << 20, // a Map of them, two sockets or streams each
  channelQueueBytesMax: 1024 * MIB, // one buffer, which grows to twice that
  channelsQueuedBytesMax: 2 ** 40, // whatever memory there is
  channelOverrunBytesMax: 1024 * MIB,
  channelSinkBytesMax: 1024 * MIB, // as outboxes
  channelSweepMs: TIMER_MS_MAX,
  channelTtlMs: TIMER_MS_MAX,
};

/** Throws the sentence of the first relation that does not hold. */
export function checkLimits(limits: Limits): void {
  assert(
    limits.outboxHardBytes >= limits.outboxSoftBytes + limits.frameBytesMax,
    "outboxHardBytes must hold outboxSoftBytes and one frame of frameBytesMax",
  );
  checkMaxima({ ...limits }, { ...LIMIT_MAXIMA });
  assert(limits.callTimeoutMs > 0, "callTimeoutMs is at least 1");
  assert(
    limits.memoryBytesMax === 0 || limits.memoryBytesMax >= MEMORY_BYTES_MIN,
    `memoryBytesMax is 0 or at least ${MEMORY_BYTES_MIN}`,
  );
  assert(
    limits.idleTimeoutS === 0 || (limits.idleTimeoutS >= 8 && limits.idleTimeoutS <= 960),
    "idleTimeoutS is 0 or 8 to 960",
  );
}

/** Throws the sentence of the first bound above what the engine can hold. */
export function checkChannelLimits(limits: ChannelLimits): void {
  checkMaxima({ ...limits }, { ...CHANNEL_LIMIT_MAXIMA });
}

function checkMaxima(limits: Record<string, number>, maxima: Record<string, number>): void {
  for (const [key, maximum] of Object.entries(maxima))
    assert((limits[key] ?? 0) <= maximum, `${key} is at most ${maximum}`);
}

checkLimits(LIMITS);
checkChannelLimits(CHANNEL_LIMITS);
