// Control: one publisher to all others. A frame from a caller goes to every worker; a frame from a worker goes
// nowhere.
//
//   node fanout.js publish    uWebSockets' native publish: one copy of the frame, batched per subscriber
//   node fanout.js send       the same prebuilt frame, sent to each socket in a loop

import { type Socket, serve } from "./uws-server.js";

const TOPIC = "all";
const workers = new Set<Socket>();
const native = process.argv[2] === "publish";

const app = serve(
  (from, frame, isBinary) => {
    if (from.getUserData().role === "worker") return;
    if (native) app.publish(TOPIC, frame, isBinary);
    else for (const worker of workers) worker.send(frame, isBinary);
  },
  {
    opened: (socket) => {
      if (socket.getUserData().role !== "worker") return;
      workers.add(socket);
      if (native) socket.subscribe(TOPIC);
    },
    closed: (socket) => workers.delete(socket),
  },
);
