// What every control server shares: the command line, one loopback listener, the pairing of callers and workers.
//
// A control is the least a router could do on the same socket library, so it gets everything for nothing: who belongs
// to whom is read from the path of the upgrade (`/caller/3` talks to `/worker/3`), never from a frame. Each control
// runs as a process of its own, prints one line with its port when it listens, and lives until it is told to end.

import uws from "uWebSockets.js";

export type Role = "caller" | "worker";

/** The state of one connection. `peer` is what a relay forwards to; undefined until the other side is there. */
export interface End {
  role: Role;
  pair: number;
  peer: Socket | undefined;
}

export type Socket = uws.WebSocket<End>;

/** Called with the received bytes: the socket's memory, valid until the handler returns. */
export type OnFrame = (from: Socket, frame: ArrayBuffer, isBinary: boolean) => void;

export interface Hooks {
  opened?: (socket: Socket) => void;
  closed?: (socket: Socket) => void;
}

/** No bound on what waits for a slow reader: a control never drops, and the load waits for every answer. */
const UNBOUNDED = 0;
const FRAME_BYTES_MAX = 16 << 20;

/** Listens on a free loopback port and tells it on stdout: `{"port": 12345}`. */
export function serve(onFrame: OnFrame, hooks: Hooks = {}): uws.TemplatedApp {
  const ends = new Map<string, Socket>();
  const app = uws.App();
  app.ws<End>("/:role/:pair", {
    compression: uws.DISABLED,
    idleTimeout: 0,
    maxBackpressure: UNBOUNDED,
    maxPayloadLength: FRAME_BYTES_MAX,
    upgrade: (res, req, context) => {
      const role: Role = req.getParameter(0) === "worker" ? "worker" : "caller";
      const end: End = { role, pair: Number(req.getParameter(1)), peer: undefined };
      res.upgrade(
        end,
        req.getHeader("sec-websocket-key"),
        req.getHeader("sec-websocket-protocol"),
        req.getHeader("sec-websocket-extensions"),
        context,
      );
    },
    open: (socket) => {
      const end = socket.getUserData();
      ends.set(`${end.role}/${end.pair}`, socket);
      const other = ends.get(`${end.role === "caller" ? "worker" : "caller"}/${end.pair}`);
      if (other !== undefined) pair(socket, other);
      hooks.opened?.(socket);
    },
    message: onFrame,
    close: (socket) => {
      const end = socket.getUserData();
      ends.delete(`${end.role}/${end.pair}`);
      if (end.peer !== undefined) end.peer.getUserData().peer = undefined;
      hooks.closed?.(socket);
    },
  });
  app.listen("127.0.0.1", 0, (token) => {
    if (!token) throw new Error("cannot listen on 127.0.0.1");
    process.stdout.write(`${JSON.stringify({ port: uws.us_socket_local_port(token) })}\n`);
  });
  return app;
}

function pair(a: Socket, b: Socket): void {
  a.getUserData().peer = b;
  b.getUserData().peer = a;
}

/** The other side, which the load generator has connected before it sends anything. */
export function peerOf(socket: Socket): Socket {
  const { peer } = socket.getUserData();
  if (peer === undefined) throw new Error("a frame arrived before both sides were connected");
  return peer;
}
