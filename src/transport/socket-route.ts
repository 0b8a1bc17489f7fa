// WebSocket routes beside the workers': the transport upgrades, carries and counts, and knows nothing of what such a socket is for.

import { tellCapabilities } from "./capabilities.js";
import type { Gate, Pass } from "./gate.js";
import type { Later } from "./later.js";
import { type OutgoingSocket, SendStatus } from "./outbox.js";
import { answerPage } from "./pages.js";
import { type TemplatedApp, type WebSocket, WebSocketReading } from "./uws.js";

/** One route, `pattern` with one `:parameter`. */
export interface SocketRoute {
  readonly pattern: string;
  /** Bytes of one WebSocket message, both ways. */
  readonly frameBytesMax: number;
  /** Asked at the upgrade: the end that the socket will serve, or why there is none. */
  admit(parameter: string, query: string): RouteEnd | Refusal;
}

/** An upgrade that is answered with a plain HTTP response instead. */
export interface Refusal {
  readonly status: "400 Bad Request" | "404 Not Found";
  readonly message: string;
}

/** What a route puts behind one socket. */
export interface RouteEnd {
  opened(socket: RouteSocket): void;
  /** `message` is the socket's memory: valid until this returns. */
  received(message: Uint8Array, isText: boolean): void;
  /** What was buffered has gone out, or some of it. */
  drained(): void;
  /** Comes once, also from within {@link RouteSocket.end} and {@link RouteSocket.cut}. `isPolite`: the peer, or we, said goodbye. */
  closed(isPolite: boolean): void;
}

/** The close codes of such sockets; `None` leaves the code out. */
export const RouteCloseCode = { None: 0, Done: 1000 } as const;
export type RouteCloseCode = (typeof RouteCloseCode)[keyof typeof RouteCloseCode];

const ABNORMAL_CLOSE_CODE = 1006;

/** A socket of a route. After its close every method does nothing. */
export class RouteSocket implements OutgoingSocket {
  readonly #end: RouteEnd;
  readonly #socket: WebSocket<AttachedRoute>;
  readonly #reading: WebSocketReading | null;
  #isOpen = true;

  constructor(socket: WebSocket<AttachedRoute>, end: RouteEnd, reading: WebSocketReading | null) {
    this.#socket = socket;
    this.#end = end;
    this.#reading = reading;
  }

  /** Sends one message; a {@link SendStatus}. */
  send(message: Uint8Array, isBinary: boolean): number {
    return this.#isOpen ? this.#socket.send(message, isBinary) : SendStatus.Dropped;
  }

  /** What `write` sends leaves in few system calls. */
  cork(write: () => void): void {
    if (this.#isOpen) this.#socket.cork(write);
  }

  /** Bytes that the kernel would not take yet. */
  getBufferedAmount(): number {
    return this.#isOpen ? this.#socket.getBufferedAmount() : 0;
  }

  /** Reads no more, so that the peer's writes come to a stop; what was read already is still delivered. False: this build of uWebSockets cannot. */
  pause(): boolean {
    if (this.#reading === null || !this.#isOpen) return false;
    this.#reading.pause(this.#socket);
    return true;
  }

  resume(): void {
    if (this.#isOpen) this.#reading?.resume(this.#socket);
  }

  /** Closes politely. The peer's answer must be read, so a paused socket has to be resumed before. */
  end(code: RouteCloseCode, reason = ""): void {
    if (!this.#isOpen) return;
    if (code === RouteCloseCode.None) this.#socket.end();
    else this.#socket.end(code, reason);
  }

  /** Closes without a word. */
  cut(): void {
    if (this.#isOpen) this.#socket.close();
  }

  /** The transport tells of a message. */
  received(message: Uint8Array, isText: boolean): void {
    this.#reading?.settled(this.#socket);
    this.#end.received(message, isText);
  }

  /** The transport tells that nothing can be sent any more; what was received before may still come. */
  gone(): void {
    this.#isOpen = false;
  }

  /** The transport tells of the close. */
  closed(code: number): void {
    this.#isOpen = false;
    this.#reading?.settled(this.#socket);
    this.#end.closed(code !== ABNORMAL_CLOSE_CODE);
  }
}

/** What hangs on a uWebSockets socket of a route. It is copied onto the socket itself, so no name here may be one of its methods. */
export interface AttachedRoute {
  pass: Pass;
  routeEnd: RouteEnd;
  reading: WebSocketReading | null;
  routeSocket?: RouteSocket;
}

export interface RouteSurroundings {
  readonly gate: Gate;
  readonly isTls: boolean;
  readonly later: Later;
  /** Counts every message. */
  received(bytes: number): void;
}

/** Serves `route` on `app`. */
export function serveRoute(
  app: TemplatedApp,
  route: SocketRoute,
  { gate, isTls, later, received }: RouteSurroundings,
): void {
  app.ws<AttachedRoute>(route.pattern, {
    maxPayloadLength: route.frameBytesMax,
    maxBackpressure: 0, // the route asks for the buffered amount before it sends more
    idleTimeout: 0, // some peers never read, so a missing pong says nothing
    sendPingsAutomatically: false,
    upgrade: (res, req, context) => {
      const pass = gate.admit(res, req);
      if (pass === null) return;
      const admitted = route.admit(req.getParameter(0) ?? "", req.getQuery());
      if ("status" in admitted) {
        gate.leave(pass);
        answerPage(res, { status: admitted.status, type: "text/plain", body: `${admitted.message}\n` });
        return;
      }
      tellCapabilities(res);
      res.upgrade<AttachedRoute>(
        { pass, routeEnd: admitted, reading: WebSocketReading.of(res, isTls) },
        req.getHeader("sec-websocket-key"),
        "",
        req.getHeader("sec-websocket-extensions"),
        context,
      );
    },
    open: (ws) => {
      const attached = ws.getUserData();
      attached.routeSocket = new RouteSocket(ws, attached.routeEnd, attached.reading);
      attached.routeEnd.opened(attached.routeSocket);
    },
    message: (ws, message, isBinary) => {
      received(message.byteLength);
      const { routeSocket } = ws.getUserData();
      if (routeSocket === undefined) return;
      if (!isTls) return routeSocket.received(new Uint8Array(message), !isBinary);
      const take = (frame: Uint8Array, isText: boolean): void => routeSocket.received(frame, isText);
      later.add(take, new Uint8Array(message), !isBinary);
    },
    drain: (ws) => ws.getUserData().routeEnd.drained(),
    close: (ws, code) => {
      const { pass, routeSocket } = ws.getUserData();
      pass.gate.leave(pass);
      routeSocket?.gone();
      later.flush();
      routeSocket?.closed(code);
    },
  });
}
