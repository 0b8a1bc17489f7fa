// A caller on the msgpack protocol in as few lines as it takes, written from PROTOCOL.md with nothing but a WebSocket and a
// msgpack library: `hello`, then calls by name in the general form.

import { once } from "node:events";
import { Packr, Unpackr } from "msgpackr";
import { WebSocket } from "ws";
import type { Caller, OnOutcome } from "./caller.js";

const CALL = 1;
const RESULT = 2;
const ERROR = 3;
const HELLO = 16;

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });

export async function connectMsgpack(url: string, onOutcome: OnOutcome): Promise<Caller> {
  const socket = new WebSocket(url, "tercet.msgpack.v1", { perMessageDeflate: false });
  socket.on("message", (data: Buffer) => {
    // A frame is one or more records back to back; a record is an array.
    for (const [kind, call, body] of unpackr.unpackMultiple(data) as [number, number, Buffer | null][]) {
      const value: unknown = kind <= ERROR && body !== null ? unpackr.unpack(body) : null;
      if (kind === RESULT) onOutcome(call, { kind: "result", value });
      if (kind === ERROR) onOutcome(call, { kind: "error", ...(value as { code: string; message: string }) }); // every body has them
    }
  });
  await once(socket, "open");
  socket.send(packr.pack([HELLO, { version: 1, name: "demo-msgpack-caller" }]));
  return {
    protocol: "msgpack",
    closed: once(socket, "close").then(() => undefined),
    close: () => socket.close(),
    call: (number, functionId, payload) => {
      const [timeoutMs, caller, context] = [0, 0, null];
      socket.send(packr.pack([CALL, number, functionId, timeoutMs, caller, context, packr.pack(payload)]));
    },
  };
}
