// The frames that both halves of the list of traps send most: a trigger, a trigger type; and the rows of a listing.
import type { JsonPeer } from "../support/json-peer.js";
import type { TestEngine } from "../support/test-engine.js";

/** Registers a trigger, of type `mail` for function `f` unless told otherwise. */
export function want(peer: JsonPeer, id: string, rest: object = {}): void {
  peer.send({ type: "registertrigger", id, trigger_type: "mail", function_id: "f", config: {}, ...rest });
}

/** Provides a trigger type. */
export function provide(peer: JsonPeer, id: string, rest: object = {}): void {
  peer.send({ type: "registertriggertype", id, description: "", ...rest });
}

/** The rows under `key` that a listing of the engine gives. */
export async function rowsOf(on: TestEngine, id: string, key: string, input: object = {}) {
  const listed = (await on.engine.call(id, input)) as Record<string, Record<string, unknown>[]>;
  return listed[key] ?? [];
}
