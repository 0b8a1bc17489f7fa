// One end of a channel as a script: a WebSocket on /ws/channels/, what came over it, and how it closed.

import { get, type IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import { eventually } from "./eventually.js";

export interface ChannelRef {
  readonly channel_id: string;
  readonly access_key: string;
  readonly direction: "read" | "write";
}

export interface ChannelRefs {
  readonly reader: ChannelRef;
  readonly writer: ChannelRef;
}

export class ChannelPeer {
  readonly socket: WebSocket;
  /** Text as strings, binary as Buffers. */
  readonly messages: (string | Buffer)[] = [];
  bytes = 0;
  /** Once closed; 1005: without a code, 1006: without a close frame. */
  closed: { code: number; reason: string } | undefined;
  /** The HTTP status that answered instead of an upgrade. */
  refused: number | undefined;

  constructor(url: string, keep: boolean) {
    this.socket = new WebSocket(url, { perMessageDeflate: false });
    this.socket.on("message", (data: Buffer, isBinary) => {
      this.bytes += data.length;
      if (keep) this.messages.push(isBinary ? data : data.toString("utf8"));
    });
    this.socket.on("unexpected-response", (request, response) => {
      this.refused = response.statusCode;
      request.destroy();
    });
    this.socket.on("error", () => {}); // told by `refused` and `closed`
    this.socket.on("close", (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
  }

  /** Connects one end. `keep` false: bytes are counted only. */
  static async open(url: string, ref: ChannelRef, keep = true): Promise<ChannelPeer> {
    const peer = new ChannelPeer(channelUrl(url, ref), keep);
    await eventually("the channel's socket opens", () => peer.socket.readyState !== WebSocket.CONNECTING);
    return peer;
  }

  send(...messages: (string | Uint8Array)[]): void {
    for (const message of messages) this.socket.send(message);
  }

  get end(): Promise<{ code: number; reason: string }> {
    return eventually("the channel's socket closes", () => this.closed);
  }
}

export function channelUrl(url: string, { channel_id, access_key, direction }: ChannelRef): string {
  return `${url}/ws/channels/${channel_id}?key=${access_key}&dir=${direction}`;
}

/** The status of an upgrade request to `path`, and the body when it was refused. */
export function upgradeStatus(port: number, path: string): Promise<{ status: number; body: string }> {
  const headers = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
  };
  return new Promise((resolve, reject) => {
    const request = get({ host: "127.0.0.1", port, path, headers });
    request.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, body: "" });
    });
    request.on("response", (response) => {
      textOf(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    request.on("error", reject);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of response) text += String(part);
  return text;
}
