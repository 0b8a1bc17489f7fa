// The WebSocket of Node: the only file that knows the `ws` package.
//
// Frames arrive as views into the memory that the kernel filled; no compression is negotiated.

import WebSocket from "ws";
import type { Socket, SocketEvents, SocketOptions } from "./socket.js";

const HANDSHAKE_MS_MAX = 10_000;
const KEEP_ALIVE_MS = 30_000;

export function openSocket(
  url: string,
  protocol: string,
  events: SocketEvents,
  options: SocketOptions,
): Socket {
  const socket = new WebSocket(url, protocol, {
    perMessageDeflate: false,
    handshakeTimeout: HANDSHAKE_MS_MAX,
    skipUTF8Validation: true, // the wire has no text; a close reason may be any bytes
    headers: options.headers ?? {},
    ...options.tls,
    ...maskOf(new URL(url)),
  });
  let trouble = "";
  // The engine pings, but a host that vanished does not: the kernel finds out about it.
  socket.on("upgrade", (response) => response.socket.setKeepAlive(true, KEEP_ALIVE_MS));
  socket.on("open", () => events.onOpen());
  // `ws` gives a Buffer for every message of the default binary type.
  socket.on("message", (data, isBinary) => (isBinary ? events.onFrame(data as Buffer) : events.onText()));
  socket.on("error", (error) => {
    trouble = error.message;
  });
  socket.on("close", (code, reason) => events.onClosed(code, reason.toString() || trouble));
  return {
    send: (frame) => socket.send(frame, ignoreSendError),
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
  };
}

/** A frame that cannot be sent means that the connection is ending, which `onClosed` tells. */
function ignoreSendError(): void {}

/**
 * The mask of RFC 6455 keeps what a browser's script sends from looking like HTTP to a plaintext
 * intermediary. On the loopback interface there is none, and inside TLS it sees nothing: there the mask is zero,
 * which saves copying and rewriting every byte that is sent.
 */
function maskOf(url: URL): { generateMask?: (mask: Buffer) => void } {
  const host = url.hostname;
  const local = host === "localhost" || host === "[::1]" || host.startsWith("127.");
  return local || url.protocol === "wss:" ? { generateMask: (mask) => mask.fill(0) } : {};
}
