// How access reaches the functions that decide: the engine itself calls them, as it calls any function of a worker.

export interface InsideCaller {
  /** Calls a worker's function with JSON text; resolves with JSON text, null for no result. Rejects with CodedError. */
  call(namespace: string, id: string, json: string, timeoutMs: number): Promise<string | null>;
}
