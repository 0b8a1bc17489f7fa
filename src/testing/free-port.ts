// A TCP port of the loopback address that nobody listens on right now.

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/** For what cannot pick a port itself, or must come back on the same one: a listener on port 0 keeps its port busy for a while. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a listening TCP server has one
  server.close();
  await once(server, "close");
  return port;
}
