// Every bound of the worker SDK, each with its reason.
//
// What the engine allows (frame size, open calls) is told in its `welcome` and takes the place of the
// defaults here. Numbers that a user may want to change are options of `connect` with these defaults.

/** Memory that outgoing frames are cut from. The first is small, for workers that say little; each is twice the one before. */
export const SLAB_BYTES_MIN = 16 * 1024;

/** Large enough that a busy turn fits, small enough for a browser tab. */
export const SLAB_BYTES_MAX = 256 * 1024;

/** A slab with less left than this is given up: starting a frame there would soon copy it to the next one. */
export const SLAB_REST_BYTES_MIN = 4 * 1024;

/** A frame that has grown to this is sent without waiting for the end of the turn: gathering more saves nothing. */
export const FRAME_BYTES_ENOUGH = 64 * 1024;

/** Until `welcome` says better: what every engine accepts. */
export const FRAME_BYTES_MAX_DEFAULT = 1024 * 1024;

/** Deeper values are refused, circular ones found this way; the same bound protects the reader's stack. */
export const PAYLOAD_DEPTH_MAX = 512;

/** Bytes values below this are copied out of the received frame, so that keeping ten bytes does not keep a frame. */
export const VIEW_BYTES_MIN = 4096;

/** 20 bits of a call's number are its slot: more than any engine lets one connection have open. */
export const CALLS_OPEN_MAX = 1 << 20;

/** Until `welcome` says better. */
export const CALLS_OPEN_MAX_DEFAULT = 65_536;

/** Calls and casts kept while there is no connection; beyond it they fail at once. */
export const WAITING_MAX_DEFAULT = 10_000;

/** How often open calls are looked through for passed deadlines. */
export const DEADLINE_TICK_MS = 500;

/** The engine ends calls in time; the client's own deadline comes this much later and only if the engine is silent. */
export const DEADLINE_GRACE_MS = 2_000;

/** Until `welcome` says better: the engine's deadline for calls that name none. */
export const TIMEOUT_MS_DEFAULT = 300_000;

/** A connection on which the engine has not said welcome by then is dropped; the engine allows as long for a hello. */
export const WELCOME_MS_MAX = 10_000;

export const CONNECT_TIMEOUT_MS_DEFAULT = 30_000;
export const CLOSE_TIMEOUT_MS_DEFAULT = 10_000;

/** The other side has this long to answer a close before the socket is dropped. */
export const CLOSE_HANDSHAKE_MS_MAX = 1_000;

/** Until `welcome` says better: what a stream's writer may send before it is granted more, and how much of it one chunk may carry. */
export const STREAM_CREDIT_BYTES_DEFAULT = 262_144;
export const CHUNK_BYTES_MAX_DEFAULT = 65_536;
