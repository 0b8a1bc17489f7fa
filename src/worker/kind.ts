// The first element of every record: what it is. PROTOCOL.md, "Records", is the authority.

export const Kind = {
  Call: 1,
  Result: 2,
  Error: 3,
  Cancel: 4,
  Cast: 5,
  Chunk: 6,
  Credit: 7,
  End: 8,
  Open: 9,
  Hello: 16,
  Welcome: 17,
  Register: 18,
  Registered: 19,
  Unregister: 20,
  Unregistered: 21,
  Resolve: 22,
  Resolved: 23,
  Refused: 25,
  TriggerType: 26,
  TriggerTypeEnd: 27,
  Trigger: 28,
  TriggerEnd: 29,
  TriggerAnswer: 30,
  TriggerState: 31,
  Watch: 32,
  Watching: 33,
  Changes: 34,
  Unwatch: 35,
  Drain: 36,
  Draining: 37,
  Stale: 38,
} as const;

export const ChunkFlag = { Text: 1 } as const;

/** Bytes of a chunk besides what it carries: they count against the stream's credit, too. */
export const CHUNK_OVERHEAD = 17;

/** The WebSocket sub-protocol that chooses this wire. */
export const SUBPROTOCOL = "tercet.msgpack.v1";

/** The version of PROTOCOL.md that this SDK speaks. */
export const VERSION = 1;
