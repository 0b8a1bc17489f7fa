// `engine::channels::create`: a channel, and the refs by which its two ends are taken.

import type { Channel, Direction } from "../channels/channel.js";
import type { Channels } from "../channels/channels.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { CHANNEL_MESSAGES_DEFAULT, CHANNEL_MESSAGES_MAX } from "../protocol/limits.js";
import { type Builtin, objectInput } from "./builtin.js";

const ID = "engine::channels::create";

const REF_FORMAT = {
  type: "object",
  properties: {
    channel_id: { type: "string" },
    access_key: { type: "string" },
    direction: { enum: ["read", "write"] },
  },
  required: ["channel_id", "access_key", "direction"],
};

/** How the end of a channel is written in payloads. */
export interface ChannelRef {
  channel_id: string;
  access_key: string;
  direction: Direction;
}

export function refOf(channel: Channel, direction: Direction): ChannelRef {
  return { channel_id: channel.id, access_key: channel.key, direction };
}

export function createChannel(channels: Channels): Builtin {
  return {
    id: ID,
    description: "Creates a channel and returns the refs of its two ends.",
    request_format: {
      type: "object",
      properties: {
        buffer_size: {
          type: ["integer", "null"],
          minimum: 0,
          description: `messages held before the writer is stopped; default ${CHANNEL_MESSAGES_DEFAULT}, at most ${CHANNEL_MESSAGES_MAX}`,
        },
      },
    },
    response_format: {
      type: "object",
      properties: { writer: REF_FORMAT, reader: REF_FORMAT },
      required: ["writer", "reader"],
    },
    handle(input) {
      const channel = channels.create(readMessages(objectInput(ID, input)["buffer_size"]));
      return JSON.stringify({ writer: refOf(channel, "write"), reader: refOf(channel, "read") });
    },
  };
}

/** Clamped as the reference does: 0 is 1, what is too large is the largest. */
function readMessages(value: unknown): number {
  if (value === undefined || value === null) return CHANNEL_MESSAGES_DEFAULT;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0)
    throw new CodedError(
      ErrorCode.DeserializationError,
      `Failed to deserialize input for ${ID}: buffer_size must be an unsigned integer`,
    );
  return Math.min(Math.max(value, 1), CHANNEL_MESSAGES_MAX);
}
