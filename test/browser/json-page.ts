// The page's work on the browser's own WebSocket, with the frames of the official browser SDK, which no registry holds: announced
// first, text only, numbers of invocations drawn here, and after a lost connection the same again behind a `reattach`.

import { type ChannelRef, type PageWorker, type Part, work } from "./page-worker.js";

interface Frame {
  readonly type: string;
  readonly invocation_id?: string;
  readonly function_id?: string;
  readonly data?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
  readonly worker_id?: string;
  readonly reattach_token?: string;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

const PAUSE_MS = 50;

export async function start(url: string): Promise<void> {
  const worker = new JsonWorker(url);
  await worker.connect();
  await work(worker);
}

class JsonWorker implements PageWorker {
  readonly #url: string;
  readonly #handlers = new Map<string, (data: never) => unknown>();
  readonly #waiting = new Map<string, Waiting>();
  #socket: WebSocket | undefined;
  #former: Frame | undefined;
  #isClosed = false;

  constructor(url: string) {
    this.#url = url;
  }

  connect(): Promise<void> {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#received(JSON.parse(String(data)));
    socket.onclose = () => this.#lost();
    return new Promise((resolve) => {
      socket.onopen = () => {
        this.#announce();
        resolve();
      };
    });
  }

  #announce(): void {
    if (this.#former !== undefined) {
      const { worker_id, reattach_token } = this.#former;
      this.#send({ type: "reattach", previous_worker_id: worker_id, reattach_token });
    }
    const data = { runtime: "browser", name: "browser:17142d54", os: "browser" };
    const head = { type: "invokefunction", function_id: "engine::workers::register" };
    this.#send({ ...head, data, action: { type: "void" } });
    for (const id of this.#handlers.keys()) this.#send({ type: "registerfunction", id });
  }

  #lost(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error("connection lost"));
    this.#waiting.clear();
    if (!this.#isClosed) setTimeout(() => this.connect(), PAUSE_MS);
  }

  #send(frame: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #received(frame: Frame): void {
    if (frame.type === "workerregistered") this.#former = frame;
    if (frame.type === "invokefunction") void this.#serve(frame);
    if (frame.type === "invocationresult") this.#ended(frame);
  }

  async #serve({ invocation_id, function_id = "", data }: Frame): Promise<void> {
    const head = { type: "invocationresult", invocation_id, function_id };
    try {
      const result = await this.#handlers.get(function_id)?.(data as never); // its shape is the caller's affair
      this.#send({ ...head, result });
    } catch (error) {
      this.#send({ ...head, error: { code: "invocation_failed", message: String(error) } });
    }
  }

  #ended({ invocation_id = "", result, error }: Frame): void {
    const waiting = this.#waiting.get(invocation_id);
    this.#waiting.delete(invocation_id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(error);
  }

  async register(id: string, handler: (data: never) => unknown): Promise<void> {
    this.#handlers.set(id, handler);
    this.#send({ type: "registerfunction", id });
  }

  call(id: string, data: unknown): Promise<unknown> {
    const invocation_id = crypto.randomUUID();
    this.#send({ type: "invokefunction", invocation_id, function_id: id, data });
    return new Promise((resolve, reject) => this.#waiting.set(invocation_id, { resolve, reject }));
  }

  cast(id: string, data: unknown): void {
    this.#send({ type: "invokefunction", function_id: id, data, action: { type: "void" } });
  }

  read(ref: ChannelRef): Promise<Part[]> {
    const socket = this.#channel(ref);
    const parts: Part[] = [];
    socket.onmessage = ({ data }) => parts.push(typeof data === "string" ? data : new Uint8Array(data));
    return new Promise((resolve) => {
      socket.onclose = () => resolve(parts);
    });
  }

  write(ref: ChannelRef, parts: readonly Part[]): Promise<void> {
    const socket = this.#channel(ref);
    return new Promise((resolve) => {
      socket.onopen = () => {
        for (const part of parts) socket.send(part);
        socket.close(1000, "stream_complete");
        resolve();
      };
    });
  }

  #channel({ channel_id, access_key, direction }: ChannelRef): WebSocket {
    const url = new URL(`/ws/channels/${channel_id}`, this.#url);
    url.searchParams.set("key", access_key);
    url.searchParams.set("dir", direction);
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    return socket;
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.close();
  }
}
