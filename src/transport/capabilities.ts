// What the engine's end of a WebSocket can do, told in the answer to its upgrade. The official SDKs read it from 0.25 on.
//
// `tcp-nodelay`: uWebSockets sends small frames at once on every socket it accepts (TCP_NODELAY). An SDK that is told so does the same; one
// that is not leaves Nagle's algorithm on, as in Rust, where every answer but the first then waits for an acknowledgement, up to 40 ms.

import type { HttpResponse } from "./uws.js";

const HEADER = "x-iii-capabilities";
const CAPABILITIES = "tcp-nodelay";

/** To be called right before `res.upgrade`. */
export function tellCapabilities(res: HttpResponse): void {
  res.writeStatus("101 Switching Protocols").writeHeader(HEADER, CAPABILITIES);
}
