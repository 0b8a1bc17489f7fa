// What the engine counts, in one typed array: counting is one addition, also on the dispatch path.

const NAMES = [
  "connections_opened",
  "connections_closed",
  "connections_refused",
  "connections_closed_slow",
  "frames_received",
  "bytes_received",
  "frames_sent",
  "bytes_sent",
  "bytes_copied",
  "sends_dropped",
  "records_unknown",
  "records_refused",
  "frames_malformed",
  "calls_not_found",
  "calls_overloaded",
  "calls_refused",
  "calls_deadline_exceeded",
  "calls_cancelled",
  "calls_stopped",
  "answers_unmatched",
  "answers_invalid",
  "answers_swallowed",
  "casts",
  "casts_dropped",
  "translations",
  "registrations",
  "registrations_refused",
  "channels_created",
  "channels_ended",
  "channels_swept",
  "channels_paused",
  "channels_overrun",
  "channel_messages",
  "channel_bytes",
  "channel_sockets_refused",
  "triggers_registered",
  "triggers_refused",
  "triggers_rejected",
  "trigger_answers_unmatched",
  "trigger_fires",
  "trigger_fires_dropped",
  "snapshots_serialised",
  "snapshots_abridged",
  "feed_records",
  "streams_opened",
  "streams_refused",
  "stream_records_unmatched",
  "sessions_admitted",
  "sessions_refused",
  "calls_forbidden",
  "telemetry_frames",
  "telemetry_bytes",
  "telemetry_frames_malformed",
  "telemetry_frames_dropped",
  "telemetry_frames_exported",
] as const;

export type MetricName = (typeof NAMES)[number];

/** The position of each counter in {@link Metrics.counts}. */
export const Metric = Object.fromEntries(NAMES.map((name, at) => [name, at])) as Readonly<
  Record<MetricName, number>
>; // fromEntries forgets the keys

export class Metrics {
  readonly counts = new Float64Array(NAMES.length);

  add(at: number, by = 1): void {
    this.counts[at]! += by;
  }

  get(name: MetricName): number {
    return this.counts[Metric[name]] ?? 0;
  }

  /** All counters by name. */
  snapshot(): Record<MetricName, number> {
    return Object.fromEntries(NAMES.map((name, at) => [name, this.counts[at] ?? 0])) as Record<
      MetricName,
      number
    >; // as above
  }
}
