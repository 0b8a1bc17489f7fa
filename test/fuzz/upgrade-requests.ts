// Requests at the upgrade door as a hostile client would write them: right ones, then bent in every place that a parser or a rule looks at.
//
// `upgradeBytes` makes one; `knock` sends so many of them over real sockets and tells what came back. Same seed, same bytes.
import { connect } from "node:net";
import type { Random } from "../support/random.js";

const TOKENS = ["", "a", "%", "%zz", "%00", "a%2fb", "\u0000", "é", "../..", "x".repeat(300), "{}", "'\"<>"];
const ORIGINS = [
  "null",
  "http://localhost",
  "https://evil.example",
  "http://localhost:99999",
  "://",
  "http://[::1",
  "a".repeat(500),
];
const HOSTS = [
  "localhost",
  "127.0.0.1",
  "[::1]:1",
  "evil.example",
  "",
  ":",
  "[",
  "a@b",
  "a b",
  "localhost:port",
];
const METHODS = ["POST", "HEAD", "OPTIONS", "CONNECT", "TRACE", "get", "G\u0000T", "", "PRI"];
const VERSIONS = ["HTTP/1.0", "HTTP/2.0", "HTTP/9", "http/1.1", ""];
const PROTOCOLS = [
  "tercet.msgpack.v1",
  "chat",
  ",",
  "tercet.msgpack.v1, tercet.msgpack.v1",
  " tercet.msgpack.v1",
  ",".repeat(200),
];
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** How often a part of a request is not what it should be: low enough that most requests are wrong in one place, and get far. */
const WRONG = 0.06;

function mostly<T>(random: Random, right: T, wrong: readonly T[]): T {
  return random.next() < WRONG ? random.pick(wrong) : right;
}

/** One request head, and perhaps what follows it. */
export function upgradeBytes(random: Random): Buffer {
  const separator = mostly(random, ": ", [":", " : ", ":\t", " "]);
  const lines = headersOf(random).map(([name, value]) => `${name}${separator}${value}`);
  const first = `${mostly(random, "GET", METHODS)} ${target(random)} ${mostly(random, "HTTP/1.1", VERSIONS)}`;
  const head = [first, ...lines, "", ""].join(mostly(random, "\r\n", ["\n", "\r", "\r\n\r\n"]));
  return spoil(random, Buffer.concat([Buffer.from(head, "latin1"), tail(random)]));
}

function headersOf(random: Random): [string, string][] {
  const headers: [string, string][] = [
    ["Host", random.pick(HOSTS)],
    ["Upgrade", mostly(random, "websocket", ["WebSocket", "h2c", ""])],
    ["Connection", mostly(random, "Upgrade", ["keep-alive, Upgrade", "close", ""])],
    ["Sec-WebSocket-Version", mostly(random, "13", ["8", "-1", "999999999999"])],
    ["Sec-WebSocket-Key", mostly(random, KEY, ["", "short", KEY.repeat(10), "=".repeat(24)])],
  ];
  if (random.next() < 0.4) headers.push(["Origin", random.pick(ORIGINS)]);
  if (random.next() < 0.4) headers.push(["Sec-WebSocket-Protocol", random.pick(PROTOCOLS)]);
  if (random.next() < 0.2)
    headers.push([
      "Sec-WebSocket-Extensions",
      random.pick(["permessage-deflate", "permessage-deflate; x=" + "9".repeat(99), ";;;"]),
    ]);
  if (random.next() < 0.2)
    headers.push(["Authorization", random.pick(["Bearer x", "Bearer", "Basic ====", "B".repeat(900)])]);
  if (random.next() < 0.1)
    headers.push(["Content-Length", random.pick(["0", "5", "-1", "1e9", "18446744073709551616"])]);
  if (random.next() < 0.1)
    headers.push(["Transfer-Encoding", random.pick(["chunked", "identity", "chunked, chunked"])]);
  if (random.next() < 0.1) headers.push(...many(random));
  if (random.next() < 0.1) headers.splice(random.below(headers.length), 1);
  if (random.next() < 0.2) headers.push(random.pick(headers)); // twice
  return headers;
}

/** More headers, or longer ones, than are taken. */
function many(random: Random): [string, string][] {
  const count = random.pick([10, 99, 101, 200]);
  return Array.from({ length: count }, (_, at) => [`X-${at}`, "v".repeat(random.pick([0, 1, 60]))]);
}

function target(random: Random): string {
  const path = random.pick([
    "/",
    "/",
    "/",
    "/otel",
    "/ws/channels/a",
    "/ws/channels/",
    "/healthz",
    "/metrics",
    "*",
    "//",
    "",
    "http://x/",
  ]);
  if (random.next() < 0.75) return path;
  const pairs = Array.from(
    { length: 1 + random.below(4) },
    () => `${random.pick(["key", "dir", "access_token", "__proto__", ""])}=${random.pick(TOKENS)}`,
  );
  return `${path}?${pairs.join("&")}`;
}

/** What a client sends before it knows whether it was let in. */
function tail(random: Random): Uint8Array {
  if (random.next() < 0.6) return new Uint8Array();
  const bytes = Array.from({ length: random.below(64) }, () => random.below(256));
  return Buffer.from(
    random.next() < 0.5 ? bytes : [0x82, 0x80 | (bytes.length & 0x7f), 0, 0, 0, 0, ...bytes],
  );
}

function spoil(random: Random, bytes: Buffer): Buffer {
  const dice = random.next();
  if (dice < 0.7) return bytes;
  if (dice < 0.8) return bytes.subarray(0, random.below(bytes.length + 1));
  for (let n = 1 + random.below(3); n > 0; n--) bytes[random.below(bytes.length)] = random.below(256);
  return bytes;
}

export interface Knocked {
  sent: number;
  /** By status; 0: closed without an answer. */
  answers: Map<number, number>;
}

/** Sends `count` requests, `together` at a time, each on a socket of its own. Resolves when all are closed; `judge` is told of each. */
export async function knock(
  port: number,
  random: Random,
  count: number,
  judge: (status: number, input: number) => void = () => undefined,
  together = 64,
): Promise<Knocked> {
  const knocked: Knocked = { sent: 0, answers: new Map() };
  const one = async (): Promise<void> => {
    while (knocked.sent < count) {
      const input = knocked.sent++;
      const status = await send(port, upgradeBytes(random), random.below(4) === 0);
      knocked.answers.set(status, (knocked.answers.get(status) ?? 0) + 1);
      judge(status, input);
    }
  };
  await Promise.all(Array.from({ length: together }, one));
  return knocked;
}

/** `inPieces`: a parser that is fed by halves must come to the same. */
function send(port: number, bytes: Buffer, inPieces: boolean): Promise<number> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => {
      socket.setNoDelay(true);
      if (!inPieces) return void socket.end(bytes);
      const middle = bytes.length >> 1;
      socket.write(bytes.subarray(0, middle), () => socket.end(bytes.subarray(middle)));
    });
    socket.on("data", (chunk) => {
      if (text.length < 64) text += chunk.toString("latin1");
    });
    socket.on("error", () => undefined); // a close follows
    socket.on("close", () => resolve(Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1] ?? 0)));
  });
}
