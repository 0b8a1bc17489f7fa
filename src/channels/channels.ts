// All channels of an engine: made, found, swept.
//
// An entry lives until its channel is over, or until the sweep finds it old with an end that nobody took. `id` and `key` are UUIDs drawn by the engine; knowing
// both is the only right to an end, so keys are compared in constant time.

import { randomUUID, timingSafeEqual } from "node:crypto";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import { Metric, type Metrics } from "../metrics.js";
import { CodedError, ErrorCode } from "../protocol/error.js";
import { CHANNELS_FAILED_MAX, type ChannelLimits } from "../protocol/limits.js";
import { Channel } from "./channel.js";

export interface ChannelsOptions {
  limits: ChannelLimits;
  clock: Clock;
  metrics: Metrics;
  log: Logger;
}

/** What the channels of one engine share. */
export interface ChannelShared {
  readonly limits: ChannelLimits;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Bytes that wait in all of them. */
  queuedBytes: number;
  /** Has {@link Channel.flush} called at the end of this turn. */
  list(channel: Channel): void;
  /** Nothing is left in it but the error that its reader, who has not come, is to be told. */
  keepFailed(channel: Channel): void;
  /** The channel is over. */
  forget(channel: Channel): void;
}

export class Channels implements ChannelShared {
  readonly limits: ChannelLimits;
  readonly metrics: Metrics;
  readonly log: Logger;
  queuedBytes = 0;
  readonly #clock: Clock;
  readonly #byId = new Map<string, Channel>();
  readonly #stopSweeping: () => void;
  /** Those of {@link keepFailed}, oldest first. */
  readonly #failed = new Set<Channel>();
  #dirty: Channel[] = [];

  constructor({ limits, clock, metrics, log }: ChannelsOptions) {
    this.limits = limits;
    this.metrics = metrics;
    this.log = log;
    this.#clock = clock;
    this.#stopSweeping = clock.every(limits.channelSweepMs, () => this.#sweep());
  }

  /** Channels that are not over. */
  get open(): number {
    return this.#byId.size;
  }

  /** Makes a channel that holds at most `messagesMax` messages before its writer is stopped. Throws CodedError when there are too many. */
  create(messagesMax: number): Channel {
    this.#checkRoom();
    return this.#add(randomUUID(), randomUUID(), messagesMax);
  }

  /** As {@link create}, with an id and a key that somebody else drew. Throws CodedError when the id is in use. */
  createAs(id: string, key: string, messagesMax: number): Channel {
    if (this.#byId.has(id))
      throw new CodedError(ErrorCode.ChannelEndTaken, "Cannot create a channel: its id is in use");
    this.#checkRoom();
    return this.#add(id, key, messagesMax);
  }

  #checkRoom(): void {
    if (this.#byId.size >= this.limits.channelsMax)
      throw new CodedError(
        ErrorCode.LimitReached,
        `Cannot create a channel: at most ${this.limits.channelsMax} are open at once`,
      );
  }

  #add(id: string, key: string, messagesMax: number): Channel {
    const channel = new Channel(id, key, this.#clock.monotonicMs(), messagesMax, this);
    this.#byId.set(channel.id, channel);
    this.metrics.add(Metric.channels_created);
    return channel;
  }

  /** The channel of that id, if the key is its key. */
  find(id: string, key: string): Channel | undefined {
    const channel = this.#byId.get(id);
    const isRight = equalInConstantTime(key, channel?.key ?? NO_KEY);
    return isRight ? channel : undefined;
  }

  list(channel: Channel): void {
    if (this.#dirty.length === 0) setImmediate(this.#endTurn);
    this.#dirty.push(channel);
  }

  keepFailed(channel: Channel): void {
    this.#failed.add(channel);
    if (this.#failed.size <= CHANNELS_FAILED_MAX) return;
    for (const oldest of this.#failed) return oldest.sweep();
  }

  forget(channel: Channel): void {
    this.#failed.delete(channel);
    if (this.#byId.delete(channel.id)) this.metrics.add(Metric.channels_ended);
  }

  /** Stops the sweep; for the end of the engine. */
  close(): void {
    this.#stopSweeping();
  }

  readonly #endTurn = (): void => {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const channel of dirty) {
      channel.isListed = false;
      channel.flush();
    }
  };

  #sweep(): void {
    const before = this.#clock.monotonicMs() - this.limits.channelTtlMs;
    for (const channel of this.#byId.values()) {
      if (channel.createdAtMs >= before) return; // in the order in which they were made
      if (!channel.isHalfOpen) continue;
      this.metrics.add(Metric.channels_swept);
      channel.sweep();
    }
  }
}

/** Compared with when there is no channel, so that a wrong id takes as long as a wrong key. */
const NO_KEY = randomUUID();

function equalInConstantTime(left: string, right: string): boolean {
  const leftBytes = Buffer.from(left, "utf8");
  const rightBytes = Buffer.from(right, "utf8");
  if (leftBytes.length !== rightBytes.length) return false; // the length of a key is no secret
  return timingSafeEqual(leftBytes, rightBytes);
}
