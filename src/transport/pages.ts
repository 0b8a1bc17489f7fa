// Plain HTTP pages for operators and their probes, beside the workers' endpoint or on a listener of their own.
//
// A page is made when it is asked for, on the thread that routes calls: it must cost microseconds, and so is answered under full load too.

import type { HttpResponse, TemplatedApp } from "./uws.js";

export interface Page {
  /** The status line's part: "200 OK". */
  readonly status: string;
  /** The content type. */
  readonly type: string;
  readonly body: string;
}

/** By path. */
export type Pages = Readonly<Record<string, () => Page>>;

export function jsonPage(status: string, body: object): Page {
  return { status, type: "application/json", body: `${JSON.stringify(body)}\n` };
}

/** Answers GET of every page on this app. */
export function servePages(app: TemplatedApp, pages: Pages): TemplatedApp {
  for (const [path, make] of Object.entries(pages)) app.get(path, (res) => answerPage(res, make()));
  return app;
}

export function answerPage(res: HttpResponse, { status, type, body }: Page): void {
  res.cork(() => {
    res.writeStatus(status).writeHeader("content-type", type).end(body);
  });
}
