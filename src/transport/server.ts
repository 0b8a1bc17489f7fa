// Upgrade, open, message, drain, close: turns uWebSockets' events into calls of a door, and has never heard of a function.
//
// One server has any number of listeners and one set of connections. Closing on our own account always happens at the end of a turn: `ws.end` calls the
// close handler at once, and nobody who is in the middle of a table wants to be called back.

import { assert } from "../assert.js";
import type { Clock } from "../clock.js";
import type { Logger } from "../log.js";
import { Metric, type Metrics } from "../metrics.js";
import { HANDSHAKES_MAX, type Limits, UNADMITTED_BYTES_MAX } from "../protocol/limits.js";
import { Slots } from "../registry/slots.js";
import type { Arena } from "./arena.js";
import { tellCapabilities } from "./capabilities.js";
import { certificateSignature, clientCertificateRule, type TlsOptions } from "./certificates.js";
import { type CloseCodeValue, Connection, type ConnectionHandle } from "./connection.js";
import { Gate, type Pass } from "./gate.js";
import { isLoopbackHost } from "./hosts.js";
import { Later } from "./later.js";
import { Listening } from "./listening.js";
import { type OriginRule, Origins } from "./origins.js";
import { OtelSockets } from "./otel.js";
import { Outboxes } from "./outbox.js";
import { answerPage, answerWith, jsonPage, type Pages, servePages } from "./pages.js";
import { Refusals } from "./refusals.js";
import { Renewals } from "./renewals.js";
import { type SocketRoute, serveRoute } from "./socket-route.js";
import { readUpgrade, type UpgradeRequest } from "./upgrade-request.js";
import {
  type HttpRequest,
  type HttpResponse,
  loadUws,
  silence,
  type TemplatedApp,
  type WebSocket,
} from "./uws.js";
import { Visitors } from "./visitors.js";
import { Waiting } from "./waiting.js";

export { ListenError } from "./listening.js";

/** The sub-protocol by which a connection asks for msgpack; PROTOCOL.md, "Connecting". */
const MSGPACK_PROTOCOL = "tercet.msgpack.v1";

/** What stands behind the transport, one per wire. `frame` is the socket's memory: valid, and free to be written to, until the call returns. */
export interface Door {
  opened(connection: Connection): void;
  received(connection: Connection, frame: Uint8Array, isText: boolean): void;
  /** The socket has taken some of what it held back. */
  drained?(connection: Connection): void;
  closed(connection: Connection, code: number, reason: string): void;
}

export interface Doors {
  json: Door;
  msgpack: Door;
}

export interface ListenAddress {
  host: string;
  port: number;
}

/** One listener: its address, and how it is guarded before anybody says who they are. */
export interface ListenOptions extends ListenAddress {
  /** Absent: plain text. */
  tls?: TlsOptions;
  /** Pages that may connect. Absent: pages of this machine. */
  origins?: readonly OriginRule[];
}

/** Where a server listens, with the port that was chosen. */
export interface BoundListener extends ListenAddress {
  /** Speaks TLS: wss://. */
  tls: boolean;
}

/** Decides who is let in, for the listeners where somebody has to. */
export interface Guard {
  /** Whether a listener has rules of access: only then is the request of an upgrade captured. */
  guards(listener: number): boolean;
  /** A connection opened. Its frames wait until {@link Server.letIn}. */
  admit(connection: Connection, request: UpgradeRequest): void;
  /** Resolves when a telemetry socket may stay; rejects with CodedError. */
  admitTelemetry(listener: number, request: UpgradeRequest): Promise<void>;
  /** A connection closed, let in or not; its door has been told. */
  gone(connection: Connection): void;
}

interface Attached {
  connection: Connection;
  pass: Pass;
  /** Null where nobody judges it. */
  request: UpgradeRequest | null;
}

export interface ServerOptions {
  limits: Limits;
  metrics: Metrics;
  log: Logger;
  clock: Clock;
  arena: Arena;
  /** Takes what telemetry sockets send; the bytes are the socket's memory. */
  telemetry: (frame: Uint8Array) => void;
  /** What else is served beside the workers' endpoint; default nothing. */
  routes?: readonly SocketRoute[];
}

export class Server {
  readonly outboxes: Outboxes;
  /** By index; 0 is never used. */
  readonly connections: (Connection | undefined)[] = [undefined];
  readonly slots: Slots<"connection">;
  readonly waiting: Waiting;
  /** New connections are refused: the engine is near its memory ceiling. */
  isMemoryNear = false;
  readonly renewals: Renewals;
  readonly #otel: OtelSockets;
  readonly #options: ServerOptions;
  readonly #uws = loadUws();
  readonly #listeners: Listening[] = [];
  readonly #pageListeners: Listening[] = [];
  readonly #later = new Later();
  readonly #visitors: Visitors;
  readonly #refusals: Refusals;
  #ending: Connection[] = [];
  #doors: Doors | null = null;
  #guard: Guard | null = null;

