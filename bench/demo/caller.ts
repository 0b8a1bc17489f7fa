// What the demo needs of a caller, whatever it speaks. The two callers are plain WebSocket clients without an SDK between, so that
// every answer frame is seen and counted, also one that should not have come.

import type { Outcome } from "./ledger.js";

export interface Caller {
  readonly protocol: "JSON" | "msgpack";
  /** Sends a call; `number` is unique among all calls of the demo. */
  call(number: number, functionId: string, payload: unknown): void;
  /** Settles when the engine has closed the connection: nothing more can come. */
  readonly closed: Promise<void>;
  close(): void;
}

export type OnOutcome = (number: number, outcome: Outcome) => void;
