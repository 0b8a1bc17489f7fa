// A TCP proxy in front of an engine that can break connections the way networks do.
//
// `cut` ends both sides at once. `loseClients` ends the client's side only: the engine goes on believing in a connection
// that nobody holds. `swallow` keeps both open and passes nothing on. It knows nothing of WebSocket.

import { once } from "node:events";
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
}

export class CuttableProxy {
  /** Connections accepted so far. */
  accepted = 0;
  readonly #server: Server;
  readonly #upstreamPort: number;
  readonly #pairs = new Set<Pair>();
  #isSwallowing = false;

  constructor(upstreamPort: number) {
    this.#upstreamPort = upstreamPort;
    this.#server = createServer((client) => this.#join(client));
  }

  get port(): number {
    const { port } = this.#server.address() as AddressInfo; // a listening TCP server has one
    return port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** Ends every connection, both sides, without a word. */
  cut(): void {
    for (const { client, upstream } of this.#pairs) {
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    }
    this.#pairs.clear();
  }

  /** Ends the clients' sides; the engine hears nothing of it until the proxy closes. */
  loseClients(): void {
    for (const { client } of this.#pairs) client.resetAndDestroy();
  }

  /** From here on nothing that either side sends arrives, and no connection ends. */
  swallow(): void {
    this.#isSwallowing = true;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #join(client: Socket): void {
    this.accepted++;
    const upstream = createConnection(this.#upstreamPort, "127.0.0.1");
    const pair = { client, upstream };
    this.#pairs.add(pair);
    client.on("data", (bytes) => this.#isSwallowing || upstream.write(bytes));
    upstream.on("data", (bytes) => this.#isSwallowing || client.destroyed || client.write(bytes));
    client.on("end", () => upstream.end());
    upstream.on("close", () => client.destroy());
    // A reset is what this proxy is for; the peer's own code reports it.
    client.on("error", () => undefined);
    upstream.on("error", () => undefined);
  }
}

export async function proxyFor(t: TestContext, upstreamPort: number): Promise<CuttableProxy> {
  const proxy = new CuttableProxy(upstreamPort);
  await proxy.listen();
  t.after(() => proxy.close());
  return proxy;
}
