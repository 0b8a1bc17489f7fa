// The WebSocket of browsers (and of every other platform with the standard one).

import type { Socket, SocketEvents, SocketOptions } from "./socket.js";

export function openSocket(
  url: string,
  protocol: string,
  events: SocketEvents,
  _options: SocketOptions,
): Socket {
  const socket = new WebSocket(url, protocol);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => events.onOpen();
  socket.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) events.onFrame(new Uint8Array(data));
    else events.onText();
  };
  let closed = false;
  const end = (code: number, reason: string): void => {
    if (closed) return;
    closed = true;
    events.onClosed(code, reason);
  };
  socket.onclose = ({ code, reason }) => end(code, reason);
  return {
    send: (frame) => socket.send(frame),
    close: (code, reason) => socket.close(code, reason),
    // There is no harder way: close without waiting for the answer.
    terminate: () => {
      socket.close();
      end(1006, "");
    },
  };
}
