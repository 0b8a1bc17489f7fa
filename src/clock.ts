// Time comes in by the front door: whatever needs it takes a Clock, and a test moves time itself.

export interface Clock {
  /** Milliseconds that only ever grow; for deadlines and durations. */
  monotonicMs(): number;
  /** Milliseconds since 1970; for what people and other machines read. */
  epochMs(): number;
  /** Calls `tick` every `everyMs` until the returned function is called. Does not keep the process alive. */
  every(everyMs: number, tick: () => void): () => void;
  /** Calls `fire` once after `afterMs` unless the returned function is called first. Does not keep the process alive. */
  after(afterMs: number, fire: () => void): () => void;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  epochMs: () => Date.now(),
  every(everyMs, tick) {
    const timer = setInterval(tick, everyMs);
    timer.unref();
    return () => clearInterval(timer);
  },
  after(afterMs, fire) {
    const timer = setTimeout(fire, afterMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
