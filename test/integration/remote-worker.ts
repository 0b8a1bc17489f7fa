// A worker on this package's own SDK that stands on another host: shows its token, offers remote::echo, and remote::ask, which calls.

import { type CallError, connect } from "../../src/worker/index.js";

const worker = await connect({
  name: "remote",
  headers: { authorization: `Bearer ${process.env["TOKEN"] ?? ""}` },
  reconnect: { baseMs: 20, capMs: 200 },
});
worker.register("remote::echo", (data) => data);
worker.register("remote::ask", ({ id, data }: { id: string; data: unknown }) =>
  worker.call(id, data).catch(({ code }: CallError) => ({ code })),
);
process.stdin.resume().on("end", () => worker.close());
