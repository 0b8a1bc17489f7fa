// One raw client connection: a TCP socket with the WebSocket handshake done by hand, reading into one shared buffer.
//
// Every socket of the process reads into the same memory (a read and its callback are one step), so a thousand idle
// connections cost no buffers. What a chunk leaves unread is kept per connection and put in front of the next chunk.

import net from "node:net";
import { frameHeader } from "./batch.js";
import { HEAD_BYTES } from "./reader.js";

const READ_BYTES = 512 << 10;

/** Room in front of the shared buffer for the unread rest of the chunk before. */
const FRONT_BYTES = HEAD_BYTES + 16;

const shared = Buffer.alloc(FRONT_BYTES + READ_BYTES);
const sharedView = new DataView(shared.buffer, shared.byteOffset, shared.length);
const readInto = shared.subarray(FRONT_BYTES);

/** Reads `[from, to)` and returns where the unread rest begins. */
export type Feed = (bytes: Buffer, view: DataView, from: number, to: number) => number;

export class Connection {
  readonly socket: net.Socket;
  /** Called once per chunk after it was read: the end of a turn. */
  onTurnEnd: () => void = () => {};
  /** Called when the connection ends; the default treats it as a fault of the run. */
  onEnd: (reason: string) => void = (reason) => {
    throw new Error(`connection ended: ${reason}`);
  };
  #feed: Feed;
  #rest = Buffer.alloc(FRONT_BYTES);
  #restBytes = 0;

  constructor(port: number, feed: Feed) {
    this.#feed = feed;
    this.socket = net.connect({
      host: "127.0.0.1",
      port,
      noDelay: true,
      onread: { buffer: readInto, callback: (bytes) => this.#read(bytes) },
    });
    this.socket.on("error", (error) => this.onEnd(error.message));
    this.socket.on("close", () => this.onEnd("closed by the router"));
  }

  /** From now on bytes go to another reader; what is unread stays for it. */
  set feed(feed: Feed) {
    this.#feed = feed;
  }

  #read(bytes: number): boolean {
    const from = FRONT_BYTES - this.#restBytes;
    if (this.#restBytes > 0) this.#rest.copy(shared, from, 0, this.#restBytes);
    const to = FRONT_BYTES + bytes;
    const at = this.#feed(shared, sharedView, from, to);
    this.#restBytes = to - at;
    if (this.#restBytes > 0) shared.copy(this.#rest, 0, at, to);
    this.onTurnEnd();
    return true;
  }

  /** Sends one frame now; for what happens once, not for the load. */
  send(body: Buffer, binary: boolean): void {
    this.socket.write(Buffer.concat([frameHeader(body.length, binary), body]));
  }

  pong(body: Buffer): void {
    this.socket.write(Buffer.concat([Buffer.from([0x8a, 0x80 | body.length, 0, 0, 0, 0]), body]));
  }

  close(): Promise<void> {
    this.onEnd = () => {};
    return new Promise((resolve) => {
      this.socket.once("close", () => resolve());
      this.socket.destroy();
    });
  }
}

/** Connects and upgrades. `subprotocol` is left out of the request when empty. */
export async function upgraded(port: number, path: string, subprotocol = ""): Promise<Connection> {
  let connection: Connection | undefined;
  await new Promise<void>((resolve, reject) => {
    connection = new Connection(port, (bytes, _view, from, to) => {
      const end = bytes.subarray(from, to).indexOf("\r\n\r\n");
      if (end === -1) return from;
      const head = bytes.toString("latin1", from, from + end);
      if (head.startsWith("HTTP/1.1 101")) resolve();
      else reject(new Error(`no upgrade: ${head.split("\r\n", 1)[0]}`));
      return from + end + 4;
    });
    connection.onEnd = (reason) => reject(new Error(reason));
    connection.socket.write(request(path, subprotocol));
  });
  if (connection === undefined) throw new Error("unreachable: the promise above creates it");
  connection.onEnd = (reason) => {
    throw new Error(`connection ended: ${reason}`);
  };
  return connection;
}

function request(path: string, subprotocol: string): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${Buffer.from("tercet bench key").toString("base64")}`,
  ];
  if (subprotocol !== "") lines.push(`Sec-WebSocket-Protocol: ${subprotocol}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}
