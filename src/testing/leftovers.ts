// What an engine still holds once every connection is gone; it should be nothing.
import type { Engine, EngineStats } from "../engine.js";

/** A sentence for each thing that is left. `builtins`: functions of the engine's own. */
export function leftovers(engine: Engine, builtins: number): string[] {
  const { queues, baggage } = engine.calls;
  const counts: Record<string, number> = {
    connections: engine.stats().connections,
    workers: engine.stats().workers,
    "open calls": engine.stats().callsOpen,
    "open channels": engine.stats().channelsOpen,
    functions: engine.stats().functions - builtins,
    offers: engine.functions.offers.count - builtins,
    names: engine.functions.names.count - builtins,
    triggers: engine.triggers.triggers.count,
    "calls' contexts": baggage.size,
    "waiting calls": queues.length,
    "waiting bytes": queues.bytes,
  };
  const left = Object.entries(counts).filter(([, count]) => count !== 0);
  return [...left.map(([what, count]) => `${count} ${what} are left`), ...balance(engine.stats())];
}

/** A sentence when the engine's own account of calls does not hold. */
export function balance({ callsOpened, callsEnded, callsOpen }: EngineStats): string[] {
  if (callsOpened === callsEnded + callsOpen) return [];
  return [`${callsOpened} calls were opened, but ${callsEnded} have ended and ${callsOpen} are open`];
}
