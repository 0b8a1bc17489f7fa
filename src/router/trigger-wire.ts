// What the triggers need of a wire: to tell a provider of a trigger and of its end, and an owner of what became of it.

import type { CodedError } from "../protocol/error.js";
import type { ParkReason, TriggerState } from "../registry/triggers.js";
import type { Connection } from "../transport/connection.js";

/** What an owner is told of a trigger. */
export interface TriggerNews {
  id: string;
  type: string;
  functionId: string;
  state: TriggerState;
  reason: ParkReason;
  /** Why it was refused; null when it was not. */
  error: CodedError | null;
}

export interface TriggerWire {
  /** Hands a trigger to its provider. Null when it was sent, else why it cannot be said to this peer. */
  offer(to: Connection, trigger: number): CodedError | null;
  /** Tells a provider that a trigger is no more. */
  withdraw(to: Connection, id: string, type: string): void;
  /** Tells an owner what became of its trigger, as far as its protocol has words for it. */
  tell(to: Connection, news: TriggerNews): void;
}

/** A trigger type that the engine provides itself. */
export interface EngineTriggerType {
  id: string;
  description: string;
  /** A trigger is bound to it, or bound anew. */
  bound(trigger: number): void;
  unbound(trigger: number): void;
}
