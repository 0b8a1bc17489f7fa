// What the engine counts and holds, in one registry: counters in one typed array, so that counting is one addition also on the dispatch path, and gauges
// that are read when somebody asks.
//
// Whoever owns a figure registers its gauge here; the registry knows names and sentences, and nobody's insides. operations/prometheus.ts writes it as text.

/** Every counter and what it counts, since the engine started. */
const COUNTERS = {
  connections_opened: "Worker connections that opened.",
  connections_closed: "Worker connections that closed, for whatever reason.",
  connections_refused: "Connections refused before they opened: a bound was reached.",
  handshakes_failed:
    "Sockets that ended before their request came: TLS was refused, they were slow, or gave up.",
  addresses_refused: "Sockets and connections refused because their address has too many.",
  origins_refused: "Upgrades of browser pages refused because of their origin.",
  hosts_refused: "Requests refused because they name a host that is not this machine.",
  certificates_missing: "Requests refused because the client showed no certificate.",
  certificates_renewed: "Times that a listener took up a new certificate.",
  certificates_refused: "Times that a new certificate could not be used and the old one stayed.",
  connections_closed_slow:
    "Connections cut because they did not read what they were sent (limits.outbox_hard_bytes).",
  frames_received: "WebSocket messages received.",
  bytes_received: "Bytes of WebSocket messages received.",
  frames_sent: "WebSocket messages sent; a message published to many counts for each.",
  bytes_sent: "Bytes of WebSocket messages sent.",
  bytes_copied: "Bytes copied into outboxes.",
  sends_dropped: "Messages not sent because their receiver was beyond its hard bound.",
  records_unknown: "Msgpack records of a kind that this version does not know; skipped.",
  records_refused: "Msgpack records and JSON frames refused with a coded error.",
  frames_malformed: "Messages that could not be read.",
  calls_not_found: "Calls of a function that nobody serves.",
  calls_overloaded: "Calls refused with `overloaded`.",
  calls_draining: "Calls refused with `draining`: whoever serves the function takes no more of them.",
  calls_overloaded_worker_bytes:
    "Calls refused: their worker is behind in reading (limits.outbox_soft_bytes).",
  calls_overloaded_caller_calls: "Calls refused: their caller has too many open.",
  calls_overloaded_table_full: "Calls refused: the engine has too many open.",
  calls_overloaded_queue_full: "Calls refused: as many waited for their worker as may.",
  calls_overloaded_queue_wait: "Calls refused: they would have waited, or had waited, longer than they may.",
  calls_overloaded_queue_bytes: "Calls refused: as many bytes waited for workers as may.",
  calls_overloaded_worker_left: "Calls refused: the worker that they waited for left.",
  calls_overloaded_going_down: "Calls refused: the engine was going down.",
  calls_overloaded_memory: "Calls refused: the engine was near its memory ceiling.",
  calls_rate_limited: "Calls and casts refused: their session made more than its rate allows.",
  calls_queued: "Calls that waited because their worker executed as many as it takes.",
  calls_refused: "Calls refused because they could not be read or relayed.",
  calls_deadline_exceeded: "Calls ended by their deadline.",
  calls_cancelled: "Calls ended by their caller.",
  calls_stopped: "Calls ended with `invocation_stopped`: one of their two sides left.",
  calls_slow: "Calls that took log.slow_call_ms or longer, where that is set.",
  answers_unmatched: "Answers to no open call of the sender's: late, repeated or forged.",
  answers_invalid: "Answers that could not be read or relayed; their calls ended with an error.",
  answers_swallowed: "Answers dropped as the protocol demands.",
  casts: "Calls without an answer.",
  casts_dropped: "Casts that nobody could take.",
  translations: "Payloads translated between the two wires.",
  registrations: "Functions registered.",
  registrations_refused: "Registrations of functions and trigger types refused.",
  channels_created: "Channels created.",
  channels_ended: "Channels ended.",
  channels_swept: "Channels removed because an end was never taken.",
  channels_paused: "Times that the writer of a channel was stopped.",
  channels_overrun: "Channels cut because their writer could not be stopped.",
  channel_messages: "Messages through channels.",
  channel_bytes: "Bytes through channels.",
  channel_sockets_refused: "Sockets refused at a channel: unknown channel, wrong key, or taken.",
  triggers_registered: "Triggers registered.",
  triggers_refused: "Triggers refused by the engine.",
  triggers_rejected: "Triggers rejected by the provider of their type.",
  trigger_answers_unmatched: "Providers' answers to no question.",
  trigger_fires: "Fires of triggers of the engine's own types.",
  trigger_fires_dropped: "Fires that nobody could take.",
  snapshots_serialised: "Snapshots of `functions-available` written.",
  snapshots_abridged: "Snapshots of `functions-available` shortened to what SDKs read.",
  feed_records: "Records of registry feeds sent.",
  streams_opened: "Streams opened.",
  streams_refused: "Streams refused.",
  stream_records_unmatched: "Records of streams that do not exist.",
  sessions_admitted: "Connections let in by the rules of a listener.",
  sessions_refused: "Connections turned away by the rules of a listener.",
  calls_forbidden: "Calls refused by the rules of a listener.",
  telemetry_frames: "Frames of telemetry received.",
  telemetry_bytes: "Bytes of telemetry received.",
  telemetry_frames_malformed: "Frames of telemetry that could not be read.",
  telemetry_frames_dropped: "Frames of telemetry dropped: no collector, or it did not keep up.",
  telemetry_frames_exported: "Frames of telemetry handed to the collector.",
} as const;

export type MetricName = keyof typeof COUNTERS;

const NAMES = Object.keys(COUNTERS) as MetricName[]; // keys forgets which they are

/** The position of each counter in {@link Metrics.counts}. */
export const Metric = Object.fromEntries(NAMES.map((name, at) => [name, at])) as Readonly<
  Record<MetricName, number>
>; // fromEntries forgets the keys

/** A figure with its name and sentence, read when it is asked for. */
export interface Figure {
  readonly name: string;
  readonly about: string;
  /** A counter only grows. */
  readonly kind: "counter" | "gauge";
  read(): number;
}

export class Metrics {
  readonly counts = new Float64Array(NAMES.length);
  /** What others keep: gauges, and counters that live where they are counted. */
  readonly figures: Figure[] = [];

  add(at: number, by = 1): void {
    this.counts[at]! += by;
  }

  get(name: MetricName): number {
    return this.counts[Metric[name]] ?? 0;
  }

  /** Registers a gauge. The name carries its unit last: `outbox_bytes`. */
  gauge(name: string, about: string, read: () => number): void {
    this.figures.push({ name, about, kind: "gauge", read });
  }

  /** Registers a counter that somebody else keeps. */
  counter(name: string, about: string, read: () => number): void {
    this.figures.push({ name, about, kind: "counter", read });
  }

  /** All counters by name. */
  snapshot(): Record<MetricName, number> {
    return Object.fromEntries(NAMES.map((name, at) => [name, this.counts[at] ?? 0])) as Record<
      MetricName,
      number
    >; // as above
  }

  /** The counters of the typed array, in the order of their definition. */
  counters(): Figure[] {
    return NAMES.map((name) => ({
      name,
      about: COUNTERS[name],
      kind: "counter",
      read: () => this.get(name),
    }));
  }
}
