// The loop of every load program: a request from the harness, one answer, the next.
//
// A fault anywhere in the program answers the request that is open, so that a cell fails with the reason.

import type { Reply } from "./messages.js";

/** Serves requests from the parent process until it goes away. */
export function serveRequests<Request extends { kind: string }>(
  handle: (request: Request) => Promise<unknown>,
): void {
  process.on("uncaughtException", (error) => reply({ kind: "failed", why: whyOf(error) }));
  process.on("disconnect", () => process.exit(0));
  process.on("message", (request: Request) => {
    handle(request).then(
      (report) => reply({ kind: "done", report }),
      (error: unknown) => reply({ kind: "failed", why: whyOf(error) }),
    );
  });
}

function reply(message: Reply): void {
  process.send?.(message);
}

function whyOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
