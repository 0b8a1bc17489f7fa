// What the engine counts, asked from outside: `engine::status` tells every counter of src/metrics.ts.

import { upgraded } from "./connection.js";
import { JsonPeer } from "./json.js";

const ID = "5d0e8b71-9a53-4c7e-8f1b-c2539f920000";

export async function engineCounters(port: number): Promise<Record<string, number>> {
  const peer = new JsonPeer(await upgraded(port, "/"), true);
  const answered = peer.next((frame) => {
    const text = frame.toString();
    return text.includes(ID) ? text : undefined;
  });
  peer.sendJson({ type: "invokefunction", invocation_id: ID, function_id: "engine::status", data: {} });
  const { result, error } = JSON.parse(await answered);
  await peer.connection.close();
  if (error !== undefined) throw new Error(`engine::status: ${error.code} ${error.message}`);
  return result.stats.counters;
}
