// Calls at a fixed rate, whatever the answers do, and how long they took.

import { performance } from "node:perf_hooks";
import type { RoundTrips } from "./messages.js";
import type { CallerRole } from "./role.js";

/** Polls the clock between turns: a timer's millisecond would be coarser than the calls. */
export async function runPaced(
  callers: readonly CallerRole[],
  durationMs: number,
  callsPerSecond: number,
): Promise<void> {
  const startMs = performance.now();
  const spacingMs = 1000 / callsPerSecond;
  let sent = 0;
  for (;;) {
    const nowMs = performance.now();
    if (nowMs - startMs >= durationMs) return;
    while (startMs + sent * spacingMs <= nowMs) {
      if (!callers[sent % callers.length]!.calls.startOne(startMs + sent * spacingMs)) break;
      sent++;
    }
    for (const caller of callers) caller.flush();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Undefined where no times were taken. */
export function percentiles(callers: readonly CallerRole[]): RoundTrips | undefined {
  const all = Float64Array.from(callers.flatMap(({ calls }) => calls.roundTripsMs)).sort();
  if (all.length === 0) return undefined;
  const at = (share: number) => all[Math.min(all.length - 1, Math.floor(share * all.length))]!;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}
