// A caller on the JSON protocol of the iii SDKs, as few lines as it takes: `invokefunction` out, `invocationresult` in.

import { once } from "node:events";
import { WebSocket } from "ws";
import type { Caller, OnOutcome } from "./caller.js";

interface Frame {
  readonly type: string;
  readonly invocation_id?: string;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

export async function connectJson(url: string, onOutcome: OnOutcome): Promise<Caller> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on("message", (data) => {
    const frame = JSON.parse(String(data)) as Frame; // the engine's own frames
    if (frame.type !== "invocationresult") return;
    const { error, result } = frame;
    onOutcome(
      numberOf(frame.invocation_id ?? ""),
      error === undefined ? { kind: "result", value: result } : { kind: "error", ...error },
    );
  });
  await once(socket, "open");
  return {
    protocol: "JSON",
    closed: once(socket, "close").then(() => undefined),
    close: () => socket.close(),
    call: (number, function_id, data) =>
      socket.send(JSON.stringify({ type: "invokefunction", invocation_id: idOf(number), function_id, data })),
  };
}

/** An id in the shape of a UUID that ends in the call's number. */
function idOf(number: number): string {
  return `00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}`;
}

function numberOf(id: string): number {
  return Number.parseInt(id.slice(-12), 16);
}
