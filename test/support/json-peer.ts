// A scripted JSON worker on a raw WebSocket: sends literal frames, and gives what it receives as text and parsed.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { WebSocket } from "ws";
import { Inbox } from "./inbox.js";

export interface JsonFrame {
  type: string;
  invocation_id?: string;
  function_id?: string;
  data?: unknown;
  result?: unknown;
  error?: { code: string; message: string; stacktrace?: string; retry_after_ms?: number };
  [key: string]: unknown;
}

export interface Closed {
  code: number;
  reason: string;
}

export class JsonPeer {
  readonly socket: WebSocket;
  /** Texts of frames, in the order received. */
  readonly inbox = new Inbox<string>();
  readonly closed: Promise<Closed>;
  /** The last frame read, as it came. */
  text = "";
  workerId = "";
  token = "";

  /** `ca`: the authority to believe, for wss://. */
  constructor(url: string, protocols: string[] = [], headers: Record<string, string> = {}, ca?: string) {
    this.socket = new WebSocket(url, protocols, {
      headers,
      perMessageDeflate: false,
      ...(ca === undefined ? {} : { ca }),
    });
    this.socket.on("message", (data, isBinary) => this.inbox.put(isBinary ? "(binary)" : String(data)));
    this.socket.on("error", () => undefined); // a close follows, and tests look at that
    this.closed = new Promise((resolve) =>
      this.socket.on("close", (code, reason) => {
        this.inbox.end(`closed with ${code} ${String(reason)}`);
        resolve({ code, reason: String(reason) });
      }),
    );
  }

  /** Connects and reads `workerregistered`. */
  static async connect(port: number): Promise<JsonPeer> {
    const peer = new JsonPeer(`ws://127.0.0.1:${port}/`);
    await peer.greeted();
    return peer;
  }

  /** Reads `workerregistered`, which comes first. */
  async greeted(): Promise<void> {
    const first = await this.next();
    assert.equal(first.type, "workerregistered", JSON.stringify(first));
    this.workerId = String(first["worker_id"]);
    this.token = String(first["reattach_token"]);
  }

  /** Connects and announces itself, as SDKs do. */
  static async announced(port: number, data: object = {}): Promise<JsonPeer> {
    const peer = await JsonPeer.connect(port);
    peer.announce(data);
    return peer;
  }

  /** A worker in `default` that offers functions. */
  static async offering(port: number, ...ids: string[]): Promise<JsonPeer> {
    const peer = await JsonPeer.announced(port);
    for (const id of ids) peer.register(id);
    await peer.settle();
    return peer;
  }

  announce(data: object = {}): void {
    this.send({
      type: "invokefunction",
      function_id: "engine::workers::register",
      action: { type: "void" },
      data,
    });
  }

  register(id: string, rest: object = {}): void {
    this.send({ type: "registerfunction", id, ...rest });
  }

  send(frame: object): void {
    this.socket.send(JSON.stringify(frame));
  }

  sendText(text: string): void {
    this.socket.send(text);
  }

  /** The next frame, parsed; `text` has it as it came. */
  async next(what = "the next frame", waitMs?: number): Promise<JsonFrame> {
    this.text = await this.inbox.next(what, waitMs);
    return JSON.parse(this.text) as JsonFrame; // the engine sends objects with a type; tests look closer
  }

  /** Sends a call and gives its id. */
  invoke(functionId: string, data: unknown, rest: object = {}): string {
    const invocation_id = randomUUID();
    this.send({ type: "invokefunction", invocation_id, function_id: functionId, data, ...rest });
    return invocation_id;
  }

  /** Calls and waits for the answer, which must be the next frame. */
  async call(functionId: string, data: unknown, rest: object = {}): Promise<JsonFrame> {
    const id = this.invoke(functionId, data, rest);
    const answer = await this.next(`the answer of ${functionId}`);
    assert.equal(answer.type, "invocationresult");
    assert.equal(answer.invocation_id, id);
    return answer;
  }

  /** Everything sent before has been handled, and nothing came back: the next frame is the pong. */
  async settle(): Promise<void> {
    this.send({ type: "ping" });
    assert.deepEqual(await this.next("pong"), { type: "pong" });
  }

  /** What came until everything sent before was handled. */
  async drain(): Promise<JsonFrame[]> {
    const frames: JsonFrame[] = [];
    this.send({ type: "ping" });
    for (let frame = await this.next("pong"); frame.type !== "pong"; frame = await this.next("pong"))
      frames.push(frame);
    return frames;
  }

  answer(call: JsonFrame, result: unknown): void {
    this.send({
      type: "invocationresult",
      invocation_id: call.invocation_id,
      function_id: call.function_id,
      result,
    });
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}
