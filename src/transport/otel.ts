// Telemetry sockets, `/otel`: they pass the same guard as workers, send frames that somebody else counts and exports, and are told nothing.
//
// They are no connections of the engine: no slot, no worker, no outbox. What they send while access is decided waits, bounded.

import { CloseCode, CodedError, ErrorCode } from "../protocol/error.js";
import { UNADMITTED_BYTES_MAX } from "../protocol/limits.js";
import { tellCapabilities } from "./capabilities.js";
import type { CloseCodeValue } from "./connection.js";
import type { Gate, Pass } from "./gate.js";
import type { Guard } from "./server.js";
import { readUpgrade, type UpgradeRequest } from "./upgrade-request.js";
import type { HttpRequest, HttpResponse, TemplatedApp, WebSocket } from "./uws.js";

type Behavior = Parameters<TemplatedApp["ws"]>[1];

interface State {
  pass: Pass;
  listener: number;
  request: UpgradeRequest | null;
  /** Null once it is let in. */
  waiting: Uint8Array[] | null;
  waitingBytes: number;
  isOpen: boolean;
}

interface Attached {
  state: State;
}

/** A telemetry socket may be silent for as long as it likes. */
const NO_IDLE_TIMEOUT = 0;

export class OtelSockets {
  readonly #frameBytesMax: number;
  readonly #take: (frame: Uint8Array) => void;
  readonly #open = new Set<WebSocket<Attached>>();
  #guard: Guard | null = null;

  /** `take` gets every binary frame of a socket that was let in; the bytes are the socket's memory. */
  constructor(frameBytesMax: number, take: (frame: Uint8Array) => void) {
    this.#frameBytesMax = frameBytesMax;
    this.#take = take;
  }

  attach(guard: Guard | null): void {
    this.#guard = guard;
  }

  /** The route of one listener. */
  behavior(listener: number, gate: Gate): Behavior {
    return {
      maxPayloadLength: this.#frameBytesMax,
      idleTimeout: NO_IDLE_TIMEOUT,
      upgrade: (res, req, context) => this.#upgrade(res, req, context, listener, gate),
      open: (ws) => this.#opened(ws as WebSocket<Attached>), // the upgrade attached it
      message: (ws, message, isBinary) => {
        if (isBinary) this.#received(ws as WebSocket<Attached>, new Uint8Array(message)); // as above
      },
      close: (ws) => this.#closed(ws as WebSocket<Attached>), // as above
    };
  }

  /** Closes every socket with code and reason. */
  close(code: CloseCodeValue, reason: string): void {
    for (const ws of [...this.#open]) ws.end(code, reason);
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
    const isGuarded = this.#guard?.guards(listener) === true;
    const request = isGuarded ? readUpgrade(req, pass) : null;
    const state: State = {
      pass,
      listener,
      request,
      waiting: isGuarded ? [] : null,
      waitingBytes: 0,
      isOpen: true,
    };
    tellCapabilities(res);
    res.upgrade<Attached>(
      { state },
      req.getHeader("sec-websocket-key"),
      "",
      req.getHeader("sec-websocket-extensions"),
      context,
    );
  }

  #opened(ws: WebSocket<Attached>): void {
    this.#open.add(ws);
    const { state } = ws.getUserData();
    if (state.request === null || this.#guard === null) return;
    this.#guard.admitTelemetry(state.listener, state.request).then(
      () => this.#letIn(state),
      (cause: unknown) => this.#refuse(ws, state, cause),
    );
  }

  #letIn(state: State): void {
    const { waiting } = state;
    state.waiting = null;
    if (!state.isOpen) return;
    for (const frame of waiting ?? []) this.#take(frame);
  }

  #refuse(ws: WebSocket<Attached>, state: State, cause: unknown): void {
    if (!state.isOpen) return;
    if (!(cause instanceof CodedError)) throw cause;
    ws.send(JSON.stringify({ type: "error", error: { code: ErrorCode.AuthError, message: cause.message } }));
    ws.end(CloseCode.Unauthorized, ErrorCode.AuthError);
  }

  #received(ws: WebSocket<Attached>, frame: Uint8Array): void {
    const { state } = ws.getUserData();
    if (state.waiting === null) return this.#take(frame);
    state.waitingBytes += frame.length;
    if (state.waitingBytes > UNADMITTED_BYTES_MAX)
      ws.end(CloseCode.HeldTooMuch, `more than ${UNADMITTED_BYTES_MAX} bytes before access was decided`);
    else state.waiting.push(frame.slice());
  }

  #closed(ws: WebSocket<Attached>): void {
    this.#open.delete(ws);
    const { state } = ws.getUserData();
    state.isOpen = false;
    state.pass.gate.leave(state.pass);
  }
}
