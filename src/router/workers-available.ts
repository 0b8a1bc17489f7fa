// The trigger type `engine::workers-available`: an event for every worker that comes, says who it is, or goes.
//
// Events are never merged and never held back: each leaves in the turn in which it happened, so every subscriber sees them in the order in which they
// did, and before anything that came after. At `worker_connected` a JSON worker has no name and no functions yet; at `worker_metadata_updated` its
// registrations are in; at `worker_disconnected` nothing of it is left.

import type { Worker } from "../registry/workers.js";
import type { WorkerObserver } from "./departures.js";
import type { FireEvent, TriggerFires } from "./trigger-fires.js";
import { jsonBytes, msgpackBytes } from "./trigger-values.js";
import type { EngineTriggerType } from "./trigger-wire.js";

export class WorkersAvailable implements EngineTriggerType, WorkerObserver {
  readonly id = "engine::workers-available";
  readonly description = "A worker connected, told who it is, or disconnected; config is ignored.";
  readonly #fires: TriggerFires;
  readonly #subscribers = new Set<number>();

  constructor(fires: TriggerFires) {
    this.#fires = fires;
  }

  bound(trigger: number): void {
    this.#subscribers.add(trigger);
  }

  unbound(trigger: number): void {
    this.#subscribers.delete(trigger);
  }

  connected(worker: Worker): void {
    this.#tell("worker_connected", worker);
  }

  metadataUpdated(worker: Worker): void {
    this.#tell("worker_metadata_updated", worker);
  }

  disconnected(worker: Worker): void {
    this.#tell("worker_disconnected", worker);
  }

  #tell(event: string, worker: Worker): void {
    if (this.#subscribers.size === 0) return;
    this.#fires.fireAll(
      this.#subscribers,
      eventOf(jsonBytes(`{"event":"${event}","worker_id":"${worker.id}"}`)),
      true,
    );
  }
}

/** An event whose msgpack spelling is made at most once, when the first msgpack receiver wants it. */
export function eventOf(json: Uint8Array, otherwise: () => Uint8Array = () => json): FireEvent {
  let packed: Uint8Array | undefined;
  const pack = (): Uint8Array => {
    const whole = msgpackBytes(json);
    if (whole instanceof Uint8Array) return whole;
    const part = msgpackBytes(otherwise());
    if (part instanceof Uint8Array) return part;
    throw part;
  };
  return {
    json,
    msgpack: () => {
      packed ??= pack();
      return packed;
    },
  };
}
