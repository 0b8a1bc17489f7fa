// The two doors of an engine, JSON and msgpack: everything that is of one wire only, made and tied together. Part of the composition root: what both
// wires share comes from engine.ts, which attaches the doors to the transport.

import type { Channels } from "./channels/channels.js";
import { Streams } from "./channels/streams.js";
import type { Drains } from "./router/drains.js";
import { Enqueue } from "./router/enqueue.js";
import { JsonCheckpoint, type JsonCheckpointOptions } from "./router/json-checkpoint.js";
import { JsonControl, type JsonControlOptions } from "./router/json-control.js";
import { JsonDoor, type JsonDoorOptions } from "./router/json-door.js";
import { MsgpackCheckpoint, type MsgpackCheckpointOptions } from "./router/msgpack-checkpoint.js";
import { MsgpackControl, type MsgpackControlOptions } from "./router/msgpack-control.js";
import { MsgpackDoor } from "./router/msgpack-door.js";
import { MsgpackDrain } from "./router/msgpack-drain.js";
import { MsgpackGeneral, type MsgpackGeneralOptions } from "./router/msgpack-general.js";
import { TriggerJson } from "./router/trigger-json.js";
import { TriggerMsgpack } from "./router/trigger-msgpack.js";
import type { TriggerReview } from "./router/trigger-review.js";
import type { TriggerSystem } from "./router/trigger-system.js";

/** What the parts of both wires need of the engine. */
export type SharedParts = Omit<JsonDoorOptions, "control" | "enqueue" | "checkpoint"> &
  Omit<JsonControlOptions, "triggers"> &
  JsonCheckpointOptions &
  Omit<MsgpackGeneralOptions, "control" | "checkpoint" | "streams"> &
  Omit<MsgpackControlOptions, "triggers" | "drain"> &
  MsgpackCheckpointOptions & {
    triggers: TriggerSystem;
    triggerReview: TriggerReview;
    drains: Drains;
    channels: Channels;
  };

export interface OpenedDoors extends JsonParts, MsgpackParts {}

interface JsonParts {
  json: JsonDoor;
  jsonControl: JsonControl;
}

interface MsgpackParts {
  msgpack: MsgpackDoor;
  msgpackControl: MsgpackControl;
  general: MsgpackGeneral;
}

export function openDoors(shared: SharedParts): OpenedDoors {
  const { triggers, triggerReview: review, workers, frames, metrics, log } = shared;
  const triggerMsgpack = new TriggerMsgpack({ ...triggers, review, workers, metrics });
  const triggerJson = new TriggerJson({ ...triggers, review, workers, frames, metrics, log });
  triggers.binder.attach(triggerJson, triggerMsgpack);
  return { ...msgpackParts(shared, triggerMsgpack), ...jsonParts(shared, triggerJson) };
}

function msgpackParts(shared: SharedParts, triggers: TriggerMsgpack): MsgpackParts {
  const { access, arena, calls, channels, crossing, drains, functions, metrics } = shared;
  const drain = new MsgpackDrain(functions, drains);
  drains.attach((worker, id, boundMs) => drain.tell(worker, id, boundMs));
  const control = new MsgpackControl({ ...shared, triggers, drain });
  const streams = new Streams({ channels, arena, metrics });
  const checkpoint = new MsgpackCheckpoint(shared);
  const general = new MsgpackGeneral({ ...shared, control, checkpoint, streams });
  control.attach(general);
  checkpoint.attach(general);
  const msgpack = new MsgpackDoor(calls, arena, metrics, control, general, crossing, streams, access);
  return { msgpack, msgpackControl: control, general };
}

function jsonParts(shared: SharedParts, triggers: TriggerJson): JsonParts {
  const { calls, engine, frames, limits } = shared;
  const control = new JsonControl({ ...shared, triggers });
  const enqueue = new Enqueue(calls, frames, engine, limits.callTimeoutMs);
  const checkpoint = new JsonCheckpoint(shared);
  return { json: new JsonDoor({ ...shared, control, enqueue, checkpoint }), jsonControl: control };
}