  constructor(options: ServerOptions) {
    this.#options = options;
    silence(this.#uws.uws);
    this.#visitors = new Visitors({ ...options.limits, handshakesMax: HANDSHAKES_MAX });
    this.#refusals = new Refusals(options.metrics, options.log, options.clock);
    this.renewals = new Renewals(options);
    this.waiting = new Waiting({
      bytesMax: options.limits.heldBytesMax,
      unadmittedBytesMax: UNADMITTED_BYTES_MAX,
      deliver: (connection, frame, isText) => this.#doorOf(connection).received(connection, frame, isText),
      end: (connection, code, reason) => this.end(connection, code, reason),
    });
    this.#otel = new OtelSockets(options.limits.frameBytesMax, options.telemetry);
    this.slots = new Slots(options.limits.connectionsMax, "wrap");
    this.outboxes = new Outboxes(options.arena, options.metrics, options.limits.outboxHardBytes, () =>
      this.#endTurn(),
    );
  }

  /** Which build of uWebSockets.js is in use. */
  get build(): string {
    return this.#uws.from;
  }

  /** Listeners bound so far: the number of the next one. */
  get listenerCount(): number {
    return this.#listeners.length;
  }

  attach(doors: Doors, guard: Guard | null = null): void {
    this.#doors = doors;
    this.#guard = guard;
    this.#otel.attach(guard);
  }

  /** Access was granted: its door is told, and handles what has been waiting. */
  letIn(connection: Connection): void {
    if (!connection.isOpen || connection.isEnding || connection.isAdmitted) return;
    connection.isAdmitted = true;
    this.#doorOf(connection).opened(connection);
    this.waiting.resume(connection);
  }

  /** What was attached; for who hands frames over without a socket (bench/path). */
  get doors(): Doors {
    assert(this.#doors !== null, "the doors are attached before the first frame");
    return this.#doors;
  }

  /** Binds one listener for workers, and for `pages`. Returns the port (the one chosen, for port 0). Throws ListenError, CertificateError. */
  listen(options: ListenOptions, pages: Pages = {}): number {
    const number = this.#listeners.length;
    const signature = options.tls === undefined ? "" : certificateSignature(options.tls); // before the files are read: a later change is seen
    const listening = new Listening(this.#uws.uws, options, (app) => {
      const gate = this.#gate(app, options);
      this.#route(app, number, gate, options.tls !== undefined);
      app.any("/", answerWith(gate, "426 Upgrade Required", "this is a WebSocket endpoint"));
      servePages(app, gate, pages);
      return gate;
    });
    this.#listeners.push(listening);
    if (listening.isTls) this.renewals.follow(listening, signature);
    return listening.port;
  }

  /** Binds a listener for pages alone: it answers until {@link close}, also while no new connections are accepted. */
  listenForPages(address: ListenAddress, pages: Pages): number {
    const listening = new Listening(this.#uws.uws, address, (app) => {
      const gate = this.#gate(app, address);
      servePages(app, gate, pages);
      return gate;
    });
    this.#pageListeners.push(listening);
    return listening.port;
  }

