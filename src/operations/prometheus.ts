// What the engine counts and holds as text that Prometheus reads.
//
// Format: Prometheus text exposition, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). Names begin with `tercet_` and carry their
// unit; counters end in `_total`. There are no labels by function or worker: their number is not ours to bound. `tercet top` shows these.

import type { Figure, Metrics } from "../metrics.js";
import { bucketEndMs, DURATION_BUCKETS, type Durations } from "../router/durations.js";

export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Four buckets are an octave; the shown ones end every octave from 64 µs to 134 s. */
const BUCKETS_PER_OCTAVE = 4;
const SHOWN_FROM_MS = 0.064;
const SHOWN_TO_MS = 140_000;

export function prometheusText(
  metrics: Metrics,
  durations: Durations,
  build: Readonly<Record<string, string>>,
): string {
  const parts = [...metrics.counters(), ...metrics.figures].map(figureText);
  return `${buildText(build)}${parts.join("")}${durationText(durations)}`;
}

function figureText({ name, about, kind, read }: Figure): string {
  const shown = kind === "counter" ? `tercet_${name}_total` : `tercet_${name}`;
  return `${headText(shown, about, kind)}${shown} ${numberText(read())}\n`;
}

function headText(name: string, about: string, kind: string): string {
  return `# HELP ${name} ${about.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${kind}\n`;
}

function buildText(build: Readonly<Record<string, string>>): string {
  const labels = Object.entries(build).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return `${headText("tercet_build_info", "Always 1; its labels say what runs.", "gauge")}tercet_build_info{${labels.join(",")}} 1\n`;
}

function durationText({ counts, sumMs }: Durations): string {
  const name = "tercet_call_duration_seconds";
  let text = headText(name, "Time from a call's entry to its end, in seconds.", "histogram");
  let ended = 0;
  for (let bucket = 0; bucket < DURATION_BUCKETS; bucket++) {
    ended += counts[bucket]!;
    const endMs = bucketEndMs(bucket);
    const isShown = (bucket + 1) % BUCKETS_PER_OCTAVE === 0 && endMs >= SHOWN_FROM_MS && endMs <= SHOWN_TO_MS;
    if (isShown) text += `${name}_bucket{le="${endMs / 1000}"} ${ended}\n`;
  }
  return `${text}${name}_bucket{le="+Inf"} ${ended}\n${name}_sum ${sumMs / 1000}\n${name}_count ${ended}\n`;
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}
