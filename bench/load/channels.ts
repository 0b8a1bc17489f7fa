// A load program: one channel, written and read as fast as it goes, with a bound on what is under way.
//
// On the engine the channel is made by engine::channels::create and both ends are sockets on /ws/channels/; on a control they are
// a pair of the relay's.

import { performance } from "node:perf_hooks";
import { frameHeader } from "./batch.js";
import { type Connection, upgraded } from "./connection.js";
import { FramePeer } from "./frame-peer.js";
import { JsonPeer } from "./json.js";
import type { Target } from "./role.js";
import { serveRequests } from "./server.js";

export interface ChannelOpen {
  kind: "open";
  port: number;
  target: Target;
  messageBytes: number;
}

export interface ChannelRun {
  kind: "run";
  durationMs: number;
}

export interface ChannelReport {
  bytes: number;
  messages: number;
  elapsedMs: number;
}

/** Below the bound at which the engine stops a writer (4 MiB wait in a channel): here nobody is stopped. */
const UNDER_WAY_BYTES = 1 << 20;
/** Small messages are written so many bytes at a time. */
const WRITE_BYTES = 65_536;
const ID = "c2539f92-6f1b-4c7e-9a53-5d0e8b71ffff";

interface Ref {
  channel_id: string;
  access_key: string;
}

let writer: Connection | undefined;
let written: Buffer = Buffer.alloc(0);
let messagesWritten = 0;
let messageBytes = 0;
let isWriting = false;
let underWay = 0;
let messages = 0;
let onDry: () => void = () => {};

async function open(request: ChannelOpen): Promise<void> {
  ({ messageBytes } = request);
  const { port, target } = request;
  const [readPath, writePath] =
    target === "control" ? ["/worker/0", "/caller/0"] : pathsOf(await createChannel(port));
  const reader = new FramePeer(await upgraded(port, readPath));
  reader.onFrame = (_bytes, _view, _at, length) => received(length);
  reader.connection.onTurnEnd = () => write();
  writer = await upgraded(port, writePath);
  writer.feed = (_bytes, _view, _from, to) => to; // pings, which a minute's silence would be needed for
  const body = Buffer.alloc(messageBytes, 0xab);
  messagesWritten = Math.max(1, Math.floor(WRITE_BYTES / messageBytes));
  written = Buffer.concat(
    Array.from({ length: messagesWritten }, () => [frameHeader(messageBytes, true), body]).flat(),
  );
}

async function createChannel(port: number): Promise<Ref> {
  const peer = new JsonPeer(await upgraded(port, "/"), true);
  const answered = peer.next((frame) => (frame.includes(ID) ? frame.toString() : undefined));
  const function_id = "engine::channels::create";
  peer.sendJson({ type: "invokefunction", invocation_id: ID, function_id, data: { buffer_size: 1024 } });
  const { result } = JSON.parse(await answered);
  return result.writer;
}

function pathsOf({ channel_id, access_key }: Ref): [string, string] {
  const path = `/ws/channels/${channel_id}?key=${access_key}`;
  return [`${path}&dir=read`, `${path}&dir=write`];
}

function received(length: number): void {
  if (length !== messageBytes) throw new Error(`a message of ${length} bytes instead of ${messageBytes}`);
  messages++;
  underWay--;
  if (underWay === 0 && !isWriting) onDry();
}

function write(): void {
  if (!isWriting || writer === undefined) return;
  while ((underWay + messagesWritten) * messageBytes <= UNDER_WAY_BYTES) {
    underWay += messagesWritten;
    writer.socket.write(written);
  }
}

/** Until everything that was written has come out. */
async function run({ durationMs }: ChannelRun): Promise<ChannelReport> {
  messages = 0;
  const startMs = performance.now();
  const dry = new Promise<void>((resolve) => {
    onDry = resolve;
  });
  isWriting = true;
  write();
  await new Promise((resolve) => setTimeout(resolve, durationMs));
  isWriting = false;
  if (underWay > 0) await dry;
  return { bytes: messages * messageBytes, messages, elapsedMs: performance.now() - startMs };
}

serveRequests(
  (request: ChannelOpen | ChannelRun): Promise<unknown> =>
    request.kind === "open" ? open(request) : run(request),
);
