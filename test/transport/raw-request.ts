// A request written byte by byte on a TCP or TLS socket, and whatever comes back until the other side closes.
import { connect } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";

export interface RawAnswer {
  /** 0: closed without an answer. */
  status: number;
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** `hold`: do not wait for the close behind a 101. */
export function rawRequest(
  port: number,
  bytes: string | Uint8Array,
  tls?: ConnectionOptions,
): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const onConnect = (): void => void socket.write(bytes);
    const socket =
      tls === undefined
        ? connect(port, "127.0.0.1", onConnect)
        : connectTls({ port, host: "127.0.0.1", ...tls }, onConnect);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (text.startsWith("HTTP/1.1 101") && text.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("error", () => undefined); // a close follows
    socket.on("close", () => resolve(readAnswer(text)));
  });
}

function readAnswer(text: string): RawAnswer {
  const [head = "", body = ""] = text.split("\r\n\r\n");
  const [statusLine = "", ...lines] = head.split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(statusLine.split(" ")[1] ?? 0), headers: Object.fromEntries(headers), body };
}

/** The head of an upgrade; `extra` are further headers. */
export function upgradeHead(path = "/", extra: Readonly<Record<string, string>> = {}): string {
  const headers = {
    host: "localhost",
    upgrade: "websocket",
    connection: "Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...extra,
  };
  return `GET ${path} HTTP/1.1\r\n${headLines(headers)}\r\n`;
}

function headLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
}
