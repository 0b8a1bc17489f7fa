// What the supervisor needs from the engine, and nothing more: who is connected, a drain, a call.
//
// The engine implements it beside its registry; tests script it. Everything here is called on the engine's thread
// and must be cheap there.

/** A worker connection that told its name. */
export interface Registration {
  /** The connection, for as long as it lives. */
  readonly workerId: string;
  readonly name: string;
  readonly namespace: string;
  /** The process id the worker announced; undefined when it told none. */
  readonly pid: number | undefined;
  /** Whether the peer's address is on this machine: a process id of another machine says nothing here. */
  readonly isLocal: boolean;
}

export interface RegistrationChange {
  readonly kind: "joined" | "left";
  readonly registration: Registration;
}

export interface DrainResult {
  /** Calls that were still open when the bound passed. */
  readonly callsLeft: number;
}

export interface EnginePort {
  /** Tells every change from now on, in order. Returns what ends the telling. */
  onRegistration(listener: (change: RegistrationChange) => void): () => void;
  /** No new calls to this connection from now on; settles when those open have ended, or after `boundMs`. */
  drain(workerId: string, boundMs: number): Promise<DrainResult>;
  /** Ids of functions that this connection offers and another one serves. */
  standsBy(workerId: string): readonly string[];
  /** Ids of functions that this connection alone serves: nobody would take over. */
  solelyServed(workerId: string): readonly string[];
  /** Calls a function as the engine itself; rejects with the error of the call. */
  call(functionId: string, data: unknown, timeoutMs: number, namespace?: string): Promise<unknown>;
}

/** An engine without workers: for a supervisor used alone. Drains are over at once, calls are refused. */
export function emptyEngine(): EnginePort {
  return {
    onRegistration: () => () => {},
    drain: async () => ({ callsLeft: 0 }),
    standsBy: () => [],
    solelyServed: () => [],
    call: async (functionId) => {
      throw new Error(`no engine is attached that could call ${functionId}`);
    },
  };
}
