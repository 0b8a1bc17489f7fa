// Control: the null relay that gathers. Frames of one turn are kept (an ArrayBuffer slice each) and leave
// together, corked per receiver, when the turn of the event loop ends.
//
// This is the textbook way to batch on uWebSockets.js; `relay-pooled.ts` is the stronger one.

import { peerOf, type Socket, serve } from "./uws-server.js";

/** The frames hang on the socket itself: a property load is cheaper than a map. */
type Queued = Socket & { frames?: ArrayBuffer[] };

const dirty: Queued[] = [];
let binary = true;

serve((from, frame, isBinary) => {
  const to: Queued = peerOf(from);
  binary = isBinary; // one load speaks one wire
  to.frames ??= [];
  if (to.frames.push(frame.slice(0)) === 1 && dirty.push(to) === 1) setImmediate(flushAll);
});

function flushAll(): void {
  for (const socket of dirty) flush(socket);
  dirty.length = 0;
}

function flush(socket: Queued): void {
  const frames = socket.frames ?? [];
  socket.cork(() => {
    for (const frame of frames) socket.send(frame, binary);
  });
  frames.length = 0;
}
