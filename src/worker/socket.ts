// The WebSocket as the SDK wants it, whatever the platform has: socket-node.ts and socket-browser.ts
// provide it. Loaded when a connection is made, so that a browser never asks for the other file.
//
// In Node the `ws` package is used even where a global WebSocket exists (22 and newer): with it a call costs 0.6 µs
// in each half, with the global one 1.1 (bench/load/worker-over-relay.ts, 64 calls outstanding of 128 bytes).

export interface Socket {
  /** Hands over one binary message; the bytes are the socket's from now on. */
  send(frame: Uint8Array<ArrayBuffer>): void;
  /** The polite end: what was sent before still arrives. */
  close(code: number, reason: string): void;
  /** The end at once. */
  terminate(): void;
}

/** Who is told. `onClosed` comes exactly once, last, also when the connection never stood. */
export interface SocketEvents {
  onOpen(): void;
  onFrame(frame: Uint8Array): void;
  onText(): void;
  onClosed(code: number, reason: string): void;
}

export interface SocketOptions {
  /** Headers of the upgrade request; browsers send none. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Whom to believe, and who we are, over wss://; browsers have their own store. */
  tls?: SocketTls | undefined;
}

/** PEM texts. */
export interface SocketTls {
  /** Authorities instead of the well-known ones. */
  ca?: string;
  /** The client's certificate, and its key. */
  cert?: string;
  key?: string;
}

export type OpenSocket = (
  url: string,
  protocol: string,
  events: SocketEvents,
  options: SocketOptions,
) => Socket;

const IS_NODE = typeof process === "object" && typeof process.versions?.node === "string";

export async function loadSocket(): Promise<OpenSocket> {
  return IS_NODE
    ? (await import("./socket-node.js")).openSocket
    : (await import("./socket-browser.js")).openSocket;
}

/**
 * Runs `task` when everything that can run in this turn of the event loop has run, chains of awaits
 * included: so what they send leaves in one frame. A browser has no such moment; there it is the end
 * of the microtasks queued so far.
 */
export const afterTurn: (task: () => void) => void = IS_NODE ? process.nextTick : queueMicrotask;
