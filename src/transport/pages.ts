// Plain HTTP pages for operators and their probes, beside the workers' endpoint or on a listener of their own.
//
// A page is made when it is asked for, on the thread that routes calls: it must cost microseconds, and so is answered under full load too.
// Every answer ends its socket: one socket makes one request, so that whoever holds sockets open is known to wait for something.

import type { HttpRequest, HttpResponse, TemplatedApp } from "./uws.js";

export interface Page {
  /** The status line's part: "200 OK". */
  readonly status: string;
  /** The content type. */
  readonly type: string;
  readonly body: string;
}

/** By path. */
export type Pages = Readonly<Record<string, () => Page>>;

/** Who may ask; false: the request was refused, and has been answered. */
export interface PageGate {
  permits(res: HttpResponse, req: HttpRequest): boolean;
}

/**
 * On every answer: nothing of it is to be guessed at, kept, run, framed or fetched by other sites' pages. Strict-Transport-Security is left out on purpose: it
 * speaks for a host and all its ports, which is not ours to do.
 */
const HEADERS: readonly (readonly [string, string])[] = [
  ["x-content-type-options", "nosniff"],
  ["cache-control", "no-store"],
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
  ["cross-origin-resource-policy", "same-origin"],
  ["referrer-policy", "no-referrer"],
];

export function jsonPage(status: string, body: object): Page {
  return { status, type: "application/json", body: `${JSON.stringify(body)}\n` };
}

/** Answers GET of every page on this app, and everything that nobody before it has taken with 404. */
export function servePages(app: TemplatedApp, gate: PageGate, pages: Pages): void {
  for (const [path, make] of Object.entries(pages))
    app.get(path, (res, req) => {
      if (gate.permits(res, req)) answerPage(res, make());
    });
  app.any("/*", answerWith(gate, "404 Not Found", "not found"));
}

/** A handler that always says the same. */
export function answerWith(gate: PageGate, status: string, error: string) {
  return (res: HttpResponse, req: HttpRequest): void => {
    if (gate.permits(res, req)) answerPage(res, jsonPage(status, { error }));
  };
}

export function answerPage(res: HttpResponse, { status, type, body }: Page): void {
  res.cork(() => {
    res.writeStatus(status).writeHeader("content-type", type);
    for (const [name, value] of HEADERS) res.writeHeader(name, value);
    res.end(body, true);
  });
}
