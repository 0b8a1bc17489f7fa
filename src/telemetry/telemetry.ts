// Telemetry frames of workers (OTLP/JSON behind four letters that name the signal): counted, bounded, handed to a collector when there is one.
//
//   OTLP{"resourceSpans":…}     MTRC{"resourceMetrics":…}     LOGS{"resourceLogs":…}
//
// Nobody is ever answered. What is not UTF-8 is dropped; what is inside is the collector's business.

import { isUtf8 } from "node:buffer";
import { Metric, type Metrics } from "../metrics.js";

export const Signal = { Traces: "traces", Metrics: "metrics", Logs: "logs" } as const;
export type Signal = (typeof Signal)[keyof typeof Signal];

/** Takes bodies on their way out of the engine. */
export interface TelemetryExporter {
  /** `body` is the exporter's from here on: OTLP/JSON. */
  export(signal: Signal, body: Uint8Array): void;
}

const PREFIX_BYTES = 4;
/** The prefixes as big-endian integers. */
const SIGNALS = new Map<number, Signal>([
  [0x4f544c50, Signal.Traces],
  [0x4d545243, Signal.Metrics],
  [0x4c4f4753, Signal.Logs],
]);

export class Telemetry {
  readonly #metrics: Metrics;
  readonly #exporter: TelemetryExporter | null;

  /** `exporter` null: no collector is configured, everything is dropped and counted. */
  constructor(metrics: Metrics, exporter: TelemetryExporter | null) {
    this.#metrics = metrics;
    this.#exporter = exporter;
  }

  /** Takes a binary frame when it is telemetry; false when it is something else. The bytes may be reused at once. */
  take(frame: Uint8Array): boolean {
    const signal = frame.length < PREFIX_BYTES ? undefined : SIGNALS.get(prefixOf(frame));
    if (signal === undefined) return false;
    this.#metrics.add(Metric.telemetry_frames);
    this.#metrics.add(Metric.telemetry_bytes, frame.length);
    const body = frame.subarray(PREFIX_BYTES);
    if (!isUtf8(body)) this.#metrics.add(Metric.telemetry_frames_malformed);
    else if (this.#exporter === null) this.#metrics.add(Metric.telemetry_frames_dropped);
    else this.#exporter.export(signal, body.slice());
    return true;
  }
}

function prefixOf(frame: Uint8Array): number {
  return (frame[0]! << 24) | (frame[1]! << 16) | (frame[2]! << 8) | frame[3]!;
}
