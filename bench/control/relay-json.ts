// Control: the relay most people would write. Every frame is parsed and written again, as a router that looks at
// `type` and ids has to; the other side is known from the connection, so nothing is looked up.
//
//   node relay-json.js            each frame leaves as it is ready
//   node relay-json.js --corked   frames of one turn leave corked per receiver at its end

import { peerOf, type Socket, serve } from "./uws-server.js";

interface Message {
  type?: unknown;
}

function rewritten(frame: ArrayBuffer): string {
  const message: Message = JSON.parse(Buffer.from(frame).toString());
  if (typeof message.type !== "string") throw new Error("a frame without type reached the JSON relay");
  return JSON.stringify(message);
}

type Queued = Socket & { texts?: string[] };

const dirty: Queued[] = [];

function gather(from: Socket, frame: ArrayBuffer): void {
  const to: Queued = peerOf(from);
  to.texts ??= [];
  if (to.texts.push(rewritten(frame)) === 1 && dirty.push(to) === 1) setImmediate(flushAll);
}

function flushAll(): void {
  for (const socket of dirty) flush(socket);
  dirty.length = 0;
}

function flush(socket: Queued): void {
  const texts = socket.texts ?? [];
  if (texts.length === 1) socket.send(texts[0] ?? "", false);
  else
    socket.cork(() => {
      for (const text of texts) socket.send(text, false);
    });
  texts.length = 0;
}

if (process.argv.includes("--corked")) serve(gather);
else
  serve((from, frame) => {
    peerOf(from).send(rewritten(frame), false);
  });
