// What the session asks of the parts that have a conversation of their own with the engine: triggers and watches.

import type { Connection } from "./connection.js";
import type { WorkerError } from "./errors.js";

export interface ControlPart {
  /** Something waits to be written. */
  readonly unsent: boolean;
  /** Writes what waits. */
  write(connection: Connection): void;
  /** Writes everything, for a new connection. */
  writeAll(connection: Connection): void;
  /** Reads a record, its kind first. False when it is not for this part. */
  onRecord(elements: readonly unknown[], connection: Connection): boolean;
  /** The engine refused a request. False when it was none of this part. */
  onRefused(request: number, error: WorkerError): boolean;
  /** The connection is gone. */
  disconnect(): void;
  /** No connection will come any more. */
  end(error: WorkerError): void;
}

/** Where the requests of each part begin, so that none is taken for another's. */
export const FirstRequest = { triggers: 0x2000_0000, watches: 0x3000_0000, drains: 0x4000_0000 } as const;
