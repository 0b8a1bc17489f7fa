// What the msgpack door asks of whoever serves streams: the records open, chunk, credit and end. The router knows no channel.

import type { Cursor } from "../protocol/msgpack/cursor.js";
import type { Connection } from "../transport/connection.js";

export interface StreamRecords {
  /** Carries out a chunk in canonical form. Returns where the next record begins, or MALFORMED. The frame may be written to. */
  canonicalChunk(from: Connection, frame: Uint8Array, at: number, end: number): number;
  /** Carries out one stream record in any encoding; false: its kind is none of a stream. Throws ElementError. */
  record(from: Connection, kind: number, cursor: Cursor): boolean;
  /** The connection's socket has taken some of what it held back. */
  drained(connection: Connection): void;
  closed(connection: Connection): void;
}