  #gate(app: TemplatedApp, { host, tls, origins }: ListenOptions): Gate {
    const gate = new Gate({
      origins: new Origins(origins ?? null),
      isLoopback: isLoopbackHost(host),
      clientCertificate: tls === undefined ? "none" : clientCertificateRule(tls),
      visitors: this.#visitors,
      refusals: this.#refusals,
    });
    gate.watch(app);
    return gate;
  }

  /** Sends one message to every subscriber of a topic, encoded once; `subscribers` of them, for the counters. */
  publish(topic: string, message: Uint8Array, subscribers: number): void {
    this.#options.metrics.add(Metric.frames_sent, subscribers);
    this.#options.metrics.add(Metric.bytes_sent, subscribers * message.length);
    for (const listening of this.#listeners) listening.publish(topic, message);
  }

  /** Asks for a close with code and reason at the end of this turn. */
  end(connection: Connection, code: CloseCodeValue, reason: string): void {
    if (!connection.askEnd(code, reason)) return;
    this.#ending.push(connection);
    this.outboxes.schedule();
  }

  /** New connections are refused from here on; those that are open live on. */
  stopListening(): void {
    for (const listening of this.#listeners) listening.stop();
  }

  /** Closes every connection with code and reason, then the listeners. */
  close(code: CloseCodeValue, reason: string): void {
    this.stopListening();
    for (const connection of this.connections)
      if (connection !== undefined) this.end(connection, code, reason);
    this.#endTurn();
    this.#otel.close(code, reason);
    this.renewals.close();
    for (const listening of [...this.#listeners, ...this.#pageListeners]) listening.close();
  }

  #endTurn(): void {
    const ending = this.#ending;
    if (ending.length > 0) {
      this.#ending = [];
      for (const connection of ending) connection.end();
    }
    this.#cutOverrun();
  }

  /** Connections whose outbox passed the hard bound go, hard. */
  #cutOverrun(): void {
    for (const index of this.outboxes.takeOverrun()) {
      const connection = this.connections[index];
      if (connection === undefined) continue;
      this.#options.metrics.add(Metric.connections_closed_slow);
      this.#options.log.warn(
        {
          connection: index,
          waitingBytes: connection.outbox.load,
          boundBytes: this.#options.limits.outboxHardBytes,
        },
        "connection cut: it does not read what it is sent",
      );
      connection.cut();
    }
  }

  #route(app: TemplatedApp, listener: number, gate: Gate, isTls: boolean): void {
    const { limits, routes = [] } = this.#options;
    const received = (bytes: number): void => this.#countReceived(bytes);
    for (const route of routes) serveRoute(app, route, { gate, isTls, later: this.#later, received });
    app
      .ws<Attached>("/", {
        maxPayloadLength: limits.frameBytesMax,
        maxBackpressure: limits.outboxHardBytes,
        idleTimeout: limits.idleTimeoutS,
        sendPingsAutomatically: true,
        maxLifetime: 0,
        upgrade: (res, req, context) => this.#upgrade(res, req, context, listener, gate),
        open: (ws) => this.#open(ws),
        message: isTls
          ? (ws, message, isBinary) => {
              const connection = connectionOf(ws);
              const take = (frame: Uint8Array, isText: boolean) => this.#received(connection, frame, isText);
              this.#later.add(take, new Uint8Array(message), !isBinary);
            }
          : (ws, message, isBinary) => this.#received(connectionOf(ws), new Uint8Array(message), !isBinary),
        drain: (ws) => this.#drained(connectionOf(ws)),
        dropped: (ws) => connectionOf(ws).outbox.dropped(),
        close: (ws, code, reason) => this.#close(ws, code, reason),
      })
      .ws("/otel", this.#otel.behavior(listener, gate));
  }

  #upgrade(
    res: HttpResponse,
    req: HttpRequest,
    context: Parameters<HttpResponse["upgrade"]>[4],
    listener: number,
    gate: Gate,
  ): void {
    const pass = gate.admit(res, req);
    if (pass === null) return;
    const handle = this.isMemoryNear ? 0 : this.slots.take();
    if (handle === 0) {
      gate.leave(pass);
      this.#options.metrics.add(Metric.connections_refused);
      const error = this.isMemoryNear
        ? "the engine is near the memory that it may use"
        : `at most ${this.#options.limits.connectionsMax} connections`;
      answerPage(res, jsonPage("503 Service Unavailable", { error }));
      return;
    }
    const offered = req.getHeader("sec-websocket-protocol");
    const isMsgpack = offered.split(",").some((one) => one.trim() === MSGPACK_PROTOCOL);
    const index = this.slots.indexOf(handle);
    const connection = new Connection(
      handle,
      index,
      isMsgpack ? "msgpack" : "json",
      this.outboxes,
      pass.address,
      listener,
    );
    const isGuarded = this.#guard?.guards(listener) === true;
    tellCapabilities(res);
    res.upgrade<Attached>(
      { connection, pass, request: isGuarded ? readUpgrade(req, pass) : null },
      req.getHeader("sec-websocket-key"),
      isMsgpack ? MSGPACK_PROTOCOL : "",
      req.getHeader("sec-websocket-extensions"),
      context,
    );
  }

  #open(ws: WebSocket<Attached>): void {
    const connection = connectionOf(ws);
    this.connections[connection.index] = connection;
    connection.opened(ws);
    this.#options.metrics.add(Metric.connections_opened);
    const { request } = ws.getUserData();
    if (request === null) return this.letIn(connection);
    connection.pause();
    this.#guard?.admit(connection, request);
  }

  #received(connection: Connection, frame: Uint8Array, isText: boolean): void {
    this.#countReceived(frame.length);
    if (!connection.isReading) return this.waiting.hold(connection, frame, isText);
    this.#doorOf(connection).received(connection, frame, isText);
  }

  #drained(connection: Connection): void {
    connection.outbox.refresh();
    this.#doorOf(connection).drained?.(connection);
  }

  #countReceived(bytes: number): void {
    const counts = this.#options.metrics.counts;
    counts[Metric.frames_received]!++;
    counts[Metric.bytes_received]! += bytes;
  }

  #close(ws: WebSocket<Attached>, code: number, reason: ArrayBuffer): void {
    const { connection, pass } = ws.getUserData();
    pass.gate.leave(pass);
    this.#options.metrics.add(Metric.connections_closed);
    connection.closed();
    this.#later.flush();
    this.waiting.drop(connection);
    if (connection.isAdmitted)
      this.#doorOf(connection).closed(connection, code, new TextDecoder().decode(reason));
    this.#guard?.gone(connection);
    this.connections[connection.index] = undefined;
    this.slots.free(connection.index);
  }

  #doorOf(connection: Connection): Door {
    const doors = this.#doors;
    if (doors === null) throw new Error("doors are attached before the first listener");
    return connection.isMsgpack ? doors.msgpack : doors.json;
  }
}

/** uWebSockets copies the own properties of the user data onto the socket: reading one there spares a native call per frame. */
function connectionOf(ws: WebSocket<Attached>): Connection {
  return (ws as unknown as Attached).connection; // the declarations do not know of the copied properties
}

/** The generation part of a handle travels in routes, so that a reader on another thread can tell a reused connection slot. */
export function generationOf(handle: ConnectionHandle): number {
  return handle >>> 20;
}
