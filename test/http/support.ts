// An HTTP server on loopback that a test scripts, and an engine that may reach it by a name.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { HttpSecurity } from "../../src/http/url-policy.js";

export interface Received {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  rawHeaders: string[];
  body: string;
}

export interface ScriptedServer {
  port: number;
  url: string;
  received: Received[];
  /** TCP connections so far. */
  connections: () => number;
}

export type Respond = (response: ServerResponse, request: Received) => void;

export async function scriptedServer(t: TestContext, respond: Respond): Promise<ScriptedServer> {
  const received: Received[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const one: Received = {
        method: request.method ?? "",
        path: request.url ?? "",
        headers: request.headers,
        rawHeaders: request.rawHeaders,
        body: Buffer.concat(chunks).toString("utf8"),
      };
      received.push(one);
      respond(response, one);
    });
  });
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return { port, url: `http://127.0.0.1:${port}`, received, connections: () => connections };
}

/** For tests on loopback: what is checked is something else. */
export const OPEN: HttpSecurity = { urlAllowlist: [], blockPrivateIps: false, requireHttps: false };
